"""Mini-batches: the examples of each training step.

Notes: "Mini-batch gradient descent" and "Understanding mini-batch gradient descent" (course 2, week
2): a batch is the whole training set if that has up to 2,000 examples, otherwise it has 64 to 1024
examples, a power of two; every epoch uses each example once, in a new order.
"""

from collections.abc import Iterator

import numpy as np

WHOLE_SET = 2000


def default_batch_size(m: int) -> int:
    """Return the default batch size: m up to 2,000; else about m / 500, a power of 2 in [64, 1024].

    >>> default_batch_size(1797), default_batch_size(20_000), default_batch_size(10**7)
    (1797, 64, 1024)
    """
    if m <= WHOLE_SET:
        return m
    return int(np.clip(2 ** round(np.log2(m / 500)), 64, 1024))


def steps_per_epoch(m: int, batch_size: int) -> int:
    """Return the number of steps per epoch, ⌈m / batch_size⌉: no example is left out."""
    return -(-m // batch_size)


def padded(m: int) -> int:
    """Round m up slightly, to one of sixteen sizes between consecutive powers of two.

    Data sets of nearly the same size then share one compiled program.

    >>> padded(209), padded(1000), padded(60_001)
    (216, 1024, 61440)
    """
    step = max(8, 2 ** (max(m, 1).bit_length() - 5))
    return -(-m // step) * step


def epoch_order(
    m: int, batch_size: int, *, seed: int, epoch: int, short_last: bool = False
) -> np.ndarray:
    """Return the row numbers (steps, batch_size) of one epoch: a permutation of all examples.

    The permutation is `np.random.default_rng((seed, epoch)).permutation(m)` in int32; the first
    batch has its first row numbers, and so on. Unless `short_last`, a smaller last batch is
    avoided: 148 examples in batches of at most 64 are split into 50, 49 and 49. (The course notes'
    64, 64 and 20 would spend a whole step on 20 examples; docs/experiments.md measures the cost.)
    Unused slots hold m, the number of a padding row that has no effect.

    >>> [int((rows < 5).sum()) for rows in epoch_order(5, 3, seed=0, epoch=0)]
    [3, 2]
    >>> [int((rows < 9).sum()) for rows in epoch_order(9, 4, seed=0, epoch=0, short_last=True)]
    [4, 4, 1]
    """
    order = np.random.default_rng((seed, epoch)).permutation(np.arange(m, dtype=np.int32))
    return in_batches(order, batch_size, short_last=short_last)


def in_batches(order: np.ndarray, batch_size: int, *, short_last: bool = False) -> np.ndarray:
    """Divide row numbers (m,) into batches (steps, batch_size), as `epoch_order` does."""
    m = len(order)
    steps = steps_per_epoch(m, batch_size)
    sizes = m // steps + (np.arange(steps) < m % steps)
    if short_last:
        sizes = np.minimum(batch_size, m - batch_size * np.arange(steps))
    table = np.full((steps, batch_size), m, np.int32)
    table[np.arange(batch_size) < sizes[:, None]] = order
    return table


def random_mini_batches(m: int, batch_size: int, *, seed: int, epoch: int = 0) -> Iterator:
    """Yield the row numbers of the notes' mini-batches for your own loop; the last may be smaller.

    They are those of `fit(…, short_last_batch=True)` in this epoch, which counts from 0.

    >>> [len(rows) for rows in random_mini_batches(148, 64, seed=0)]
    [64, 64, 20]
    """
    for rows in epoch_order(m, batch_size, seed=seed, epoch=epoch, short_last=True):
        yield rows[rows < m]
