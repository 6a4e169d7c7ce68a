"""The vocabulary: which words have an id, learned from the training rows alone.

Imports `tokenizers` and `maas_lab.recipe`. Whole words, lower-cased, split at white space and
punctuation; the most frequent ones are kept. The same texts give the same bytes:

    content = train_vocabulary([row.text for row in dataset.train], recipe.vocabulary)
    write_file(run.tokenizer_file, content)
    tokenizer = load_tokenizer(run.tokenizer_file, max_tokens=recipe.vocabulary.max_tokens)
"""

from typing import TYPE_CHECKING

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maas_lab.recipe import VocabularyRecipe

PAD_ID = 0
UNKNOWN_ID = 1
_SPECIAL_TOKENS = ["[PAD]", "[UNK]"]  # in the order of the ids above


def train_vocabulary(texts: "Iterable[str]", recipe: "VocabularyRecipe") -> bytes:
    """Count words and keep the most frequent ones; of equally frequent ones the first by name.

    Args:
        texts: The texts of the training rows, never of the others: a test is one only as long as
            nothing was learned from it.
        recipe: Gives the size.

    Returns:
        A tokenizer.json. Id 0 is `[PAD]`, id 1 is `[UNK]`.
    """
    tokenizer = Tokenizer(models.WordLevel(unk_token=_SPECIAL_TOKENS[UNKNOWN_ID]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordLevelTrainer(
        vocab_size=recipe.size, special_tokens=_SPECIAL_TOKENS, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True).encode()
