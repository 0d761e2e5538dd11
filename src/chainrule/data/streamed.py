"""Arrays whose rows stay where they are until somebody asks for them.

    X[3]                 one row, an array
    X[2:5], X[rows]      those rows, again unread
    np.asarray(X[2:5])   those rows, read: an array

So whoever takes a part of the rows takes nothing into memory, and whoever computes with them asks
for so many as there is room for (`blocks`). NumPy's functions read by themselves.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from chainrule.data.normalize import Normalizer
from chainrule.memory import check_memory

BLOCK_BYTES = 2**24
SAMPLE_BYTES, FEW, AT_A_TIME = 2**26, 100, 256


class Reader(Protocol):
    """Rows by their number: how many, the shape and the type of one, and reading some of them."""

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def read(self, index: np.ndarray) -> np.ndarray: ...


class Streamed:
    """Rows of a reader, in the order of `index`; looks like an array (m, …) from outside."""

    def __init__(self, reader: Reader, index: np.ndarray | None = None):
        self.reader = reader
        self.index = np.arange(reader.count) if index is None else index

    def __len__(self) -> int:
        """How many rows."""
        return len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy says it."""
        return (len(self), *self.reader.shape)

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers that are read."""
        return self.reader.dtype

    @property
    def nbytes(self) -> int:
        """What all rows would take."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def hashes(self) -> np.ndarray | None:
        """A number for each row, equal for equal bytes, where that is known without reading."""
        known = getattr(self.reader, "hashes", None)
        return None if known is None else known[self.index]

    def __getitem__(self, key: Any) -> Any:
        """One row, read; or some rows, unread."""
        if isinstance(key, tuple):
            raise IndexError("rows are taken first: np.asarray(X[rows])[:, columns]")
        index = self.index[key]
        if np.ndim(index) == 0:
            return self.reader.read(index[None])[0]
        return Streamed(self.reader, index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows, read; refused where they do not fit."""
        if copy is False:
            raise ValueError("rows that are read are a new array")
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        check_memory("the pictures", self.nbytes, "a smaller image size, or fewer of them")
        out = np.empty(self.shape, dtype)
        for rows in self.blocks():
            out[rows] = self.reader.read(self.index[rows])
        return out

    def blocks(self) -> Iterator[slice]:
        """Consecutive rows, so many at a time as are soon read."""
        row = max(1, int(np.prod(self.reader.shape)) * self.dtype.itemsize)
        step = max(1, BLOCK_BYTES // row)
        return (slice(i, i + step) for i in range(0, len(self), step))


class Stacked:
    """The rows of several, one after the other: arrays, or what is read."""

    def __init__(self, parts: Sequence[Any]):
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])
        self.count = int(self.ends[-1])
        self.shape, self.dtype = parts[0].shape[1:], np.result_type(*(p.dtype for p in parts))

    def read(self, index: np.ndarray) -> np.ndarray:
        """Each row from where it is."""
        out = np.empty((len(index), *self.shape), self.dtype)
        part = np.searchsorted(self.ends, index, side="right")
        for k in np.unique(part):
            mine = part == k
            out[mine] = self.parts[k][index[mine] - (self.ends[k] - len(self.parts[k]))]
        return out


class InColour:
    """Grey pictures as a network of colours takes them: the same plane three times."""

    def __init__(self, grey: Streamed):
        self.grey, self.count, self.dtype = grey, len(grey), grey.dtype
        self.shape = (*grey.shape[1:], 3)

    def read(self, index: np.ndarray) -> np.ndarray:
        """The rows, read and repeated."""
        return np.repeat(np.asarray(self.grey[index])[..., None], 3, axis=-1)


class Scaled:
    """Pictures as a network takes them: rows (n_x,) of float32 on the scale of the training part.

    `as_bytes` are the same rows before the division by 255, where that is the scale: a quarter of
    the bytes on their way to the device.
    """

    def __init__(self, pictures: Streamed, inputs: Normalizer):
        self.pictures, self.inputs = pictures, inputs
        self.count, self.dtype = len(pictures), np.dtype(np.float32)
        self.shape = (int(np.prod(pictures.shape[1:])),)

    def read(self, index: np.ndarray) -> np.ndarray:
        """The rows, read and scaled."""
        return self.inputs.apply(np.asarray(self.pictures[index])).reshape(len(index), -1)

    @property
    def are_pixels(self) -> bool:
        """Whether a row is its bytes over 255."""
        return self.inputs.kind == "pixels" and self.pictures.dtype == np.uint8


class Bytes:
    """The rows of `Scaled` before they are scaled."""

    def __init__(self, scaled: Scaled):
        self.pictures, self.count, self.shape = scaled.pictures, scaled.count, scaled.shape
        self.dtype = np.dtype(np.uint8)

    def read(self, index: np.ndarray) -> np.ndarray:
        """The rows, read."""
        return np.asarray(self.pictures[index]).reshape(len(index), -1)


def is_streamed(X: Any) -> bool:
    """Whether these rows are read when they are asked for."""
    return isinstance(X, Streamed)


def scaled_rows(X: Streamed, inputs: Normalizer) -> Streamed:
    """Pictures as rows of numbers on the network's scale, unread."""
    return Streamed(Scaled(X, inputs))


def as_bytes(X: Streamed) -> Streamed | None:
    """Rows of the network's scale as the bytes that over 255 are these numbers; None without."""
    reader = X.reader
    if isinstance(reader, Scaled) and reader.are_pixels:
        return Streamed(Bytes(reader), X.index)
    if isinstance(reader, Stacked):
        parts = [as_bytes(part) if is_streamed(part) else None for part in reader.parts]
        return None if None in parts else Streamed(Stacked(parts), X.index)
    return None


def rows_that_fit(X: Any, most: int, size: int = SAMPLE_BYTES) -> int:
    """So many rows as are of `size` bytes as float32: some, and `most` at most."""
    return int(np.clip(size // (4 * max(1, int(np.prod(X.shape[1:])))), FEW, most))


def sampled(X: Any, size: int = SAMPLE_BYTES) -> np.ndarray:
    """Rows at even distances, all of them where they fit."""
    return np.asarray(X[:: -(-len(X) // rows_that_fit(X, max(1, len(X)), size))])


def thinned(X: Any, index: np.ndarray, most: int = 2048) -> np.ndarray:
    """These rows of X (m, n_x), and of very many columns so many, at even distances."""
    step = -(-X.shape[1] // most)
    ends = range(0, max(1, len(index)), AT_A_TIME)
    return np.concatenate([np.asarray(X[index[i : i + AT_A_TIME]])[:, ::step] for i in ends])


def in_colour(X: Any) -> Any:
    """Grey pictures (m, n_H, n_W) in three equal colours, read or not as they were."""
    return Streamed(InColour(X)) if is_streamed(X) else np.repeat(X[..., None], 3, axis=-1)


def stacked(parts: Sequence[Any]) -> Any:
    """The rows of several, one after the other: unread if one of them is."""
    return Streamed(Stacked(parts)) if any(map(is_streamed, parts)) else np.concatenate(parts)
