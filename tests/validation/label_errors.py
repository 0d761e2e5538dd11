"""Measure how many flipped labels are found among the most probable label errors.

`python -m tests.validation.label_errors` flips a tenth of the labels of digits at random, another
tenth for each seed. It prints the share of the flips among the first 12 % of the probable label
errors, the estimated number of errors, and the seconds. It then flips a quarter of one class to
another, which is harder, since a network learns this rule. `--source` takes other data.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.data.load import load
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.runs.prepare import preprocess_sets
from chainrule.strategy.label_errors import LabelErrors, find_label_errors

FLIPPED, FIRST = 0.10, 0.12
Flip = Callable[[np.ndarray, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class Trial(NamedTuple):
    """The number of flipped labels, the share found, and the estimated number of label errors."""

    flipped: int
    found: float
    estimate: int
    low: int
    high: int
    kind: str
    seconds: float


def at_random(codes: np.ndarray, C: int, rng: np.random.Generator):
    """Change a tenth of the labels to other classes, each equally likely."""
    rows = rng.choice(len(codes), round(FLIPPED * len(codes)), replace=False)
    flipped = codes.copy()
    flipped[rows] = (codes[rows] + rng.integers(1, C, len(rows))) % C
    return flipped, rows


def by_rule(codes: np.ndarray, C: int, rng: np.random.Generator):
    """Change a quarter of the last class to the class before it."""
    of_class = np.flatnonzero(codes == C - 1)
    rows = rng.choice(of_class, len(of_class) // 4, replace=False)
    flipped = codes.copy()
    flipped[rows] = C - 2
    return flipped, rows


def trial(source: Dataset, flip: Flip, seed: int) -> Trial:
    """Flip labels and search for them."""
    classes, codes = np.unique(source.y, return_inverse=True)  # pyright: ignore
    spoiled, rows = flip(codes, len(classes), np.random.default_rng(seed))
    start = time.perf_counter()
    found = search(replace(source, y=classes[spoiled]), seed)
    seconds = time.perf_counter() - start
    most = round(len(source) * (FIRST if flip is at_random else 1.2 * len(rows) / len(source)))
    first = {one.index for one in found.listed[:most]}
    ends = (
        round(share * found.m) for share in (found.noise.share, found.noise.low, found.noise.high)
    )
    share = sum(int(row) in first for row in rows) / len(rows)
    return Trial(len(rows), share, *ends, found.noise.kind, seconds)


def search(source: Dataset, seed: int) -> LabelErrors:
    """Return the probable label errors of a data set that is not split."""
    data = preprocess_sets({"train": source}, Labels.learn(source.y, None, source.classes), None)
    return find_label_errors(data, seed=seed)


def main() -> None:
    """Print a line for each seed, and the mean."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--source", default="digits")
    options.add_argument("--seeds", type=int, default=10)
    given = options.parse_args()
    enable_compilation_cache()
    source = load(given.source)
    for name, flip in (("at random", at_random), ("by rule", by_rule)):
        trials = [trial(source, flip, seed) for seed in range(given.seeds)]
        for seed, one in enumerate(trials):
            print(f"{name}, seed {seed}: {line(one)}")
        shares = [one.found for one in trials]
        inside = sum(one.low <= one.flipped <= one.high for one in trials)
        print(
            f"{name}: {np.mean(shares):.1%} of the flips found, the least {min(shares):.1%}; "
            f"the interval holds the count {inside} times of {len(trials)}\n"
        )


def line(one: Trial) -> str:
    """Return the results of a trial as a line of text."""
    return (
        f"{one.found:.1%} of {one.flipped}; estimate {one.estimate} "
        f"({one.low} to {one.high}), {one.kind}; {one.seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
