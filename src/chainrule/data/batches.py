"""Mini-batches: which examples each step sees.

Notes: "Mini-batch gradient descent" and "Understanding mini-batch gradient descent" (course 2,
week 2): the whole set up to 2,000 examples, else a power of two from 64 to 1024; shuffled anew each
epoch; every example once.
"""

from collections.abc import Iterator

import numpy as np

WHOLE_SET = 2000


def default_batch_size(m: int) -> int:
    """The notes' choice: m up to 2,000; else a power of two from 64 to 1024, about m / 500.

    >>> default_batch_size(1797), default_batch_size(20_000), default_batch_size(10**7)
    (1797, 64, 1024)
    """
    if m <= WHOLE_SET:
        return m
    return int(np.clip(2 ** round(np.log2(m / 500)), 64, 1024))


def steps_per_epoch(m: int, batch_size: int) -> int:
    """⌈m / batch_size⌉: nobody is left out."""
    return -(-m // batch_size)


def padded(m: int) -> int:
    """m rounded up a little, to one of sixteen sizes between each two powers of two.

    Data sets of nearly the same size then share one compiled program.

    >>> padded(209), padded(1000), padded(60_001)
    (216, 1024, 61440)
    """
    step = max(8, 2 ** (max(m, 1).bit_length() - 5))
    return -(-m // step) * step


def epoch_order(m: int, batch_size: int, *, seed: int, epoch: int) -> np.ndarray:
    """Row numbers (steps, batch_size) of one epoch: every example once, in an order of its own.

    What does not fill a batch is spread over all of them: 148 examples in batches of at most 64 are
    50, 49 and 49. (The notes' last batch is what is left, 64, 64 and 20: a whole step on a handful
    of examples; docs/experiments.md has what that costs.) An empty place holds m, a row that counts
    nothing.
    """
    order = np.random.default_rng((seed, epoch)).permutation(np.arange(m, dtype=np.int32))
    steps = steps_per_epoch(m, batch_size)
    sizes = m // steps + (np.arange(steps) < m % steps)
    table = np.full((steps, batch_size), m, np.int32)
    table[np.arange(batch_size) < sizes[:, None]] = order
    return table


def random_mini_batches(m: int, batch_size: int, *, seed: int, epoch: int = 0) -> Iterator:
    """The notes' mini-batches, the last one what is left, as row numbers for a loop of one's own.

    >>> [len(rows) for rows in random_mini_batches(148, 64, seed=0)]
    [64, 64, 20]
    """
    table = epoch_order(m, batch_size, seed=seed, epoch=epoch)
    order = table[table < m]
    for start in range(0, m, batch_size):
        yield order[start : start + batch_size]
