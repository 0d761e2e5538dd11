"""Which rows each step sees: the order of every epoch, made on the host while the device works."""

import numpy as np

from chainrule.data.batches import epoch_order, steps_per_epoch

TABLE_ENTRIES = 2**18
MAX_STEPS = 8192


class Order:
    """The mini-batches of m examples, epoch after epoch, a pure function of the seed."""

    def __init__(self, m: int, batch_size: int, seed: int, longest: int = MAX_STEPS):
        self.m, self.batch_size, self.seed = m, batch_size, seed
        self.whole = batch_size == m
        self.steps_per_epoch = steps_per_epoch(m, batch_size)
        self.longest = min(longest, max(1, TABLE_ENTRIES // batch_size))
        self.epochs: dict[int, np.ndarray] = {}

    def table(self, first: int, n: int) -> np.ndarray:
        """The rows of n steps from step `first` on, in a table that always has the same size."""
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
        """Shuffle the epochs that these steps need, and forget those before."""
        if self.whole:
            return
        S = self.steps_per_epoch
        self.epochs = {e: order for e, order in self.epochs.items() if e >= first // S}
        for epoch in range(first // S, (first + n - 1) // S + 1):
            if epoch not in self.epochs:
                self.epochs[epoch] = epoch_order(
                    self.m, self.batch_size, seed=self.seed, epoch=epoch
                )
