"""Four small data sets on disk, one of each kind that a run can be trained on."""

from pathlib import Path

import numpy as np
import pandas as pd

from chainrule.runs.prepare import Prepared, prepare
from chainrule.runs.recipe import Recipe

M = 40
OPTIONS = {"hidden": (4,), "epochs": 3, "learning_rate": 0.05}


def table(path: Path) -> dict:
    """Write a table with a category, empty cells and two classes."""
    rng = np.random.default_rng(0)
    size, colour = rng.normal(5, 2, M), rng.choice(["red", "green", "blue"], M)
    taste = np.where(size + (colour == "red") > 5, "sweet", "sour")
    size[::7] = np.nan
    fruit = pd.DataFrame({"size": size, "colour": colour, "weight": rng.normal(100, 10, M)})
    fruit.assign(taste=taste).to_csv(path / "fruit.csv", index=False)
    return {"source": str(path / "fruit.csv"), "target": "taste"}


def classes(path: Path) -> dict:
    """Write an array with three classes."""
    X = np.random.default_rng(1).normal([0, 10, -5], [1, 5, 0.1], (M, 3))
    np.savez(path / "classes.npz", X=X, y=np.digitize(X[:, 0], [-0.5, 0.5]))
    return {"source": str(path / "classes.npz")}


def numbers(path: Path) -> dict:
    """Write an array with a number to predict."""
    X = np.random.default_rng(2).normal([0, 10, -5], [1, 5, 0.1], (M, 3))
    np.savez(path / "numbers.npz", X=X, y=100 + X @ [1.0, 2.0, 3.0])
    return {"source": str(path / "numbers.npz")}


def images(path: Path) -> dict:
    """Write grey images of 4 by 4 pixels, whose left or right half is bright."""
    rng = np.random.default_rng(3)
    y = np.arange(M) % 2
    X = rng.integers(0, 128, (M, 4, 4), dtype=np.uint8)
    X[y == 1, :, 2:] += 100
    np.savez(path / "images.npz", X=X, y=y)
    return {"source": str(path / "images.npz")}


KINDS = {"table": table, "classes": classes, "numbers": numbers, "images": images}


def prepared(kind: str, folder: Path, **options) -> Prepared:
    """Return the data set of this kind, prepared for training."""
    return prepare(Recipe(**{**OPTIONS, **KINDS[kind](folder), **options}))
