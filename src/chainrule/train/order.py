"""The order of the examples: which rows each step uses, shuffled while the device works."""

from typing import Protocol

import numpy as np

from chainrule.data.batches import epoch_order, steps_per_epoch

TABLE_ENTRIES = 2**18
MAX_STEPS = 8192


class Draw(Protocol):
    """A sampling of steps other than shuffling all examples: see `verification_order.py`."""

    batch_size: int
    steps_per_epoch: int

    def epoch(self, *, seed: int, epoch: int) -> np.ndarray:
        """Return row numbers (steps, batch_size), determined by seed and epoch; m is padding."""
        ...

    def words(self) -> dict[str, int]:
        """Return what identifies this sampling, to check it when a training is resumed."""
        ...


class Order:
    """The mini-batches of m examples for every epoch, a pure function of the seed."""

    def __init__(
        self,
        m: int,
        batch_size: int,
        seed: int,
        longest: int = MAX_STEPS,
        draw: Draw | None = None,
    ):
        self.m, self.batch_size, self.seed, self.draw = m, batch_size, seed, draw
        self.whole = draw is None and batch_size == m
        S = steps_per_epoch(m, batch_size) if draw is None else draw.steps_per_epoch
        self.steps_per_epoch = S
        self.longest = min(longest, max(1, TABLE_ENTRIES // batch_size))
        self.epochs: dict[int, np.ndarray] = {}

    def table(self, first: int, n: int) -> np.ndarray:
        """Return the rows of n steps from step `first`, in a table whose size never changes."""
        self.prepare(first, n)
        table = np.empty((self.longest, self.batch_size), np.int32)
        filled = 0
        while filled < n:
            epoch, i = divmod(first + filled, self.steps_per_epoch)
            steps = self.epochs[epoch][i : i + n - filled]
            table[filled : filled + len(steps)] = steps
            filled += len(steps)
        return table

    def prepare(self, first: int, n: int) -> None:
        """Shuffle the epochs that these steps need, and discard earlier ones."""
        if self.whole:
            return
        S = self.steps_per_epoch
        self.epochs = {e: order for e, order in self.epochs.items() if e >= first // S}
        for epoch in range(first // S, (first + n - 1) // S + 1):
            if epoch not in self.epochs:
                self.epochs[epoch] = self._shuffle(epoch)

    def _shuffle(self, epoch: int) -> np.ndarray:
        if self.draw is not None:
            return self.draw.epoch(seed=self.seed, epoch=epoch)
        return epoch_order(self.m, self.batch_size, seed=self.seed, epoch=epoch)
