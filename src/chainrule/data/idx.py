"""IDX, the format of MNIST and Fashion-MNIST, gzipped or not.

Four bytes of magic (0, 0, the type, how many dimensions), each dimension as a big-endian integer,
then the values. Images and labels are two files, whose names differ in `images` and `labels`,
`idx3` and `idx1`.
"""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from chainrule.data.files import digest_of
from chainrule.data.named_arrays import check_finite
from chainrule.data.source import Source
from chainrule.errors import DataError
from chainrule.memory import check_memory

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
NAME = re.compile(r"idx\d-?u?byte", re.IGNORECASE)
GZIP_MAGIC = b"\x1f\x8b"


def is_idx(path: Path) -> bool:
    """True by the name or by the first bytes."""
    if NAME.search(path.name):
        return True
    try:
        with opened(path) as file:
            magic = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in TYPES and 0 < magic[3] < 5


def read_idx(path: Path, *, labelled: bool = True) -> Source:
    """The images of an IDX file, with the labels of the file that is named like it."""
    X = read_array(path)
    if X.ndim == 1:
        raise DataError(
            str(path),
            "a file of images, of two dimensions or more",
            f"{len(X)} labels",
            f"{renamed(path, 'labels', 'images', 'idx3')}, with the labels beside it",
        )
    labels = find_labels(path)
    if labels is None:
        if not labelled:
            return Source(str(path), X, digest=digest_of([path]))
        raise DataError(
            str(path),
            f"its labels beside it, {renamed(path, 'images', 'labels', 'idx1')}",
            "no such file",
            "putting both into one folder",
        )
    y = read_array(labels)
    if y.ndim != 1 or len(y) != len(X):
        raise DataError(
            str(labels),
            f"{len(X)} labels, one for each image of {path.name}",
            f"{len(y)} labels" if y.ndim == 1 else f"an array {y.shape}",
            "the labels that belong to these images",
        )
    return Source(str(path), X, y, digest=digest_of([path, labels]))


def read_array(path: Path) -> np.ndarray:
    """One IDX file. The bytes are not copied once they are out of the file."""
    try:
        with opened(path) as file:
            dtype, shape = read_header(path, file)
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            check_memory(str(path), size, "a smaller file")
            raw = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "a whole gzip file", str(error)) from error
    if len(raw) != size:
        got = f"{len(raw)}" if len(raw) < size else "more"
        raise damaged(path, f"{size} bytes after the header, for {shape}", got)
    values = np.frombuffer(raw, dtype).reshape(shape)
    values = values.astype(dtype.newbyteorder("="), copy=False)
    check_finite(str(path), values)
    return values


def read_header(path: Path, file) -> tuple[np.dtype, tuple[int, ...]]:
    """The type and the shape, from the magic and what follows it."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 0 < magic[3] < 5:
        raise DataError(
            str(path),
            "an IDX file, which begins with 0, 0, a type (8 for bytes), how many dimensions",
            f"{list(magic)}",
            "the file as it was published",
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise damaged(path, f"{magic[3]} dimensions", f"{len(sizes)} bytes for them")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    if 0 in shape:
        raise damaged(path, "at least one example", f"the shape {shape}")
    return np.dtype(TYPES[magic[2]]), shape


def opened(path: Path):
    """The file, through gzip if it begins as gzip does, whatever its name."""
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    return gzip.open(path) if zipped else open(path, "rb")


def find_labels(path: Path) -> Path | None:
    """The file of labels beside a file of images, with or without .gz."""
    beside = renamed(path, "images", "labels", "idx1")
    if beside.name == path.name:
        return None
    plain = beside.with_name(beside.name.removesuffix(".gz"))
    tries = [beside, plain, plain.with_name(plain.name + ".gz")]
    return next((candidate for candidate in tries if candidate.is_file()), None)


def renamed(path: Path, old: str, new: str, idx: str) -> Path:
    """The path with one word for another: train-images-idx3-ubyte, train-labels-idx1-ubyte."""
    return path.with_name(re.sub(r"idx\d", idx, path.name.replace(old, new)))


def damaged(path: Path, expected: str, got: str) -> DataError:
    """What to say of a file that is cut short."""
    return DataError(str(path), expected, got, "copying or downloading the file again")
