"""A tokenizer that a model writes with has the tokens that its graph counts on."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.task_bundles import TaskBundle
from support.tiny import file_entry, tiny_tokenizer, write_bundle
from support.tiny_image import make_image
from support.tiny_writer import EOS, WORDS, make_writer, writer_tokenizer

from maas.bundle.verify import verify_bundle
from maas.bundle.writing_tokenizer import check_writing_tokenizer
from maas.errors import BundleError
from maas.loading import TOKENIZER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]


def test_one_that_is_as_it_must_be_is_accepted() -> None:
    check_writing_tokenizer(writer_tokenizer().encode())


def _template(*pieces: "Body") -> "Callable[[Body], None]":
    def change(body: "Body") -> None:
        body["post_processor"]["single"] = list(pieces)

    return change


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
END = {"SpecialToken": {"id": "[EOS]", "type_id": 0}}


def _ordinary(body: "Body") -> None:
    body["added_tokens"][EOS]["special"] = False


def _other_ids(body: "Body") -> None:
    body["post_processor"]["special_tokens"]["[EOS]"] |= {
        "ids": [EOS, EOS],
        "tokens": ["[EOS]"] * 2,
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.update(post_processor=None), "template"),
        (_template(TEXT), "template"),
        (_template(END, TEXT), "template"),
        (_template(TEXT, END, END), "template"),
        (_other_ids, "alone"),
        (_ordinary, "special tokens"),
        (lambda body: body["added_tokens"].pop(), "special tokens"),
        (lambda body: body.update(added_tokens=[]), "special tokens"),
        (lambda body: body["added_tokens"][2].update(content="[BEGIN]"), "special tokens"),
    ],
)
def test_one_that_the_graph_cannot_count_on_is_refused(
    change: "Callable[[Body], None]", reason: str
) -> None:
    body = json.loads(writer_tokenizer())
    change(body)
    with pytest.raises(BundleError, match=reason):
        check_writing_tokenizer(json.dumps(body).encode())


def resealed(bundle: TaskBundle, name: str, data: bytes) -> "Path":
    """The bundle with another file, or one more, and a manifest that says so."""
    (bundle.folder / name).write_bytes(data)
    names = sorted({*(entry.path for entry in bundle.manifest.files), name})
    files = tuple(file_entry(bundle.folder, each) for each in names)
    write_bundle(bundle.folder, replace(bundle.manifest, files=files))
    return bundle.folder


def test_a_bundle_that_writes_without_one_is_refused(tmp_path: "Path") -> None:
    data = tiny_tokenizer(words=WORDS).encode()
    folder = resealed(make_writer(tmp_path), TOKENIZER, data)
    with pytest.raises(BundleError, match=r"tokenizer\.json is refused: a model that writes"):
        verify_bundle(folder)


def test_a_bundle_that_looks_at_pictures_holds_none(tmp_path: "Path") -> None:
    folder = resealed(make_image(tmp_path), TOKENIZER, writer_tokenizer().encode())
    with pytest.raises(BundleError, match=r"tokenizer\.json is missing, or is no file of a bundle"):
        verify_bundle(folder)
