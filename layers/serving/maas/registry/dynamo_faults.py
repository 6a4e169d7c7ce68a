"""What can go wrong between us and DynamoDB: what it means, whether it passes, what to say of it.

Imports `maas.errors` and msgspec; no AWS library, so all of it can be reasoned about and tested:

    fault = fault_of_answer("TransactionCanceledException", 400, ["None", "TransactionConflict"])
    raise error_of(fault, table="maas-registry", writing=True, unclear=False)
"""

from collections.abc import Iterable
from enum import Enum, auto

from msgspec import Struct

from maas.errors import (
    ConflictError,
    MaasError,
    RegistryMisconfiguredError,
    RegistryUnavailableError,
)


class Kind(Enum):
    """What a failed attempt means."""

    CONDITION = auto()
    """A condition does not hold. Revisions only grow and nothing is deleted, so it never will."""
    CROWDED = auto()
    """Another transaction was at work on one of the items; this attempt did nothing."""
    RUNNING = auto()
    """An earlier attempt of this very transaction is still at work."""
    THROTTLED = auto()
    """Too many requests; this attempt did nothing."""
    UNSENT = auto()
    """No connection: the request never left."""
    UNCLEAR = auto()
    """The request left and no good answer came: it may or may not have been obeyed."""
    REFUSED = auto()
    """Answered for good: the table, the right or the credentials are wrong."""
    BROKEN = auto()
    """We asked for something that makes no sense."""


class Fault(Struct, frozen=True):
    """A failed attempt.

    Attributes:
        kind: What it means.
        code: DynamoDB's or the library's name of it; names nothing secret.
    """

    kind: Kind
    code: str


class FaultError(Exception):
    """Carries a fault to whoever knows what was asked; never leaves the registry.

    Attributes:
        fault: The last attempt's.
        unclear: Whether this or an earlier attempt may have been obeyed.
    """

    def __init__(self, fault: Fault, *, unclear: bool = False) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.unclear = unclear


_CODES = {
    "ConditionalCheckFailedException": Kind.CONDITION,
    "TransactionConflictException": Kind.CROWDED,
    "TransactionInProgressException": Kind.RUNNING,
    "ProvisionedThroughputExceededException": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "ThrottlingException": Kind.THROTTLED,
    "Throttling": Kind.THROTTLED,
    "TooManyRequestsException": Kind.THROTTLED,
    "SlowDown": Kind.THROTTLED,
    "IdempotentParameterMismatchException": Kind.BROKEN,
    "RequestTimeout": Kind.UNCLEAR,
    "RequestTimeoutException": Kind.UNCLEAR,
}
# Of a cancelled transaction's reasons, the first one here that occurs decides.
_REASONS = {
    "ConditionalCheckFailed": Kind.CONDITION,
    "TransactionConflict": Kind.CROWDED,
    "ProvisionedThroughputExceeded": Kind.THROTTLED,
    "RequestLimitExceeded": Kind.THROTTLED,
    "ThrottlingError": Kind.THROTTLED,
}


def fault_of_answer(code: str, status: int, reasons: Iterable[str] = ()) -> Fault:
    """Read an error that DynamoDB answered.

    Args:
        code: Its code, such as `ThrottlingException`.
        status: The HTTP status.
        reasons: For a cancelled transaction the code of each item, in any order.
    """
    if code == "TransactionCanceledException":
        found = set(reasons)
        for reason, kind in _REASONS.items():
            if reason in found:
                return Fault(kind, reason)
        return Fault(Kind.REFUSED, min(found - {"None"}, default=code))
    if code in _CODES:
        return Fault(_CODES[code], code)
    if status >= 500:
        return Fault(Kind.UNCLEAR, code)
    return Fault(Kind.THROTTLED if status == 429 else Kind.REFUSED, code)


def error_of(fault: Fault, *, table: str, writing: bool, unclear: bool) -> MaasError:
    """The error that a caller sees.

    Args:
        fault: The last attempt's.
        table: The table's name.
        writing: Whether a change was asked for.
        unclear: Whether any attempt may have been obeyed.
    """
    if fault.kind is Kind.CONDITION:
        return ConflictError("Somebody else changed the registry first; nothing was written.")
    if writing and unclear:
        return RegistryUnavailableError(
            f"The registry's table {table} did not answer to the end ({fault.code}), so it is not "
            "known whether the change was written. Look with maas history; where it is not there, "
            "the same command may be run again."
        )
    if fault.kind is Kind.CROWDED and writing:
        return ConflictError(
            "Others change the same records of the registry all the time; nothing was written. "
            "Try again."
        )
    if fault.kind is Kind.REFUSED:
        return _misconfigured(fault.code, table)
    if fault.kind is Kind.BROKEN:
        return MaasError(f"DynamoDB does not understand what maas asks of it ({fault.code}).")
    return RegistryUnavailableError(f"The registry's table {table} {_NOT_NOW[fault.kind]}.")


_NOT_NOW = {
    Kind.CROWDED: "is being changed all the time, so that nothing consistent could be read. "
    "Try again",
    Kind.RUNNING: "is still at work. Try again",
    Kind.THROTTLED: "is asked more than it answers (throttled). Try again",
    Kind.UNSENT: "cannot be reached. Check the network and AWS_ENDPOINT_URL_DYNAMODB",
    Kind.UNCLEAR: "does not answer within its bounds. Try again",
}

_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or sign in again"
_REGION = "Set AWS_REGION to the region of the table"
_EXPIRED = "the credentials have expired. Sign in again, or set new ones"
_WRONG_KEYS = f"AWS does not know the credentials. {_KEYS}"
_WRONG_SHAPE = (
    "it is not a registry's table, or of another release. See maas registry doctor, "
    "or name another table in MAAS_REGISTRY"
)
_REMEDIES = {
    "ResourceNotFoundException": "there is no such table in this account and region. "
    "Make it by maas registry init, or set AWS_REGION or MAAS_REGISTRY",
    "AccessDeniedException": "these credentials have no right to it. Grant them the table's "
    "actions, or use others",
    "UnrecognizedClientException": _WRONG_KEYS,
    "InvalidClientTokenId": _WRONG_KEYS,
    "InvalidSignatureException": f"{_WRONG_KEYS}. If they are right, set the clock",
    "MissingAuthenticationTokenException": _WRONG_KEYS,
    "IncompleteSignatureException": _WRONG_KEYS,
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "ValidationException": _WRONG_SHAPE,
    "ValidationError": _WRONG_SHAPE,
    "SerializationException": _WRONG_SHAPE,
    "NoRegionError": f"no region is known. {_REGION}",
    "InvalidRegionError": f"the region is malformed. {_REGION}",
    "NoCredentialsError": f"no credentials were found. {_KEYS}",
    "PartialCredentialsError": f"the credentials are incomplete. {_KEYS}",
    "CredentialRetrievalError": f"the credentials cannot be had. {_KEYS}",
    "TokenRetrievalError": f"the credentials cannot be had. {_KEYS}",
    "SSOTokenLoadError": f"the credentials cannot be had. {_KEYS}",
    "UnauthorizedSSOTokenError": _EXPIRED,
    "ProfileNotFound": "the profile that AWS_PROFILE names does not exist. Set another",
    "InvalidEndpoint": "its address is no URL. Set AWS_ENDPOINT_URL_DYNAMODB to one, or unset it",
}


def _misconfigured(code: str, table: str) -> RegistryMisconfiguredError:
    remedy = _REMEDIES.get(code, "AWS refuses the request. Check AWS's settings and the table")
    return RegistryMisconfiguredError(
        f"The registry's table {table} cannot be used: {remedy} ({code}).", field="MAAS_REGISTRY"
    )
