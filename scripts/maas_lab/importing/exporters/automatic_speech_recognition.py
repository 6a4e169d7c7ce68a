"""A model of speech from a folder of Hugging Face's, trained by CTC.

Imports numpy, `maas` and the lab.

    exported = export(folder, out)
    exported.manifest["ctc"].tokens     # of vocab.json
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maas.bundle.audio import CtcVocabulary
from maas.errors import FieldError, RefusedError
from maas.tasks.ctc import SPACE, spans_of, text_of
from maas_lab.importing.exporters.audio_networks import export_listening, open_listening

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from maas_lab.importing.exported import Exported

_TOKENIZER = "Wav2Vec2CTCTokenizer"


def export(folder: "Path", out: "Path") -> "Exported":
    """Trace the network, and prove it and what it spells.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    listening = open_listening(folder, "AutoModelForCTC")
    tokenizer = _tokenizer(folder)
    ctc = _vocabulary(tokenizer, listening.network.config)

    def check(logits: "npt.NDArray[np.float32]") -> None:
        ours = text_of(spans_of(logits, ctc.tokens, blank=ctc.blank))
        if ours != tokenizer.decode(logits.argmax(axis=-1)):
            raise RefusedError(
                "The tokenizer writes tokens otherwise than each by itself: it cannot be served."
            )

    exported = export_listening(listening, out, axes={0: "batch", 1: "frames"}, check=check)
    return replace(exported, manifest={**exported.manifest, "ctc": ctc})


def _tokenizer(folder: "Path") -> Any:  # noqa: ANN401 - transformers' own
    import transformers  # noqa: PLC0415 - it was imported with the network

    try:
        found = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        raise FieldError(
            "has no vocab.json and tokenizer_config.json (tokenizer.save_pretrained writes them)",
            field="model",
        ) from None
    if type(found).__name__ != _TOKENIZER:
        raise RefusedError(
            f"The model spells by {type(found).__name__}, and {_TOKENIZER} alone is known."
        )
    return found


def _vocabulary(tokenizer: Any, config: Any) -> CtcVocabulary:  # noqa: ANN401 - transformers' own
    """What is written for each id that the network has."""
    written = {number: token for token, number in tokenizer.get_vocab().items()}
    parts = {tokenizer.word_delimiter_token: SPACE}
    tokens = [written.get(number, "") for number in range(config.vocab_size)]
    tokens = [parts.get(token, token) for token in tokens]
    if tokenizer.do_lower_case:
        tokens = [token.lower() for token in tokens]
    return CtcVocabulary(
        tokens=tuple(tokens),
        blank=int(tokenizer.pad_token_id),
        frame=int(config.inputs_to_logits_ratio),
    )
