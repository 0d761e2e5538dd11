"""Arrays whose rows stay on disk until they are needed.

    X[3]                 one row, as an array
    X[2:5], X[rows]      these rows, still unread
    np.asarray(X[2:5])   these rows, read into an array

Selecting rows therefore takes no memory, and computations read as many rows at a time as fit
(`blocks`). NumPy functions read all rows implicitly.

Decoded images are stored in a temporary file (`PixelStore`), written once and then read row by row.
Pages read from a file count as the system's cache, not as memory of this process, unlike those of a
memory-mapped file. The file has no name, so it disappears with the process, however that ends. If
the disk is too full, images are decoded again each time: slower, but with the same memory limit.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from threading import Lock
from typing import IO, Any, Protocol

import numpy as np

from chainrule.data.scaling import Normalizer
from chainrule.data.sequences import join_rows
from chainrule.host.machine import check_memory

BLOCK_BYTES = 2**24
SAMPLE_BYTES, FEW, AT_A_TIME = 2**26, 100, 256


class Reader(Protocol):
    """A source of rows that are read by number, with their count, shape and dtype."""

    count: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def read(self, index: np.ndarray) -> np.ndarray: ...


class Streamed:
    """The rows of a reader, in the order of `index`; behaves like an array (m, …)."""

    def __init__(self, reader: Reader, index: np.ndarray | None = None):
        self.reader = reader
        self.index = np.arange(reader.count) if index is None else index

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape (m, …), as NumPy does."""
        return (len(self), *self.reader.shape)

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """Return the dtype of the values."""
        return self.reader.dtype

    @property
    def nbytes(self) -> int:
        """Return the number of bytes that all rows would occupy in memory."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def hashes(self) -> np.ndarray | None:
        """Return a hash of each row's bytes, or None if no hashes are stored."""
        known = getattr(self.reader, "hashes", None)
        return None if known is None else known[self.index]

    def __getitem__(self, key: Any) -> Any:
        """Return one row as an array, or several rows, unread."""
        if isinstance(key, tuple):
            raise IndexError("select the rows first: np.asarray(X[rows])[:, columns]")
        index = self.index[key]
        if np.ndim(index) == 0:
            return self.reader.read(index[None])[0]
        return Streamed(self.reader, index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all rows; refuse if they do not fit into memory."""
        if copy is False:
            raise ValueError("reading rows always creates a new array")
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        check_memory("the images", self.nbytes, "a smaller image size, or fewer images")
        out = np.empty(self.shape, dtype)
        for rows in self.blocks():
            out[rows] = self.reader.read(self.index[rows])
        return out

    def blocks(self) -> Iterator[slice]:
        """Yield slices of consecutive rows, about BLOCK_BYTES each."""
        row = max(1, int(np.prod(self.reader.shape)) * self.dtype.itemsize)
        step = max(1, BLOCK_BYTES // row)
        return (slice(i, i + step) for i in range(0, len(self), step))


class Stacked:
    """The concatenated rows of several arrays or readers."""

    def __init__(self, parts: Sequence[Any]):
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])
        self.count = int(self.ends[-1])
        self.shape, self.dtype = parts[0].shape[1:], np.result_type(*(p.dtype for p in parts))

    def read(self, index: np.ndarray) -> np.ndarray:
        """Read each row from the array that holds it."""
        out = np.empty((len(index), *self.shape), self.dtype)
        part = np.searchsorted(self.ends, index, side="right")
        for k in np.unique(part):
            in_part = part == k
            out[in_part] = self.parts[k][index[in_part] - (self.ends[k] - len(self.parts[k]))]
        return out


class InColour:
    """Grey images whose channel is repeated three times, for a network for colour images."""

    def __init__(self, grey: Streamed):
        self.grey, self.count, self.dtype = grey, len(grey), grey.dtype
        self.shape = (*grey.shape[1:], 3)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Read the rows with these numbers, and repeat their grey channel three times."""
        return np.repeat(np.asarray(self.grey[index])[..., None], 3, axis=-1)


class Scaled:
    """Images as network inputs: rows (n_x,) in float32, normalised as in training.

    If the normalisation is a division by 255, `as_bytes` gives the rows before it: a quarter of the
    bytes to transfer to the device.
    """

    def __init__(self, images: Streamed, inputs: Normalizer):
        self.images, self.inputs = images, inputs
        self.count, self.dtype = len(images), np.dtype(np.float32)
        self.shape = (int(np.prod(images.shape[1:])),)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Read and normalise the rows with these numbers."""
        return self.inputs.apply(np.asarray(self.images[index])).reshape(len(index), -1)

    @property
    def are_pixels(self) -> bool:
        """Return whether a row consists of bytes divided by 255."""
        divided = self.inputs.kind == "pixels" and float(self.inputs.scale) == 255
        return divided and self.images.dtype == np.uint8


class Bytes:
    """The rows of `Scaled` before the division by 255."""

    def __init__(self, scaled: Scaled):
        self.images, self.count, self.shape = scaled.images, scaled.count, scaled.shape
        self.dtype = np.dtype(np.uint8)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Read the bytes of the rows with these numbers."""
        return np.asarray(self.images[index]).reshape(len(index), -1)


def is_streamed(X: Any) -> bool:
    """Return whether the rows of X are read on demand."""
    return isinstance(X, Streamed)


def scaled_rows(X: Streamed, inputs: Normalizer) -> Streamed:
    """Return images as normalised rows, still unread."""
    return Streamed(Scaled(X, inputs))


def as_bytes(X: Streamed) -> Streamed | None:
    """Return normalised rows as the bytes they were divided from, or None if they were not."""
    reader = X.reader
    if isinstance(reader, Scaled) and reader.are_pixels:
        return Streamed(Bytes(reader), X.index)
    if isinstance(reader, Stacked):
        parts = [as_bytes(part) if is_streamed(part) else None for part in reader.parts]
        return None if None in parts else Streamed(Stacked(parts), X.index)
    return None


def rows_that_fit(X: Any, most: int, size: int = SAMPLE_BYTES) -> int:
    """Return how many rows of float32 fit into `size` bytes, but at least FEW, at most `most`."""
    return int(np.clip(size // (4 * max(1, int(np.prod(X.shape[1:])))), FEW, most))


def sample_rows(X: Any, size: int = SAMPLE_BYTES) -> np.ndarray:
    """Return evenly spaced rows, or all of them if they fit into `size` bytes."""
    return np.asarray(X[:: -(-len(X) // rows_that_fit(X, max(1, len(X)), size))])


def thin_columns(X: Any, index: np.ndarray, most: int = 2048) -> np.ndarray:
    """Return these rows of X (m, n_x), reduced to at most `most` evenly spaced columns."""
    step = -(-X.shape[1] // most)
    ends = range(0, max(1, len(index)), AT_A_TIME)
    return np.concatenate([np.asarray(X[index[i : i + AT_A_TIME]])[:, ::step] for i in ends])


def repeat_grey_channel(X: Any) -> Any:
    """Repeat the channel of grey images (m, n_H, n_W) three times; streamed rows stay unread."""
    return Streamed(InColour(X)) if is_streamed(X) else np.repeat(X[..., None], 3, axis=-1)


def stack_rows(parts: Sequence[Any]) -> Any:
    """Concatenate rows; the result is unread if any of the inputs is."""
    if any(map(is_streamed, parts)):
        return Streamed(Stacked(parts))
    return reduce(join_rows, parts)


# Decoded images in a temporary file

LARGE = Path("/var/tmp")
"""Folder for large temporary files on Linux and macOS: /tmp is often held in memory."""
SPARE = 2**30
"""The number of bytes of disk space that are kept free."""


class PixelStore:
    """Images of one shape, by index; `decode` returns the pixels of one image.

    It is thread-safe. `hashes` holds a number for each image, equal for equal pixels.
    """

    def __init__(self, count: int, shape: tuple[int, ...], decode: Callable[[int], np.ndarray]):
        self.count, self.shape, self.dtype = count, shape, np.dtype(np.uint8)
        self.hashes = np.zeros(count, np.uint64)
        self._decode, self._bytes, self._lock = decode, int(np.prod(shape)), Lock()
        self._file = temporary_file(count * self._bytes)
        if self._file is not None:
            weakref.finalize(self, self._file.close)

    @property
    def on_disk(self) -> bool:
        """Return whether the pixels are stored on disk, so that each image is decoded only once."""
        return self._file is not None

    def put(self, row: int, pixels: np.ndarray) -> None:
        """Store the pixels of an image, if there is enough space on the disk."""
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.seek(row * self._bytes)
                if self._file.write(np.ascontiguousarray(pixels).data.cast("B")) < self._bytes:
                    raise OSError("the disk is full")
            except OSError:
                self._file.close()
                self._file = None

    def read(self, index: np.ndarray) -> np.ndarray:
        """Return the images with these indices, (len(index), *shape) in bytes."""
        out = np.empty((len(index), *self.shape), np.uint8)
        if self._file is None:
            with ThreadPoolExecutor() as pool:
                for place, pixels in enumerate(pool.map(self._decode, index.tolist())):
                    out[place] = pixels
            return out
        rows = out.reshape(len(index), -1)
        for place in np.argsort(index, kind="stable"):  # sequential reads are faster
            self._fill(rows[place], int(index[place]))
        return out

    def _fill(self, buffer: np.ndarray, row: int) -> None:
        """Read the pixels of an image into a buffer."""
        with self._lock:
            file = self._file
            assert file is not None
            file.seek(row * self._bytes)
            if file.readinto(buffer.data) < self._bytes:  # pyright: ignore[reportAttributeAccessIssue]
                raise OSError(f"the temporary file ends before image {row}")


def temporary_file(size: int) -> IO[bytes] | None:
    """Open an unnamed file on a disk with room for `size` bytes; None if there is none."""
    for folder in folders():
        try:
            if shutil.disk_usage(folder).free >= size + SPARE:
                return tempfile.TemporaryFile(buffering=0, dir=folder)
        except OSError:
            continue
    return None


def folders() -> Sequence[Path]:
    """Return the folders in which to try to create temporary files, TMPDIR first if it is set."""
    usual = Path(tempfile.gettempdir())
    return (usual,) if "TMPDIR" in os.environ or not LARGE.is_dir() else (LARGE, usual)
