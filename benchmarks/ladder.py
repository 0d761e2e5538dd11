"""The ladder beside scikit-learn: a grid of 12 MLPClassifiers, and HistGradientBoosting.

`python -m benchmarks.ladder` prints a line for each data set: five that are built in, and 10,000
examples of Fashion-MNIST where `../shared/data/fashion_mnist` is there. Each side is a process of
its own, start-up, reading and (ours) compilation included; ours keeps no compiled programs from
before.

    split     train, dev and test by the notes' rule, the same rows for everybody
    ladder    chainrule train NAME --no-check --json
    MLP       the twelve below, with their own early stopping, each on a tenth of the training part;
              the best on the dev part
    trees     HistGradientBoosting as it comes, with its own early stopping
    noise     a standard error of the ladder's own test score

Ours is said to be no worse where it is not below the better of the others by more than the noise.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.load import load
from chainrule.runs.folder import load as load_run
from chainrule.runs.prepare import prepare_data
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import load_run_data
from chainrule.strategy.goal import Goal
from chainrule.strategy.uncertainty import interval
from chainrule.train.outputs import network_outputs

BUNDLED = ("iris", "wine", "breast_cancer", "diabetes", "digits")
FASHION = Path("../shared/data/fashion_mnist/train-images-idx3-ubyte.gz")
ROWS = 10_000
HIDDEN = ((64,), (128,), (256,), (256, 128))
ALPHAS = (1e-4, 1e-2, 1.0)
ROUNDING = 1e-6


def ours(source: str, folder: Path) -> dict[str, Any]:
    """The whole command, as a newcomer runs it."""
    program = "from chainrule.cli.main import main; main()"
    command = [sys.executable, "-c", program, "train", source, "--json", "--no-check"]
    environment = os.environ | {"CHAINRULE_CACHE": "off", "PYTHONWARNINGS": "ignore"}
    out = folder / Path(source).stem
    began = time.perf_counter()
    said = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, check=True, env=environment
    )
    seconds = time.perf_counter() - began
    line = json.loads(said.stdout.splitlines()[-1])
    metric = "accuracy" if "accuracy" in line["test"] else "r2"
    return {"score": line["test"][metric], "seconds": seconds, "noise": noise(out), "run": out}


def noise(out: Path) -> float:
    """The standard error of the run's test score."""
    run = load_run(out)
    part = load_run_data(run).parts["test"]
    Z = network_outputs(run.network, part.X)
    return interval(Goal(run.preprocessor.metric), run.preprocessor, Z, part.Y).standard_error


def theirs(source: str, kind: str) -> dict[str, Any]:
    """The same rows, in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.ladder", "--peer", kind, source]
    said = subprocess.run(command, capture_output=True, check=True)
    return json.loads(said.stdout) | {"seconds": time.perf_counter() - began}


def peer(kind: str, source: str) -> dict[str, Any]:
    """What a peer scores on the test part; of several the best by the dev part."""
    from sklearn.ensemble import HistGradientBoostingClassifier as TreesOfClasses
    from sklearn.ensemble import HistGradientBoostingRegressor as TreesOfNumbers
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore")
    data = prepare_data(Recipe(source))
    X = {name: part.X for name, part in data.parts.items()}
    y = {name: part.y for name, part in data.sources.items()}
    numbers = data.preprocessor.labels.task == "regression"
    if kind == "trees":
        made = [(TreesOfNumbers if numbers else TreesOfClasses)(random_state=0)]
    else:
        network = MLPRegressor if numbers else MLPClassifier
        same = {"early_stopping": True, "max_iter": 500, "random_state": 0}
        made = [
            network(hidden_layer_sizes=hidden, alpha=alpha, **same)
            for hidden, alpha in product(HIDDEN, ALPHAS)
        ]
    fitted = [model.fit(X["train"], y["train"]) for model in made]
    best = max(fitted, key=lambda model: model.score(X["dev"], y["dev"]))
    return {"score": float(best.score(X["test"], y["test"]))}


def line(name: str, ladder: dict[str, Any], others: dict[str, dict[str, Any]]) -> str:
    """The figures of a data set."""
    best = max(other["score"] for other in others.values())
    behind = best - ladder["score"]
    told = "no worse" if behind <= ladder["noise"] + ROUNDING else f"worse by {behind:.4f}"
    rungs = load_run(ladder["run"]).facts["ladder"]
    chosen = next(rung["name"] for rung in rungs if "chosen" in rung["verdict"])
    words = [f"{name:15} ladder {ladder['score']:.4f} ({chosen}) in {ladder['seconds']:.1f} s"]
    words += [f"{k} {o['score']:.4f} in {o['seconds']:.1f} s" for k, o in others.items()]
    return " · ".join([*words, f"noise {ladder['noise']:.4f}: {told}"])


def some_of_fashion(folder: Path) -> str:
    """The first 10,000 of its training images."""
    source = load(FASHION)
    np.savez(folder / "fashion_10000.npz", X=source.X[:ROWS], y=np.asarray(source.y)[:ROWS])
    return str(folder / "fashion_10000.npz")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", choices=("MLP", "trees"), help="one peer alone, as JSON")
    parser.add_argument("sources", nargs="*", help="data sets; all of them where none is named")
    chosen = parser.parse_args()
    if chosen.peer:
        print(json.dumps(peer(chosen.peer, chosen.sources[0])))
        return
    with tempfile.TemporaryDirectory() as folder:
        sources = chosen.sources or list(BUNDLED)
        if not chosen.sources and FASHION.is_file():
            sources.append(some_of_fashion(Path(folder)))
        elif not chosen.sources:
            print(f"{FASHION.parent} is not there: Fashion-MNIST is left out")
        for source in sources:
            ladder = ours(source, Path(folder))
            others = {kind: theirs(source, kind) for kind in ("MLP", "trees")}
            print(line(Path(source).stem, ladder, others), flush=True)


if __name__ == "__main__":
    main()
