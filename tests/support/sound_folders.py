"""Folders as transformers' save_pretrained writes them, of tiny networks that listen.

folder = make_sound_folder(path, "ForCTC", kind="Wav2Vec2")
folder = make_sound_folder(path, "ForSequenceClassification", kind="Hubert", labels=("up", "down"))
folder = make_spectrogram_folder(path, labels=("up", "down"))
"""

import json
import warnings
from typing import TYPE_CHECKING, Any

import torch
import transformers

if TYPE_CHECKING:
    from pathlib import Path

RATE = 8_000
MEL_RATE, MEL_FRAMES = 16_000, 64
"""Of the network that reads spectrograms."""
LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ETAOINSRHLDCU'")


def make_sound_folder(
    folder: "Path",
    head: str,
    *,
    kind: str = "Wav2Vec2",
    labels: tuple[str, ...] = (),
    lower: bool = False,
    **more: Any,  # noqa: ANN401
) -> "Path":
    """Write a folder of a random network.

    Args:
        folder: Where.
        head: How transformers calls what the network is for, `ForCTC` or another.
        kind: How it calls the network.
        labels: Of a classifier.
        lower: Whether small letters are written.
        more: What else its config.json says.
    """
    torch.manual_seed(5)
    config = getattr(transformers, f"{kind}Config")(
        **{
            "vocab_size": len(LETTERS),
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": (12, 12, 12),
            "conv_stride": (5, 4, 2),
            "conv_kernel": (10, 8, 4),
            "num_feat_extract_layers": 3,
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 4,
            "initializer_range": 0.3,
            "pad_token_id": 0,
            "id2label": dict(enumerate(labels)) or None,
            **more,
        }
    )
    network = getattr(transformers, f"{kind}{head}")(config).eval()
    network.save_pretrained(folder)
    extractor: Any = transformers.Wav2Vec2FeatureExtractor
    extractor(sampling_rate=RATE, do_normalize=True).save_pretrained(folder)
    if head == "ForCTC":
        vocabulary = folder / "letters.json"
        vocabulary.write_text(json.dumps({token: at for at, token in enumerate(LETTERS)}))
        tokenizer: Any = transformers.Wav2Vec2CTCTokenizer
        tokenizer(str(vocabulary), do_lower_case=lower).save_pretrained(folder)
        vocabulary.unlink()
    return folder


def make_spectrogram_folder(
    folder: "Path",
    *,
    labels: tuple[str, ...],
    **more: Any,  # noqa: ANN401
) -> "Path":
    """Write a folder of a random audio spectrogram transformer.

    Args:
        folder: Where.
        labels: Of the classifier.
        more: What else its preprocessor_config.json says.
    """
    torch.manual_seed(5)
    sizes = {"max_length": MEL_FRAMES, "num_mel_bins": 32}
    config: Any = transformers.ASTConfig
    network: Any = transformers.ASTForAudioClassification(
        config(
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            patch_size=8,
            frequency_stride=6,
            time_stride=6,
            initializer_range=0.3,
            id2label=dict(enumerate(labels)),
            **sizes,
        )
    )
    network.eval().save_pretrained(folder)
    extract_mel(**{**sizes, "sampling_rate": MEL_RATE, **more}).save_pretrained(folder)
    return folder


def extract_mel(**options: Any) -> Any:  # noqa: ANN401
    """Transformers' own extractor of spectrograms."""
    kind: Any = transformers.ASTFeatureExtractor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # with 128 bands, as it has, the lowest hear nothing
        return kind(**options)
