"""Text generation in Hugging Face's wire format, whole and as a stream."""

import json
from typing import Any

import pytest

from maas.errors import DeadlineError, FieldError, ModelError, OverloadedError
from maas.http.problems import encode_json
from maas.http.protocols.hf_generating import GenerateEvents, decode_generate, encode_generate
from maas.limits import LIMITS
from maas.tasks.generation import (
    Generated,
    GenerateRequest,
    GenerateResponse,
    Step,
    Token,
)
from maas.tasks.sampling import Sampling


def how(**options: object) -> dict[str, Any]:
    return {"inputs": "a", "parameters": options}


def asked(**fields: Any) -> GenerateRequest:  # noqa: ANN401
    return GenerateRequest(**({"texts": ("a",)} | fields))


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        ({"inputs": "a"}, asked()),
        ({"inputs": ["a", "b"], "parameters": {}}, asked(texts=("a", "b"))),
        ({"inputs": "a", "parameters": None, "options": 1, "stream": None}, asked()),
        ({"inputs": "a", "stream": True}, asked(streamed=True)),
        ({"inputs": ["a"], "stream": True}, asked(streamed=True)),
        (how(max_new_tokens=512), asked(max_new_tokens=512)),
        (how(truncate=9), asked(keep=9)),
        (how(stop=["x", "\n"]), asked(stop=("x", "\n"))),
        (how(seed=-(2**63)), asked(seed=-(2**63))),
        (how(details=True, return_full_text=True), asked(details=True, whole=True)),
        (how(repetition_penalty=1.5), asked(how=Sampling(repetition_penalty=1.5))),
        (how(do_sample=True), asked(how=Sampling(sample=True))),
        (how(temperature=0.5), asked(how=Sampling(sample=True, temperature=0.5))),
        (how(top_k=5), asked(how=Sampling(sample=True, top_k=5))),
        (how(top_p=1), asked(how=Sampling(sample=True))),
        (how(do_sample=False, temperature=0.5), asked(how=Sampling(temperature=0.5))),
        (
            how(watermark=False, best_of=1, typical_p=1, frequency_penalty=0, top_n_tokens=0),
            asked(),
        ),
        (how(decoder_input_details=False, grammar=None, adapter_id=None), asked()),
    ],
)
def test_what_the_client_sends_becomes_the_tasks_request(
    body: object, request_: GenerateRequest
) -> None:
    assert decode_generate(body) == request_


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, None),
        ({}, "inputs"),
        ({"inputs": 1}, "inputs"),
        ({"inputs": ["a", 1]}, "inputs[1]"),
        ({"inputs": ["a", "b"], "stream": True}, "inputs"),
        ({"inputs": "a", "stream": 1}, "stream"),
        (how(max_length=3), "parameters.max_length"),
        *(
            (how(**{name: value}), f"parameters.{name}")
            for name, values in {
                "max_new_tokens": (0, 513, 1.5, "2"),
                "truncate": (0, LIMITS.context_tokens + 1),
                "temperature": (0, -1, 101, "1"),
                "top_k": (0, -1, 1.5),
                "top_p": (0, 1.01),
                "repetition_penalty": (0, 101),
                "seed": (2**63, 0.5),
                "stop": (["a"] * 5, "a"),
                "do_sample": (1,),
                "decoder_input_details": (True,),
                "top_n_tokens": (1,),
                "best_of": (2, 0),
                "typical_p": (0.9,),
                "frequency_penalty": (0.1,),
                "watermark": (True,),
                "grammar": ({"type": "regex", "value": "a"},),
                "adapter_id": ("x",),
            }.items()
            for value in values
        ),
        (how(stop=[""]), "parameters.stop[0]"),
        (how(stop=["a" * 65]), "parameters.stop[0]"),
    ],
)
def test_what_is_not_acceptable_is_refused_by_its_field(body: object, field: str | None) -> None:
    with pytest.raises(FieldError) as refused:
        decode_generate(body)
    assert (refused.value.field, refused.value.status) == (field, 422)


TOKENS = (Token(7, " a", -0.123456789, special=False), Token(2, "", -1.5, special=True))
DONE = Generated(" a", TOKENS, "end", read=3, cut=False, seed=5)
TOKEN = {"id": 7, "text": " a", "logprob": -0.123457, "special": False}
END = {"id": 2, "text": "", "logprob": -1.5, "special": True}


@pytest.mark.parametrize("details", [False, True])
def test_an_answer_is_a_list_for_one_text_too(*, details: bool) -> None:
    response = GenerateResponse((DONE,), details, tokens=(5,), truncated=(False,), seconds={})
    (answer,) = json.loads(encode_json(encode_generate(response)))
    assert answer.pop("generated_text") == " a"
    wanted = {"finish_reason": "eos_token", "generated_tokens": 2, "prefill": [], "seed": 5}
    assert answer == ({"details": wanted | {"tokens": [TOKEN, END]}} if details else {})


def told(values: list[object]) -> Any:  # noqa: ANN401
    (value,) = values
    return json.loads(encode_json(value))


def test_a_stream_is_an_event_per_token_and_the_last_has_the_text() -> None:
    events = GenerateEvents()
    first = told(events.step(Step(0, TOKENS[0], None)))
    assert first == {"index": 1, "token": TOKEN, "generated_text": None, "details": None}
    last = told(events.step(Step(0, TOKENS[1], DONE)))
    details = {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 3, "seed": 5}
    assert last == {"index": 2, "token": END, "generated_text": " a", "details": details}
    assert events.end() == b""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelError("It failed."), "generation"),
        (DeadlineError("Too late."), "generation"),
        (OverloadedError("Busy."), "overloaded"),
        (FieldError("No.", field="x"), "validation"),
    ],
)
def test_what_fails_on_the_way_is_an_event_that_the_client_raises(
    error: Any,  # noqa: ANN401
    kind: str,
) -> None:
    told = json.loads(encode_json(GenerateEvents().failure(error)))
    assert told == {"error": error.described(), "error_type": kind, "code": error.code}
