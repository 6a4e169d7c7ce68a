"""Folders as transformers' save_pretrained writes them, of tiny networks that answer anything.

Each kind of network has the kind of tokenizer that its family has: pieces of words, bytes, or
pieces of a sentence.

    folder = make_folder(path, "ForTokenClassification", kind="roberta", id2label={0: "O"})
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

MOST = 40
"""Tokens that the tiny networks take."""
SENTENCES = (
    "My name is Wolfgang and I live in Berlin.",
    "Who lives in a café in Berlin, and where is the café?",
    "This example is sports; words-and-more, and a good line!",
)
"""What tokenizers are trained on."""
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def wordpieces() -> Tokenizer:
    """BERT's own kind of tokenizer, of few words and every letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words += ["my", "name", "is", "wolf", "and", "live", "in", "ber", "who", "where", "example"]
    words += ["##gang", "##lin", "##live", "this", "cafe", "good", "##ing", "sport"]
    words += [*letters, *(f"##{letter}" for letter in letters), *".,;!?()-#"]
    ids = {word: at for at, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def bytewise() -> Tokenizer:
    """RoBERTa's own kind: pairs of bytes, and a space that is a part of the word behind it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=_SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sentencepieces() -> Tokenizer:
    """XLM-RoBERTa's own kind: likely pieces of a sentence; of most letters it knows nothing."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        SENTENCES,
        trainers.UnigramTrainer(
            vocab_size=80, special_tokens=_SPECIAL, unk_token="<unk>", show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


class _Kind(NamedTuple):
    network: str
    tokenizer: Callable[[], Tokenizer]
    config: dict[str, Any]
    inputs: tuple[str, ...]
    words: dict[str, str]


_AS_BERT = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
_AS_ROBERTA = {
    **{f"{name}_token": f"<{name}>" for name in ("pad", "unk", "mask")},
    **{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"},
}
_ROBERTA: dict[str, Any] = {
    **{"max_position_embeddings": MOST + 2, "type_vocab_size": 1},
    **{"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2},
}
_INPUTS = ("input_ids", "attention_mask")
KINDS = {
    "bert": _Kind(
        "Bert",
        wordpieces,
        {"max_position_embeddings": MOST},
        ("token_type_ids", *_INPUTS),
        _AS_BERT,
    ),
    "roberta": _Kind("Roberta", bytewise, _ROBERTA, _INPUTS, _AS_ROBERTA),
    "xlm-roberta": _Kind("XLMRoberta", sentencepieces, _ROBERTA, _INPUTS, _AS_ROBERTA),
}


def make_folder(folder: Path, head: str, *, kind: str = "bert", **more: Any) -> Path:  # noqa: ANN401
    """Write a folder of a random network.

    Args:
        folder: Where.
        head: How transformers calls what the network is for, such as `ForTokenClassification`.
        kind: One of KINDS.
        more: What else its config.json says.
    """
    made = KINDS[kind]
    tokenizer = made.tokenizer()
    torch.manual_seed(11)
    config = getattr(transformers, f"{made.network}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        initializer_range=0.5,
        **made.config,
        **more,
    )
    getattr(transformers, f"{made.network}{head}")(config).eval().save_pretrained(folder)
    wrap: Any = transformers.PreTrainedTokenizerFast
    fast = wrap(
        tokenizer_object=tokenizer,
        model_input_names=list(made.inputs),
        model_max_length=MOST,
        **made.words,
    )
    fast.save_pretrained(folder)
    return folder
