"""Decoded pictures in a temporary file: written once, read again row by row, never all in memory.

What is read from a file counts as the system's cache and not as ours, which a mapped file would.
The file has no name, so it is gone when the process is, however that ends. Where the disk has no
room for it, pictures are decoded again whenever they are needed: slower, and as bounded.
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
"""Where Linux and macOS keep large temporary files: /tmp is often a piece of the memory."""
SPARE = 2**30
"""Bytes of the disk that are left to others."""


class PixelStore:
    """Pictures of one shape, by their number; `decode` gives the pixels of one.

    Safe from several threads. `hashes` are a number for each picture, equal where its pixels are.
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
        """Whether the pixels are kept, so that nothing is decoded twice."""
        return self._file is not None

    def put(self, row: int, pixels: np.ndarray) -> None:
        """Keep the pixels of a picture, where there is room."""
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
        """(len(index), *shape) of bytes."""
        out = np.empty((len(index), *self.shape), np.uint8)
        if self._file is None:
            with ThreadPoolExecutor() as pool:
                for place, pixels in enumerate(pool.map(self._decode, index.tolist())):
                    out[place] = pixels
            return out
        rows = out.reshape(len(index), -1)
        for place in np.argsort(index, kind="stable"):  # a disk is faster in one direction
            self._fill(rows[place], int(index[place]))
        return out

    def _fill(self, room: np.ndarray, row: int) -> None:
        with self._lock:
            file = self._file
            assert file is not None
            file.seek(row * self._bytes)
            if file.readinto(room.data) < self._bytes:  # pyright: ignore[reportAttributeAccessIssue]
                raise OSError(f"the temporary file ends before picture {row}")


def temporary_file(size: int) -> IO[bytes] | None:
    """An open file without a name, on a disk that has room for `size` bytes; None without one."""
    for folder in folders():
        try:
            if shutil.disk_usage(folder).free >= size + SPARE:
                return tempfile.TemporaryFile(buffering=0, dir=folder)
        except OSError:
            continue
    return None


def folders() -> Sequence[Path]:
    """Where to look for room: as the user says (TMPDIR), else the system's."""
    usual = Path(tempfile.gettempdir())
    return (usual,) if "TMPDIR" in os.environ or not LARGE.is_dir() else (LARGE, usual)
