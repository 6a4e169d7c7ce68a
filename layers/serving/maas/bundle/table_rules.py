"""What a manifest must say of a model's columns: which inputs they fill, where gaps may be.

May import `maas.errors` and `maas.limits`.

    columns_of(inputs, ("age", "city"))        # (("age",), ("city",)): the columns of each input
    check_columns(manifest, LIMITS, wanted=True)
"""

import re
from typing import TYPE_CHECKING

from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.bundle.manifest import Manifest
    from maas.limits import Limits
    from maas.registry.records import TensorSpec

# A name goes into answers and messages: no control characters.
NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,256}")


def columns_of(
    inputs: "Sequence[TensorSpec]", columns: "Sequence[str]"
) -> tuple[tuple[str, ...], ...]:
    """The columns of each input `[rows, columns]`.

    Where each input is one column of its own name, it is that one; else columns fill the inputs in
    their order.

    Raises:
        BundleError: There are more or fewer than the inputs have.
    """
    widths = [spec.shape[1] if len(spec.shape) == 2 else "" for spec in inputs]
    fixed = [width for width in widths if isinstance(width, int)]
    if len(fixed) != len(widths) or sum(fixed) != len(columns):
        raise BundleError(
            "must be the columns of the inputs [rows, columns], or name inputs [rows, 1]",
            field="columns",
        )
    if {spec.name for spec in inputs} == set(columns):
        return tuple((spec.name,) for spec in inputs)
    ends = [sum(fixed[: at + 1]) for at in range(len(fixed))]
    return tuple(tuple(columns[end - n : end]) for n, end in zip(fixed, ends, strict=True))


def check_columns(manifest: "Manifest", limits: "Limits", *, wanted: bool) -> None:
    """Refuse columns that are not the graph's.

    Args:
        manifest: The model's.
        limits: How many there may be.
        wanted: Whether the task reads tables.

    Raises:
        BundleError: With the field at fault and the reason.
    """
    columns = manifest.columns
    if not wanted:
        if columns or manifest.missing:
            raise BundleError(f"must be none for {manifest.task}", field="columns")
        return
    if not 1 <= len(columns) <= limits.columns or len(set(columns)) != len(columns):
        raise BundleError(f"must be 1 to {limits.columns}, each named once", field="columns")
    if not all(map(NAME.fullmatch, columns)):
        raise BundleError("must have names without control characters", field="columns")
    floats = {
        name
        for spec, names in zip(manifest.inputs, columns_of(manifest.inputs, columns), strict=True)
        for name in names
        if spec.dtype.startswith("float")
    }
    if not floats >= set(manifest.missing):
        raise BundleError("must be columns of floats", field="missing")
    if not any(
        spec.shape[1:] == (len(manifest.labels),) and spec.dtype == "float32"
        for spec in manifest.outputs
    ):
        raise BundleError("must have one of float32 [rows, labels]", field="outputs")
