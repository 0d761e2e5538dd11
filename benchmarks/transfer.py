"""Transfer beside training from nothing: `python -m benchmarks.transfer`.

A base is trained on the 30,000 training images of five classes; the new task are the other five,
of which 200 examples are known, a fifth of them as dev set. Tested on the 5,000 test images of the
new classes. Each draw of 200 is another one. From nothing, the same network is trained with two
learning rates, with and without dropout and L2, and a softmax regression beside them: the best of
them by the mean over the draws *on the test images*, which is more than fair.

Fashion-MNIST and MNIST are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from chainrule.cache import keep_compiled_programs
from chainrule.data.sources import load
from chainrule.strategy.transfer import prepare_transfer
from chainrule.train.prepare import prepare
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run, train_prepared
from chainrule.train.store import save

HIDDEN = (256, 128)
EXAMPLES = 200
HALVES = {"0-4 to 5-9": range(5), "5-9 to 0-4": range(5, 10)}
RETRAIN = ("chosen", "last", "2", "all")
NOTHING = {
    "α 0.002": {},
    "α 0.0005": {"learning_rate": 0.0005},
    "dropout": {"keep_prob": 0.5},
    "λ 1": {"l2": 1.0},
    "softmax regression": {"hidden": ()},
}


class Images(NamedTuple):
    """Rows of pixels and their classes, to train on and to test on."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def images(name: str) -> Images | None:
    """The data set of this name, or None where its files are not."""
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data")) / name
    files = [folder / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k")]
    if not all(file.is_file() for file in files):
        return None
    parts = [load(str(file)) for file in files]
    return Images(*(np.asarray(array) for part in parts for array in (part.X, part.y)))


def base_run(data: Images, old: range, folder: Path, *, epochs: int = 15) -> Run:
    """Trained on all images of the old classes, and saved."""
    kept = np.isin(data.y, old)
    file = folder / f"old-{old[0]}.npz"
    np.savez(file, X=data.X[kept], y=data.y[kept])
    recipe = Recipe(str(file), hidden=HIDDEN, epochs=epochs, test="none")
    return save(train_prepared(prepare(recipe)), folder / f"base-{old[0]}")


def draws(data: Images, old: range, folder: Path, count: int) -> Iterator[dict[str, str]]:
    """So many times 200 examples of the other classes, and the test images, as files."""
    new, tested = (np.flatnonzero(~np.isin(y, old)) for y in (data.y, data.y_test))
    test = folder / f"test-{old[0]}.npz"
    np.savez(test, X=data.X_test[tested], y=data.y_test[tested])
    for draw in range(count):
        chosen = np.random.default_rng(draw).choice(new, EXAMPLES, replace=False)
        file = folder / f"new-{old[0]}-{draw}.npz"
        np.savez(file, X=data.X[chosen], y=data.y[chosen])
        yield {"source": str(file), "test": str(test)}


def accuracies(base: Run, files: dict[str, str], epochs: int) -> dict[str, float]:
    """The test accuracy of each way to train on one draw."""
    found = {}
    for name, options in NOTHING.items():
        options = {"hidden": HIDDEN, "epochs": epochs, **options}
        found[f"nothing, {name}"] = tested(train_prepared(prepare(Recipe(**files, **options))))
    for name in RETRAIN:
        said = None if name == "chosen" else name
        recipe = Recipe(**files, base=str(base.path), retrain=said, epochs=epochs)
        transfer = prepare_transfer(recipe, base)
        run = transfer.finish(train_prepared(transfer.training))
        found[f"transfer, {name}"] = tested(run)
        if name == "chosen":
            found["said to help"] = float(bool(transfer.report.conditions[2].holds))
    return found


def tested(run: Run) -> float:
    """The accuracy on the test images."""
    return run.results["test"]["accuracy"]


def measure(name: str, old: range, *, count: int, epochs: int = 500) -> dict[str, list[float]]:
    """Each way's accuracy in each draw; nothing where the data is not there."""
    data = images(name)
    if data is None:
        return {}
    table: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = base_run(data, old, Path(folder))
        for files in draws(data, old, Path(folder), count):
            for way, accuracy in accuracies(base, files, epochs).items():
                table.setdefault(way, []).append(accuracy)
    return table


def gain(table: dict[str, list[float]]) -> float:
    """Points between transfer, its layers chosen, and the best from nothing."""
    nothing = [np.mean(found) for way, found in table.items() if way.startswith("nothing")]
    return 100 * float(np.mean(table["transfer, chosen"]) - max(nothing))


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--data", nargs="*", default=["fashion_mnist", "mnist"])
    options = parser.parse_args()
    keep_compiled_programs()
    for name in options.data:
        for half, old in HALVES.items():
            table = measure(name, old, count=options.draws)
            print(f"{name}, {half}" if table else f"{name}: no such data", flush=True)
            for way, found in table.items():
                each = " ".join(f"{accuracy:.3f}" for accuracy in found)
                print(f"  {way:28} {np.mean(found):.4f}   {each}")
            if table:
                print(f"  transfer beats the best from nothing by {gain(table):+.1f} points")


if __name__ == "__main__":
    main()
