"""Store decoded images in a temporary file: written once, then read row by row.

Pages read from a file count as the system's cache, not as memory of this process, unlike those of a
memory-mapped file. The file has no name, so it disappears with the process, however that ends. If
the disk is too full, images are decoded again each time: slower, but with the same memory limit.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

LARGE = Path("/var/tmp")
"""Folder for large temporary files on Linux and macOS: /tmp is often held in memory."""
SPARE = 2**30
"""Bytes of disk space that stay free."""


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
        """Return whether the pixels are stored, so that no image is decoded twice."""
        return self._file is not None

    def put(self, row: int, pixels: np.ndarray) -> None:
        """Store the pixels of an image, if there is room."""
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
    """Return the folders to try: TMPDIR if it is set, else those of the system."""
    usual = Path(tempfile.gettempdir())
    return (usual,) if "TMPDIR" in os.environ or not LARGE.is_dir() else (LARGE, usual)
