"""The served set: what is not a whole one is refused before a function answers from it."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from maas.errors import BundleError
from maas.served import (
    SERVED,
    ServedVersion,
    parse_served,
    read_served,
    seal_served,
    write_served,
)

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = ("sha256:" + digit * 64 for digit in "12")


def written(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    body = {
        "format": 1,
        "model": "sentiment",
        "versions": [
            {"number": 1, "digest": ONE, "form": "portable"},
            {"number": 2, "digest": TWO, "form": "optimised-x86"},
        ],
        "policy": {
            "model": "sentiment",
            "revision": 5,
            "aliases": {"production": [{"version": 2, "weight": 10_000}]},
            "digests": {"1": ONE, "2": TWO},
        },
    }
    return seal_served(json.dumps(body | changes).encode())


def policy(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    body: dict[str, Any] = json.loads(written())["served"]["policy"]
    return body | changes


def test_a_served_set_says_digests_forms_and_the_policy_of_packaging_time() -> None:
    served = parse_served(written())
    assert served.versions[0] == ServedVersion(1, ONE, "portable")
    assert served.digests() == {1: ONE, 2: TWO}
    assert served.forms() == {ONE: "portable", TWO: "optimised-x86"}
    assert served.policy.revision == 5


def test_what_is_written_is_read_and_written_alike() -> None:
    served = parse_served(written())
    assert parse_served(write_served(served)) == served
    assert write_served(parse_served(write_served(served))) == write_served(served)


def test_f11_any_flipped_bit_is_found() -> None:
    data = write_served(parse_served(written()))
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BundleError, match=SERVED):
            parse_served(bytes(changed))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON"),
        (written().replace(b"sha256:", b"sha256:0"), "regex"),
        (written().replace(b"10000", b"10001"), "was changed"),
        (written()[:-1] + b',"more":1}', "unknown field"),
        (b"[" * 100_000, "got `array`"),
        (b"\xff\xfe", "it is not JSON"),
        (b"{}", "missing required field"),
        (written(format=2), "format"),
        (written(more=1), "unknown field"),
        (written(versions=[]), "length >= 1"),
        (written(model="No"), "regex"),
        (written(model="stars"), "is of stars, its policy of another model"),
        (
            written(versions=[{"number": 2, "digest": TWO, "form": "a"}] * 2),
            "lists a version twice",
        ),
        (
            written(versions=[{"number": 1, "digest": ONE, "form": "a"}]),
            "does not list version 2, which production needs",
        ),
        (
            written(versions=[{"number": 2, "digest": ONE, "form": "a"}]),
            "does not list version 2, which production needs",
        ),
        (
            written(policy=policy(digests={"1": ONE})),
            "does not list version 2, which production needs",
        ),
    ],
)
def test_what_is_not_whole_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        parse_served(data)


def test_a_laptop_has_none(tmp_path: "Path") -> None:
    assert read_served(tmp_path) is None
    (tmp_path / SERVED).write_bytes(written())
    served = read_served(tmp_path)
    assert served is not None
    assert served.model == "sentiment"


def test_one_that_cannot_be_read_is_no_laptop(tmp_path: "Path") -> None:
    (tmp_path / SERVED).mkdir()
    with pytest.raises(BundleError, match=r"served.json cannot be read: Is a directory"):
        read_served(tmp_path)
