"""The texts that are measured: one of ordinary length, and a batch of every length.

Imports `maas` alone.

    texts = measured_texts(bundle)
    texts.one, texts.batch, texts.mixed          # 1, 32 and 32 texts
"""

import itertools
import random
from typing import TYPE_CHECKING

from msgspec import Struct

from maas.bundle.golden import read_golden
from maas.errors import RefusedError
from maas.loading import TOKENIZER
from maas.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from maas.bundle.verify import Bundle

BATCH = 32
_WORDS = 20
_SHORTEST, _LONGEST = 5, 200  # tokens


class Texts(Struct, frozen=True):
    """What is asked.

    Attributes:
        one: One text of about 20 words.
        batch: That text 32 times.
        mixed: 32 texts of 5 to 200 tokens, or as many as the model reads, in no order.
        tokens: Of `one`.
    """

    one: list[str]
    batch: list[str]
    mixed: list[str]
    tokens: int


def measured_texts(bundle: "Bundle") -> Texts:
    """Make them of the bundle's golden requests, which are texts of its own kind.

    Raises:
        RefusedError: The model does not answer texts with one row of numbers each.
    """
    manifest = bundle.manifest
    if manifest.task not in ("text-classification", "feature-extraction"):
        raise RefusedError(
            f"{manifest.name} is for {manifest.task}; models that classify or embed texts are"
            " measured."
        )
    given = [text for golden in read_golden(bundle) for text in golden.texts if text.strip()]
    singles = sorted(given, key=lambda text: abs(len(text.split()) - _WORDS))
    tokenizer = load_tokenizer(bundle.folder / TOKENIZER, max_tokens=manifest.limits.max_tokens)
    longest = min(_LONGEST, manifest.limits.max_tokens)
    lengths = [_SHORTEST + (longest - _SHORTEST) * at // (BATCH - 1) for at in range(BATCH)]
    random.Random(0).shuffle(lengths)  # noqa: S311 - an order, the same in every run
    words = itertools.cycle(" ".join(singles).split())
    mixed = []
    for length in lengths:
        text = next(words)
        while tokenizer.encode([text]).tokens[0] < length:
            text = f"{text} {next(words)}"
        mixed.append(text)
    one = singles[:1]
    return Texts(one, one * BATCH, mixed, tokenizer.encode(one).tokens[0])
