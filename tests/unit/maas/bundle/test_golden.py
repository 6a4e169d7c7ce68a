"""Golden requests: read whole, or the bundle that holds them is refused."""

from typing import TYPE_CHECKING

import pytest
from support.tiny import TinyBundle, describe_bundle, make_bundle, write_bundle

from maas.bundle.golden import GOLDEN, Golden, read_golden
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"texts":["good"],"logits":[[0.5,-0.5]]}'


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path)


def with_golden(bundle: TinyBundle, data: bytes) -> tuple[Golden, ...]:
    """Read golden requests from a bundle that was sealed with these."""
    (bundle.folder / GOLDEN).write_bytes(data)
    write_bundle(bundle.folder, describe_bundle(bundle.folder))
    return read_golden(verify_bundle(bundle.folder))


def test_golden_requests_are_read_in_order(bundle: TinyBundle) -> None:
    two = Golden(texts=("good", "bad"), logits=((1.0, 2.0), (3.0, 4.0)))
    goldens = with_golden(bundle, LINE + b"\n" + two.encode() + b"\n")
    assert goldens == (Golden(texts=("good",), logits=((0.5, -0.5),)), two)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no request"),
        (b"\n", "cannot be read"),
        (LINE + b"\n\n" + LINE, "cannot be read"),
        (LINE[:-1], "cannot be read"),
        (b"\xff" + LINE, "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (LINE.replace(b"0.5,", b"NaN,"), "cannot be read"),
        (LINE.replace(b"0.5,", b"1e999,"), "cannot be read"),
        (LINE.replace(b"0.5,", b'"0.5",'), "cannot be read"),
        (LINE.replace(b"}", b',"extra":1}'), "cannot be read"),
        (LINE.replace(b'["good"]', b'"good"'), "cannot be read"),
        (LINE.replace(b"0.5,", b""), "does not fit the labels"),
        (LINE.replace(b"0.5,", b"0.5,0.5,"), "does not fit the labels"),
        (LINE.replace(b'"good"', b'"good","bad"'), "does not fit the labels"),
        (b'{"texts":[],"logits":[]}', "cannot be read"),
    ],
)
def test_a_file_that_cannot_prove_anything_is_refused(
    bundle: TinyBundle, data: bytes, reason: str
) -> None:
    with pytest.raises(BundleError, match=reason) as refused:
        with_golden(bundle, data)
    assert str(refused.value).startswith(GOLDEN)


def test_a_bundle_without_golden_requests_is_refused(bundle: TinyBundle) -> None:
    verified = verify_bundle(bundle.folder)
    (bundle.folder / GOLDEN).unlink()
    with pytest.raises(BundleError, match=r"golden\.jsonl is absent"):
        read_golden(verified)
