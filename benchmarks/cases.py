"""The networks that are timed, and made-up examples for them: speed does not look at values."""

from dataclasses import dataclass

import numpy as np

LEARNING_RATE = 0.001


@dataclass(frozen=True)
class Case:
    """A network, its batch size, and how many examples there are."""

    sizes: tuple[int, ...]
    batch_size: int
    m: int

    @property
    def title(self) -> str:
        """Such as "20-16-8-2, batch 32"."""
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch_size}"

    @property
    def steps_per_epoch(self) -> int:
        """m is a multiple of the batch size."""
        return self.m // self.batch_size

    @property
    def whole(self) -> bool:
        """Every step sees all the examples: nothing to shuffle."""
        return self.batch_size == self.m

    @property
    def logistic(self) -> bool:
        """One output: logistic cost; softmax else."""
        return self.sizes[-1] == 1


TINY = Case((20, 16, 8, 2), 32, 2048)
MIDDLE = Case((784, 256, 128, 10), 64, 6400)
MIDDLE_256 = Case((784, 256, 128, 10), 256, 5120)
LARGE = Case((784, 2048, 2048, 10), 256, 2560)
CATS = Case((12288, 20, 7, 5, 1), 209, 209)
DIGITS = Case((64, 64, 32, 10), 64, 1792)
CASES = (TINY, MIDDLE, MIDDLE_256, LARGE, CATS)


def examples(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """X (m, n_x) and the class of each row."""
    random = np.random.default_rng(0)
    X = random.standard_normal((case.m, case.sizes[0]), np.float32)
    return X, random.integers(0, max(case.sizes[-1], 2), case.m)


def targets(case: Case, classes: np.ndarray) -> np.ndarray:
    """Y (m, n_L): one-hot, or 0 and 1 where there is one output."""
    if case.logistic:
        return classes[:, None].astype(np.float32)
    return np.eye(case.sizes[-1], dtype=np.float32)[classes]


def order(case: Case, epochs: int) -> np.ndarray:
    """The rows of each step, shuffled anew each epoch: (steps, batch size)."""
    random = np.random.default_rng(1)
    rows = [random.permutation(case.m).astype(np.int32) for _ in range(epochs)]
    return np.concatenate(rows).reshape(-1, case.batch_size)


def initial_weights(case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
    """W (n_l, n_prev) by He's rule and b (n_l, 1), of each layer."""
    random = np.random.default_rng(2)
    pairs = zip(case.sizes[:-1], case.sizes[1:], strict=True)
    return [
        (
            random.standard_normal((n, n_prev), np.float32) * np.float32(np.sqrt(2 / n_prev)),
            np.zeros((n, 1), np.float32),
        )
        for n_prev, n in pairs
    ]
