"""Read IDX files, gzipped or not: the format of MNIST and Fashion-MNIST.

A file consists of a four-byte magic number (0, 0, data type, number of dimensions), each dimension
as a big-endian integer, and the values. Images and labels are separate files, whose names differ in
`images` and `labels`, `idx3` and `idx1`.
"""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from chainrule.data.arrays import check_finite
from chainrule.data.dataset import Dataset
from chainrule.data.files import digest_of
from chainrule.errors import DataError
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory
from chainrule.host.reading import check_regular

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
NAME = re.compile(r"idx\d-?u?byte", re.IGNORECASE)
GZIP_MAGIC = b"\x1f\x8b"


def is_idx(path: Path) -> bool:
    """Return True for an IDX file, recognised by its name or its first bytes."""
    if NAME.search(path.name):
        return True
    try:
        with opened(path) as file:
            magic = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in TYPES and 0 < magic[3] < 5


def read_idx(path: Path, *, labelled: bool = True) -> Dataset:
    """Read the images of an IDX file, with the labels from the file of the matching name."""
    X = read_array(path)
    if X.ndim == 1:
        raise DataError(
            str(path),
            "a file of images, with at least two dimensions",
            count_of(len(X), "label"),
            f"{renamed(path, 'labels', 'images', 'idx3')}, with the labels in the same folder",
        )
    labels = find_labels(path)
    if labels is None:
        if not labelled:
            return Dataset(str(path), X, digest=digest_of([path]))
        raise DataError(
            str(path),
            f"its labels in {renamed(path, 'images', 'labels', 'idx1')}",
            "no such file",
            "putting both files into one folder",
        )
    y = read_array(labels)
    if y.ndim != 1 or len(y) != len(X):
        raise DataError(
            str(labels),
            f"{count_of(len(X), 'label')}, one for each image of {path.name}",
            count_of(len(y), "label") if y.ndim == 1 else f"an array of shape {y.shape}",
            "the labels that belong to these images",
        )
    return Dataset(str(path), X, y, digest=digest_of([path, labels]))


def read_array(path: Path) -> np.ndarray:
    """Read one IDX file; the bytes are not copied again after reading."""
    held = check_regular(path)
    zipped = is_gzipped(path)
    try:
        with opened(path) as file:
            dtype, shape = read_header(path, file)
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            check_memory(str(path), size, "a smaller file")
            raw = file.read(size + 1 if zipped else max(0, min(size, held - file.tell())) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "a complete gzip file", str(error)) from error
    if len(raw) != size:
        got = f"{len(raw)}" if len(raw) < size else "more"
        raise damaged(path, f"{size} bytes after the header, for shape {shape}", got)
    values = np.frombuffer(raw, dtype).reshape(shape)
    values = values.astype(dtype.newbyteorder("="), copy=False)
    check_finite(str(path), values)
    return values


def read_header(path: Path, file) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the dtype and the shape, read from the header."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 0 < magic[3] < 5:
        raise DataError(
            str(path),
            "an IDX file, which begins with 0, 0, a data type (8: bytes), the number of dimensions",
            f"{list(magic)}",
            "downloading the original file",
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise damaged(path, f"{4 * magic[3]} bytes for {magic[3]} dimensions", f"{len(sizes)}")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    if 0 in shape:
        raise damaged(path, "at least one example", f"the shape {shape}")
    return np.dtype(TYPES[magic[2]]), shape


def opened(path: Path):
    """Open the file, decompressing it if it begins like a gzip file, whatever its name."""
    return gzip.open(path) if is_gzipped(path) else open(path, "rb")


def is_gzipped(path: Path) -> bool:
    """Return whether a file begins like a gzip file."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP_MAGIC


def find_labels(path: Path) -> Path | None:
    """Find the file of labels in the folder of a file of images, with or without .gz."""
    labels_path = renamed(path, "images", "labels", "idx1")
    if labels_path.name == path.name:
        return None
    plain = labels_path.with_name(labels_path.name.removesuffix(".gz"))
    tries = [labels_path, plain, plain.with_name(plain.name + ".gz")]
    return next((candidate for candidate in tries if candidate.is_file()), None)


def renamed(path: Path, old: str, new: str, idx: str) -> Path:
    """Return the path with `old` replaced: train-images-idx3-ubyte, train-labels-idx1-ubyte."""
    return path.with_name(re.sub(r"idx\d", idx, path.name.replace(old, new)))


def damaged(path: Path, expected: str, got: str) -> DataError:
    """Return the error for a truncated or damaged file."""
    return DataError(str(path), expected, got, "copying or downloading the file again")
