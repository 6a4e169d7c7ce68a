"""What simple methods reach on the very same rows; the figures a network has to stand beside.

Imports scikit-learn:

    measure_baselines(dataset.train, dataset.test)[LINEAR]      # computed, 0.77 or so
"""

from collections import Counter
from typing import TYPE_CHECKING

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas_lab.data.rows import Sample

MAJORITY = "majority"
LINEAR = "TF-IDF + logistic regression"


def measure_baselines(train: "Sequence[Sample]", test: "Sequence[Sample]") -> dict[str, float]:
    """Accuracy on the test rows of two methods that learn from the training rows alone (0 to 1)."""
    majority = Counter(sample.label for sample in train).most_common(1)[0][0]
    always = _accuracy([majority] * len(test), test)
    linear = _linear(train, test)
    return {MAJORITY: always, LINEAR: always if linear is None else linear}


def _linear(train: "Sequence[Sample]", test: "Sequence[Sample]") -> float | None:
    """None where no text has a word: nothing but the majority can be learned.

    Words where white space parts them, else characters and pairs of them, as for Chinese.
    """
    spaced = sum(" " in sample.text for sample in train) * 2 > len(train)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), analyzer="word" if spaced else "char")
    try:
        features = vectorizer.fit_transform([sample.text for sample in train])
    except ValueError:
        return None
    model = LogisticRegression(max_iter=1000)
    model.fit(features, [sample.label for sample in train])
    guesses = model.predict(vectorizer.transform([sample.text for sample in test]))
    return _accuracy(list(guesses), test)


def _accuracy(guesses: "Sequence[str]", truth: "Sequence[Sample]") -> float:
    right = sum(guess == sample.label for guess, sample in zip(guesses, truth, strict=True))
    return right / len(truth)
