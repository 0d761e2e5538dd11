"""Read HDF5 files, the format of the course's data sets; needs the optional package h5py."""

from pathlib import Path

import numpy as np

from chainrule.data.files import digest_of
from chainrule.data.named_arrays import ArrayFile, Header, source_from
from chainrule.data.source import Source
from chainrule.errors import DataError, MissingExtraError

DAMAGE = (OSError, RuntimeError, KeyError)  # raised by h5py, depending on the kind of damage


def read_hdf5(
    path: Path, *, prefix: str = "", part: str = "train", labelled: bool = True
) -> Source:
    """Read the arrays of an HDF5 file as a dataset; `prefix` selects one of several sets."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(str(path), "h5py", "data") from error

    def header(dataset: h5py.Dataset) -> Header:
        text = h5py.check_string_dtype(dataset.dtype) is not None
        return Header(dataset.shape, np.dtype("U1") if text else dataset.dtype)

    def read(key: str) -> np.ndarray:
        try:
            with h5py.File(path) as arrays:
                dataset = arrays[key]
                assert isinstance(dataset, h5py.Dataset)
                text = h5py.check_string_dtype(dataset.dtype) is not None
                return np.asarray(dataset.asstr()[()]).astype(str) if text else dataset[()]
        except DAMAGE as error:
            raise damaged(path, error) from error

    headers: dict[str, Header] = {}

    def visit(key: str, item) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            headers[key] = header(item)

    try:
        with h5py.File(path) as arrays:
            arrays.visititems(visit)
    except DAMAGE as error:
        raise damaged(path, error) from error
    file = ArrayFile(str(path), headers, read, digest_of([path]))
    return source_from(file, prefix=prefix, part=part, labelled=labelled)


def damaged(path: Path, error: BaseException) -> DataError:
    """Return the error for a file that is truncated or not an HDF5 file."""
    return DataError(
        str(path),
        "a complete HDF5 file",
        f"a truncated or damaged file ({error})",
        "copying or downloading it again",
    )
