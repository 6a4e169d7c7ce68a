"""The operators of `ai.onnx.ml`: what each may say of itself, and that it fits together.

May import `maas.bundle`, `maas.errors` and `maas.limits`, and numpy. What a node says is checked
whole, attribute by attribute; one that is not named here is refused (infra/decisions/0025):

    width = check_classic("Scaler", attributes, (Operand("x", width=4),), limits)
    width                                        # of each row of the result, where it is known
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maas.bundle.ensemble_policy import check_ensemble
from maas.bundle.linear_policy import (
    check_labels,
    check_linear_classifier,
    check_linear_regressor,
    check_svm_classifier,
    check_svm_regressor,
)
from maas.bundle.tree_policy import check_trees

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from maas.bundle.attributes import Attributes, Floats, Ints
    from maas.bundle.huge_results import Values
    from maas.limits import Limits

_NORMS = ("MAX", "L1", "L2")
_WIDEST = 65_536
"""Numbers of a row, and categories of a column."""
_KEYS = 65_536


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an input of a node.

    Attributes:
        width: Numbers of each of its rows, where that stands in the graph.
        values: Its values, where these are few and stand in the graph.
    """

    width: int | None = None
    values: "Values | None" = None


def check_classic(
    operator: str, attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    """Check a node.

    Args:
        operator: One of those that `operators.py` lists.
        attributes: All that it says of itself.
        operands: Its inputs.
        limits: Labels, nodes and levels.

    Returns:
        Numbers of each row of its result, where that is certain.

    Raises:
        BundleError: With the reason.
    """
    wanted = {"ArrayFeatureExtractor": 2, "FeatureVectorizer": len(operands)}.get(operator, 1)
    if not operands or len(operands) != wanted:
        raise attributes.refused(f"has {len(operands)} inputs where {wanted or 1} belong")
    width = _CHECKS[operator](attributes, operands, limits)
    attributes.finish()
    return width


def _tree_classifier(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> None:
    labels = check_labels(attributes, "classlabels_int64s", limits)
    check_trees(attributes, "class", labels, width=operands[0].width, limits=limits)


def _tree_regressor(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int:
    targets = attributes.integer("n_targets", 1, least=1, most=limits.labels)
    check_trees(attributes, "target", targets, width=operands[0].width, limits=limits)
    return targets


def _scaler(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    sizes = {len(attributes.floats(name, most=_WIDEST)) for name in ("offset", "scale")}
    if len(sizes) != 1:
        raise attributes.refused("has not as many offsets as scales")
    return _fitting(attributes, sizes.pop(), operands[0].width, "offsets")


def _imputer(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    attributes.number("replaced_value_float")
    attributes.integer("replaced_value_int64", 0, least=-(2**63), most=2**63 - 1)
    floats = len(attributes.floats("imputed_value_floats", most=_WIDEST))
    ints = len(attributes.ints("imputed_value_int64s", most=_WIDEST))
    if floats and ints:
        raise attributes.refused("has imputed values of two types")
    return _fitting(attributes, floats or ints, operands[0].width, "imputed values")


def _fitting(attributes: "Attributes", count: int, width: int | None, what: str) -> int | None:
    """One number for all features, or one for each."""
    if not count or (count != 1 and width not in (None, count)):
        said = "features" if width is None else f"{width} features"
        raise attributes.refused(f"has {count} {what} for {said}")
    return width


def _normalizer(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    attributes.word("norm", "MAX", _NORMS)
    return operands[0].width


def _binarizer(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    attributes.number("threshold")
    return operands[0].width


def _extractor(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    data, picked = operands
    if picked.values is None:  # computed; ONNX Runtime looks at each of them
        return None
    most = (data.width or _WIDEST) - 1
    if not picked.values or not all(0 <= value <= most for value in picked.values):
        raise attributes.refused(f"picks columns that are not within 0 to {most}")
    return len(picked.values)


def _vectorizer(attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits") -> int:
    del limits
    sizes = attributes.ints("inputdimensions", most=len(operands))
    if len(sizes) != len(operands) or sizes.min() < 1 or sizes.max() > _WIDEST:
        raise attributes.refused("has inputdimensions that do not fit its inputs")
    for size, operand in zip(sizes.tolist(), operands, strict=True):
        if operand.width not in (None, size):
            raise attributes.refused(f"takes {size} numbers of a row of {operand.width}")
    total = int(sizes.sum())
    if total > _WIDEST:
        raise attributes.refused(f"makes rows of more than {_WIDEST} numbers")
    return total


def _label_encoder(
    attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits"
) -> int | None:
    del limits
    keys, values = _listed(attributes, "keys"), _listed(attributes, "values")
    attributes.number("default_float")
    attributes.integer("default_int64", -1, least=-(2**63), most=2**63 - 1)
    attributes.text("default_string")
    if not len(keys) or len(keys) != len(values) or not _are_distinct(keys):
        raise attributes.refused("has keys that are not distinct, each with one value")
    return operands[0].width


def _listed(attributes: "Attributes", name: str) -> "Ints | Floats | list[bytes]":
    """Numbers or texts, whichever there are."""
    lists = (
        attributes.ints(f"{name}_int64s", most=_KEYS),
        attributes.floats(f"{name}_floats", most=_KEYS),
        attributes.names(f"{name}_strings", most=_KEYS),
    )
    given = [each for each in lists if len(each)]
    if len(given) > 1:
        raise attributes.refused(f"has {name} of two types")
    return given[0] if given else lists[0]


def _are_distinct(values: "Ints | Floats | list[bytes]") -> bool:
    distinct = set(values) if isinstance(values, list) else np.unique(values)
    return len(distinct) == len(values)


def _one_hot(attributes: "Attributes", operands: "Sequence[Operand]", limits: "Limits") -> None:
    del operands, limits
    numbers = attributes.ints("cats_int64s", most=_WIDEST)
    texts = attributes.names("cats_strings", most=_WIDEST)
    attributes.integer("zeros", 1, least=0, most=1)
    if bool(len(numbers)) == bool(texts) or not _are_distinct(texts or numbers):
        raise attributes.refused("has categories that are not of one type, each named once")


_CHECKS: "dict[str, Callable[[Attributes, Sequence[Operand], Limits], int | None]]" = {
    "ArrayFeatureExtractor": _extractor,
    "Binarizer": _binarizer,
    "FeatureVectorizer": _vectorizer,
    "Imputer": _imputer,
    "LabelEncoder": _label_encoder,
    "LinearClassifier": check_linear_classifier,
    "LinearRegressor": check_linear_regressor,
    "Normalizer": _normalizer,
    "OneHotEncoder": _one_hot,
    "SVMClassifier": check_svm_classifier,
    "SVMRegressor": check_svm_regressor,
    "Scaler": _scaler,
    "TreeEnsemble": check_ensemble,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
}
