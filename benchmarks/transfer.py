"""Transfer beside training from nothing: `python -m benchmarks.transfer`.

    0-4 to 5-9   a base trained on the 30,000 training images of five classes; the new task are the
    5-9 to 0-4   other five, tested on the 5,000 test images of these
    a question   a base trained on 30,000 images of all ten classes; the new task is to say whether
                 others have long sleeves (Fashion-MNIST), or are odd (MNIST)

Of the new task 200 examples are known, a fifth of them as dev set; each draw is 200 others. From
nothing the same network is trained with two learning rates, with dropout and with L2, and a
regression without hidden layers beside them: the best by its mean *on the test images* counts,
which is more than fair.

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from chainrule.data.load import load
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.runs.folder import save
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run
from chainrule.strategy.transfer import prepare_transfer

HIDDEN = (256, 128)
EXAMPLES = 200
HALVES = {"0-4 to 5-9": range(5), "5-9 to 0-4": range(5, 10)}
QUESTIONS = {"fashion_mnist": (2, 4, 6), "mnist": (1, 3, 5, 7, 9)}
TASKS = (*HALVES, "a question")
RETRAIN = ("chosen", "last", "2", "all")
NOTHING = {
    "α 0.002": {},
    "α 0.0005": {"learning_rate": 0.0005},
    "dropout": {"keep_prob": 0.5},
    "λ 1": {"l2": 1.0},
    "no hidden layers": {"hidden": ()},
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


class Tasks(NamedTuple):
    """The base's examples, those to draw from, and those to test on."""

    old: tuple[np.ndarray, np.ndarray]
    new: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def tasks(data: Images, name: str, task: str) -> Tasks:
    """Half of the classes and the other half, or ten classes and a question about others."""
    X, y, X_test, y_test = data
    if task in HALVES:
        old, tested = np.isin(y, HALVES[task]), ~np.isin(y_test, HALVES[task])
        return Tasks((X[old], y[old]), (X[~old], y[~old]), (X_test[tested], y_test[tested]))
    half = len(X) // 2
    answers, wanted = (np.isin(each, QUESTIONS[name]).astype(int) for each in (y, y_test))
    return Tasks((X[:half], y[:half]), (X[half:], answers[half:]), (X_test, wanted))


def written(file: Path, X: np.ndarray, y: np.ndarray) -> str:
    """The examples as a file."""
    np.savez(file, X=X, y=y)
    return str(file)


def base_run(both: Tasks, folder: Path, *, epochs: int = 15) -> Run:
    """Trained on all that the old task has, and saved."""
    source = written(folder / "old.npz", *both.old)
    options = {"hidden": HIDDEN, "learning_rate": 0.001, "batch_size": 128, "epochs": epochs}
    recipe = Recipe(source, test="none", **options)
    return save(train_prepared(prepare(recipe)), folder / "base")


def draws(both: Tasks, folder: Path, count: int) -> Iterator[dict[str, str]]:
    """So many times 200 examples of the new task, and its test images, as files."""
    test = written(folder / "test.npz", *both.test)
    for draw in range(count):
        X, y = both.new
        chosen = np.random.default_rng(draw).choice(len(X), EXAMPLES, replace=False)
        yield {"source": written(folder / f"{draw}.npz", X[chosen], y[chosen]), "test": test}


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


def measure(name: str, task: str, *, count: int, epochs: int = 500) -> dict[str, list[float]]:
    """Each way's accuracy in each draw; nothing where the data is not there."""
    data = images(name)
    if data is None:
        return {}
    table: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = tasks(data, name, task)
        base = base_run(both, Path(folder))
        for files in draws(both, Path(folder), count):
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
    parser.add_argument("--tasks", nargs="*", default=TASKS)
    options = parser.parse_args()
    enable_compilation_cache()
    for name in options.data:
        for task in options.tasks:
            table = measure(name, task, count=options.draws)
            print(f"{name}, {task}" if table else f"{name}: no such data", flush=True)
            for way, found in table.items():
                each = " ".join(f"{accuracy:.3f}" for accuracy in found)
                print(f"  {way:28} {np.mean(found):.4f}   {each}")
            if table:
                print(f"  transfer beats the best from nothing by {gain(table):+.1f} points")


if __name__ == "__main__":
    main()
