"""Whose signature the functions shall require: the key in template.yaml's RequireSignature.

Imports `maas` and the lab.

    key = required_key(settings) or required_by(samconfig)

A machine without the setting never takes the requirement away. The key is a parameter of the stack
and not a file of the layer: whoever can exchange what is signed must not exchange what it is
checked with.
"""

from typing import TYPE_CHECKING

from maas.bundle.ecdsa import PublicKey, parse_key
from maas.errors import RefusedError

if TYPE_CHECKING:
    from maas_lab.packing.samconfig import Samconfig

REQUIRE_SIGNATURE = "RequireSignature"
"""The parameter: a public key on one line; where it is empty, none is required."""


def required_by(samconfig: "Samconfig") -> PublicKey | None:
    """The key that is required of what was packaged; None where none is.

    Raises:
        RefusedError: The sections of samconfig.toml differ, or have none that is a key.
    """
    lines = {each.overrides().get(REQUIRE_SIGNATURE, "") for each in samconfig.sections()}
    if lines <= {""}:
        return None
    try:
        (line,) = lines
        return parse_key(line)
    except ValueError:
        raise RefusedError(
            f"{samconfig.path.name} has no single public key in {REQUIRE_SIGNATURE}. Set"
            " MAAS_REQUIRE_SIGNATURE to the right one and package again, or remove the parameter."
        ) from None
