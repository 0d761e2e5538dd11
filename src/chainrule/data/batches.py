"""Mini-batches: which examples each step sees.

Notes: "Mini-batch gradient descent" and "Understanding mini-batch gradient descent" (course 2,
week 2): the whole set up to 2,000 examples, else a power of two from 64 to 1024; shuffled anew each
epoch; the last batch is what is left.
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
    """⌈m / batch_size⌉: the last, short batch counts."""
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

    The places that the last batch leaves empty hold m: a row that counts nothing.
    """
    order = np.random.default_rng((seed, epoch)).permutation(np.arange(m, dtype=np.int32))
    empty = steps_per_epoch(m, batch_size) * batch_size - m
    return np.pad(order, (0, empty), constant_values=m).reshape(-1, batch_size)


def random_mini_batches(m: int, batch_size: int, *, seed: int, epoch: int = 0) -> Iterator:
    """The row numbers of each mini-batch of an epoch, the last one short, for a loop of one's own.

    >>> [len(rows) for rows in random_mini_batches(148, 64, seed=0)]
    [64, 64, 20]
    """
    for rows in epoch_order(m, batch_size, seed=seed, epoch=epoch):
        yield rows[rows < m]
