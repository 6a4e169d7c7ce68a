"""torch → ONNX for models of Hugging Face on disk: one module per task, and the dict that names it.

    exported = EXPORTERS["text-classification"](folder, out)

Args of each: the model's folder, with config.json, model.safetensors and tokenizer.json; and an
empty folder, into which it writes model.onnx. It compares the graph with torch and raises
RefusedError above the tolerance, FieldError where the folder does not hold such a model.
"""

from typing import TYPE_CHECKING

# torch and transformers take seconds to import; nobody pays for a task that is not asked for.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas_lab.importing.exported import Exported


def _text_classification(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.text_classification import export

    return export(folder, out)


def _feature_extraction(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.feature_extraction import export

    return export(folder, out)


def _token_classification(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.token_classification import export

    return export(folder, out)


def _zero_shot_classification(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.zero_shot_classification import export

    return export(folder, out)


def _question_answering(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.question_answering import export

    return export(folder, out)


def _text_generation(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.text_generation import export

    return export(folder, out)


def _audio_classification(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.audio_classification import export

    return export(folder, out)


def _speech(folder: "Path", out: "Path") -> "Exported":
    from maas_lab.importing.exporters.automatic_speech_recognition import export

    return export(folder, out)


EXPORTERS: "dict[str, Callable[[Path, Path], Exported]]" = {
    "text-classification": _text_classification,
    "token-classification": _token_classification,
    "zero-shot-classification": _zero_shot_classification,
    "question-answering": _question_answering,
    "feature-extraction": _feature_extraction,
    "text-generation": _text_generation,
    "audio-classification": _audio_classification,
    "automatic-speech-recognition": _speech,
}
"""The exporter of each task. Never extended from data."""
