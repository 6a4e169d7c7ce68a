"""How good written texts are: BLEU of characters, ROUGE; and what needs no network to reach it.

Imports sacrebleu, rouge_score (when it is needed: it takes a second) and scikit-learn:

    FIGURES["translation"].measure(answers, references)["bleu"]
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sacrebleu import __version__ as VERSION  # noqa: N812 - a constant
from sacrebleu.metrics.bleu import BLEU
from sklearn.feature_extraction.text import TfidfVectorizer

if TYPE_CHECKING:
    from maas_lab.data.rows import Pair

Texts = Sequence[str]
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORDS_AND_SIGNS = r"(?u)\b\w+\b|[^\w\s]"
_FIRST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """How one task is measured.

    Attributes:
        metric: The figure that targets are about.
        settings: The library and its settings, for the card.
        measure: Answers and references to figures by name, 0 to 100.
        baselines: Training and test rows to what simple methods reach, by name.
    """

    metric: str
    settings: str
    measure: Callable[[Texts, Texts], dict[str, float]]
    baselines: "Callable[[Sequence[Pair], Sequence[Pair]], dict[str, float]]"


def _bleu(answers: Texts, references: Texts) -> dict[str, float]:
    return {"bleu": float(BLEU(tokenize="char").corpus_score(answers, [references]).score)}


def _rouge(answers: Texts, references: Texts) -> dict[str, float]:
    """Mean F measures over the rows (Lin 2004), without stemming."""
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415 - takes a second

    kinds = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(kinds, use_stemmer=False)
    scores = [scorer.score(ref, ans) for ans, ref in zip(answers, references, strict=True)]
    return {
        name: 100 * sum(score[kind].fmeasure for score in scores) / len(scores)
        for kind, name in zip(kinds, ("rouge_1", "rouge_2", "rouge_l"), strict=True)
    }


def _translation_baselines(train: "Sequence[Pair]", test: "Sequence[Pair]") -> dict[str, float]:
    """The translation of the most similar known text, and the text itself."""
    references = [pair.target for pair in test]
    sources = [pair.source for pair in test]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), token_pattern=_WORDS_AND_SIGNS)
    known = vectorizer.fit_transform([pair.source for pair in train])
    nearest = (vectorizer.transform(sources) @ known.T).tocsr().argmax(axis=1).A1
    remembered = [train[place].target for place in nearest]
    return {
        "translation memory": _bleu(remembered, references)["bleu"],
        "copy": _bleu(sources, references)["bleu"],
    }


def _summary_baselines(_train: "Sequence[Pair]", test: "Sequence[Pair]") -> dict[str, float]:
    """The first sentence, and the first words."""
    references = [pair.target for pair in test]
    first = [_SENTENCE.split(pair.source)[0] for pair in test]
    words = [" ".join(pair.source.split()[:_FIRST_WORDS]) for pair in test]
    return {
        "first sentence": _rouge(first, references)["rouge_l"],
        f"first {_FIRST_WORDS} words": _rouge(words, references)["rouge_l"],
    }


FIGURES = {
    "translation": Figures(
        "bleu", f"sacrebleu {VERSION}, BLEU of characters", _bleu, _translation_baselines
    ),
    "summarization": Figures(
        "rouge_l", "rouge_score, mean F measure, no stemming", _rouge, _summary_baselines
    ),
}
"""By task how it is measured."""
