"""Families of bad inputs that more than one door is tried with (trust.md 7).

@pytest.mark.parametrize("data", each_of(BODIES))      # ids such as "6 keys twice 0"
"""

from typing import TYPE_CHECKING, TypeVar

import pytest

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _pytest.mark import ParameterSet

DEPTH = LIMITS.json_depth
MemberT = TypeVar("MemberT")


def each_of(families: "Mapping[str, Sequence[MemberT]]") -> "list[ParameterSet]":
    """All members as a test's parameters, each named by its family and its place there."""
    return [
        pytest.param(member, id=f"{family} {place}")
        for family, members in families.items()
        for place, member in enumerate(members)
    ]


def nested(depth: int, inner: str = "") -> str:
    return "[" * depth + inner + "]" * depth


_BODIES: dict[str, list[str | bytes]] = {
    "1 nothing": ["", " ", "\n", "\t\r\n ", " " * 10_000],
    "2 not one document": [
        *("{", "}", "{]", '{"a"', '{"a":', '{"a":1', '{"a":1,}', "{'a':1}", "{a:1}", "[1,]"),
        *("{}{}", "{} {}", "{} x", '{}"', "nul", "tru", "+1", "01", ".5", "1.", "\\"),
        *('"', '"abc', '"\\', '"\\x"', '"\\u12"', '"a\nb"', "\ufeff{}", "/**/{}", "\x00{}"),
        *(b"\xff\xfe{\x00}\x00", b'"\xff"', b'"\xed\xa0\x80"', b"\x80", b"PK\x03\x04"),
    ],
    "4 nested too deep": [
        *(nested(DEPTH + 1), nested(1000), nested(100_000), "[" * 100_000),
        *('{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1), "[{" * 5_000),
    ],
    "4 too many values": [
        *("[" + "1," * LIMITS.json_values + "1]", "[" + "{}," * 300_000 + "1]", "1," * 500_000),
        *('{"":1},' * 130_000, '["",' * 200_000, "[" + '"[",' * 200_000 + "1]"),
    ],
    "5 numbers": [
        *("9" * 21, "9" * 5000, "-" + "9" * 21, "1e999", "-1e999", "1e99999999999999999999"),
        *("0." + "1" * 21, "NaN", "Infinity", "-Infinity", '{"a":[NaN]}', "1" * 500_000),
    ],
    "6 keys twice": [
        *('{"a":1,"a":1}', '{"a":1,"a":2}', '{"a":1,"b":2,"a":3}', '[{"x":{"a":1,"a":1}}]'),
        '{"a":1,"\\u0061":2}',
    ],
}
BODIES = {
    family: [body if isinstance(body, bytes) else body.encode() for body in bodies]
    for family, bodies in _BODIES.items()
}
"""Families 1, 2, 4, 5 and 6: what no JSON parser of ours takes."""
