"""How well networks of images do, and in what time: `python -m benchmarks.pictures NAME`.

    fashion-lenet       LeNet-5, twice as wide, with batch norm and dropout, on Fashion-MNIST
    fashion-resnet20    ResNet-20 on it
    cats                209 pictures, of cats or not, tested on 50 others: the mean of five seeds

The first two are commands of `chainrule train`, which are printed, the third is an estimator, whose
classes have weights. No dev part is cut off: the settings are those below. The test part is looked
at once, after training.

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.load import load
from chainrule.estimators import NetworkClassifier
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe

FASHION = ("fashion_mnist/train-images-idx3-ubyte.gz", "fashion_mnist/t10k-images-idx3-ubyte.gz")
CATS = ("catvnoncat/train_catvnoncat.h5", "catvnoncat/test_catvnoncat.h5")
STRONG = "mirror,crop=8,rotation=15,zoom=0.3,colour=0.1,brightness=0.2,contrast=0.3"


@dataclass(frozen=True)
class Trial:
    """The files to train and to test on, what is said beside them, the accuracy to reach."""

    files: tuple[str, str]
    options: dict[str, Any]
    target: float

    def recipe(self, folder: Path) -> Recipe:
        """What is trained."""
        source, test = (str(folder / file) for file in self.files)
        return Recipe(source, test=test, dev="none", **self.options)

    def command(self, folder: Path) -> str:
        """The same as people write it."""
        source, test = (str(folder / file) for file in self.files)
        said = {"test": test, "dev": "none", **self.options}
        return f"chainrule train {source} " + " ".join(map(_option, said, said.values()))


TRIALS = {
    "fashion-lenet": Trial(
        FASHION,
        {"network": "lenet", "width": 2, "batch_norm": True, "keep_prob": 0.8, "epochs": 12},
        0.91,
    ),
    "fashion-resnet20": Trial(
        FASHION, {"network": "resnet20", "augment": "mirror,crop=2", "epochs": 18}, 0.93
    ),
}
CATS_OPTIONS = {
    "network": "convnet",
    "batch_norm": True,
    "keep_prob": 0.5,
    "augment": STRONG,
    "class_weight": {0: 1, 1: 3.8},  # a third of these pictures are cats, two thirds in the test
    "early_stopping": False,
    "batch_size": 32,
    "epochs": 200,
}
CATS_TARGET, CATS_SEEDS = 0.88, 5


def trained(trial: Trial, folder: Path) -> None:
    """One of the trials."""
    print(trial.command(folder), flush=True)
    began = time.perf_counter()
    run = train_prepared(prepare(trial.recipe(folder)))
    seconds, epochs = time.perf_counter() - began, len(run.history.epochs)
    train, test = (run.results[part]["accuracy"] for part in ("train", "test"))
    print(f"  test {test:.4f}, train {train:.4f}, {epochs} epochs in {seconds:.0f} s")
    told(test, trial.target)


def cats(folder: Path) -> None:
    """Five seeds of the network for the cats; each picture is looked at as it is and mirrored."""
    (X, y), (X_test, y_test) = (read_cats(folder / file) for file in CATS)
    print(NetworkClassifier(**CATS_OPTIONS), flush=True)
    found = []
    for seed in range(CATS_SEEDS):
        began = time.perf_counter()
        model = NetworkClassifier(**CATS_OPTIONS, random_state=seed).fit(X, y)
        alone, mirrored = (model.predict_proba(X) for X in (X_test, X_test[:, :, ::-1]))
        said = [(A[:, 1] > 0.5) == (y_test == 1) for A in (alone, (alone + mirrored) / 2)]
        found.append(said[1].mean())
        seconds = time.perf_counter() - began
        print(
            f"  seed {seed}: test {found[-1]:.2f}, without the mirror {said[0].mean():.2f}, "
            f"in {seconds:.0f} s",
            flush=True,
        )
    told(sum(found) / len(found), CATS_TARGET)


def read_cats(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and classes."""
    source = load(str(file))
    assert source.y is not None
    return np.asarray(source.X), source.y


def told(reached: float, target: float) -> None:
    """What came of it."""
    print(f"{reached:.4f}; {target:.2f} is {'reached' if reached >= target else 'not reached'}")


def main() -> None:
    """One of the trials, or several."""
    names = [*TRIALS, "cats"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME")
    enable_compilation_cache()
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
    for name in parser.parse_args().names:
        cats(folder) if name == "cats" else trained(TRIALS[name], folder)


def _option(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    return flag if value is True else f"{flag} {value}"


if __name__ == "__main__":
    main()
