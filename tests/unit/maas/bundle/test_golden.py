"""Golden requests: read whole, or the bundle that holds them is refused."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.tiny import INT8, TinyBundle, describe_bundle, file_entry, make_bundle, write_bundle
from support.tiny_embedding import make_embedding
from support.tiny_image import in_base64, make_image, picture, png
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer

from maas.bundle.golden import (
    GOLDEN,
    ROUNDED_TOLERANCE,
    TOLERANCE,
    Golden,
    own_golden,
    read_golden,
    tolerance_of,
)
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError
from maas.loading import load_version, optimised_form

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_what_no_task_records_is_left_out() -> None:
    assert Golden(texts=("good",), logits=((0.5, -0.5),)).encode() == LINE
    written = Golden(texts=("a",), outputs=("b",), beam_outputs=("c",)).encode()
    assert written == b'{"texts":["a"],"outputs":["b"],"beam_outputs":["c"]}'
    assert Golden(images=("eA==",), logits=((1.0,),)).encode() == (
        b'{"logits":[[1.0]],"images":["eA=="]}'
    )


def test_a_form_has_golden_requests_of_its_own_where_they_lie_beside_its_graph(
    tmp_path: "Path",
) -> None:
    bundle = make_bundle(tmp_path, rounded=True)
    verified = verify_bundle(bundle.folder)
    shared, own = read_golden(verified), read_golden(verified, bundle.manifest.form(INT8))
    assert own_golden(bundle.manifest.form(INT8)) == "int8/golden.jsonl"
    assert [golden.texts for golden in own] == [golden.texts for golden in shared]
    assert own != shared
    for name in ("portable", optimised_form()):
        assert own_golden(bundle.manifest.form(name)) is None
        assert read_golden(verified, bundle.manifest.form(name)) == shared


def test_a_refusal_names_the_forms_own_file(tmp_path: "Path") -> None:
    bundle = make_bundle(tmp_path, rounded=True)
    (bundle.folder / INT8 / GOLDEN).write_bytes(b"{}")
    write_bundle(bundle.folder, describe_bundle(bundle.folder))
    verified = verify_bundle(bundle.folder)
    with pytest.raises(BundleError, match=r"^int8/golden\.jsonl"):
        read_golden(verified, verified.manifest.form(INT8))


@pytest.mark.parametrize(
    ("name", "largest", "tolerance"),
    [
        ("portable", 24.0, TOLERANCE),
        (INT8, 0.1, ROUNDED_TOLERANCE),
        (INT8, -24.0, 24 * ROUNDED_TOLERANCE),
    ],
)
def test_only_a_form_with_its_own_may_differ_more(
    tmp_path: "Path", name: str, largest: float, tolerance: float
) -> None:
    form = make_bundle(tmp_path, rounded=True).manifest.form(name)
    goldens = (Golden(texts=("a",), logits=((0.0, largest),)), Golden(texts=("b",)))
    assert tolerance_of(form, goldens) == pytest.approx(tolerance)


WRITTEN = Golden(texts=("a",), outputs=("b",), beam_outputs=("c",))
SEEN = Golden(images=(in_base64(png(picture())),), logits=((0.0, 0.0, 0.0),))
TAGS = Golden(texts=("a b",), logits=((0.0,) * 5, (1.0,) * 5))
FOLLOWING = Golden(texts=("a", "b"), pairs=("c", "d"), logits=((0.0,) * 3,) * 2)
ANSWERED = Golden(texts=("a",), pairs=("b",), logits=((0.0, 1.0),) * 5)
VECTOR = Golden(texts=("a",), logits=((1.0,) + (0.0,) * 7,))


@pytest.mark.parametrize(
    ("make", "golden", "reason"),
    [
        (make_writer, WRITTEN, None),
        (make_writer, replace(WRITTEN, beam_outputs=()), None),
        (make_writer, replace(WRITTEN, logits=((1.0,),)), "not of a model for translation"),
        (make_writer, replace(WRITTEN, outputs=()), "not of a model for translation"),
        (make_writer, replace(WRITTEN, images=("eA==",)), "not of a model for translation"),
        (make_writer, replace(WRITTEN, outputs=("b", "c")), "does not fit the outputs"),
        (make_writer, replace(WRITTEN, beam_outputs=("b", "c")), "does not fit the outputs"),
        (make_writer, VECTOR, "not of a model for translation"),
        (make_image, SEEN, None),
        (make_image, replace(SEEN, texts=("a",)), "not of a model for image-classification"),
        (make_image, replace(SEEN, images=()), "not of a model for image-classification"),
        (make_image, replace(SEEN, logits=((0.0, 0.0),)), "does not fit the labels"),
        (make_image, replace(SEEN, logits=SEEN.logits * 2), "does not fit the labels"),
        (make_image, replace(SEEN, beam_outputs=("a",)), "does not fit the outputs"),
        (make_embedding, VECTOR, None),
        (make_embedding, replace(VECTOR, logits=((1.0,),)), "does not fit the outputs"),
        (make_embedding, replace(VECTOR, logits=()), "not of a model for feature-extraction"),
        (make_embedding, WRITTEN, "not of a model for feature-extraction"),
        (make_bundle, WRITTEN, "not of a model for text-classification"),
        (make_bundle, FOLLOWING, "not of a model for text-classification"),
        (make_tokens, TAGS, None),
        (make_tokens, replace(TAGS, texts=("a", "b")), "does not fit the labels"),
        (make_tokens, replace(TAGS, logits=((0.0,) * 4,)), "does not fit the labels"),
        (make_tokens, replace(TAGS, pairs=("a",)), "not of a model for token-classification"),
        (make_zero_shot, FOLLOWING, None),
        (make_zero_shot, replace(FOLLOWING, pairs=("c",)), "not of a model for zero-shot"),
        (make_zero_shot, replace(FOLLOWING, pairs=()), "not of a model for zero-shot"),
        (make_zero_shot, replace(FOLLOWING, logits=((0.0,) * 3,)), "does not fit the labels"),
        (make_question, ANSWERED, None),
        (make_question, replace(ANSWERED, pairs=()), "not of a model for question-answering"),
        (make_question, replace(ANSWERED, logits=((0.0,),)), "does not fit the outputs"),
        (make_question, replace(ANSWERED, texts=("a", "b"), pairs=("a", "b")), "not fit the out"),
    ],
)
def test_golden_requests_are_those_of_the_task(
    tmp_path: "Path", make: "Callable[[Path], Any]", golden: Golden, reason: str | None
) -> None:
    bundle = make(tmp_path)
    (bundle.folder / GOLDEN).write_bytes(golden.encode())
    entry = file_entry(bundle.folder, GOLDEN)
    files = tuple(entry if each.path == GOLDEN else each for each in bundle.manifest.files)
    digest = write_bundle(bundle.folder, replace(bundle.manifest, files=files))
    verified = verify_bundle(bundle.folder, digest=digest)
    if reason is None:
        assert read_golden(verified) == (golden,)
        return
    with pytest.raises(BundleError, match=reason):
        read_golden(verified)


@pytest.mark.parametrize("image", ["no base64!", "eA==", in_base64(png(picture())[:60])])
def test_an_image_of_a_golden_request_that_is_none_is_refused(tmp_path: "Path", image: str) -> None:
    bundle = make_image(tmp_path)
    (bundle.folder / GOLDEN).write_bytes(replace(SEEN, images=(image,)).encode())
    files = (file_entry(bundle.folder, GOLDEN),)
    digest = write_bundle(bundle.folder, replace(bundle.manifest, files=files))
    with pytest.raises(BundleError, match="image of a golden request cannot be read"):
        load_version(verify_bundle(bundle.folder, digest=digest), threads=1)
