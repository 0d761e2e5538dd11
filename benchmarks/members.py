"""The time of an ensemble of five members beside that of a single network, at equal epochs.

`python -m benchmarks.members` trains `NetworkClassifier` on 1,000 rows of 20 columns, with one and
with five members in turn, after a first fit of each that compiles the programs; it prints the
medians of the time and of the processor time, and their ratios. The patience is infinite, so that
all train for equally many epochs, without a dev set and with one (of its own for each member).
"""

import argparse
import time
from statistics import median
from unittest.mock import patch

import numpy as np

from chainrule.estimators import NetworkClassifier

ROWS, COLUMNS, MEMBERS = 1000, 20, (1, 5)


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, and the classes of a noisy product of two columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS))
    return X, (X[:, 0] * X[:, 1] + 0.5 * rng.standard_normal(ROWS) > 0).astype(int)


def seconds_of(members: int, epochs: int, *, early_stopping: bool) -> tuple[float, float]:
    """Return the time and the processor time of a fit."""
    options = {"epochs": epochs, "early_stopping": early_stopping, "members": members}
    estimator = NetworkClassifier(**options)
    began, worked = time.perf_counter(), time.process_time()
    with patch("chainrule.estimators.default_patience_for", lambda *_, **__: epochs + 1):
        estimator.fit(*data())
    assert estimator.n_iter_ == epochs
    return time.perf_counter() - began, time.process_time() - worked


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for early_stopping in (False, True):
        found = {members: [] for members in MEMBERS}
        for _ in range(given.rounds + 1):
            for members in MEMBERS:
                one = seconds_of(members, given.epochs, early_stopping=early_stopping)
                found[members].append(one)
        print("with a dev set" if early_stopping else "without a dev set")
        medians = {
            k: [median(x) for x in zip(*times[1:], strict=True)] for k, times in found.items()
        }
        for members, (wall, worked) in medians.items():
            print(f"  members={members}: {wall:.3f} s, {worked:.3f} s of processor time")
        ratios = [five / one for five, one in zip(medians[5], medians[1], strict=True)]
        print(f"  ratio: {ratios[0]:.2f}, {ratios[1]:.2f} of processor time")


if __name__ == "__main__":
    main()
