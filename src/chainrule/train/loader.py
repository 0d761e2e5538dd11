"""The rows of each training step: their order, how they are supplied, and sampling by identity.

Notes: "Mini-batch gradient descent" (course 2, week 2); "Triplet loss" (course 4, week 4).

`Order` shuffles the examples of every epoch while the device works. A supply provides the rows of
the next steps in this order:

    InMemory     all rows are put on the device once; a table lists the rows of each step
    InBuckets    sequences of similar length are put on the device together, each bucket padded to
                 its own longest; every step uses the rows of one bucket
    FromDisk     the device holds the rows of the next steps, in their order, while a thread reads
                 the chunk after that

A step sees the same numbers in the same order either way. An error while a chunk is read is raised
when that chunk is needed.

`ByIdentity` samples the steps of training an embedding: P identities, with K images of each, since
triplets need several images of a person. A step with P · K images has P · K (K − 1) pairs of anchor
and positive, and (P − 1) K negatives for each. In a round every identity is used once, with K of
its images, if possible images not yet used in the epoch. The order of identities changes every
round, and the last step of a round is filled up with its first identities. An epoch has as many
rounds as are needed to use about as many images as there are; if an identity has more images than
others, some of them are left to the next epoch.
"""

import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jaxtyping import Array

from chainrule.data.batches import epoch_order, in_batches, padded, steps_per_epoch
from chainrule.data.sequences import buckets_of, cut_to_longest, sequences_in
from chainrule.data.streaming import as_bytes, is_streamed
from chainrule.errors import DataError, check_integer
from chainrule.train.epochs import Pixels, Rows
from chainrule.train.examples import Examples, on_device
from chainrule.train.step import Batch

# The order of the examples

TABLE_ENTRIES = 2**18
MAX_STEPS = 8192


class Draw(Protocol):
    """A method of choosing the examples of each step instead of shuffling all of them."""

    batch_size: int
    steps_per_epoch: int

    def epoch(self, *, seed: int, epoch: int) -> np.ndarray:
        """Return row numbers (steps, batch_size), determined by seed and epoch; m is padding."""
        ...

    def words(self) -> dict[str, int]:
        """Return values that identify this sampling, to check them when a run is resumed."""
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
        *,
        short_last: bool = False,
    ):
        self.m, self.batch_size, self.seed, self.draw = m, batch_size, seed, draw
        self.short_last = short_last
        self.whole = draw is None and batch_size == m
        S = steps_per_epoch(m, batch_size) if draw is None else draw.steps_per_epoch
        self.steps_per_epoch = S
        self.longest = min(longest, max(1, TABLE_ENTRIES // batch_size))
        self.epochs: dict[int, np.ndarray] = {}

    def table(self, first: int, n: int) -> np.ndarray:
        """Return the row numbers of the n batches from step `first`, in a table of fixed size."""
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
        return epoch_order(
            self.m, self.batch_size, seed=self.seed, epoch=epoch, short_last=self.short_last
        )


# Supplying the rows of each step

CHUNK_BYTES = 2**25
"""The size of the chunk of rows on the device; the next chunk takes as much again."""


class Supply(Protocol):
    """An object that supplies the rows of the steps in order; it is used in a `with` block."""

    order: Order

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Return rows, and a table of which of them each of the n steps from `first` uses."""
        ...

    def most(self, first: int) -> int:
        """Return the maximum number of steps from `first` on that one call may run."""
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


RUNS = 4
"""The number of parts of each bucket in an epoch: more would mix the lengths better, with more
calls of the compiled programs."""


class BucketOrder(Order):
    """The mini-batches of every epoch, each with examples of one bucket: a function of the seed.

    The permutation of the epoch, that of `epoch_order`, decides which examples of a bucket form its
    batches. The batches of each bucket are divided into up to `RUNS` parts, which are shuffled.
    """

    def __init__(
        self, buckets: Sequence[np.ndarray], batch_size: int, seed: int, *, short_last: bool = False
    ):
        m = sum(map(len, buckets))
        super().__init__(m, batch_size, seed, short_last=short_last)
        self.buckets, self.whole = buckets, False
        self.steps_per_epoch = sum(steps_per_epoch(len(rows), batch_size) for rows in buckets)
        self.home = np.empty(m, np.int32)
        self.place = np.empty(m, np.int32)
        for k, rows in enumerate(buckets):
            self.home[rows], self.place[rows] = k, np.arange(len(rows))
        self.parts: dict[int, np.ndarray] = {}

    def bucket(self, step: int) -> tuple[int, int]:
        """Return the bucket of a step, and the number of steps from it that use this bucket."""
        self.prepare(step, 1)
        epoch, i = divmod(step, self.steps_per_epoch)
        rest = self.parts[epoch][i:]
        other = np.flatnonzero(rest != rest[0])
        return int(rest[0]), int(other[0]) if len(other) else len(rest)

    def _shuffle(self, epoch: int) -> np.ndarray:
        """Return the rows within their bucket of each step; the size of the bucket is padding."""
        rng = np.random.default_rng((self.seed, epoch))
        permutation = rng.permutation(np.arange(self.m, dtype=np.int32))
        tables, kinds = [], []
        for k in range(len(self.buckets)):
            own = self.place[permutation[self.home[permutation] == k]]
            table = in_batches(own, self.batch_size, short_last=self.short_last)
            for part in np.array_split(table, min(RUNS, len(table))):
                tables.append(part)
                kinds.append(np.full(len(part), k))
        order = rng.permutation(len(tables))
        self.parts = {e: kinds for e, kinds in self.parts.items() if e in self.epochs}
        self.parts[epoch] = np.concatenate([kinds[i] for i in order])
        return np.concatenate([tables[i] for i in order])


class InBuckets:
    """All sequences on the device, in buckets of similar length."""

    def __init__(
        self,
        train: Examples,
        buckets: Sequence[np.ndarray],
        batch_size: int,
        seed: int,
        *,
        short_last: bool = False,
    ):
        self.buckets = BucketOrder(buckets, batch_size, seed, short_last=short_last)
        self.order: Order = self.buckets
        parts = (_cut(train.take(rows)) for rows in buckets)
        self.rows = [on_device(part, padded(len(part.X) + 1)) for part in parts]

    def steps(self, first: int, n: int) -> tuple[Rows, Array | None]:
        """Return the rows of the bucket of these steps, and the table of the steps."""
        k, _ = self.buckets.bucket(first)
        return self.rows[k], jax.device_put(self.order.table(first, n))

    def most(self, first: int) -> int:
        """Return the number of steps from `first` on that use the same bucket."""
        return min(self.order.longest, self.buckets.bucket(first)[1])

    def prepare(self, first: int, n: int) -> None:
        """Shuffle the epochs of these steps."""
        self.order.prepare(first, n)

    def batch(self, step: int) -> Batch:
        """Return the rows that the table lists for this step."""
        k, _ = self.buckets.bucket(step)
        return self.rows[k].batch(self.order.table(step, 1)[0])

    def sample(self, count: int) -> tuple[Rows, int]:
        """Return the rows of the largest bucket, and their number."""
        k = int(np.argmax([len(rows) for rows in self.buckets.buckets]))
        return self.rows[k], len(self.buckets.buckets[k])

    def __enter__(self) -> "InBuckets":
        """Return the supply; there is nothing to open."""
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing; there is nothing to close."""


def _cut(part: Examples) -> Examples:
    """Pad sequences to the longest of these only, and labels of steps as the last input."""
    X, Y = cut_to_longest(part.X), part.Y
    if Y.ndim == 2 and Y.dtype.kind == "i":
        Y = Y[:, : sequences_in(X)[-1].shape[1]]
    return part._replace(X=X, Y=Y)


def supply_of(
    train: Examples,
    batch_size: int,
    total_steps: int,
    seed: int,
    draw: Draw | None = None,
    *,
    short_last: bool = False,
) -> Supply:
    """Return the supply for rows in memory, or for streamed rows unless each step uses them all."""
    if is_streamed(train.X) and batch_size < len(train.X):
        return FromDisk(train, batch_size, total_steps, seed, draw, short_last=short_last)
    if sequences_in(train.X) and batch_size < len(train.X) and draw is None:
        buckets = buckets_of(train.X, fewest=batch_size)
        if len(buckets) > 1:
            return InBuckets(train, buckets, batch_size, seed, short_last=short_last)
    return InMemory(train, batch_size, seed, draw, short_last=short_last)


class InMemory:
    """All rows on the device, with a row of weight 0 for padding."""

    def __init__(
        self,
        train: Examples,
        batch_size: int,
        seed: int,
        draw: Draw | None = None,
        *,
        short_last: bool = False,
    ):
        self.m = len(train.X)
        self.order = Order(self.m, batch_size, seed, MAX_STEPS, draw, short_last=short_last)
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
        """Return all rows, which begin with the first `count`, and their number."""
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
        *,
        short_last: bool = False,
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
        self.order = Order(self.m, batch_size, seed, longest, draw, short_last=short_last)
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


# Sampling by identity


@dataclass(frozen=True)
class ByIdentity:
    """Sampling of `people` identities per step (or all, if fewer), with `photos` images of each.

    >>> draw = ByIdentity(people=2, photos=2).of(np.array([0, 0, 0, 0, 7, 7, 7, 7]))
    >>> draw.steps_per_epoch, draw.epoch(seed=0, epoch=0).shape
    (2, (2, 4))
    """

    people: int = 16
    photos: int = 4

    def __post_init__(self):
        for name, value in (("people", self.people), ("photos", self.photos)):
            check_integer(f"ByIdentity({name}=…)", value, 2, f"{name}=4")

    def of(self, identities: np.ndarray) -> "IdentityDraw":
        """Return the sampling for examples with these identities, which are whole numbers."""
        rows = rows_of_identities(identities)
        return IdentityDraw(rows, min(self.people, len(rows)), self.photos)


class IdentityDraw:
    """The steps of each epoch, as a `Draw`."""

    def __init__(self, rows: list[np.ndarray], people: int, photos: int):
        self.rows, self.people, self.photos = rows, people, photos
        self.m = sum(map(len, rows))
        self.batch_size = people * photos
        self.steps_per_round = -(-len(rows) // people)
        self.rounds = -(-self.m // (len(rows) * photos))
        self.steps_per_epoch = self.rounds * self.steps_per_round

    def epoch(self, *, seed: int, epoch: int) -> np.ndarray:
        """Return row numbers (steps, people · photos); m if an identity has too few images."""
        rng = np.random.default_rng((seed, epoch))
        shuffled = [rng.permutation(rows) for rows in self.rows]
        return np.concatenate([self._round(i, shuffled, rng) for i in range(self.rounds)])

    def words(self) -> dict[str, int]:
        """Return people, photos, and a checksum of the identity of each row."""
        digest = zlib.crc32(b"|".join(rows.astype("<i4").tobytes() for rows in self.rows))
        return {"people": self.people, "photos": self.photos, "identities": digest}

    def _round(self, i: int, shuffled: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Return the steps of round i, which use the i-th group of K images of each identity."""
        n = self.steps_per_round * self.people
        order = rng.permutation(len(shuffled))[np.arange(n) % len(shuffled)]
        table = np.full((n, self.photos), self.m, np.int32)
        for place, person in enumerate(order):
            rows = shuffled[person]
            some = np.arange(min(self.photos, len(rows)))
            table[place, some] = rows[(i * self.photos + some) % len(rows)]
        return table.reshape(self.steps_per_round, -1)


def rows_of_identities(identities: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each identity; refuse a single identity, or one with a single image."""
    numbers = np.asarray(identities).ravel()
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
        expected, hint = "whole numbers, one for each identity", "np.unique(…, return_inverse=True)"
        raise DataError("the identities", expected, "fractions, nan or infinity", hint)
    known, codes, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    if len(known) < 2:
        hint = "images of several people"
        raise DataError("the identities", "at least two", f"{len(known)}", hint)
    if counts.min() < 2:
        single = ", ".join(f"{int(number)}" for number in known[counts < 2][:5])
        more = " and others" if (counts < 2).sum() > 5 else ""
        hint = "a second image of each, or leaving them out"
        got = f"a single image of {single}{more}"
        raise DataError("the identities", "at least two images of each", got, hint)
    order = np.argsort(codes, kind="stable").astype(np.int32)
    return np.split(order, np.cumsum(counts)[:-1])
