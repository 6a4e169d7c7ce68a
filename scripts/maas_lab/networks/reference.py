"""The vectors of a checkpoint by its own library, to hold ours against.

Imports torch, and transformers when it is asked:

    vectors, library = reference_vectors(folder, token_ids)
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

from maas.errors import RefusedError
from maas_lab.batches import padded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from maas_lab.batches import Ids

_ROWS_AT_ONCE = 32


def reference_vectors(
    checkpoint: "Path", token_ids: "Sequence[Ids]"
) -> "tuple[npt.NDArray[np.float64], str]":
    """Mean-pooled, normalised vectors by transformers.

    Args:
        checkpoint: A Hugging Face folder.
        token_ids: Per text, int32 `[tokens]`.

    Returns:
        float64 `[texts, width]`, and the library with its version.

    Raises:
        RefusedError: transformers is not installed.
    """
    try:
        import transformers  # noqa: PLC0415 - seconds, and only this needs it
    except ImportError:
        raise RefusedError(
            "transformers is needed to compare an embedding with its original: pip install"
            " transformers"
        ) from None
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = transformers.AutoModel.from_pretrained(checkpoint, local_files_only=True).eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(token_ids), _ROWS_AT_ONCE):
            ids, mask = padded(token_ids[start : start + _ROWS_AT_ONCE])
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state.double()
            weights = mask.unsqueeze(2).double()
            mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
            parts.append(torch.nn.functional.normalize(mean, dim=1).numpy())
    return np.concatenate(parts), f"transformers {transformers.__version__}"
