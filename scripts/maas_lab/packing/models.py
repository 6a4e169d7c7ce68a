"""Which models are packaged: all of the registry's, or those that were named.

Imports `maas` and the lab; reads the registry.

    wish_models(registry, parse_wishes(["sentiment"]))     # ("sentiment",)
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError, RefusedError
from maas_lab.packing.shippable import unshippable
from maas_lab.registry.pages import model_names

if TYPE_CHECKING:
    from maas.registry.reader import Reader
    from maas_lab.packing.served_sets import Wishes


def wish_models(registry: "Reader", wishes: "Wishes") -> tuple[str, ...]:
    """The models to package, by name.

    Raises:
        ModelNotFoundError: The registry does not have one of them.
        RefusedError: The registry has none, or one has a name that cannot be shipped.
    """
    names = sorted(wishes.models or model_names(registry))
    if not names:
        raise RefusedError("The registry has no model; register a bundle first: maas register")
    for model in (*wishes.models, *(model for model, _ in wishes.candidates)):
        if model not in names:
            raise FieldError(f"{model} is not in the registry", field="candidate")
        registry.model(model)
    if refused := [why for name in names if (why := unshippable(name))]:
        rest = [name for name in names if not unshippable(name)]
        others = f" Without it: maas package {' '.join(rest)}" if rest else ""
        raise RefusedError(f"{refused[0]}.{others}")
    return tuple(names)
