"""Measurements that can be compared: equally long for each contender, and taken in turn.

What else the machine does then falls on all of them; medians forget a moment's disturbance. Before
each there is a pause: the threads of NumPy's and PyTorch's products go on spinning for a while
after they are done, and would take the processors from whoever comes next.
"""

import time
from collections.abc import Callable, Mapping
from math import ceil
from statistics import median, quantiles

import numpy as np

from benchmarks.cases import Case

PAUSE = 0.4  # seconds
Contender = Callable[[Case, int], Callable[[], None]]
MOST_EPOCHS = 4000
QUIET = 1.25
"""The most noise with which figures are written into a page."""


def noise() -> float:
    """How much longer the slowest tenth of equal products takes than the fastest of them.

    It takes about two seconds, on all processors.
    """
    A = np.random.default_rng(0).standard_normal((1024, 1024), np.float32)
    A @ A
    times = [seconds(lambda: A @ A) for _ in range(60)]
    return quantiles(times, n=10)[-1] / min(times)


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def fitted(contender: Contender, case: Case, length: float) -> tuple[Callable[[], None], int]:
    """A run of about `length` seconds, warmed up, and its steps."""
    epochs = 1
    while True:
        run = contender(case, epochs)
        run()
        time_taken = seconds(run)
        if time_taken > length / 2 or epochs == MOST_EPOCHS:
            return run, epochs * case.steps_per_epoch
        epochs = min(MOST_EPOCHS, ceil(epochs * min(16, length / time_taken)))


def in_turn(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each, one after the other, round after round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            time.sleep(PAUSE)
            times[name].append(seconds(run))
    return {name: median(each) for name, each in times.items()}


def warm_in_turn(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The same of runs of some time, each just after one that is not measured.

    Whoever ran before has left the caches and the threads as it likes.
    """
    for run in runs.values():
        run(), run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            times[name].append(seconds(run))
    return {name: median(each) for name, each in times.items()}
