"""Models of tables of texts and numbers, some cells missing, converted by their tools.

mixed = fit_mixed("onehot")
mixed.graph, mixed.model, mixed.rows              # ONNX bytes, the original, what to ask both
mixed.table                                       # the same rows, as JSON has them by column
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from support.histogram_trees import CLASSIFIER, REGRESSOR, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Cells = npt.NDArray[np.object_]

COLUMNS = ("city", "kind", "age", "rooms")
GAPPED = ("a", "b", "c", "d")
_RANDOM = np.random.default_rng(5)
_ROWS = 200
_CITIES = _RANDOM.choice(["rome", "oslo", "são paulo"], _ROWS)
_KINDS = _RANDOM.choice(["flat", "house"], _ROWS)
_AGES = _RANDOM.normal(size=_ROWS).astype(np.float32)
_ROOMS = _RANDOM.integers(1, 6, _ROWS)
_YES = (_CITIES == "rome") ^ (_AGES + 0.2 * _ROOMS > 0.5)
_LABELS = np.where(_YES, "yes", "no")
_FLOATS = _RANDOM.normal(size=(_ROWS, 4)).astype(np.float32)
_FLOATS[_RANDOM.random(_FLOATS.shape) < 0.2] = np.nan
_ABOVE = (np.nan_to_num(_FLOATS[:, 0]) + np.nan_to_num(_FLOATS[:, 1], nan=1.0) > 0).astype(int)


@dataclass(frozen=True, slots=True)
class MixedTable:
    """One of them.

    Attributes:
        model: As it was fitted.
        graph: The ONNX file.
        columns: Names of the columns.
        rows: Rows to ask both about; what is missing is no number, or no text.
    """

    model: Any
    graph: bytes
    columns: tuple[str, ...]
    rows: "Cells"

    @property
    def table(self) -> dict[str, list[Any]]:
        """By column its cells, as JSON has them; None where a number is missing."""
        return {
            name: [None if cell != cell else cell for cell in self.rows[:, at].tolist()]  # noqa: PLR0124
            for at, name in enumerate(self.columns)
        }


def _cells(*, gaps: bool = False) -> "Cells":
    cells = np.empty((_ROWS, 4), dtype=np.object_)
    for at, values in enumerate((_CITIES, _KINDS, _AGES, _ROOMS)):
        cells[:, at] = values.tolist()
    if gaps:
        cells[::7, 0] = ""
        cells[::5, 2] = np.nan
    return cells


def _pipeline(texts: Any, numbers: Any, model: Any, *, gaps: bool = False) -> Any:  # noqa: ANN401
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    parts = [("texts", texts, [0, 1]), ("numbers", numbers, [2, 3])]
    return make_pipeline(ColumnTransformer(parts), model).fit(_cells(gaps=gaps), _LABELS)


def _scaler() -> Any:  # noqa: ANN401
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def _logistic() -> Any:  # noqa: ANN401
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def _forest() -> Any:  # noqa: ANN401
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(4, max_depth=4, random_state=0)


def _one_hot() -> Any:  # noqa: ANN401
    from sklearn.preprocessing import OneHotEncoder

    return _pipeline(OneHotEncoder(handle_unknown="ignore"), _scaler(), _logistic())


def _ordinal() -> Any:  # noqa: ANN401
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    # StandardScaler, so that no column is handed through as an object
    return _pipeline(encoder, _scaler(), _forest())


def _target() -> Any:  # noqa: ANN401
    from sklearn.preprocessing import TargetEncoder

    return _pipeline(TargetEncoder(cv=2, random_state=0), _scaler(), _logistic())


def _filled() -> Any:  # noqa: ANN401
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    fill = SimpleImputer(strategy="constant", fill_value="none", missing_values="")
    texts = make_pipeline(fill, OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(), _scaler())
    return _pipeline(texts, numbers, _logistic(), gaps=True)


def _texts_alone() -> Any:  # noqa: ANN401
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    return make_pipeline(OrdinalEncoder(), _forest()).fit(_cells()[:, :2], _LABELS)


def _light() -> Any:  # noqa: ANN401
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(n_estimators=4, min_child_samples=5, verbose=-1, n_jobs=1)
    return model.fit(_FLOATS, _ABOVE)


def _extreme() -> Any:  # noqa: ANN401
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1).fit(_FLOATS, _ABOVE)


def _neighbours() -> Any:  # noqa: ANN401
    from sklearn.impute import KNNImputer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(KNNImputer(n_neighbors=2), _logistic()).fit(_FLOATS, _ABOVE)


def _histogram(*, numbers: bool = False) -> Any:  # noqa: ANN401
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if numbers else HistGradientBoostingClassifier
    model = kind(max_iter=3, max_leaf_nodes=6, early_stopping=False)
    return model.fit(_FLOATS, np.nan_to_num(_FLOATS[:, 0], nan=2.0) if numbers else _ABOVE)


MIXED: "dict[str, Callable[[], Any]]" = {
    "onehot": _one_hot,
    "ordinal": _ordinal,
    "target": _target,
    "filled": _filled,
    "grouped": _one_hot,
    "texts": _texts_alone,
    "lightgbmgaps": _light,
    "xgboostgaps": _extreme,
    "histogramgaps": _histogram,
    "neighboursgaps": _neighbours,
}
"""By name, how each is fitted."""


def fit_mixed(name: str) -> MixedTable:
    """Fit and convert one.

    Args:
        name: Of MIXED. The inputs of `grouped` are of several columns each, those of `texts` and
            of what has gaps one of all; those of the others are one column each.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, about each other's versions
        model = MIXED[name]()
        graph = _converted(name, model)
    if name.endswith("gaps"):
        return MixedTable(model, graph, GAPPED, _FLOATS[:40].astype(np.object_))
    count = 2 if name == "texts" else 4
    rows = _cells(gaps=name == "filled")[:40, :count]
    return MixedTable(model, graph, COLUMNS[:count], rows)


def histogram_of_numbers() -> MixedTable:
    """HistGradientBoosting that answers a number, of rows with missing cells."""
    rows = _FLOATS[:40].astype(np.object_)
    return MixedTable(_histogram(numbers=True), unpacked(REGRESSOR), GAPPED, rows)


def _converted(name: str, model: Any) -> bytes:  # noqa: ANN401
    if name == "histogramgaps":
        return unpacked(CLASSIFIER)
    if name == "neighboursgaps":
        from skl2onnx import to_onnx

        return bytes(to_onnx(model, _FLOATS[:1]).SerializeToString())
    if name.endswith("gaps"):
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType as Floats

        types: list[Any] = [("rows", Floats([None, 4]))]
        convert = onnxmltools.convert_lightgbm if name[0] == "l" else onnxmltools.convert_xgboost
        return bytes(convert(model, initial_types=types, target_opset=15).SerializeToString())
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    column = [None, 1]
    types = [("city", StringTensorType(column)), ("kind", StringTensorType(column))]
    types += [("age", FloatTensorType(column)), ("rooms", Int64TensorType(column))]
    if name == "texts":
        types = [("words", StringTensorType([None, 2]))]
    if name == "grouped":
        types = [("words", StringTensorType([None, 2])), ("numbers", FloatTensorType([None, 2]))]
    return bytes(convert_sklearn(model, initial_types=types).SerializeToString())
