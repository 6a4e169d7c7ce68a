"""Hugging Face's routes and the description of a model, with the bodies and answers of each task.

Imports the structs that the routes themselves decode and encode, and nothing that serves.
"""

from typing import Any

from msgspec import Struct

from maas.http.describe import ModelDescription
from maas.http.methods import EVENTS
from maas.http.operations.operation import DESCRIBED, INFERENCE, PREDICTED, Operation
from maas.http.protocols.hf_wire import ClassifyAnswer, ClassifyBody
from maas.http.protocols.hf_wire_audio import (
    SOUND_TYPES,
    SoundAnswer,
    SoundAnswers,
    SoundBody,
    SpeechAnswer,
    SpeechAnswers,
    SpeechBody,
)
from maas.http.protocols.hf_wire_embedding import EmbedAnswer, EmbedBody, SimilarityAnswer
from maas.http.protocols.hf_wire_generating import GenerateAnswer, GenerateBody
from maas.http.protocols.hf_wire_image import MEDIA_TYPES, ImageAnswer, ImageBody, ImagesAnswer
from maas.http.protocols.hf_wire_question import QuestionAnswer, QuestionAnswers, QuestionBody
from maas.http.protocols.hf_wire_table import TableAnswer, TableBody
from maas.http.protocols.hf_wire_tokens import TOKEN_ANSWERS, TokensBody
from maas.http.protocols.hf_wire_writing import (
    SummarizeAnswer,
    SummarizeBody,
    TranslateAnswer,
    TranslateBody,
)
from maas.http.protocols.hf_wire_zero_shot import ZeroShotAnswer, ZeroShotAnswers, ZeroShotBody

TASKS: dict[str, tuple[type[Struct], tuple[Any, ...]]] = {
    "text-classification": (ClassifyBody, (ClassifyAnswer,)),
    "image-classification": (ImageBody, (ImageAnswer, ImagesAnswer)),
    "audio-classification": (SoundBody, (SoundAnswer, SoundAnswers)),
    "automatic-speech-recognition": (SpeechBody, (SpeechAnswer, SpeechAnswers)),
    "token-classification": (TokensBody, TOKEN_ANSWERS),
    "zero-shot-classification": (ZeroShotBody, (ZeroShotAnswer, ZeroShotAnswers)),
    "question-answering": (QuestionBody, (QuestionAnswer, QuestionAnswers)),
    "feature-extraction": (EmbedBody, (EmbedAnswer, SimilarityAnswer)),
    "translation": (TranslateBody, (TranslateAnswer,)),
    "summarization": (SummarizeBody, (SummarizeAnswer,)),
    "text-generation": (GenerateBody, (GenerateAnswer,)),
    "tabular-classification": (TableBody, (TableAnswer,)),
}
"""What each task is asked and how it answers; which one a model has, its description says."""
FILE_TYPES = tuple(sorted(MEDIA_TYPES | SOUND_TYPES))
"""What a body may be beside JSON, where the model's task reads files."""


def _inference(what: str, suffix: str) -> dict[str, Operation]:
    return {
        "GET": Operation(
            name=f"describe{suffix}",
            summary=f"Describe {what}",
            tag=INFERENCE,
            answers=(ModelDescription,),
            errors=DESCRIBED,
        ),
        "POST": Operation(
            name=f"predict{suffix}",
            summary=f"Ask {what} to do its task on texts, images or clips of sound",
            tag=INFERENCE,
            answers=tuple(answer for _, answers in TASKS.values() for answer in answers),
            errors=PREDICTED,
            bodies=tuple(body for body, _ in TASKS.values()),
            media_types=FILE_TYPES,
            answer_types=(EVENTS,),
        ),
    }


OPERATIONS: dict[str, dict[str, Operation]] = {
    "/models/{model}": _inference("whichever version answers", "Model"),
    "/models/{model}/versions/{version}": _inference("one version", "Version"),
}
"""Operations by path and method."""
