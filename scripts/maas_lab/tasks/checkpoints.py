"""The weights that a network begins with: a known checkpoint, fetched, or a folder of one's own.

Imports `maas` and `maas_lab.data`:

    folder = checkpoint_folder("all-minilm-l6-v2", cache=settings.cache, say=say)
"""

from collections.abc import Callable
from pathlib import Path

from maas.bundle.verify import sha256_file
from maas.errors import FieldError
from maas_lab.data.checkpoints import fetch_checkpoint
from maas_lab.recipes.data import is_known_set


def checkpoint_folder(reference: str, *, cache: Path, say: Callable[[str], None]) -> Path:
    """Find a checkpoint.

    Args:
        reference: The name of a known one, or the path of a folder.
        cache: The folder that keeps what was fetched.
        say: Tells the user about a download.

    Raises:
        FieldError: There is no such folder, or it holds no config.json.
        TryAgainError: It has to be fetched and the registry is away.
    """
    if is_known_set(reference):
        return fetch_checkpoint(reference, cache, say=say)
    folder = Path(reference)
    if not (folder / "config.json").is_file():
        raise FieldError(
            f"{folder}: is no folder of a checkpoint; it needs config.json, model.safetensors and"
            " tokenizer.json.",
            field="network.checkpoint",
        )
    return folder


def weights_digest(checkpoint: Path | None) -> str:
    """`sha256:…` of a checkpoint's weights; nothing where there is none."""
    return f"sha256:{sha256_file(checkpoint / 'model.safetensors')}" if checkpoint else ""
