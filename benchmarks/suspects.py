"""Flipped labels of digits found again: how many of them are among the first suspects.

`python -m benchmarks.suspects` flips a tenth of the labels at random, another tenth for each seed,
and prints the share of the flips in the first 12 % of the suspects, the estimate of how many there
are, and the seconds. Flipped too: one class taken for another, which is harder, since a network
learns it. Other data: `--source`.
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
    """What was flipped, and what was found of it."""

    flipped: int
    found: float
    estimate: int
    low: int
    high: int
    kind: str
    seconds: float


def at_random(codes: np.ndarray, C: int, rng: np.random.Generator):
    """A tenth of the labels become another class, all others alike."""
    rows = rng.choice(len(codes), round(FLIPPED * len(codes)), replace=False)
    flipped = codes.copy()
    flipped[rows] = (codes[rows] + rng.integers(1, C, len(rows))) % C
    return flipped, rows


def by_rule(codes: np.ndarray, C: int, rng: np.random.Generator):
    """A quarter of one class becomes the class before it."""
    of_class = np.flatnonzero(codes == C - 1)
    rows = rng.choice(of_class, len(of_class) // 4, replace=False)
    flipped = codes.copy()
    flipped[rows] = C - 2
    return flipped, rows


def trial(source: Dataset, flip: Flip, seed: int) -> Trial:
    """One set of labels spoiled, and looked at."""
    classes, codes = np.unique(source.y, return_inverse=True)  # pyright: ignore
    spoiled, rows = flip(codes, len(classes), np.random.default_rng(seed))
    start = time.perf_counter()
    found = look(replace(source, y=classes[spoiled]), seed)
    seconds = time.perf_counter() - start
    most = round(len(source) * (FIRST if flip is at_random else 1.2 * len(rows) / len(source)))
    first = {one.index for one in found.listed[:most]}
    ends = (
        round(share * found.m) for share in (found.noise.share, found.noise.low, found.noise.high)
    )
    share = sum(int(row) in first for row in rows) / len(rows)
    return Trial(len(rows), share, *ends, found.noise.kind, seconds)


def look(source: Dataset, seed: int) -> LabelErrors:
    """The suspects of data that are all one part."""
    data = preprocess_sets({"train": source}, Labels.learn(source.y, None, source.classes), None)
    return find_label_errors(data, seed=seed)


def main() -> None:
    """A line for each seed, and their mean."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--source", default="digits")
    options.add_argument("--seeds", type=int, default=10)
    said = options.parse_args()
    enable_compilation_cache()
    source = load(said.source)
    for name, flip in (("at random", at_random), ("by rule", by_rule)):
        trials = [trial(source, flip, seed) for seed in range(said.seeds)]
        for seed, one in enumerate(trials):
            print(f"{name}, seed {seed}: {line(one)}")
        shares = [one.found for one in trials]
        inside = sum(one.low <= one.flipped <= one.high for one in trials)
        print(
            f"{name}: {np.mean(shares):.1%} of the flips found, the least {min(shares):.1%}; "
            f"the interval holds the count {inside} times of {len(trials)}\n"
        )


def line(one: Trial) -> str:
    """One trial in words."""
    return (
        f"{one.found:.1%} of {one.flipped}; estimate {one.estimate} "
        f"({one.low} to {one.high}), {one.kind}; {one.seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
