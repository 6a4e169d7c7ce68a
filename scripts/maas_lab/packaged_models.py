"""Which models are packaged: all of the registry's, or those that were named.

Imports `maas` and `maas_lab.served_sets`; reads the registry.

    wish_models(registry, parse_wishes(["sentiment"]))     # ("sentiment",)
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maas.registry.reader import Reader
    from maas_lab.served_sets import Wishes


def wish_models(registry: "Reader", wishes: "Wishes") -> tuple[str, ...]:
    """The models to package, by name.

    Raises:
        ModelNotFoundError: The registry does not have one of them.
        RefusedError: The registry has none, or two would have one name in CloudFormation.
    """
    names = sorted(wishes.models or _registered(registry))
    if not names:
        raise RefusedError("The registry has no model; register a bundle first: maas register")
    for model in (*wishes.models, *(model for model, _ in wishes.candidates)):
        if model not in names:
            raise FieldError(f"{model} is not in the registry", field="candidate")
        registry.model(model)
    taken: dict[str, str] = {}
    for name in names:
        other = taken.setdefault(name.replace("-", ""), name)
        if other != name:
            raise RefusedError(
                f"{other} and {name} differ by hyphens only, which CloudFormation's logical ids"
                " cannot hold. Package one of them by name, or register the other under another."
            )
    return tuple(names)


def _registered(registry: "Reader") -> "Iterator[str]":
    after: str | None = None
    more = True
    while more:
        page = registry.models(after=after)
        yield from (record.name for record in page.records)
        more = page.more
        after = page.records[-1].name if page.records else None
