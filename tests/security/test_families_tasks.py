"""Bad inputs of the other tasks by every door: images, what is written, and vectors (P3, P4, P5).

Each is refused alike by ASGI and by both kinds of events, by a 4xx with the one error body, within
250 ms of work, and a good request by the same process follows.
"""

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.effort import examples
from support.families import BODIES, each_of
from support.hostile import JSON, PNG, Doors, Sent, open_doors
from support.task_bundles import home_with
from support.tiny_embedding import DIMENSION, make_embedding
from support.tiny_image import chunk, encoded, in_base64, jpeg, make_image, picture, png, png_of
from support.tiny_pairs import make_question, make_zero_shot
from support.tiny_tokens import make_tokens
from support.tiny_writer import make_writer

from maas.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = png(picture(1))
STREAM = jpeg(picture(1), progressive=True)
NO_TEXTS: tuple[object, ...] = (None, 1, True, {}, [], "", " \n", "\ud800")
NO_TEXT: tuple[object, ...] = (None, 1, [], "", "\ud800")
NO_SENTENCES: tuple[object, ...] = (None, 1, "a", {}, [])
NO_LISTS: tuple[object, ...] = (1, "O", {}, True)
NO_TEMPLATES = ("a", "{} {}", "{0}", "{a}", "{{}}", "{} {", "{}" + "x" * 999, "{}\ud800")
COUNTED = ("top_k", "max_answer_len", "max_seq_len", "max_question_len")
FLAGS = ("handle_impossible_answer", "align_to_words")
NO_FLAGS: tuple[object, ...] = (1, "true", [])
NO_NAMES: tuple[object, ...] = ("", 1, True, [])
NO_COUNTS: tuple[object, ...] = (0, -1, 1.5, "2", True, [], {}, 10**9)
PICTURES, WRITER, VECTORS = "/models/pictures", "/models/writer", "/models/vectors"
ENTITIES = "/models/entities"
ALL = ("pictures", "writer", "vectors", "entities", "topics", "answers")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_image)
    with open_doors(home, good=Sent(FILE, path=PICTURES, headers=PNG)) as doors:
        yield doors


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_writer)
    good = Sent(b'{"inputs":"a fine film"}', path=WRITER)
    with open_doors(home, good=good) as doors:
        yield doors


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_writer, task="summarization")
    good = Sent(b'{"inputs":"a fine film"}', path=WRITER)
    with open_doors(home, good=good) as doors:
        yield doors


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_embedding)
    good = Sent(b'{"inputs":"a fine film"}', path=VECTORS)
    with open_doors(home, good=good) as doors:
        yield doors


@pytest.fixture(scope="module")
def entities(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_tokens)
    good = Sent(b'{"inputs":"a fine film"}', path=ENTITIES)
    with open_doors(home, good=good) as doors:
        yield doors


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_zero_shot)
    good = Sent(b'{"inputs":"a","parameters":{"candidate_labels":["b"]}}', path="/models/topics")
    with open_doors(home, good=good) as doors:
        yield doors


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Doors]":
    home = home_with(tmp_path_factory.mktemp("home"), make_question)
    good = Sent(b'{"inputs":{"question":"a","context":"b"}}', path="/models/answers")
    with open_doors(home, good=good) as doors:
        yield doors


# ---- Bodies, as every task reads them -----------------------------------------------------------


@pytest.mark.parametrize("body", each_of(BODIES))
@pytest.mark.parametrize("task", ALL)
def test_p4_families_1_2_4_5_6_what_is_no_json_of_ours(
    request: pytest.FixtureRequest, task: str, body: bytes
) -> None:
    request.getfixturevalue(task).refuse(body, 400, "bad_request")


@pytest.mark.parametrize("body", ["null", "true", "0", '"inputs"', "[]", '[{"inputs":"a"}]'])
@pytest.mark.parametrize("task", ALL)
def test_p4_family_3_no_object(request: pytest.FixtureRequest, task: str, body: str) -> None:
    request.getfixturevalue(task).refuse(body.encode(), 422, "invalid_field")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "image/gif"},
        {"content-type": "image/webp"},
        {"content-type": "image/svg+xml"},
        {"content-type": "image/*"},
        {"content-type": "text/html"},
        {"content-type": "multipart/form-data"},
        {"content-type": "image/png, image/jpeg"},
        {"content-type": "image/png", "content-encoding": "gzip"},
        {"content-type": "image/png;charset=utf-16"},
    ],
)
def test_p4_family_18_other_types(pictures: Doors, headers: dict[str, str]) -> None:
    pictures.refuse(Sent(FILE, path=PICTURES, headers=headers), 415, "unsupported_media_type")


def test_p4_family_18_a_body_that_is_not_what_its_type_says(pictures: Doors) -> None:
    said = b'{"inputs":"%s"}' % in_base64(FILE).encode()
    pictures.refuse(Sent(FILE, path=PICTURES), 400, "bad_request")
    for kind in ("image/png", "image/jpeg", "application/octet-stream"):
        sent = Sent(said, path=PICTURES, headers={"content-type": kind})
        pictures.refuse(sent, 422, "invalid_field", "inputs")


# ---- Images -------------------------------------------------------------------------------------

FILES: dict[str, list[bytes]] = {
    "nothing": [b" ", b"\n", b"\0"],
    "another magic": [
        *(b"GIF89a" + bytes(99), b"BM" + bytes(99), b"RIFF\0\0\0\0WEBPVP8 ", b"II*\0" + bytes(99)),
        *(b"\0\0\1\0\1\0", b"%PDF-1.7\n", b"PK\x03\x04", b"<svg/>", FILE[1:], b"x" + STREAM),
    ],
    "cut off": [FILE[:at] for at in (8, 20, 33, 60, len(FILE) - 1)]
    + [STREAM[:at] for at in (3, 30, 300, len(STREAM) - 1)],
    "damaged": [
        FILE[:45] + b"\xff" * 8 + FILE[53:],
        png_of(6, 4, chunk(b"IDAT", b"not zlib")),
        png_of(60, 40, chunk(b"IDAT", zlib.compress(bytes(10)))),
        STREAM[:200] + b"\xff\xd9",
    ],
    "bombs": [
        png_of(2**31 - 1, 2**31 - 1, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        png_of(50_000, 50_000, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        png_of(1, LIMITS.image_side + 1),
        png_of(6, 4, *[chunk(b"IDAT", b"")] * 300_000),
        b"\xff\xd8\xff" + bytes(4_000_000),
        STREAM[: STREAM.rindex(b"\xff\xda")]
        + STREAM[STREAM.rindex(b"\xff\xda") : -2] * 20_000
        + b"\xff\xd9",
    ],
    "animated": [
        encoded(Image.new("L", (6, 4)), save_all=True, append_images=[Image.new("L", (6, 4), 9)])
    ],
}


FITTING = {
    family: [data for data in members if len(data) * 4 / 3 < LIMITS.image_bytes]
    for family, members in FILES.items()
}


@pytest.mark.parametrize("data", each_of(FILES))
@pytest.mark.parametrize("headers", [PNG, {"content-type": "application/octet-stream"}, {}])
def test_p4_family_images_what_is_no_picture(
    pictures: Doors, headers: dict[str, str], data: bytes
) -> None:
    sent = Sent(data, path=PICTURES, headers=headers)
    pictures.refuse(sent, 422, "invalid_field", "inputs")


@pytest.mark.parametrize("data", each_of(FITTING))
def test_p4_family_images_what_is_no_picture_in_base64(pictures: Doors, data: bytes) -> None:
    coded = in_base64(data)
    pictures.refuse({"inputs": coded}, 422, "invalid_field", "inputs")
    pictures.refuse({"inputs": [in_base64(FILE), coded]}, 422, "invalid_field", "inputs[1]")


def test_p4_family_1_an_empty_file(pictures: Doors) -> None:
    for headers in (PNG, JSON, {}):
        pictures.refuse(Sent(b"", path=PICTURES, headers=headers), 400, "bad_request")


NO_IMAGES: tuple[object, ...] = (None, 1, True, {}, [], "abc", "a=b", "é", "")
NO_IMAGE: tuple[object, ...] = (None, 1, [], "abc", "")
OPTIONS: list[tuple[dict[str, Any], str]] = [
    *(({"top_k": value}, "parameters.top_k") for value in (1001, *NO_COUNTS)),
    *(
        ({"function_to_apply": value}, "parameters.function_to_apply")
        for value in ("relu", *NO_NAMES)
    ),
    ({"threshold": 0.5}, "parameters.threshold"),
]


@pytest.mark.parametrize(("options", "field"), OPTIONS)
def test_p4_family_25_options_of_images(
    pictures: Doors, options: dict[str, Any], field: str
) -> None:
    body = {"inputs": in_base64(FILE), "parameters": options}
    pictures.refuse(body, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        *((value, "inputs") for value in NO_IMAGES),
        *(([in_base64(FILE), value], "inputs[1]") for value in NO_IMAGE),
        ([in_base64(FILE)] * 33, "inputs"),
        ("data:image/png;base64," + in_base64(FILE), "inputs"),
        ("http://169.254.169.254/latest/meta-data", "inputs"),
        ("file:///etc/passwd", "inputs"),
        ({"url": "s3://bucket/key"}, "inputs"),
    ],
)
def test_p4_s9_family_8_inputs_that_are_no_images(
    pictures: Doors, inputs: object, field: str
) -> None:
    pictures.refuse({"inputs": inputs}, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("coded", "remedy"),
    [
        ("data:image/png;base64," + in_base64(FILE), "nothing such as data: before it"),
        (base64.encodebytes(FILE).decode(), "in one line"),
        (in_base64(FILE[:-20]), "save it as a plain PNG or JPEG"),
        (in_base64(FILE.replace(b"IDAT", b"IDAt")), "save it as a plain PNG or JPEG"),
        (in_base64(b"GIF89a"), "neither a PNG nor a JPEG"),
    ],
)
def test_p4_a_refusal_of_a_picture_says_what_to_do(
    pictures: Doors, coded: str, remedy: str
) -> None:
    answer = pictures.refuse({"inputs": coded}, 422, "invalid_field", "inputs")
    assert remedy in answer.json["error"]


@settings(max_examples=examples(60, 3_000), deadline=None)
@given(st.data())
def test_p4_any_change_of_a_picture_is_answered_or_refused(
    pictures: Doors, data: st.DataObject
) -> None:
    changed = bytearray(data.draw(st.sampled_from([FILE, STREAM])))
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    answers = pictures.send(Sent(bytes(changed), path=PICTURES, headers=PNG))
    assert {answer.status for answer in answers} in ({200}, {422})
    said = {answer.body if answer.status == 200 else answer.json["error"] for answer in answers}
    assert len(said) == 1
    pictures.good()


def test_what_is_beside_a_picture_changes_nothing(pictures: Doors) -> None:
    more = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 100
    more += chunk(b"eXIf", b"II*\0" + struct.pack("<IH", 8, 60_000))
    plain, other = (
        pictures.send(Sent(data, path=PICTURES, headers=PNG))
        for data in (FILE, FILE[:33] + more + FILE[33:] + b"PK\x03\x04" * 100)
    )
    assert [answer.body for answer in other] == [answer.body for answer in plain]


# ---- What is written ----------------------------------------------------------------------------

WRITING: list[tuple[dict[str, Any], str]] = [
    *(
        ({"generate_parameters": {name: value}}, f"parameters.generate_parameters.{name}")
        for name, most in (("num_beams", 9), ("max_new_tokens", 513), ("max_length", 513))
        for value in (*NO_COUNTS, most)
    ),
    *(
        ({"generate_parameters": {name: 1}}, f"parameters.generate_parameters.{name}")
        for name in ("do_sample", "temperature", "min_length", "__class__", "beams")
    ),
    *(({"generate_parameters": v}, "parameters.generate_parameters") for v in (1, *NO_NAMES[2:])),
    *(({"truncation": value}, "parameters.truncation") for value in ("none", *NO_NAMES)),
    ({"clean_up_tokenization_spaces": 1}, "parameters.clean_up_tokenization_spaces"),
    ({"src_lang": "de"}, "parameters.tgt_lang"),
    ({"tgt_lang": "de"}, "parameters.src_lang"),
    ({"src_lang": "de", "tgt_lang": 1}, "parameters.tgt_lang"),
    ({"top_k": 1}, "parameters.top_k"),
    ({"num_beams": 1}, "parameters.num_beams"),
]


@pytest.mark.parametrize(("options", "field"), WRITING)
def test_p4_family_25_options_of_what_is_written(
    writer: Doors, options: dict[str, Any], field: str
) -> None:
    writer.refuse({"inputs": "a film", "parameters": options}, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        *((value, "inputs") for value in NO_TEXTS),
        *((["a", value], "inputs[1]") for value in NO_TEXT),
        (["a"] * 33, "inputs"),
        ("a" * (LIMITS.text_characters + 1), "inputs"),
    ],
)
@pytest.mark.parametrize("task", ["writer", "summaries", "vectors", "entities"])
def test_p4_families_8_9_10_13_texts(
    request: pytest.FixtureRequest, task: str, inputs: object, field: str
) -> None:
    if task == "vectors" and inputs == {}:  # which are texts to compare
        field = "inputs.source_sentence"
    request.getfixturevalue(task).refuse({"inputs": inputs}, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"src_lang": "de", "tgt_lang": "en"}, "parameters.src_lang"),
        ({"generate_parameters": {"num_beams": 9}}, "parameters.generate_parameters.num_beams"),
        ({"truncation": "none"}, "parameters.truncation"),
    ],
)
def test_p4_family_25_options_of_summaries(
    summaries: Doors, options: dict[str, Any], field: str
) -> None:
    summaries.refuse({"inputs": "a film", "parameters": options}, 422, "invalid_field", field)


def test_p3_family_11_the_most_that_can_be_asked_for_is_written(writer: Doors) -> None:
    texts = ["good " * 3_000] * 6 + ["x" * 1_000] + ["film"] * 25
    body = {"inputs": texts, "parameters": {"generate_parameters": {"num_beams": 8}}}
    assert len(writer.accept(body).json) == LIMITS.texts


# ---- Tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        *(({"aggregation_strategy": v}, "aggregation_strategy") for v in ("mean", *NO_NAMES)),
        *(({"ignore_labels": value}, "ignore_labels") for value in NO_LISTS),
        *(({"ignore_labels": ["O", value]}, "ignore_labels[1]") for value in NO_NAMES[1:]),
        ({"ignore_labels": ["O"] * (LIMITS.labels + 1)}, "ignore_labels"),
        *(({"stride": v, "aggregation_strategy": "max"}, "stride") for v in (*NO_COUNTS[1:], 16)),
        ({"stride": 1}, "stride"),
        ({"top_k": 1}, "top_k"),
    ],
)
def test_p4_family_25_options_of_tokens(
    entities: Doors, options: dict[str, Any], field: str
) -> None:
    body = {"inputs": "a film", "parameters": options}
    entities.refuse(body, 422, "invalid_field", f"parameters.{field}")


# ---- Pairs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"candidate_labels": None}, "candidate_labels"),
        *(({"candidate_labels": value}, "candidate_labels") for value in (*NO_LISTS, [])),
        *(({"candidate_labels": ["a", v]}, "candidate_labels[1]") for v in (*NO_TEXT, "x" * 257)),
        ({"candidate_labels": ["a"] * 65}, "candidate_labels"),
        ({"candidate_labels": ["a" * 200] * 65}, "candidate_labels"),
        ({"candidate_labels": ["good " * 40]}, "candidate_labels[0]"),
        *(({"multi_label": value}, "multi_label") for value in NO_FLAGS),
        *(({"hypothesis_template": v}, "hypothesis_template") for v in NO_NAMES),
        *(({"hypothesis_template": v}, "hypothesis_template") for v in NO_TEMPLATES),
        ({"top_k": 1}, "top_k"),
    ],
)
def test_p4_family_25_labels_of_the_callers_own(
    topics: Doors, options: dict[str, Any], field: str
) -> None:
    body = {"inputs": "a film", "parameters": {"candidate_labels": ["good", "bad"]} | options}
    topics.refuse(body, 422, "invalid_field", f"parameters.{field}")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": "a"}, "parameters"),
        ({"inputs": "a", "parameters": None}, "parameters"),
        ({"inputs": "a", "parameters": {}}, "parameters.candidate_labels"),
        ({"inputs": ["a"] * 3, "parameters": {"candidate_labels": ["b"] * 64}}, ""),
    ],
)
def test_p4_family_7_labels_that_are_missing_or_too_many(
    topics: Doors, body: dict[str, Any], field: str
) -> None:
    topics.refuse(body, 422, "invalid_field", field or "parameters.candidate_labels")


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        *((value, "inputs") for value in (None, 1, True, "a", ["a"])),
        ({}, "inputs.question"),
        ({"question": "a"}, "inputs.context"),
        *(({"question": v, "context": "a"}, "inputs.question") for v in (*NO_TEXT, "x" * 20_001)),
        *(({"question": "a", "context": v}, "inputs.context") for v in (*NO_TEXT, "x" * 100_001)),
        ({"question": "a", "context": "b", "title": "c"}, "inputs.title"),
        ({"question": "good " * 99, "context": "b"}, "inputs.question"),
    ],
)
def test_p4_families_7_8_9_10_questions(answers: Doors, inputs: object, field: str) -> None:
    answers.refuse({"inputs": inputs}, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        *(({name: v}, name) for name in COUNTED for v in (*NO_COUNTS, LIMITS.tokens + 1)),
        *(({"doc_stride": value}, "doc_stride") for value in (*NO_COUNTS[1:], 13, 512)),
        *(({name: v}, name) for name in FLAGS for v in NO_FLAGS),
        ({"max_seq_len": 17}, "max_seq_len"),
        ({"padding": True}, "padding"),
    ],
)
def test_p4_family_25_options_of_questions(
    answers: Doors, options: dict[str, Any], field: str
) -> None:
    body = {"inputs": {"question": "a", "context": "a film"}, "parameters": options}
    answers.refuse(body, 422, "invalid_field", f"parameters.{field}")


# ---- Vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        *(({"dimensions": value}, "dimensions") for value in (*NO_COUNTS, DIMENSION + 1)),
        *(({"normalize": value}, "normalize") for value in (False, *NO_FLAGS)),
        *(({"truncate": value}, "truncate") for value in NO_FLAGS),
        *(({"truncation_direction": v}, "truncation_direction") for v in ("left", *NO_NAMES)),
        *(({"prompt_name": value}, "prompt_name") for value in ("query", *NO_NAMES)),
        *(({"encoding_format": value}, "encoding_format") for value in ("base64", *NO_NAMES)),
        ({"inputs": "good " * 40, "truncate": False}, "inputs"),
    ],
)
def test_p4_family_25_options_of_vectors(
    vectors: Doors, options: dict[str, Any], field: str
) -> None:
    vectors.refuse({"inputs": "a film"} | options, 422, "invalid_field", field)


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"source_sentence": "a"}, "sentences"),
        ({"sentences": ["a"]}, "source_sentence"),
        *(({"source_sentence": v, "sentences": ["a"]}, "source_sentence") for v in NO_TEXT),
        *(({"source_sentence": "a", "sentences": v}, "sentences") for v in NO_SENTENCES),
        *(
            ({"source_sentence": "a", "sentences": ["a", v]}, "sentences[1]")
            for v in ("", "\ud800")
        ),
        ({"source_sentence": "a", "sentences": ["a"] * 32}, ""),
    ],
)
def test_p4_families_7_8_texts_to_compare(vectors: Doors, inputs: object, field: str) -> None:
    whole = f"inputs.{field}".rstrip(".")
    vectors.refuse({"inputs": inputs}, 422, "invalid_field", whole)


@pytest.mark.parametrize("key", ["parameters", "model", "__proto__", "user"])
def test_family_7_unknown_keys_at_the_root_are_ignored(vectors: Doors, key: str) -> None:
    plain = vectors.accept({"inputs": "a film"})
    assert vectors.accept({"inputs": "a film", key: {"x": 1}}).body == plain.body
