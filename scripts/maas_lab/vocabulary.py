"""The vocabulary: which tokens have an id, learned from the training rows alone.

Imports `tokenizers`, `maas.bundle.tokenizer_policy`, `maas.errors` and
`maas_lab.recipes.recipe`. The same texts give the same bytes:

    content = train_vocabulary([row.text for row in dataset.train], recipe.vocabulary)
    write_file(run.tokenizer_file, content)
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)
"""

import json
from collections import Counter
from typing import TYPE_CHECKING, Literal

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing

from maas.bundle.tokenizer_policy import check_tokenizer
from maas.errors import BundleError, FieldError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from maas_lab.recipes.recipe import VocabularyRecipe

TOKENIZER = "tokenizer.json"
PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID = range(4)
# In the order of the ids above; a classifier has the first two alone.
_SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]"]
_UNKNOWN, _END = _SPECIAL_TOKENS[UNKNOWN_ID], _SPECIAL_TOKENS[END_ID]
_FEWEST = 2
"""Times that a character, or two pieces side by side, must occur to become a token."""
_PAIR = 2


def train_vocabulary(
    texts: "Iterable[str]",
    recipe: "VocabularyRecipe",
    *,
    special: Literal["classify", "seq2seq"] = "classify",
    checkpoint: "Path | None" = None,
) -> bytes:
    """Learn the tokens of texts, or take those of a checkpoint.

    Args:
        texts: The texts of the training rows, never of the others: a test is one only as long as
            nothing was learned from it.
        recipe: Gives kind and size.
        special: Which special tokens there are. `classify`: id 0 is `[PAD]`, id 1 `[UNK]`.
            `seq2seq`: also id 2 `[BOS]` and id 3 `[EOS]`, which ends every text that is encoded.
        checkpoint: The folder that holds the tokenizer.json of the kind `checkpoint`; no text is
            looked at then.

    Returns:
        A tokenizer.json of admitted parts.

    Raises:
        FieldError: The kind is `checkpoint`, and there is none.
        RefusedError: The checkpoint's tokenizer is not admitted.
    """
    if recipe.kind == "checkpoint":
        if checkpoint is None:
            raise FieldError("Only a network with a checkpoint has one.", field="vocabulary.kind")
        return _read_vocabulary(checkpoint)
    named = _SPECIAL_TOKENS if special == "seq2seq" else _SPECIAL_TOKENS[: UNKNOWN_ID + 1]
    train = {"words": _train_words, "characters": _train_characters, "subwords": _train_subwords}
    tokenizer = train[recipe.kind](texts, recipe.size, named)
    if special == "seq2seq":
        tokenizer.post_processor = TemplateProcessing(
            single=f"$A {_END}", pair=f"$A {_END} $B:1 {_END}:1", special_tokens=[(_END, END_ID)]
        )
    return tokenizer.to_str(pretty=True).encode()


def _train_words(texts: "Iterable[str]", size: int, special: list[str]) -> Tokenizer:
    """Whole words, lower-cased, split at white space and punctuation; the most frequent ones.

    Of equally frequent ones the first by name is kept.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordLevelTrainer(
        vocab_size=size, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _train_characters(texts: "Iterable[str]", size: int, special: list[str]) -> Tokenizer:
    """Single characters, lower-cased, and the pairs of them that stand side by side most often."""
    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _train_pieces(tokenizer, texts, size, special, longest=_PAIR)


def _train_subwords(texts: "Iterable[str]", size: int, special: list[str]) -> Tokenizer:
    """Pieces of words by byte-pair encoding, case kept; decoding gives the text back.

    White space belongs to the piece after it, digits and punctuation stand alone.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="always"),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return _train_pieces(tokenizer, texts, size, special, longest=None)


def _train_pieces(
    tokenizer: Tokenizer,
    texts: "Iterable[str]",
    size: int,
    special: list[str],
    *,
    longest: int | None,
) -> Tokenizer:
    """Byte-pair encoding over an alphabet of at most half the size."""
    kept = list(texts)
    counts = Counter(letter for piece in _pieces(tokenizer, kept) for letter in piece)
    often = [letter for letter, count in counts.items() if count >= _FEWEST]
    # Chosen here: of equally rare characters the trainer's own limit keeps now these, now those.
    alphabet = sorted(often, key=lambda letter: (-counts[letter], letter))[: size // 2]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=_FEWEST,
        special_tokens=special,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        max_token_length=longest,
        show_progress=False,
    )
    tokenizer.train_from_iterator(kept, trainer)
    return tokenizer


def _pieces(tokenizer: Tokenizer, texts: "Iterable[str]") -> "Iterator[str]":
    """What the model of a tokenizer would get to see of texts."""
    for text in texts:
        plain = tokenizer.normalizer.normalize_str(text)
        yield from (piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain))


def _read_vocabulary(checkpoint: "Path") -> bytes:
    """The tokenizer.json of a checkpoint, but for its cutting and padding: a recipe decides these.

    Raises:
        RefusedError: It is absent, or a part of it is not admitted.
    """
    try:
        content = (checkpoint / TOKENIZER).read_bytes()
        check_tokenizer(content, labels=(), rows=None)
    except OSError:
        raise RefusedError(f"{checkpoint.name}: has no {TOKENIZER} that can be read.") from None
    except BundleError as error:
        raise RefusedError(f"{checkpoint.name}: {TOKENIZER} is not admitted: {error}.") from None
    file = json.loads(content)
    if file["truncation"] is None and file["padding"] is None:
        return content
    file |= {"truncation": None, "padding": None}
    return json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode()
