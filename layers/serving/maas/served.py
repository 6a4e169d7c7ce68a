"""The served set: which versions of a model a function carries, and the policy of packaging time.

May import `maas.errors`, `maas.registry.records` and msgspec. `served.json` lies in the function's
layer beside the bundles; it is part of no bundle's digest:

    served = read_served(Path("/opt/models/sentiment"))     # None on a laptop, which carries all
    served.policy                                           # what answers until the registry does
    served.forms()["sha256:…"]                              # "optimised-x86"

No other digest covers it, so it carries its own: one flipped bit could move traffic from one
version to another.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from maas.errors import BundleError
from maas.registry.records import Digest, ModelName, Policy, VersionNumber, encode

SERVED = "served.json"


class ServedVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """One version that a function carries.

    Attributes:
        number: The version's number.
        digest: Its bundle's digest.
        form: The one form of its model that was packed.
    """

    number: VersionNumber
    digest: Digest
    form: str


class ServedSet(Struct, frozen=True, forbid_unknown_fields=True):
    """All that a function carries of its model.

    Attributes:
        format: Version of this structure.
        model: The model's name.
        versions: Ascending by number; every version that the policy routes to is among them.
        policy: The policy as it was when this was packed; it answers until a newer one is read.
    """

    format: Literal[1]
    model: ModelName
    versions: Annotated[tuple[ServedVersion, ...], Meta(min_length=1)]
    policy: Policy

    def digests(self) -> dict[int, str]:
        """Digest by version number."""
        return {version.number: version.digest for version in self.versions}

    def forms(self) -> dict[str, str]:
        """Packed form by digest."""
        return {version.digest: version.form for version in self.versions}


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: a served set as it is written, and the sha256 of just those bytes."""

    digest: Digest
    served: msgspec.Raw


def seal_served(served: bytes) -> bytes:
    """The file's bytes for a served set that is written as JSON."""
    return b'{"digest":"%s","served":%s}' % (_digest(served).encode(), served)


def write_served(served: ServedSet) -> bytes:
    """The file's canonical bytes: one served set, one text."""
    return seal_served(msgspec.json.encode(encode(served), order="sorted"))


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parse_served(data: bytes) -> ServedSet:
    """Read a served set.

    Raises:
        BundleError: It is malformed, was changed, is of another model than its policy, or lacks a
            routed version.
    """
    try:
        sealed = msgspec.json.decode(data, type=_Sealed)
        if _digest(bytes(sealed.served)) != sealed.digest:
            raise BundleError(f"{SERVED} was changed: its sha256 is not the one in it.")
        served = msgspec.json.decode(sealed.served, type=ServedSet)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise BundleError(f"{SERVED} cannot be read: {reason}.") from None
    if served.policy.model != served.model:
        raise BundleError(f"{SERVED} is of {served.model}, its policy of another model.")
    carried = served.digests()
    if len(carried) != len(served.versions):
        raise BundleError(f"{SERVED} lists a version twice.")
    for alias, routes in served.policy.aliases.items():
        for number in (route.version for route in routes):
            if carried.get(number, "absent") != served.policy.digests.get(number):
                raise BundleError(f"{SERVED} does not list version {number}, which {alias} needs.")
    return served


def read_served(folder: Path) -> ServedSet | None:
    """Read the served set of a model's folder; None where there is none, as on a laptop.

    Raises:
        BundleError: It cannot be read.
    """
    try:
        data = (folder / SERVED).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{SERVED} cannot be read: {error.strerror}.") from None
    return parse_served(data)
