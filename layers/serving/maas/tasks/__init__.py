"""What a model does: one module per task, and the dict that names them.

A task turns a request struct into tensors, runs the session and turns what comes out into a
response struct; it knows no HTTP and no registry.

    task = open_task(manifest, folder, lambda: session)
"""

from typing import TYPE_CHECKING

# Each task imports what it needs when it is opened, for a function has one and pays for no other:
# no text model loads Pillow, and no image model tokenizers.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.tasks.task import Task
    from maas.text.tokenizer import Tokenizer
    from maas.text.windows import WindowTokenizer

    Graph = Callable[[], Session]

TOKENIZER = "tokenizer.json"
"""The file of a bundle by which a task reads texts."""


def open_task(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    """Open the task that a manifest names.

    Args:
        manifest: What the model is.
        folder: Where the files lie that every form needs.
        graph: Gives its graph; called last, for the graph may be opened meanwhile.

    Raises:
        BundleError: The graph is not the one that the manifest describes.
        TokenizerError: The tokenizer cannot be loaded.
    """
    return TASKS[manifest.task](manifest, folder, graph)


def _classifier(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.classify import Classifier

    return Classifier(manifest, _tokenizer(manifest, folder), graph())


def _image_classifier(manifest: "Manifest", _folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.image import ImageClassifier

    return ImageClassifier(manifest, graph())


def _audio_classifier(manifest: "Manifest", _folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.audio_classify import AudioClassifier

    return AudioClassifier(manifest, graph())


def _transcriber(manifest: "Manifest", _folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.transcribe import Transcriber

    return Transcriber(manifest, graph())


def _token_classifier(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.token_classify import TokenClassifier

    return TokenClassifier(manifest, _windows(folder), graph())


def _zero_shot_classifier(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.zero_shot import ZeroShotClassifier

    return ZeroShotClassifier(manifest, _windows(folder), graph())


def _answerer(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.question import Answerer

    return Answerer(manifest, _windows(folder), graph())


def _embedder(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.embed import Embedder

    return Embedder(manifest, _tokenizer(manifest, folder), graph())


def _writer(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.write import Writer

    return Writer(manifest, _tokenizer(manifest, folder), graph())


def _generator(manifest: "Manifest", folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.generate import Generator
    from maas.text.generating import load_generating

    return Generator(manifest, load_generating(folder / TOKENIZER), graph())


def _table_classifier(manifest: "Manifest", _folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.table import TableClassifier

    return TableClassifier(manifest, graph())


def _tensor_model(manifest: "Manifest", _folder: "Path", graph: "Graph") -> "Task":
    from maas.tasks.tensor import TensorModel

    return TensorModel(manifest, graph())


def _tokenizer(manifest: "Manifest", folder: "Path") -> "Tokenizer":
    from maas.text.tokenizer import load_tokenizer

    return load_tokenizer(folder / TOKENIZER, max_tokens=manifest.limits.max_tokens)


def _windows(folder: "Path") -> "WindowTokenizer":
    from maas.text.windows import load_windows

    return load_windows(folder / TOKENIZER)


TASKS: "dict[str, Callable[[Manifest, Path, Graph], Task]]" = {
    "text-classification": _classifier,
    "image-classification": _image_classifier,
    "audio-classification": _audio_classifier,
    "automatic-speech-recognition": _transcriber,
    "token-classification": _token_classifier,
    "zero-shot-classification": _zero_shot_classifier,
    "question-answering": _answerer,
    "feature-extraction": _embedder,
    "translation": _writer,
    "summarization": _writer,
    "text-generation": _generator,
    "tabular-classification": _table_classifier,
    "tensor": _tensor_model,
}
"""The task that a manifest names, and what opens it. Never extended from data."""
