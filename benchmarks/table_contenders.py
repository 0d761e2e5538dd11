"""The contenders of `benchmarks.tables`: each reads train.csv and test.csv, and predicts the test.

`python -m benchmarks.table_contenders NAME TRAIN TEST TARGET classification|regression` trains one
contender in this process, on one processor, and prints one line of JSON: the scores on the test
set, and the processor seconds of importing the library, training and predicting.

The preprocessing of the peers is the usual one: missing numbers become the median of the column,
texts become one-hot inputs (texts that occur less than ten times share one), numbers are scaled,
and so is a numeric target. The trees get the categories and the missing numbers as they are.
RealMLP and TabM are those of pytabkit with their tuned defaults.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

SEED = 0
RARE = 10
SMALLEST = 1e-7


class Task(NamedTuple):
    """A table to learn from and a table to predict; `y` is the target of the training rows."""

    train: Path
    test: Path
    target: str
    classes: bool
    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame


class Prediction(NamedTuple):
    """The predicted numbers or classes, and the probabilities (m, C) in the order of `classes`."""

    values: np.ndarray
    probabilities: np.ndarray | None = None
    classes: np.ndarray | None = None


def read_task(train: Path, test: Path, target: str, *, classes: bool) -> Task:
    """Read both tables; a class is a text, whatever it looks like."""
    frames = [pd.read_csv(path, dtype={target: str} if classes else None) for path in (train, test)]
    X, X_test = (frame.drop(columns=target) for frame in frames)
    y = frames[0][target].to_numpy(object if classes else float)
    return Task(train, test, target, classes, X, y, X_test)


def texts_of(X: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold texts."""
    return [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]


# Peers of scikit-learn


def encoder(X: pd.DataFrame) -> Any:
    """Return the usual preprocessing: median, scaling and one-hot."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = texts_of(X)
    numbers = [name for name in X if name not in texts]
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="(missing)"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE),
    )
    filled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return ColumnTransformer([("numbers", filled, numbers), ("texts", categories, texts)])


def fit_sklearn(task: Task, classifier: Any, regressor: Any) -> Prediction:
    """Fit an estimator of scikit-learn behind the usual preprocessing."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = classifier if task.classes else regressor
    if not task.classes:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    pipeline = make_pipeline(encoder(task.X), model)
    return _predict(pipeline.fit(as_objects(task.X), task.y), as_objects(task.X_test), task)


def as_objects(X: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its texts as objects, which scikit-learn's imputer understands."""
    texts = texts_of(X)
    changed = {name: X[name].astype(object).where(X[name].notna(), np.nan) for name in texts}
    return X.assign(**changed)


def _predict(model: Any, X: Any, task: Task) -> Prediction:
    """Predict with a fitted model that has scikit-learn's interface."""
    if not task.classes:
        return Prediction(np.asarray(model.predict(X), float).ravel())
    P = np.asarray(model.predict_proba(X))
    classes = np.asarray(model.classes_)
    return Prediction(classes[P.argmax(axis=1)], P, classes)


def mlp(task: Task) -> Prediction:
    """Fit scikit-learn's MLP with its defaults."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return fit_sklearn(task, MLPClassifier(random_state=SEED), MLPRegressor(random_state=SEED))


def mlp_early(task: Task) -> Prediction:
    """Fit scikit-learn's MLP of our default size, with early stopping."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    settings: dict[str, Any] = {"hidden_layer_sizes": (64, 32), "early_stopping": True}
    settings |= {"max_iter": 1000, "learning_rate_init": 0.003, "n_iter_no_change": 20}
    settings |= {"random_state": SEED}
    return fit_sklearn(task, MLPClassifier(**settings), MLPRegressor(**settings))


def linear(task: Task) -> Prediction:
    """Fit logistic or ridge regression, with the penalty chosen by cross-validation."""
    from sklearn.linear_model import LogisticRegressionCV, RidgeCV

    classifier = LogisticRegressionCV(
        Cs=10, max_iter=2000, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
    )
    return fit_sklearn(task, classifier, RidgeCV(alphas=np.logspace(-3, 4, 15)))


# Trees


def categories_of(task: Task, most: int = 255) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with texts as categories, at most so many, the most frequent."""
    changed: dict[str, Any] = {}
    changed_test: dict[str, Any] = {}
    for name in texts_of(task.X):
        levels = task.X[name].value_counts().index[: most - 1]
        kind = pd.CategoricalDtype(levels)
        changed[name], changed_test[name] = (
            task.X[name].astype(kind),
            task.X_test[name].astype(kind),
        )
    return task.X.assign(**changed), task.X_test.assign(**changed_test)


def hist_gradient_boosting(task: Task) -> Prediction:
    """Fit scikit-learn's gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
    model = kind(categorical_features="from_dtype", random_state=SEED)
    X, X_test = categories_of(task)
    return _predict(model.fit(X, task.y), X_test, task)


def lightgbm(task: Task) -> Prediction:
    """Fit LightGBM."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if task.classes else LGBMRegressor
    X, X_test = (plain_names(part) for part in categories_of(task))
    model = kind(n_jobs=1, random_state=SEED, verbose=-1)
    return _predict(model.fit(X, task.y), X_test, task)


def plain_names(X: pd.DataFrame) -> pd.DataFrame:
    """Return the table with names that every library takes."""
    return X.set_axis([f"x{i}" for i in range(X.shape[1])], axis=1)


def xgboost(task: Task) -> Prediction:
    """Fit XGBoost."""
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBClassifier if task.classes else XGBRegressor
    X, X_test = (plain_names(part) for part in categories_of(task))
    model = kind(n_jobs=1, random_state=SEED, enable_categorical=True)
    if not task.classes:
        return _predict(model.fit(X, task.y), X_test, task)
    classes, codes = np.unique(task.y.astype(str), return_inverse=True)
    P = np.asarray(model.fit(X, codes).predict_proba(X_test))
    return Prediction(classes[P.argmax(axis=1)], P, classes)


def catboost(task: Task) -> Prediction:
    """Fit CatBoost."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if task.classes else CatBoostRegressor
    texts = texts_of(task.X)
    X, X_test = (
        part.assign(**{name: part[name].fillna("(missing)").astype(str) for name in texts})
        for part in (task.X, task.X_test)
    )
    model = kind(
        thread_count=1,
        random_seed=SEED,
        verbose=False,
        allow_writing_files=False,
        cat_features=texts,
    )
    return _predict(model.fit(X, task.y), X_test, task)


# Networks for tables


def realmlp(task: Task) -> Prediction:
    """Fit RealMLP with its tuned defaults."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return _fit_pytabkit(task, RealMLP_TD_Classifier, RealMLP_TD_Regressor)


def tabm(task: Task) -> Prediction:
    """Fit TabM with the defaults of its authors."""
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    return _fit_pytabkit(task, TabM_D_Classifier, TabM_D_Regressor)


def _fit_pytabkit(task: Task, classifier: Any, regressor: Any) -> Prediction:
    """Fit a network of pytabkit, with missing numbers as the median and an indicator."""
    kind = classifier if task.classes else regressor
    model = kind(device="cpu", random_state=SEED, n_threads=1, verbosity=0)
    texts = texts_of(task.X)
    frames = [task.X.copy(), task.X_test.copy()]
    for name in task.X:
        if name in texts:
            frames = [
                part.assign(**{name: part[name].fillna("(missing)").astype(str)}) for part in frames
            ]
        elif task.X[name].isna().any() or task.X_test[name].isna().any():
            median = task.X[name].median()
            frames = [
                part.assign(**{f"{name} is missing": part[name].isna().astype(float)}).assign(
                    **{name: part[name].fillna(median)}
                )
                for part in frames
            ]
    X, X_test = frames
    y = task.y.astype(str) if task.classes else task.y.astype(np.float32)
    return _predict(model.fit(X, y, cat_col_names=texts), X_test, task)


# chainrule


def ours(task: Task) -> Prediction:
    """Fit the default estimator of chainrule on the columns as chainrule reads them."""
    from chainrule import NetworkClassifier, NetworkRegressor
    from chainrule.data.columns import Columns

    columns = Columns.learn(task.X)
    model = NetworkClassifier() if task.classes else NetworkRegressor()
    y = task.y.astype(str) if task.classes else task.y
    return _predict(model.fit(columns.apply(task.X), y), columns.apply(task.X_test), task)


def ladder(task: Task) -> Prediction:
    """Train with `chainrule train`, and predict with `chainrule predict`, each a process."""
    program = [sys.executable, "-c", "from chainrule.cli.main import main; main()"]
    with tempfile.TemporaryDirectory() as folder:
        run, out = f"{folder}/run", f"{folder}/predictions.csv"
        kind = "classification" if task.classes else "regression"
        train = ["train", str(task.train), "--target", task.target, "--test", "none"]
        train += ["--dev", "none", "--task", kind, "--no-check", "--threads", "1", "--out", run]
        for command in (train, ["predict", run, str(task.test), "-o", out]):
            subprocess.run([*program, *command], check=True, capture_output=True)
        found = pd.read_csv(out, dtype={"prediction": str} if task.classes else None)
    if not task.classes:
        return Prediction(found["prediction"].to_numpy(float))
    names = [name for name in found if name.startswith("p(")]
    classes = np.array([name[2:-1] for name in names])
    return Prediction(found["prediction"].to_numpy(object), found[names].to_numpy(), classes)


CONTENDERS: dict[str, Callable[[Task], Prediction]] = {
    "chainrule train": ladder,
    "chainrule estimator": ours,
    "MLP": mlp,
    "MLP, early stopping": mlp_early,
    "linear": linear,
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
    "RealMLP": realmlp,
    "TabM": tabm,
}


# Scores


def scores_of(found: Prediction, y: np.ndarray, y_train: np.ndarray) -> dict[str, float]:
    """Return accuracy and log loss, or R² and RMSE, on the test set."""
    if found.probabilities is None or found.classes is None:
        squares = float(np.mean((found.values - y) ** 2))
        return {"score": 1 - squares / float(np.mean((y - y.mean()) ** 2)), "loss": squares**0.5}
    names = found.classes.astype(str)
    accuracy = float(np.mean(found.values.astype(str) == y.astype(str)))
    P = np.clip(found.probabilities.astype(float), SMALLEST, 1)
    P /= P.sum(axis=1, keepdims=True)
    at = {name: j for j, name in enumerate(names)}
    chosen = [P[i, at[label]] if label in at else SMALLEST for i, label in enumerate(y.astype(str))]
    return {"score": accuracy, "loss": float(-np.mean(np.log(chosen)))}


def measure(name: str, train: Path, test: Path, target: str, *, classes: bool) -> dict[str, float]:
    """Train and predict; return the scores and the processor seconds."""
    task = read_task(train, test, target, classes=classes)
    dtype = {target: str} if classes else None
    y = pd.read_csv(test, dtype=dtype)[target].to_numpy(object if classes else float)
    before = processor_seconds()
    wall = time.perf_counter()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = CONTENDERS[name](task)
    seconds = {"seconds": processor_seconds() - before, "wall": time.perf_counter() - wall}
    return scores_of(found, y, task.y) | seconds


def processor_seconds() -> float:
    """Return the processor time of this process and its children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Measure the contender of the command line."""
    name, train, test, target, task = sys.argv[1:]
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [allowed[os.getpid() % len(allowed)]])
    found = measure(name, Path(train), Path(test), target, classes=task == "classification")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
