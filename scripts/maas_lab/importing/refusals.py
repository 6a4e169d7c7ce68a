"""What the user is told of a bundle that cannot be made: the option at fault, or the model.

Imports `maas.errors`.

    except BundleError as error:
        raise refusal(error) from None
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError, RefusedError

if TYPE_CHECKING:
    from maas.errors import BundleError, MaasError

_OPTIONS = frozenset(("columns", "labels"))
_OPERATORS = (
    " Export the model without it, by ONNX's own operators; pre- and post-processing can stay"
    " outside. Which are admitted, and why: infra/decisions/0011-graph-policy.md."
)


def refusal(error: "BundleError") -> "MaasError":
    """The error of an option where the bundle's field is one, else a refusal of the model."""
    if error.field in _OPTIONS:
        return FieldError(str(error), field=error.field)
    remedy = _OPERATORS if "no operator" in str(error) else ""
    return RefusedError(f"is refused: {error.described().rstrip('.')}.{remedy}", field="model")
