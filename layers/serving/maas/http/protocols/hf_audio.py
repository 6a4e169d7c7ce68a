"""Audio classification and automatic speech recognition in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields`, `hf_files` and the wire's structs beside it. Translates
only.

    request = decode_sound(data)                       # the file itself
    request = decode_speech(parse_json(body))          # base64, and options
    answer = encode_speech(transcriber.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_files import files_of, whole_body
from maas.http.protocols.hf_wire_audio import (
    OTHER_TYPES,
    SOUND_TYPES,
    SoundBody,
    SoundParameters,
    SpeechAnswer,
    SpeechBody,
    SpeechChunk,
    SpeechParameters,
)

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_audio import SpeechAnswers
    from maas.tasks.audio_classify import AudioRequest
    from maas.tasks.transcribe import TranscribeRequest, TranscribeResponse, Transcript

# A function has one of the two tasks, and pays for the structs of no other.
# ruff: noqa: PLC0415

READ_TYPES = SOUND_TYPES | OTHER_TYPES
"""What a body is read of beside JSON, be it to refuse it by its field."""


def decode_sound(value: object) -> "AudioRequest":
    """Check a body and turn it into the request of a task that classifies.

    Args:
        value: The bytes of a file, or what JSON says.

    Raises:
        BadRequestError: The file is empty.
        FieldError: A field is missing, unknown or of the wrong type, or is not base64.
    """
    from maas.tasks.audio_classify import AudioRequest

    if isinstance(value, bytes):
        return AudioRequest(clips=(whole_body(value, what="a WAV file"),), alone=True)
    body = convert_fields(value, SoundBody, choices="must be softmax, sigmoid or none")
    options = body.parameters or SoundParameters()
    clips, alone = files_of(body.inputs)
    return AudioRequest(
        clips=clips,
        top_k=options.top_k,
        function=options.function_to_apply or "softmax",
        alone=alone,
    )


def decode_speech(value: object) -> "TranscribeRequest":
    """Check a body and turn it into the request of a task that writes down what is said.

    Args:
        value: The bytes of a file, or what JSON says.

    Raises:
        BadRequestError: The file is empty.
        FieldError: A field is missing, unknown or of the wrong type, or is not base64.
    """
    from maas.tasks.transcribe import TranscribeRequest

    if isinstance(value, bytes):
        return TranscribeRequest(clips=(whole_body(value, what="a WAV file"),), alone=True)
    body = convert_fields(value, SpeechBody, choices="must be true, word or char")
    asked = (body.parameters or SpeechParameters()).return_timestamps
    clips, alone = files_of(body.inputs)
    return TranscribeRequest(
        clips=clips, timestamps="word" if asked is True else asked or None, alone=alone
    )


def encode_speech(response: "TranscribeResponse") -> "SpeechAnswer | SpeechAnswers":
    """Turn a task's response into the object that the client takes apart; of more, one each."""
    rows = [_spoken(row) for row in response.rows]
    return rows[0] if response.alone else rows


def _spoken(row: "Transcript") -> SpeechAnswer:
    if row.chunks is None:
        return SpeechAnswer(row.text)
    return SpeechAnswer(row.text, [SpeechChunk(c.text, (c.start, c.end)) for c in row.chunks])
