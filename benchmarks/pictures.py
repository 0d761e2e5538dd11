"""How well networks of images do, and in what time: `python -m benchmarks.pictures NAME`.

    fashion-lenet       LeNet-5, twice as wide, with batch norm and dropout, on Fashion-MNIST
    fashion-resnet20    ResNet-20 on it
    cats                209 pictures, of cats or not, tested on 50 others: the mean of five seeds

Each is one command of `chainrule train`, which is printed first. No dev part is cut off: nothing is
chosen here, the settings are those below. The test part is looked at once, after training.

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cache import keep_compiled_programs
from chainrule.train.prepare import prepare
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run, train_prepared

FASHION = ("fashion_mnist/train-images-idx3-ubyte.gz", "fashion_mnist/t10k-images-idx3-ubyte.gz")
CATS = ("catvnoncat/train_catvnoncat.h5", "catvnoncat/test_catvnoncat.h5")
STRONG = "mirror,crop=8,rotation=10,zoom=0.2,colour=0.1,brightness=0.1,contrast=0.2"


@dataclass(frozen=True)
class Trial:
    """The files to train and to test on, what is said beside them, the accuracy to reach."""

    files: tuple[str, str]
    options: dict[str, Any]
    target: float
    seeds: int = 1

    def recipes(self, folder: Path) -> Iterator[Recipe]:
        """One for each seed."""
        source, test = (str(folder / file) for file in self.files)
        for seed in range(self.seeds):
            yield Recipe(source, test=test, dev="none", seed=seed, **self.options)

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
    "cats": Trial(CATS, {"network": "resnet18", "width": 0.25, "augment": STRONG}, 0.88, seeds=5),
}


def measured(recipe: Recipe) -> tuple[Run, float]:
    """The run, and the seconds from the files to the test's accuracy."""
    began = time.perf_counter()
    run = train_prepared(prepare(recipe))
    return run, time.perf_counter() - began


def main() -> None:
    """One of the trials, or several."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("names", nargs="+", choices=list(TRIALS), metavar="NAME")
    parser.add_argument("--epochs", type=int, help="others than usual")
    options = parser.parse_args()
    keep_compiled_programs()
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
    for name in options.names:
        trial = TRIALS[name]
        print(trial.command(folder), flush=True)
        found = []
        for recipe in trial.recipes(folder):
            if options.epochs is not None:
                recipe = Recipe.from_dict(recipe.to_dict() | {"epochs": options.epochs})
            run, seconds = measured(recipe)
            train, test = (run.results[part]["accuracy"] for part in ("train", "test"))
            found.append(test)
            epochs = len(run.history.epochs)
            scores = f"test {test:.4f}, train {train:.4f}"
            print(f"  seed {recipe.seed}: {scores}, {epochs} epochs in {seconds:.0f} s", flush=True)
        mean = sum(found) / len(found)
        met = "reached" if mean >= trial.target else "not reached"
        print(f"{name}: {mean:.4f} on average of {len(found)}; {trial.target:.2f} is {met}")


def _option(name: str, value: Any) -> str:
    flag = "--" + name.replace("_", "-")
    return flag if value is True else f"{flag} {value}"


if __name__ == "__main__":
    main()
