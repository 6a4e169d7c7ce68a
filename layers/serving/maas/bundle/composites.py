"""Outputs that were no tensors before a model was imported: lists of tensors, and of maps.

Imports msgspec, `maas.errors` and the types beside it. The graph that is served has tensors alone,
which every protocol can carry; where JSON nests freely, they are put together again
(infra/decisions/0026):

    Composite("probabilities", ("probabilities_0", "probabilities_1"))     # a list of two tensors
    Composite("output_probability", ("output_probability",), ("no", "yes"))    # a map per row
"""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.registry.records import TensorSpec

Name = Annotated[str, Meta(min_length=1, max_length=256)]


class Composite(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What some of a graph's outputs are together."""

    name: Name
    """What the output was called."""
    tensors: Annotated[tuple[Name, ...], Meta(min_length=1)]
    """The outputs of the graph that it is made of, in their order."""
    keys: tuple[Name, ...] = ()
    """Of a list of maps: what the columns of its one tensor are called. None of other lists."""


def check_composites(composites: "Sequence[Composite]", outputs: "Sequence[TensorSpec]") -> None:
    """Check that each is made of outputs that are there, and of no other's.

    Raises:
        BundleError: With the reason.
    """
    specs = {spec.name: spec for spec in outputs}
    used = [name for each in composites for name in each.tensors]
    if len(set(used)) != len(used) or not specs.keys() >= set(used):
        raise BundleError("must be of outputs, each named once", field="composites")
    names = [each.name for each in composites]
    if len({*names, *(specs.keys() - used)}) != len(names) + len(specs) - len(used):
        raise BundleError("must have names that no other output has", field="composites")
    for each in composites:
        one = len(each.tensors) == 1
        if each.keys and not (one and are_columns(each.keys, specs[each.tensors[0]])):
            raise BundleError(
                "must name each column of one tensor [rows, columns] once", field="composites"
            )


def are_columns(keys: "Sequence[str]", spec: "TensorSpec") -> bool:
    """Whether each column of a tensor `[rows, columns]` has one name of its own."""
    return len(spec.shape) == 2 and spec.shape[1] == len(set(keys)) == len(keys)
