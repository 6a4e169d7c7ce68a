"""What the registry stores of a deployment. Imports msgspec and the records' words.

record.digests     # {1: "sha256:…"}: what the function answers for
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from maas.registry.records import Digest, ModelName, Revision, VersionNumber

DEPLOYMENTS_MAX = 16
"""Places that one model is deployed to at a time; those that it was removed from do not count."""

# The name of a CloudFormation stack.
TargetName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$(?!\n)")]
# A function's name and alias, and a published version of it, as Lambda writes them.
FunctionName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_:-]{1,160}$(?!\n)")]
FunctionVersion = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,15}$(?!\n)")]


class DeploymentRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """What a deployed function carries (`DEPLOYMENT#<target>`), written after it was asked.

    Every version that the policy routes to is among the digests of each live record.

    Attributes:
        model: The model's name.
        target: Where: the stack's name.
        status: `live` while it answers requests; `leaving` from before its stack is destroyed
            until that has been seen to be gone; then `removed`.
        function: The function's name and alias, such as `maas-sentiment:live`.
        function_version: The function version that the alias points at with all of its traffic.
        digests: Full digest by number of each version that it answered for; while a deployment is
            under way, of those only that the new function carries too.
        revision: The record's own count of changes: 1, 2, 3 …
        at: When (ISO 8601, UTC).
        by: Who.
    """

    model: ModelName
    target: TargetName
    status: Literal["live", "leaving", "removed"]
    function: FunctionName
    function_version: FunctionVersion
    digests: dict[VersionNumber, Digest]
    revision: Revision
    at: str
    by: str
