"""What AWS refuses, as errors of ours, each with its remedy.

Imports botocore's errors and `maas.errors`.

    with our_errors("lambda:GetAlias"):      # what is raised in it, too, where it is AWS's
        client.get_alias(...)
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import botocore.exceptions as faults

from maas.errors import (
    ConflictError,
    MaasError,
    NotFoundError,
    RefusedError,
    SettingsError,
    TryAgainError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_DENIED = frozenset(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"))
_LATER = frozenset(
    (
        "EC2ThrottledException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ResourceConflictException",
        "ResourceInUseException",
        "ResourceNotReadyException",
        "ServerException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)
_FIRST = frozenset(("ConditionalRequestConflict", "PreconditionFailed"))
ABSENT = frozenset(("NoSuchBucket", "NoSuchKey", "ResourceNotFoundException"))
"""What S3, DynamoDB, Lambda and CloudWatch call a thing that is not there."""


@contextmanager
def our_errors(what: str) -> "Iterator[None]":
    """Turn what boto3 raises in the block into errors of ours, with the remedy.

    Args:
        what: The action, as a policy of AWS names it.
    """
    try:
        yield
    except faults.ClientError as error:
        raise _refused(what, code_of(error), message_of(error)) from error
    except (
        faults.HTTPClientError,
        faults.ConnectionError,
        faults.IncompleteReadError,  # cut in the middle of a file
        faults.FlexibleChecksumError,
    ) as error:
        raise TryAgainError(
            f"AWS did not answer {what}: {error}. Look at the network and the region, then run it"
            " again."
        ) from error
    except faults.BotoCoreError as error:
        raise SettingsError(
            f"AWS cannot be called: {str(error).rstrip('.')}. Log in, such as with aws sso login,"
            " and set AWS_PROFILE or the access keys, and AWS_REGION."
        ) from error


def _refused(what: str, code: str, message: str) -> MaasError:
    if code in _LOGIN:
        return SettingsError(
            f"AWS does not take these credentials ({code}). Log in again, such as with"
            " aws sso login, or set other access keys."
        )
    if code in _DENIED:
        return RefusedError(f"AWS does not allow {what}: {message} Let whoever runs this do that.")
    if code in _LATER:
        return TryAgainError(f"AWS could not do {what} now ({code}): {message}")
    if code in ABSENT:
        return NotFoundError(f"AWS does not find what {what} asked for: {message}")
    if code in _FIRST:
        return ConflictError(f"Somebody else was first at {what}: {message}")
    return RefusedError(f"AWS refused {what} ({code}): {message}")


def code_of(error: faults.ClientError) -> str:
    """AWS's name for what it refused; empty where it gives none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: faults.ClientError) -> str:
    """AWS's words for it."""
    return str(error.response.get("Error", {}).get("Message", ""))
