"""Models that scikit-learn, LightGBM and XGBoost fit to a small table, converted by their tools.

fitted = fit("forest")
fitted.graph, fitted.model, fitted.rows           # ONNX bytes, the original, what to ask both
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

COLUMNS = ("age", "size", "fare", "rooms")
_RANDOM = np.random.default_rng(3)
_FLOATS = _RANDOM.normal(size=(120, 4)).astype(np.float32)
_FLOATS[:, 1] = _RANDOM.integers(3, 6, size=120)  # categories
_SIGN = (_FLOATS[:, 0] + _FLOATS[:, 2] * _FLOATS[:, 3] > 0).astype(np.int64)
_THREE = _SIGN + (_FLOATS[:, 3] > 0.5)
_NAMED = np.array(["low", "middle", "high"])[_THREE]


@dataclass(frozen=True, slots=True)
class FittedTable:
    """One of them.

    Attributes:
        model: As it was fitted.
        graph: The ONNX file.
        rows: Rows to ask both about.
    """

    model: Any
    graph: bytes
    rows: "npt.NDArray[np.float32]"


def _forest(labels: Any) -> Any:  # noqa: ANN401
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(4, max_depth=4, random_state=0).fit(_FLOATS, labels)


def _gradient(labels: Any) -> Any:  # noqa: ANN401
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(n_estimators=4, random_state=0).fit(_FLOATS, labels)


def _pipeline(model: Any) -> Any:  # noqa: ANN401
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts = [("size", OneHotEncoder(sparse_output=False), [1]), ("z", StandardScaler(), [0, 2, 3])]
    return make_pipeline(ColumnTransformer(parts), model).fit(_FLOATS, _SIGN)


def _logistic() -> Any:  # noqa: ANN401
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def _ridge() -> Any:  # noqa: ANN401
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier()


def _support(kind: str) -> Any:  # noqa: ANN401
    from sklearn.svm import SVC, SVR, LinearSVC

    made = {"SVC": SVC(), "LinearSVC": LinearSVC(), "SVR": SVR()}[kind]
    return made.fit(_FLOATS, _FLOATS[:, 0] if kind == "SVR" else _SIGN)


def _network() -> Any:  # noqa: ANN401
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((8,), learning_rate_init=0.05, max_iter=60, random_state=0).fit(
        _FLOATS, _NAMED
    )


def _forest_of_numbers() -> Any:  # noqa: ANN401
    from sklearn.ensemble import RandomForestRegressor

    two = np.stack([_FLOATS[:, 0], _FLOATS[:, 2]], axis=1)
    return RandomForestRegressor(3, max_depth=4, random_state=0).fit(_FLOATS, two)


def _several() -> Any:  # noqa: ANN401
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier

    return MultiOutputClassifier(LogisticRegression()).fit(
        _FLOATS, np.stack([_SIGN, _THREE], axis=1)
    )


def _light() -> Any:  # noqa: ANN401
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(n_estimators=4, min_child_samples=5, verbose=-1, n_jobs=1)
    return model.fit(_FLOATS, _THREE)


def _extreme(*, numbers: bool = False) -> Any:  # noqa: ANN401
    from xgboost import XGBClassifier, XGBRegressor

    if numbers:
        return XGBRegressor(n_estimators=4, max_depth=3, n_jobs=1).fit(_FLOATS, _FLOATS[:, 0])
    return XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1).fit(_FLOATS, _SIGN)


CLASSIFIERS: "dict[str, Callable[[], Any]]" = {
    "forest": lambda: _forest(_SIGN),
    "named": lambda: _forest(_NAMED),
    "gradient": lambda: _gradient(_THREE),
    "encoded": lambda: _pipeline(_forest(_SIGN)),
    "scaled": lambda: _pipeline(_logistic()),
    "network": _network,
    "lightgbm": _light,
    "xgboost": _extreme,
    "svc": lambda: _support("SVC"),
    "linearsvc": lambda: _support("LinearSVC"),
    "ridge": lambda: _pipeline(_ridge()),
}
"""By name, how each is fitted; the last three have no probabilities."""
SEVERAL: "dict[str, Callable[[], Any]]" = {"several": _several}
"""Classifiers that tell labels of two kinds at once, two and three of them."""
REGRESSORS: "dict[str, Callable[[], Any]]" = {
    "forestnumbers": _forest_of_numbers,
    "xgboostnumbers": lambda: _extreme(numbers=True),
    "svr": lambda: _support("SVR"),
}


def fit(name: str, **options: Any) -> FittedTable:  # noqa: ANN401
    """Fit and convert one.

    Args:
        name: Of CLASSIFIERS, REGRESSORS or SEVERAL.
        options: Of skl2onnx's for the model, such as `zipmap=False`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, about each other's versions
        model = (CLASSIFIERS | REGRESSORS | SEVERAL)[name]()
        graph = _converted(name, model, options)
    return FittedTable(model, graph.SerializeToString(), _FLOATS[:20])


def _converted(name: str, model: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401
    if name.startswith(("lightgbm", "xgboost")):
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType

        types = [("rows", FloatTensorType([None, len(COLUMNS)]))]
        convert = {
            "l": onnxmltools.convert_lightgbm,
            "x": onnxmltools.convert_xgboost,
        }[name[0]]
        return convert(model, initial_types=types, target_opset=15)
    from skl2onnx import to_onnx

    return to_onnx(model, _FLOATS[:1], options={id(model): options} if options else None)
