"""How good models of sequences are, and how long they train: `python -m benchmarks.sequences`.

    shakespeare   the works of Shakespeare, 1.1 million characters, of which the first 90 % are the
                  training set; nats a character on the rest, by `chainrule generate train`

Each data set has a target and a time limit, for a machine with two cores that does nothing else.
`--only NAME` measures one of them; the exit code is 1 if a target is missed. The files are read
from the folder `sequences` in CHAINRULE_DATA, or in ../shared/data. To add a data set, add an entry
to `SETS`: a function from the folder of the data and a new folder for runs to a `Score`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chainrule import train_sequence_model

BESIDE = "../shared/data"


class Score(NamedTuple):
    """The score on held-out data, the minutes of the training, and the model in words."""

    value: float
    minutes: float
    model: str


class DataSet(NamedTuple):
    """A data set: how it is measured, what the score is, its target, and the limit in minutes.

    With `less_is_better` the score has to be at most the target, otherwise at least.
    """

    measure: Callable[[Path, Path], Score]
    what: str
    target: float
    minutes: float
    less_is_better: bool = False

    def reached(self, score: Score) -> bool:
        """Return whether the target is reached in time."""
        better = score.value <= self.target if self.less_is_better else score.value >= self.target
        return better and score.minutes <= self.minutes


def shakespeare(data: Path, runs: Path) -> Score:
    """Train a language model with the defaults; the dev set only chooses the epoch."""
    began = time.perf_counter()
    run = train_sequence_model("generate", data / "tinyshakespeare.txt", out=runs / "text")
    parts = [run.results[name] for name in ("dev", "test")]
    nats = sum(part["cost"] * part["m"] for part in parts) / sum(part["m"] for part in parts)
    return Score(nats, (time.perf_counter() - began) / 60, run.network.title)


SETS = {
    "shakespeare": DataSet(shakespeare, "nats a character", 1.52, 15, less_is_better=True),
}


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequences", description=__doc__)
    parser.add_argument("--only", action="append", choices=SETS, help="measure this data set only")
    chosen = parser.parse_args().only or [*SETS]
    data = Path(os.environ.get("CHAINRULE_DATA", BESIDE)) / "sequences"
    print("| data set | model | score | target | minutes | limit |\n|---|---|--:|--:|--:|--:|")
    missed = False
    for name in chosen:
        one = SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            score = one.measure(data, Path(folder))
        sign = "≤" if one.less_is_better else "≥"
        result = f"{score.value:.3f} {one.what} | {sign} {one.target:g}"
        times = f"{score.minutes:.1f} | {one.minutes:g}"
        print(f"| {name} | {score.model} | {result} | {times} |", flush=True)
        missed |= not one.reached(score)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
