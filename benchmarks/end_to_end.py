"""End to end or by stages: the age of a hand, from its bones' ends or by way of their lengths.

Notes: "What is end-to-end deep learning?", "Whether to use end-to-end deep learning" (course 3,
week 2), whose example it is, with made data.

    a hand      5 bones, each two ends in the plane and a density: 25 numbers
    lengths     of the bones: what a doctor would measure
    age         grows with the lengths, and a little with the density, which no doctor measures

    by stages   ends of one bone → its length (one network for all five), five lengths → age
    end to end  25 numbers → age

    python -m benchmarks.end_to_end
"""

import warnings
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataWarning
from chainrule.estimators import NetworkRegressor

BONES = 5
SIZES = (50, 200, 1000, 5000, 20_000)
SEEDS = 3
TEST = 5000
NOISE = 0.25


class Hands(NamedTuple):
    """Rows: ends (m, 5, 4), density (m, 5), lengths (m, 5), age (m,)."""

    ends: np.ndarray
    density: np.ndarray
    lengths: np.ndarray
    age: np.ndarray

    @property
    def pictures(self) -> np.ndarray:
        """All that can be seen, (m, 25)."""
        return np.hstack([self.ends.reshape(len(self.age), -1), self.density])


def hands(m: int, seed: int) -> Hands:
    """m made hands."""
    rng = np.random.default_rng(seed)
    ends = rng.normal(size=(m, BONES, 4))
    density = rng.normal(size=(m, BONES))
    lengths = np.hypot(ends[..., 0] - ends[..., 2], ends[..., 1] - ends[..., 3])
    grown = lengths.sum(axis=1) / 2
    age = grown + np.tanh(grown - 4) + 0.3 * density.sum(axis=1) + NOISE * rng.normal(size=m)
    return Hands(ends, density, lengths, age)


def rmse_of(train: Hands, test: Hands, seed: int = 0) -> tuple[float, float]:
    """RMSE on the test hands, by stages and end to end, of networks of the same kind."""
    bones = network(seed).fit(train.ends.reshape(-1, 4), train.lengths.ravel())
    growth = network(seed).fit(train.lengths, train.age)
    measured = bones.predict(test.ends.reshape(-1, 4)).reshape(-1, BONES)
    whole = network(seed).fit(train.pictures, train.age)
    return off(growth.predict(measured), test), off(whole.predict(test.pictures), test)


def network(seed: int) -> NetworkRegressor:
    """The same for every stage."""
    return NetworkRegressor(hidden=(64, 32), random_state=seed)


def off(age: np.ndarray, test: Hands) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean((age - test.age) ** 2)))


def main() -> None:
    """A line for each size of the training set, the median of the seeds."""
    warnings.filterwarnings("ignore", category=DataWarning)
    test = hands(TEST, 10**6)
    print("examples   by stages   end to end")
    for m in SIZES:
        found = [rmse_of(hands(m, seed), test, seed) for seed in range(SEEDS)]
        stages, whole = np.median(found, axis=0)
        print(f"{m:8,d}{stages:12.3f}{whole:13.3f}", flush=True)


if __name__ == "__main__":
    main()
