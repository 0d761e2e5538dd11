"""Supply the rows of each step: all on the device, or read from disk one chunk ahead.

    InMemory     all rows are put on the device once; a table lists the rows of each step
    FromDisk     the device holds the rows of the next steps, in their order, while a thread reads
                 the chunk after that

A step sees the same numbers in the same order either way. An error while a chunk is read is raised
when that chunk is needed.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jaxtyping import Array

from chainrule.data.batches import padded
from chainrule.data.streamed import as_bytes, is_streamed
from chainrule.train.epochs import Pixels, Rows
from chainrule.train.examples import Examples, on_device
from chainrule.train.order import MAX_STEPS, Draw, Order
from chainrule.train.step import Batch

CHUNK_BYTES = 2**25
"""The size of the chunk of rows on the device; the next chunk takes as much again."""


class Supply(Protocol):
    """The rows of the steps, in their order; to be used in a `with` block."""

    order: Order

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Return rows, and a table of which rows each of the n steps from `first` uses."""
        ...

    def most(self, first: int) -> int:
        """Return the most steps from `first` that one call may run."""
        ...

    def prepare(self, first: int, n: int) -> None:
        """Prepare these steps as far as possible while the device works."""
        ...

    def batch(self, step: int) -> Batch:
        """Return the examples of one step."""
        ...

    def sample(self, count: int) -> tuple[Rows, int]:
        """Return rows that begin with the first `count` training examples, and their number."""
        ...

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: object) -> None: ...


def supply_of(
    train: Examples, batch_size: int, total_steps: int, seed: int, draw: Draw | None = None
) -> Supply:
    """Return the supply for rows in memory, or for streamed rows unless each step uses them all."""
    if is_streamed(train.X) and batch_size < len(train.X):
        return FromDisk(train, batch_size, total_steps, seed, draw)
    return InMemory(train, batch_size, seed, draw)


class InMemory:
    """All rows on the device, with a row of weight 0 for padding."""

    def __init__(self, train: Examples, batch_size: int, seed: int, draw: Draw | None = None):
        self.m = len(train.X)
        self.order = Order(self.m, batch_size, seed, MAX_STEPS, draw)
        self.whole = self.order.whole
        self.rows = on_device(train, padded(self.m if self.whole else self.m + 1))

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Return all rows and the table of these steps; no table if each step uses all rows."""
        return self.rows, None if self.whole else jax.device_put(self.order.table(first, n))

    def most(self, first: int) -> int:
        """Return the number of steps in a table."""
        return 2**30 if self.whole else self.order.longest

    def prepare(self, first: int, n: int) -> None:
        """Shuffle the epochs of these steps."""
        self.order.prepare(first, n)

    def batch(self, step: int) -> Batch:
        """Return the rows that the table lists for this step."""
        return self.rows.batch(None if self.whole else self.order.table(step, 1)[0])

    def sample(self, count: int) -> tuple[Rows, int]:
        """Return all rows."""
        return self.rows, self.m

    def __enter__(self) -> "InMemory":
        """Return the supply; there is nothing to open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing; there is nothing to close."""


class Chunk(NamedTuple):
    """The rows of the steps from `first` up to `end`, on the device, in their order."""

    first: int
    end: int
    rows: Rows


class FromDisk:
    """Rows streamed from disk: one chunk on the device, the next one being read."""

    def __init__(
        self,
        train: Examples,
        batch_size: int,
        total_steps: int,
        seed: int,
        draw: Draw | None = None,
    ):
        X, Y, weights = train
        pixels = as_bytes(X)
        self.are_pixels, self.X = pixels is not None, X if pixels is None else pixels
        self.m, self.batch_size, self.total_steps = len(X), batch_size, total_steps
        nothing = np.zeros((1, *Y.shape[1:]), Y.dtype)
        self.Y = np.concatenate([Y, nothing])
        weights = np.asarray(weights)
        self.weights = np.concatenate([weights, np.zeros(1, weights.dtype)])
        step = batch_size * self.X[:1].nbytes
        longest = max(1, min(total_steps, CHUNK_BYTES // step))
        self.order = Order(self.m, batch_size, seed, longest, draw)
        self.current: Chunk | None = None
        self.pending: tuple[int, Future] | None = None
        self.thread = ThreadPoolExecutor(1)

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Return the chunk that holds these steps, and the places of their rows in it."""
        chunk = self._chunk(first)
        place = (first - chunk.first) * self.batch_size
        table = place + np.arange(self.order.longest * self.batch_size, dtype=np.int32)
        return chunk.rows, jax.device_put(table.reshape(-1, self.batch_size))

    def most(self, first: int) -> int:
        """Return the number of steps to the end of the chunk."""
        if self.current is not None and self.current.first <= first < self.current.end:
            return self.current.end - first
        return min(self.order.longest, self.total_steps - first)

    def prepare(self, first: int, n: int) -> None:
        """Start reading the chunk after the current one."""
        if self.current is not None and self.current.end < self.total_steps:
            self._start_reading(self.current.end)

    def batch(self, step: int) -> Batch:
        """Read the rows of this step separately."""
        return self._read(self.order.table(step, 1)[:1]).batch()

    def sample(self, count: int) -> tuple[Rows, int]:
        """Read the first `count` rows separately."""
        index = np.arange(min(count, self.m))
        return self._read(index), len(index)

    def __enter__(self) -> "FromDisk":
        """Return the supply; the reading thread starts with the first chunk."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the reading thread, and discard the chunk that it is reading."""
        self.thread.shutdown(wait=True, cancel_futures=True)
        self.current = self.pending = None

    def _chunk(self, first: int) -> Chunk:
        """Return the chunk with this step: the current one, the one being read, or a new one."""
        if self.current is not None and self.current.first <= first < self.current.end:
            return self.current
        # Freed before waiting for the next chunk, so that there are never three.
        self.current = None
        self._start_reading(first)
        assert self.pending is not None
        (_, future), self.pending = self.pending, None
        chunk = self.current = future.result()
        return chunk

    def _start_reading(self, first: int) -> None:
        """Start reading the chunk that begins at this step, unless it is being read."""
        if self.pending is None or self.pending[0] != first:
            n = min(self.order.longest, self.total_steps - first)
            table = self.order.table(first, n)
            table[n:] = self.m
            self.pending = first, self.thread.submit(self._fetch, first, first + n, table)

    def _fetch(self, first: int, end: int, table: np.ndarray) -> Chunk:
        return Chunk(first, end, self._read(table))

    def _read(self, index: np.ndarray) -> Rows:
        """Read the rows with these numbers in their order; m stands for a row of weight 0."""
        index = index.ravel()
        known = index < self.m
        read = np.asarray(self.X[index[known]])
        if not known.all():
            rows = np.zeros((len(index), *read.shape[1:]), read.dtype)
            rows[known] = read
            read = rows
        numbers = read if self.are_pixels else read.astype(self.weights.dtype, copy=False)
        X: Any = jax.device_put(numbers)
        X = Pixels(X) if self.are_pixels else X
        return Rows(X, jax.device_put(self.Y[index]), jax.device_put(self.weights[index]))
