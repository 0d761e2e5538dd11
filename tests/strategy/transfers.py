"""Two small tasks over the same inputs, and a run trained on the first of them."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from chainrule.runs.folder import save
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from chainrule.strategy.transfer import Transfer, prepare_transfer

OPTIONS = {"epochs": 4, "learning_rate": 0.05}


def task(folder: Path, name: str, m: int, classes: int, *, seed: int = 0, **shape) -> str:
    """Write an NPZ file of m examples, classified by the sum of the first two of 4 inputs."""
    X = np.random.default_rng(seed).standard_normal((m, *shape.get("shape", (4,))))
    total = X.reshape(m, -1)[:, :2].sum(axis=1)
    y = np.searchsorted(np.quantile(total, np.arange(1, classes) / classes), total)
    file = folder / f"{name}.npz"
    np.savez(file, X=X, y=y)
    return str(file)


def run_on(source: str, **options) -> Run:
    """Train a run with these options."""
    return train_prepared(prepare(Recipe(source, **{"hidden": (6, 5), **OPTIONS, **options})))


@cache
def base(batch_norm: bool = False) -> Run:
    """Return a saved run with 2 classes, 100 examples, and optionally batch norm and dropout."""
    folder = Path(mkdtemp())
    regular = {"batch_norm": True, "keep_prob": 0.8} if batch_norm else {}
    return save(run_on(task(folder, "old", 100, 2, seed=9), **regular), folder / "run")


def ready(source: str, start: Run, **options) -> Transfer:
    """Prepare a transfer to this data set."""
    return prepare_transfer(Recipe(source, base=str(start.path), **{**OPTIONS, **options}), start)


def finished(transfer: Transfer) -> Run:
    """Train the transfer and return its run."""
    return transfer.finish(train_prepared(transfer.training))
