"""Hugging Face's tabular classification as structs: what is sent and what is taken apart.

May import `maas.limits` and msgspec. `hf_table` translates. There are no `inputs`:

    body = msgspec.convert(value, TableBody, strict=True)
"""

from typing import Annotated

from msgspec import Meta, Struct

from maas.limits import LIMITS

Cells = Annotated[
    list[str | int | float | None],
    Meta(extra_json_schema={"minItems": 1, "maxItems": LIMITS.table_rows}),
]


class TableParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """`parameters` of a tabular-classification request: there are none."""


class TableBody(Struct, frozen=True):
    """A tabular-classification request.

    Attributes:
        table: By column its cells, as many in each; numbers may be written as texts, and null is a
            missing one, where the model reads that.
        parameters: Options; none is known.
    """

    table: dict[str, Cells]
    parameters: TableParameters | None = None


TableAnswer = list[str]
"""The likeliest label of each row, in the request's order."""
