"""Where the rows of each step come from: all on the device, or read a chunk ahead of it.

    InMemory     the rows are put on the device once; a table says which of them a step sees
    FromDisk     the device holds the rows of the next steps, in their order, and the chunk after
                 that is read by a thread meanwhile

A step sees the same numbers either way, in the same order. What goes wrong while a chunk is read
is raised where that chunk is needed.
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
"""Of the rows that are on the device at a time; as many are on their way."""


class Supply(Protocol):
    """The rows of the steps, in their order; to be closed with `with`."""

    order: Order

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Rows, and which of them the steps `first` … `first` + n − 1 see: a line for each."""
        ...

    def most(self, first: int) -> int:
        """How many steps from `first` on one call may run."""
        ...

    def prepare(self, first: int, n: int) -> None:
        """What can be done for these steps while the device works."""
        ...

    def batch(self, step: int) -> Batch:
        """The examples of one step."""
        ...

    def sample(self, count: int) -> tuple[Rows, int]:
        """Rows that begin with the first `count` of the training set, and how many there are."""
        ...

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: object) -> None: ...


def supply_of(
    train: Examples, batch_size: int, total_steps: int, seed: int, draw: Draw | None = None
) -> Supply:
    """Of rows in memory, or of rows that are read; steps that see all rows have them all there."""
    if is_streamed(train.X) and batch_size < len(train.X):
        return FromDisk(train, batch_size, total_steps, seed, draw)
    return InMemory(train, batch_size, seed, draw)


class InMemory:
    """All rows on the device, and one more that counts nothing."""

    def __init__(self, train: Examples, batch_size: int, seed: int, draw: Draw | None = None):
        self.m = len(train.X)
        self.order = Order(self.m, batch_size, seed, MAX_STEPS, draw)
        self.whole = self.order.whole
        self.rows = on_device(train, padded(self.m if self.whole else self.m + 1))

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """All rows, and the table of these steps; none where a step sees them all."""
        return self.rows, None if self.whole else jax.device_put(self.order.table(first, n))

    def most(self, first: int) -> int:
        """As many as a table has lines."""
        return 2**30 if self.whole else self.order.longest

    def prepare(self, first: int, n: int) -> None:
        """Shuffle."""
        self.order.prepare(first, n)

    def batch(self, step: int) -> Batch:
        """By its line of the table."""
        return self.rows.batch(None if self.whole else self.order.table(step, 1)[0])

    def sample(self, count: int) -> tuple[Rows, int]:
        """All of them."""
        return self.rows, self.m

    def __enter__(self) -> "InMemory":
        """Nothing to open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""


class Chunk(NamedTuple):
    """The rows of the steps from `first` up to `end`, on the device, in their order."""

    first: int
    end: int
    rows: Rows


class FromDisk:
    """A chunk on the device, the next one on its way."""

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
        self.here: Chunk | None = None
        self.coming: tuple[int, Future] | None = None
        self.thread = ThreadPoolExecutor(1)

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """The chunk that holds these steps, and their places in it; the next is sent for."""
        chunk = self._chunk(first)
        place = (first - chunk.first) * self.batch_size
        table = place + np.arange(self.order.longest * self.batch_size, dtype=np.int32)
        return chunk.rows, jax.device_put(table.reshape(-1, self.batch_size))

    def most(self, first: int) -> int:
        """To the end of the chunk."""
        if self.here is not None and self.here.first <= first < self.here.end:
            return self.here.end - first
        return min(self.order.longest, self.total_steps - first)

    def prepare(self, first: int, n: int) -> None:
        """Send for the chunk after the one that is here."""
        if self.here is not None and self.here.end < self.total_steps:
            self._send_for(self.here.end)

    def batch(self, step: int) -> Batch:
        """Read by itself."""
        return self._read(self.order.table(step, 1)[:1]).batch()

    def sample(self, count: int) -> tuple[Rows, int]:
        """The first of them, read by themselves."""
        index = np.arange(min(count, self.m))
        return self._read(index), len(index)

    def __enter__(self) -> "FromDisk":
        """The thread starts with the first chunk."""
        return self

    def __exit__(self, *error: object) -> None:
        """The thread ends; what it reads just now is let go of."""
        self.thread.shutdown(wait=True, cancel_futures=True)
        self.here = self.coming = None

    def _chunk(self, first: int) -> Chunk:
        """The chunk with this step: the one that is here, the one on its way, or another."""
        if self.here is not None and self.here.first <= first < self.here.end:
            return self.here
        self.here = None  # before the next is waited for: never three of them
        self._send_for(first)
        assert self.coming is not None
        (_, future), self.coming = self.coming, None
        chunk = self.here = future.result()
        return chunk

    def _send_for(self, first: int) -> None:
        """Have the chunk from this step on read, unless it is on its way."""
        if self.coming is None or self.coming[0] != first:
            n = min(self.order.longest, self.total_steps - first)
            table = self.order.table(first, n)
            table[n:] = self.m
            self.coming = first, self.thread.submit(self._fetch, first, first + n, table)

    def _fetch(self, first: int, end: int, table: np.ndarray) -> Chunk:
        return Chunk(first, end, self._read(table))

    def _read(self, index: np.ndarray) -> Rows:
        """The rows of these numbers in their order; m stands for one that counts nothing."""
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
