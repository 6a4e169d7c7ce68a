"""Linear models and support vectors: as many numbers as their labels and features ask for.

May import `maas.bundle` and `maas.limits`, and numpy. `classic_policy` asks each of these about a
node, and refuses the attributes that none of them took:

    labels = check_labels(attributes, "classlabels_ints", limits)
    check_linear_classifier(attributes, operands, limits)
"""

from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.attributes import NAME_BYTES
from maas.bundle.tree_policy import POST_TRANSFORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maas.bundle.attributes import Attributes
    from maas.bundle.classic_policy import Operand
    from maas.limits import Limits

_KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
_COEFFICIENTS = 2**24


def check_labels(attributes: "Attributes", name: str, limits: "Limits") -> int:
    """How many labels there are: numbers, or texts, which pass through to the caller."""
    numbers = attributes.ints(name, most=limits.labels)
    texts = attributes.texts("classlabels_strings")
    labels = max(len(numbers), len(texts))
    if not 1 <= labels <= limits.labels or (len(numbers) and len(texts)):
        raise attributes.refused(f"has not 1 to {limits.labels} labels of one type")
    if len(set(texts)) != len(texts) or len(np.unique(numbers)) != len(numbers):
        raise attributes.refused("has a label twice")
    if any(len(text) > NAME_BYTES for text in texts):
        raise attributes.refused(f"has a label of more than {NAME_BYTES} bytes")
    return labels


def check_linear_classifier(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> None:
    """A row of coefficients per label, each with a number per feature.

    Raises:
        BundleError: With the reason.
    """
    labels = check_labels(attributes, "classlabels_ints", limits)
    attributes.integer("multi_class", 0, least=0, most=1)
    attributes.word("post_transform", "NONE", POST_TRANSFORMS)
    intercepts = len(attributes.floats("intercepts", most=limits.labels))
    # A row of coefficients per label; of two labels one row may stand for both.
    rows = intercepts or labels
    if rows != labels and not (rows == 1 and labels == 2):
        raise attributes.refused(f"has {intercepts} intercepts for {labels} labels")
    _check_coefficients(attributes, rows, operands[0].width)


def check_linear_regressor(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int:
    """A row of coefficients per target, each with a number per feature.

    Raises:
        BundleError: With the reason.
    """
    targets = attributes.integer("targets", 1, least=1, most=limits.labels)
    attributes.word("post_transform", "NONE", POST_TRANSFORMS)
    intercepts = len(attributes.floats("intercepts", most=limits.labels))
    if intercepts not in (0, targets):
        raise attributes.refused(f"has {intercepts} intercepts for {targets} targets")
    _check_coefficients(attributes, targets, operands[0].width)
    return targets


def _check_coefficients(attributes: "Attributes", rows: int, width: int | None) -> None:
    count = len(attributes.floats("coefficients", most=_COEFFICIENTS))
    if not count or count % rows or width not in (None, count // rows):
        said = "" if width is None else f" of {width} features"
        raise attributes.refused(f"has {count} coefficients for {rows} rows{said}")


def check_svm_classifier(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> None:
    """Support vectors by class, and a bias for each pair of labels.

    Raises:
        BundleError: With the reason.
    """
    labels = check_labels(attributes, "classlabels_ints", limits)
    per_class = attributes.ints("vectors_per_class", most=limits.labels)
    if labels < 2 or len(per_class) != labels or per_class.min() < 0:
        raise attributes.refused("has vectors_per_class that do not fit its labels")
    pairs = labels * (labels - 1) // 2
    vectors = int(np.minimum(per_class, _COEFFICIENTS).sum())
    _check_vectors(attributes, vectors, labels - 1, pairs, operands[0].width)
    shares = [len(attributes.floats(name, most=pairs)) for name in ("prob_a", "prob_b")]
    if shares not in ([0, 0], [pairs, pairs]):
        raise attributes.refused(f"has {shares} of prob_a and prob_b for {pairs} pairs of labels")


def check_svm_regressor(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int:
    """Support vectors with a coefficient each, and a bias.

    Raises:
        BundleError: With the reason.
    """
    del limits
    vectors = attributes.integer("n_supports", 0, least=1, most=_COEFFICIENTS)
    attributes.integer("one_class", 0, least=0, most=1)
    _check_vectors(attributes, vectors, 1, 1, operands[0].width)
    return 1


def _check_vectors(
    attributes: "Attributes", vectors: int, rows: int, pairs: int, width: int | None
) -> None:
    """Support vectors: each with its features, and a coefficient for each other class."""
    attributes.word("kernel_type", "LINEAR", _KERNELS)
    attributes.word("post_transform", "NONE", POST_TRANSFORMS)
    if len(attributes.floats("kernel_params", most=3)) not in (0, 3):
        raise attributes.refused("has kernel_params that are not three")
    numbers = len(attributes.floats("support_vectors", most=_COEFFICIENTS))
    if not numbers or not vectors or numbers % vectors or width not in (None, numbers // vectors):
        said = "" if width is None else f" of {width} features"
        raise attributes.refused(f"has {numbers} numbers for {vectors} support vectors{said}")
    for name, wanted in (("coefficients", vectors * rows), ("rho", pairs)):
        if (count := len(attributes.floats(name, most=_COEFFICIENTS))) != wanted:
            raise attributes.refused(f"has {count} {name} where {wanted} belong")
