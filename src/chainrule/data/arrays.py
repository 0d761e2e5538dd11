"""Read NumPy .npz files; pickled objects are never loaded."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from chainrule.data.files import digest_of
from chainrule.data.named_arrays import ArrayFile, Header, source_from
from chainrule.data.source import Source
from chainrule.errors import DataError

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError)


def read_npz(path: Path, *, prefix: str = "", part: str = "train", labelled: bool = True) -> Source:
    """Read the arrays of a .npz file as a dataset; `prefix` selects one of several sets."""
    return source_from(array_file(path), prefix=prefix, part=part, labelled=labelled)


def array_file(path: Path) -> ArrayFile:
    """Open a .npz file: read its headers, but not its values."""

    def read(key: str) -> np.ndarray:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return arrays[key]
        except DAMAGE as error:
            raise damaged(path, error) from error

    try:
        headers = read_headers(path)
    except DAMAGE as error:
        raise damaged(path, error) from error
    return ArrayFile(str(path), headers, read, digest_of([path]))


def read_headers(path: Path) -> dict[str, Header]:
    """Return the shape and dtype of every array, without reading values."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith(".npy"):
                continue
            with archive.open(name) as member:
                first = np.lib.format.read_magic(member) == (1, 0)
                header = (
                    np.lib.format.read_array_header_1_0(member)
                    if first
                    else np.lib.format.read_array_header_2_0(member)
                )
            headers[name.removesuffix(".npy")] = Header(header[0], header[2])
    return headers


def damaged(path: Path, error: BaseException) -> DataError:
    """Return the error for a file that is truncated or not a .npz file."""
    return DataError(
        str(path),
        "a complete .npz file, as written by np.savez",
        f"a truncated or damaged file ({error})",
        "copying or downloading it again",
    )
