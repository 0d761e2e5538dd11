"""Compare the estimators' default scaling of inputs with none, on the data sets of scikit-learn.

    python -m tests.validation.estimator_scaling SPLITS

Each figure is the mean test score over SPLITS splits into 75 % training and 25 % test examples.
"""

import sys
import warnings

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.errors import DataWarning

DATA = {
    **{
        name: (NetworkClassifier, getattr(datasets, f"load_{name}"))
        for name in ("digits", "breast_cancer", "wine", "iris")
    },
    "diabetes": (NetworkRegressor, datasets.load_diabetes),
}
FRIEDMAN = {
    f"friedman{n} (300)": (
        NetworkRegressor,
        lambda n=n, noise=noise, **_: getattr(datasets, f"make_friedman{n}")(
            300, noise=noise, random_state=0
        ),
    )
    for n, noise in ((1, 1), (2, 100), (3, 0.3))
}
WAYS = {
    "none": lambda kind, seed: kind(normalize="none", random_state=seed),
    "StandardScaler": lambda kind, seed: make_pipeline(
        StandardScaler(), kind(normalize="none", random_state=seed)
    ),
    "auto": lambda kind, seed: kind(random_state=seed),
}


def scores(name: str, way: str, splits: int) -> list[float]:
    """Return the test score of each split."""
    kind, load = {**DATA, **FRIEDMAN}[name]
    X, y = load(return_X_y=True)
    found = []
    for seed in range(splits):
        train, test, y_train, y_test = train_test_split(X, y, random_state=seed)
        found.append(WAYS[way](kind, seed).fit(train, y_train).score(test, y_test))
    return found


def main(splits: int) -> None:
    """Print a line for each data set."""
    warnings.simplefilter("ignore", DataWarning)
    print(f"{'data':20}" + "".join(f"{way:>16}" for way in WAYS))
    for name in {**DATA, **FRIEDMAN}:
        means = (np.mean(scores(name, way, splits)) for way in WAYS)
        print(f"{name:20}" + "".join(f"{mean:16.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
