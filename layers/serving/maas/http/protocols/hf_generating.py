"""Text generation in Hugging Face's wire format, whole or as a stream.

May import `maas.errors`, `maas.tasks`, `maas.http.fields`, `maas.http.problems` and the wire's
structs beside it. Translates only.

    request = decode_generate(parse_json(body))
    answer = encode_generate(generator.predict(request, deadline=deadline))
    events = GenerateEvents()                     # of a stream, one per step
"""

from typing import TYPE_CHECKING

from maas.errors import FieldError, OverloadedError
from maas.http.fields import convert_fields
from maas.http.problems import told
from maas.http.protocols.hf_wire import listed
from maas.http.protocols.hf_wire_generating import (
    GenerateBody,
    GeneratedDetails,
    GeneratedText,
    GeneratedToken,
    GeneratingParameters,
    StreamedDetails,
    StreamedFailure,
    StreamedToken,
)
from maas.tasks.generation import GenerateRequest
from maas.tasks.sampling import Sampling

if TYPE_CHECKING:
    from maas.errors import MaasError
    from maas.http.protocols.hf_wire_generating import GenerateAnswer, Reason
    from maas.tasks.generation import Ending, Generated, GenerateResponse, Step, Token

_DIGITS = 6
_REASONS: "dict[Ending, Reason]" = {"length": "length", "end": "eos_token", "stop": "stop_sequence"}
_REFUSED: dict[str, tuple[object, str]] = {
    "decoder_input_details": (False, "must be false: logits are kept for what is written alone"),
    "top_n_tokens": (0, "must be 0: only the token that was chosen is answered"),
    "best_of": (1, "must be 1: one answer is written"),
    "typical_p": (1, "must be 1; use top_p"),
    "frequency_penalty": (0, "must be 0; use repetition_penalty"),
    "watermark": (False, "must be false: no watermark is known here"),
    "grammar": ({}, "is not known here; leave it out"),
    "adapter_id": ("", "is not known here; each model has its own address"),
}
"""What the client knows and no model here does: the one value that changes nothing, and why."""


def decode_generate(value: object) -> GenerateRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown, of the wrong type, or asks for what is not done.
    """
    body = convert_fields(value, GenerateBody)
    options = body.parameters or GeneratingParameters()
    for name, (harmless, said) in _REFUSED.items():
        if getattr(options, name) not in (None, harmless):
            raise FieldError(said, field=f"parameters.{name}")
    texts = listed(body.inputs)
    if body.stream and len(texts) != 1:
        raise FieldError("must be one text where the answer is streamed", field="inputs")
    return GenerateRequest(
        texts=texts,
        how=_sampling(options),
        max_new_tokens=options.max_new_tokens,
        stop=tuple(options.stop or ()),
        seed=options.seed,
        keep=options.truncate,
        whole=bool(options.return_full_text),
        details=bool(options.details),
        streamed=bool(body.stream),
    )


def _sampling(options: GeneratingParameters) -> Sampling:
    given = (options.temperature, options.top_k, options.top_p)
    draws = options.do_sample
    return Sampling(
        sample=any(each is not None for each in given) if draws is None else draws,
        temperature=1.0 if options.temperature is None else options.temperature,
        top_k=options.top_k,
        top_p=1.0 if options.top_p is None else options.top_p,
        repetition_penalty=options.repetition_penalty or 1.0,
    )


def encode_generate(response: "GenerateResponse") -> "GenerateAnswer":
    """Turn a task's response into the list that the client takes the first of."""
    return [
        GeneratedText(row.text, _details(row) if response.details else None)
        for row in response.rows
    ]


def _details(row: "Generated") -> GeneratedDetails:
    return GeneratedDetails(
        finish_reason=_REASONS[row.ending],
        generated_tokens=len(row.tokens),
        prefill=[],
        tokens=[_token(token) for token in row.tokens],
        seed=row.seed,
    )


def _token(token: "Token") -> GeneratedToken:
    return GeneratedToken(token.id, token.text, round(token.logprob, _DIGITS), token.special)


class GenerateEvents:
    """The events of one stream."""

    def __init__(self) -> None:
        self._count = 0

    def step(self, step: "Step") -> list[object]:
        """What is sent of a token."""
        self._count += 1
        done, details = step.done, None
        if done is not None:
            reason = _REASONS[done.ending]
            details = StreamedDetails(reason, len(done.tokens), done.read, done.seed)
        text = None if done is None else done.text
        return [StreamedToken(self._count, _token(step.token), text, details)]

    def failure(self, error: "MaasError") -> object:
        """What is sent when something fails after the first token."""
        overloaded = isinstance(error, OverloadedError)
        kind = "overloaded" if overloaded else "validation" if error.status < 500 else "generation"
        return StreamedFailure(told(error)[0], kind, error.code)

    def end(self) -> bytes:
        """Nothing: the last token says that it is the last."""
        return b""
