"""Write the built-in data sets anew: `python -m tests.validation.write_built_in`.

They are scikit-learn's small ones, and two generated with a fixed seed. The package holds them as
files, since to import scikit-learn takes longer than to train a small network.
"""

from typing import Any

import numpy as np
from sklearn import datasets

from chainrule.data.load import BUILT_IN, BUNDLED_TABLES, built_in_file


def from_scikit_learn(name: str) -> dict[str, np.ndarray]:
    """Return X (m, n_x), y (m,) and, for a table, the names of its columns."""
    if name not in BUNDLED_TABLES:
        X, y = made(name)
        return {"X": X, "y": y}
    data: Any = getattr(datasets, f"load_{name}")()
    y = data.target
    if name != "diabetes":
        y = np.array([str(label) for label in data.target_names])[y]
    return {"X": data.data, "y": y, "names": np.array(data.feature_names, np.str_)}


def made(name: str) -> tuple[Any, Any]:
    """Return the images of digits, two half moons, or two circles."""
    if name == "digits":
        return datasets.load_digits(return_X_y=True)
    if name == "moons":
        return datasets.make_moons(1000, noise=0.2, random_state=1)
    return datasets.make_circles(1000, noise=0.1, factor=0.5, random_state=1)


if __name__ == "__main__":
    for name in BUILT_IN:
        np.savez_compressed(built_in_file(name), **from_scikit_learn(name))
