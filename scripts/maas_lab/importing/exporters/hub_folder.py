"""A model's folder as Hugging Face's libraries write it: opened without running anything of it.

Imports safetensors, `maas` and the lab; transformers, of the extra `dev`, when a network is loaded.

    hub = open_folder(folder)
    network = hub.load("AutoModelForSequenceClassification")
    hub.labels, hub.max_tokens

Weights are safetensors, config.json is data, and code that a folder may bring is never looked at.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from maas.errors import FieldError, RefusedError
from maas.limits import LIMITS

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_SHOWN = 3
_OFFSET = {"roberta": 2, "xlm-roberta": 2, "camembert": 2}
"""Rows of the table of positions that no token is given, by the kind of network."""


@dataclass(frozen=True, slots=True)
class HubFolder:
    """A folder with config.json, weights as safetensors, and tokenizer.json.

    Attributes:
        folder: Where it lies.
        config: What config.json says.
    """

    folder: "Path"
    config: dict[str, Any]

    @property
    def tokenizer(self) -> "Path":
        """The file of its tokenizer."""
        return self.folder / TOKENIZER

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names by class index; none where config.json has none."""
        named = self.config.get("id2label") or {}
        return tuple(str(named[key]) for key in sorted(named, key=int))

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the network and those who tuned it allow, and that we do."""
        offset = _OFFSET.get(str(self.config.get("model_type")), 0)
        most = [LIMITS.tokens]
        if isinstance(positions := self.config.get("max_position_embeddings"), int):
            most.append(positions - offset)
        tuned = self.read("sentence_bert_config.json").get("max_seq_length")
        if isinstance(tuned, int):
            most.append(tuned)
        return max(1, min(most))

    def read(self, name: str) -> dict[str, Any]:
        """Another file of JSON in the folder; empty where there is none."""
        try:
            found = json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def load(self, kind: str, *, needless: tuple[str, ...] = ()) -> "nn.Module":
        """Load the network, in float32 and as it is evaluated.

        Args:
            kind: One of transformers' Auto classes.
            needless: How weights begin that may be missing, because nothing is made of them.

        Raises:
            RefusedError: transformers is not installed, does not know the network, or weights of
                it are missing, which it would draw by chance.
        """
        try:
            import transformers  # noqa: PLC0415 - seconds, and not there for everybody
        except ImportError:
            raise RefusedError(
                "A folder is read by transformers: pip install 'transformers>=5.24,<6'"
            ) from None
        transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            network, found = getattr(transformers, kind).from_pretrained(
                self.folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                attn_implementation="eager",  # the other ways are traced wrongly, or not at all
                dtype="float32",
                output_loading_info=True,
            )
        except (ValueError, KeyError, OSError, RuntimeError, TypeError, SafetensorError) as error:
            said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise RefusedError(f"transformers cannot load the folder: {said}") from None
        missing = [key for key in sorted(found["missing_keys"]) if not key.startswith(needless)]
        if missing:
            named = ", ".join(missing[:_SHOWN])
            raise RefusedError(
                f"The weights lack {named}: this is no checkpoint for the task, or was not tuned"
                " for it yet."
            )
        loaded: nn.Module = network.eval()
        return loaded


def open_folder(folder: "Path", *, files: tuple[str, ...] = (CONFIG, TOKENIZER)) -> HubFolder:
    """Look at a folder.

    Args:
        folder: The model's.
        files: What it must hold beside its weights.

    Raises:
        FieldError: It holds no config.json, or lacks one of these.
        RefusedError: Its weights are pickles, or of another library.
    """
    hub = HubFolder(folder, {})
    config = hub.read(CONFIG)
    for name in files:
        if not (config and (folder / name).is_file()):
            named = ", ".join(("model.safetensors", *files))
            raise FieldError(
                f"has no {CONFIG if not config else name}; a model's folder has {named}"
                " (save_pretrained writes them)",
                field="model",
            )
    if not any((folder / name).is_file() for name in _WEIGHTS):
        found = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        said = f"{found[0]} may run code when it is read" if found else "there are no weights"
        raise RefusedError(
            f"The folder has no model.safetensors, and {said}. Convert it where you trust it:"
            " AutoModel….from_pretrained(folder).save_pretrained(folder)"
        )
    return HubFolder(folder, config)
