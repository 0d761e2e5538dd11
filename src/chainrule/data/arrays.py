"""Read arrays by name: from .npz, .npy and .mat files, and HDF5 files with the package h5py.

The name of an array gives its role: `circles_train_X` is the training X of the set circles. A name
consists of words joined by `_`, `/`, `-` or `.`: one word gives the role (x, images; y, labels;
lengths) and one may give the split (train, dev, test); Xval is read as X_val. The rest is a prefix,
so that one file can hold several sets. A .npy file holds one array, named by the file: X_train.npy
is read together with y_train.npy beside it. MATLAB's version 7.3 is HDF5.

X (m, T, n_x) with lengths (m,) beside it holds sequences, of which the steps beyond each length are
padding. Without lengths, three dimensions are grey images, unless sequences are asked for.

Shapes are checked before values are read, so that an unsuitable or oversized file is refused before
it costs memory. Pickled objects are never loaded. The course stores small data sets with one
example per column, X (n_x, m) with y (1, m): these are transposed.
"""

import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.files import PARTS, choose_part, digest_of, parsing
from chainrule.data.isolated import check_matlab, read_texts
from chainrule.data.sequences import Sequences
from chainrule.errors import DataError, DataWarning, MissingExtraError, did_you_mean
from chainrule.formatting import format_bytes
from chainrule.host.machine import available_bytes, check_memory
from chainrule.host.reading import check_regular

# A file of named arrays, before their values are read

NUMBERS = "biuf"
LARGEST = np.float64(np.finfo(np.float32).max)  # compared with numbers of any type
SURROGATES = 0xD800 >> 11
"""The first bits of the halves of characters in UTF-16, which are no characters."""
LABELS = "biufUS"


class Header(NamedTuple):
    """The shape and dtype of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """The number of bytes of the values."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


@dataclass(frozen=True)
class ArrayFile:
    """A file of named arrays: their headers, and a function that reads one."""

    where: str
    headers: dict[str, Header]
    read: Callable[[str], np.ndarray]
    digest: str

    def listing(self) -> str:
        """Return the key and the shape of every array in the file, for messages."""
        named = [f"{key} {header.shape}" for key, header in self.headers.items()]
        more = f" and {len(named) - 12} more" if len(named) > 12 else ""
        return (", ".join(named[:12]) or "no arrays") + more


# NPZ files

NPZ = "a complete .npz file, as written by np.savez"
NPY = "a complete .npy file, as written by np.save"


def read_npz(
    path: Path,
    *,
    prefix: str = "",
    part: str = "train",
    labelled: bool = True,
    sequences: bool = False,
) -> Dataset:
    """Read the arrays of a .npz file as a dataset; `prefix` selects one of several sets."""
    how: dict[str, Any] = {"part": part, "labelled": labelled, "sequences": sequences}
    return dataset_from(array_file(path), prefix=prefix, **how)


def array_file(path: Path) -> ArrayFile:
    """Open a .npz file: read its headers, but not its values."""

    def read(key: str) -> np.ndarray:
        with parsing(path, NPZ), zipfile.ZipFile(path) as file, file.open(f"{key}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    check_regular(path)
    with parsing(path, NPZ):
        headers = read_headers(path)
    return ArrayFile(str(path), headers, read, digest_of([path]))


def read_headers(path: Path) -> dict[str, Header]:
    """Return the shape and dtype of every array, without reading values."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            key = info.filename.removesuffix(".npy")
            if key in headers:
                hint = "writing the file again with np.savez"
                raise DataError(f"{path}, {key}", "one array of this name", "two", hint)
            with archive.open(info) as member:
                headers[key] = _header(member, info.file_size)
    return headers


# NPY files


def read_npy(
    path: Path,
    *,
    prefix: str = "",
    part: str = "train",
    labelled: bool = True,
    sequences: bool = False,
) -> Dataset:
    """Read the array of a .npy file, with its labels and the other sets in the files beside it."""
    own = parse_key(path.stem)
    files = {path.stem: path}
    if own is not None:
        beside = [file for file in sorted(path.parent.glob("*.npy")) if file != path]
        places = {file: parse_key(file.stem) for file in beside if file.is_file()}
        files |= {f.stem: f for f, at in places.items() if at and at.prefix == own.prefix}
    if labelled and own is None:
        hint = "naming the files X.npy and y.npy, or np.savez(file, X=X, y=y)"
        expected = "a file with X in its name, next to a file of labels with y in its name"
        raise DataError(str(path), expected, path.name, hint)
    if not labelled:
        wanted = own and own._replace(role="lengths")
        files = {k: f for k, f in files.items() if f == path or parse_key(k) == wanted}
    headers = {key: _npy_header(file) for key, file in files.items()}

    def read(key: str) -> np.ndarray:
        with parsing(files[key], NPY), files[key].open("rb") as opened:
            return np.lib.format.read_array(opened, allow_pickle=False)

    file = ArrayFile(str(path), headers, read, digest_of(files.values()))
    if own is not None and part == "train" and labelled and own.part != "train":
        part = own.part
    return dataset_from(file, prefix="", part=part, labelled=labelled, sequences=sequences)


def _npy_header(path: Path) -> Header:
    """Return the shape and dtype of the array in a .npy file."""
    size = check_regular(path)
    with parsing(path, NPY), path.open("rb") as file:
        return _header(file, size)


def _header(file: IO[bytes], size: int) -> Header:
    """Return the shape and dtype at the beginning of an array that has this size in the file.

    Raises ValueError if the values have another size than shape and dtype declare, before memory
    for the declared size is allocated.
    """
    first = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    header, held = Header(shape, dtype), size - file.tell()
    if not dtype.hasobject and (min(shape, default=0) < 0 or header.size != held):
        raise ValueError(f"an array of {shape} {dtype}, but {held:,} bytes of values")
    return header


# MATLAB files

MATLAB = {"double": "f8", "single": "f4", "logical": "?", "char": "U1"}
MATLAB |= {f"{sign}int{n}": f"{sign or 'i'}{n // 8}" for sign in ("u", "") for n in (8, 16, 32, 64)}
MAT = "a complete .mat file, as MATLAB's save writes it"


def read_mat(
    path: Path,
    *,
    prefix: str = "",
    part: str = "train",
    labelled: bool = True,
    sequences: bool = False,
) -> Dataset:
    """Read the arrays of a .mat file; `prefix` selects one of several sets."""
    from scipy.io import loadmat, whosmat

    how: dict[str, Any] = {"part": part, "labelled": labelled, "sequences": sequences}
    check_regular(path)
    if _is_hdf5(path):
        return read_hdf5(path, prefix=prefix, reverse_axes=True, **how)
    with parsing(path, MAT):
        check_matlab(path, available_bytes())
        listed = whosmat(path)
    headers: dict[str, Header] = {}
    for key, shape, kind in listed:
        if key in headers:
            hint = "saving the file again"
            raise DataError(f"{path}, {key}", "one array of this name", "two", hint)
        headers[key] = Header(tuple(map(int, shape)), np.dtype(MATLAB.get(kind, "O")))

    def read(key: str) -> np.ndarray:
        with parsing(path, MAT):
            return np.asarray(loadmat(path, variable_names=[key])[key])

    file = ArrayFile(str(path), headers, read, digest_of([path]))
    return dataset_from(file, prefix=prefix, **how)


def _is_hdf5(path: Path) -> bool:
    """Return whether a .mat file is of MATLAB's version 7.3."""
    with path.open("rb") as file:
        return b"MATLAB 7.3" in file.read(128)


# HDF5 files

COMPLETE_HDF5 = "a complete HDF5 file"
UNWRITTEN, RATIO = 2**26, 1100
"""An array of more than UNWRITTEN bytes may be at most RATIO times as large as its part of the
file: the compression of HDF5 does not reach more, and parts that were never written read as 0."""


def read_hdf5(
    path: Path,
    *,
    prefix: str = "",
    part: str = "train",
    labelled: bool = True,
    sequences: bool = False,
    reverse_axes: bool = False,
) -> Dataset:
    """Read the arrays of an HDF5 file as a dataset; `prefix` selects one of several sets.

    MATLAB stores columns first, so that its axes are reversed here (`reverse_axes`). Values in
    other files (links, external storage, virtual data sets) are not read.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(str(path), "h5py", "data") from error

    def read(key: str) -> np.ndarray:
        with parsing(path, COMPLETE_HDF5), h5py.File(path, "r") as arrays:
            dataset = arrays[key]
            assert isinstance(dataset, h5py.Dataset)
            _check_stored(f"{path}, {key}", dataset)
            text = h5py.check_string_dtype(dataset.dtype) is not None
            found = _texts(path, key, dataset) if text else dataset[()]
            return np.ascontiguousarray(found.T) if reverse_axes else found

    check_regular(path)
    with parsing(path, COMPLETE_HDF5), h5py.File(path, "r") as arrays:
        headers, links = _hdf5_headers(arrays, reverse_axes)
    if links:
        listed = ", ".join(links[:5]) + (" …" if len(links) > 5 else "")
        message = f"{path}: ignored {listed}: links to other files are not followed"
        warnings.warn(message, DataWarning, stacklevel=2)
    file = ArrayFile(str(path), headers, read, digest_of([path]))
    how: dict[str, Any] = {"part": part, "labelled": labelled, "sequences": sequences}
    return dataset_from(file, prefix=prefix, **how)


def _hdf5_headers(arrays: Any, reverse_axes: bool) -> tuple[dict[str, Header], list[str]]:
    """Return the headers of all arrays in an HDF5 file, and its links to other files."""
    import h5py

    headers: dict[str, Header] = {}
    links: list[str] = []

    def visit(key: str, item: Any) -> None:
        hidden = key.startswith("#")  # MATLAB's references
        if hidden or not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual:  # even its shape may depend on other files; refused when it is read
            headers[key] = Header((1, 1), np.dtype(float))
        elif item.shape is not None:
            text = h5py.check_string_dtype(item.dtype) is not None
            shape = item.shape[::-1] if reverse_axes else item.shape
            headers[key] = Header(shape, np.dtype("U1") if text else item.dtype)

    def visit_link(key: str, link: Any) -> None:
        if isinstance(link, h5py.ExternalLink):
            links.append(key)

    arrays.visititems(visit)
    arrays.visititems_links(visit_link)
    return headers, links


def _check_stored(where: str, dataset: Any) -> None:
    """Refuse values in other files, and an array much larger than what the file contains of it."""
    if dataset.external or dataset.is_virtual:
        hint = "copying the values into this file"
        raise DataError(where, "values in this file", "values in another file", hint)
    needed, stored = int(dataset.nbytes), int(dataset.id.get_storage_size())
    if needed > UNWRITTEN and needed > RATIO * stored:
        got = f"{format_bytes(needed)}, of which the file contains {format_bytes(stored)}"
        raise DataError(where, "an array whose values were written", got, "writing it again")


def _texts(path: Path, key: str, dataset: Any) -> np.ndarray:
    """Return an array of texts; there must be memory for each being as long as the longest."""
    if _text_length(dataset) is not None:
        return np.asarray(dataset.asstr()[()]).astype(str)
    limit = available_bytes() // 8
    found = read_texts(path, key, dataset.size, limit)
    check_memory(
        f"{path}, {key}", 4 * len(found) * max(map(len, found), default=0), "shorter texts"
    )
    return np.array(found, str).reshape(dataset.shape)


def _text_length(dataset: Any) -> int | None:
    """Return the number of bytes of the texts, or None if they are of variable length."""
    import h5py

    found = h5py.check_string_dtype(dataset.dtype)
    return None if found is None else found.length


# The roles of arrays, from their names

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y", "lengths": "lengths"}
IDENTITIES = {"x": "x", "images": "x", "identities": "y"}
"""Roles in a file of images labelled by identity."""
FILLERS = {"set", "orig"}  # the course files use train_set_x_orig
CLASS_NAMES = ("list_classes", "classes", "class_names")
PAIRS = "X and y, X_train and y_train, train_set_x and train_set_y, or images and labels"


class Place(NamedTuple):
    """The prefix, the split and the role that the key of an array stands for."""

    prefix: str
    part: str
    role: str


class Pair(NamedTuple):
    """The keys of the arrays of one split: X, labels and lengths, None for those not there."""

    x: str
    y: str | None
    lengths: str | None = None


def parse_key(key: str, role_of: Mapping[str, str] = ROLES) -> Place | None:
    """Return the prefix, split and role that a key stands for, or None if it has no role.

    >>> parse_key("circles_train_X")
    Place(prefix='circles', part='train', role='x')
    >>> parse_key("Xval")
    Place(prefix='', part='dev', role='x')
    >>> parse_key("test_set_y")
    Place(prefix='', part='test', role='y')
    >>> parse_key("box_image") is None
    True
    """
    words = [part for word in re.split(r"[_/.\-]+", key) for part in _joined(word, role_of)]
    words = [word for word in words if word and word.lower() not in FILLERS]
    roles = [role_of[word.lower()] for word in words if word.lower() in role_of]
    parts = [PARTS[word.lower()] for word in words if word.lower() in PARTS]
    if len(roles) != 1 or len(parts) > 1:
        return None
    rest = [word for word in words if word.lower() not in role_of and word.lower() not in PARTS]
    return Place("_".join(rest), parts[0] if parts else "train", roles[0])


def _joined(word: str, role_of: Mapping[str, str]) -> list[str]:
    """Split a role and a split that are written as one word: Xval, trainY."""
    for role, split in ((word[:1], word[1:]), (word[-1:], word[:-1])):
        if role.lower() in role_of and split.lower() in PARTS:
            return [role, split]
    return [word]


def find_pairs(
    where: str, keys: Iterable[str], listing: str, prefix: str, role_of: Mapping[str, str] = ROLES
) -> dict[str, Pair]:
    """Return the X and y keys of each split, in the set with this prefix (or the only set).

    `listing` describes the file in errors: its keys with their shapes.
    """
    sets = group_keys(where, keys, role_of)
    if prefix and prefix not in sets:
        raise DataError(
            f"{where}:{prefix}",
            f"arrays named {prefix}_X and {prefix}_y",
            listing,
            did_you_mean(prefix, [name for name in sets if name]) if any(sets) else where,
        )
    if not sets:
        raise DataError(where, f"a pair of arrays such as {PAIRS}", listing, "renaming the arrays")
    if not prefix and "" not in sets and len(sets) > 1:
        tries = " or ".join(f"{where}:{name}" for name in sets)
        expected = "a prefix, since the file holds several sets"
        raise DataError(where, expected, f"{len(sets)} sets, {listing}", tries)
    chosen = sets[prefix or ("" if "" in sets else next(iter(sets)))]
    return {part: Pair(r["x"], r.get("y"), r.get("lengths")) for part, r in chosen.items()}


def group_keys(
    where: str, keys: Iterable[str], role_of: Mapping[str, str] = ROLES
) -> dict[str, dict[str, dict[str, str]]]:
    """Group the keys of a file by prefix, split and role; a split counts only if it has an X."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for key in keys:
        place = parse_key(key, role_of)
        if place is None:
            continue
        roles = found.setdefault(place.prefix, {}).setdefault(place.part, {})
        if place.role in roles:
            raise DataError(
                where,
                f"one {place.role} array for the {place.part} set",
                f"{roles[place.role]} and {key}",
                "keeping only one of them",
            )
        roles[place.role] = key
    having_X = {
        prefix: {part: roles for part, roles in parts.items() if "x" in roles}
        for prefix, parts in found.items()
    }
    return {prefix: parts for prefix, parts in having_X.items() if parts}


# From named arrays to a data set


def dataset_from(
    file: ArrayFile,
    *,
    prefix: str,
    part: str,
    labelled: bool,
    roles: Mapping[str, str] = ROLES,
    sequences: bool = False,
) -> Dataset:
    """Read the requested set; the training set comes with the other sets of the file.

    With `sequences`, X (m, T, n_x) without lengths holds sequences of T steps, and X (m, T)
    sequences of one number per step. If one set has lengths, this applies to the others.
    """
    pairs = pairs_of(file, prefix, labelled, roles)
    chosen = choose_part(file.where, pairs, part, labelled=labelled)
    others = [name for name in pairs if chosen == "train" and name != chosen]
    sequences = sequences or any(
        pair.lengths is not None and len(file.headers[pair.x].shape) == 3 for pair in pairs.values()
    )
    dataset = one_part(file, pairs[chosen], labelled, sequences)
    parts = {}
    for name in others:
        if labelled and pairs[name].y is None:
            message = f"{file.where}: ignored {pairs[name].x}, which has no labels"
            warnings.warn(message, DataWarning, stacklevel=2)
            continue
        parts[name] = one_part(file, pairs[name], labelled, sequences)
        check_same_shape(file.where, pairs[chosen].x, dataset.X, pairs[name].x, parts[name].X)
    if labelled:
        _warn_unused(file, roles)
    name = f"{file.where}:{prefix}" if prefix else file.where
    return replace(dataset, name=name, parts=parts)


def _warn_unused(file: ArrayFile, roles: Mapping[str, str]) -> None:
    """Warn about arrays of more than one number whose names give them no role."""
    unused = [
        key
        for key, header in file.headers.items()
        if np.prod(header.shape, dtype=object) > 1
        and key not in CLASS_NAMES
        and parse_key(key, roles) is None
        and parse_key(key) is None
    ]
    if unused:
        listed = ", ".join(unused[:5]) + (" …" if len(unused) > 5 else "")
        message = f"{file.where}: ignored {listed}, whose names contain neither X nor y"
        warnings.warn(message, DataWarning, stacklevel=3)


def pairs_of(
    file: ArrayFile, prefix: str, labelled: bool, roles: Mapping[str, str] = ROLES
) -> dict[str, Pair]:
    """Return, for each set in the file, the keys of its inputs and labels.

    Without labels, a file with a single array is accepted whatever its key.
    """
    if not labelled and not prefix and len(file.headers) == 1:
        return {"train": Pair(next(iter(file.headers)), None)}
    return find_pairs(file.where, file.headers, file.listing(), prefix, roles)


def one_part(file: ArrayFile, pair: Pair, labelled: bool, sequences: bool = False) -> Dataset:
    """Read X and y of one set, with examples in rows and all numbers finite."""
    if labelled and pair.y is None:
        raise DataError(
            file.where,
            f"labels for {pair.x}, in an array with y or labels in its name",
            file.listing(),
            "adding such an array",
        )
    X = read_checked(file, pair.x, NUMBERS, "numbers", finite=not sequences)
    y = None if pair.y is None else read_checked(file, pair.y, LABELS, "numbers or text")
    if y is not None:
        X, y = as_rows(file.where, pair, X, y)
        y = whole(y)
    if sequences:
        found = sequences_from(file, pair, X)
        return Dataset(file.where, found, y, classes=class_names(file, pair, y), digest=file.digest)
    if pair.lengths is not None:
        again = "; a network for sequences reads each row as a sequence" if X.ndim == 2 else ""
        message = (
            f"{file.where}: ignored {pair.lengths}, since {pair.x} {X.shape} is not (m, T, n_x)"
        )
        warnings.warn(message + again, DataWarning, stacklevel=3)
    if X.ndim == 0 or len(X) == 0 or X.ndim > 4:
        raise DataError(
            f"{file.where}, {pair.x}",
            "examples in rows, (m, n_x), (m, n_H, n_W) or (m, n_H, n_W, n_C)",
            str(X.shape),
        )
    X = X[:, None] if X.ndim == 1 else X  # one number per example
    return Dataset(file.where, X, y, classes=class_names(file, pair, y), digest=file.digest)


def sequences_from(file: ArrayFile, pair: Pair, X: np.ndarray) -> Sequences:
    """Return X (m, T, n_x), or (m, T) with one number per step, as sequences.

    What lies beyond the length of a sequence is replaced by zeros, also if it is not finite.
    """
    place = f"{file.where}, {pair.x}"
    if X.ndim not in (2, 3) or 0 in X.shape:
        expected = "sequences, (m, T, n_x), or (m, T) with one number per step"
        raise DataError(place, expected, str(X.shape), "an example per row, and T and n_x above 0")
    X = X[:, :, None] if X.ndim == 2 else X
    m, T = X.shape[:2]
    if pair.lengths is None:
        check_finite(place, X)
        return Sequences(X, np.full(m, T, np.int32))
    lengths = _lengths(file, pair.lengths, m, T)
    if lengths.min() < T:
        X = X if X.flags.writeable else X.copy()
        X[np.arange(T) >= lengths[:, None]] = 0
    check_finite(place, X)
    return Sequences(X, lengths)


def _lengths(file: ArrayFile, key: str, m: int, T: int) -> np.ndarray:
    """Return the lengths (m,) of sequences of up to T steps, whole numbers from 1 to T."""
    place = f"{file.where}, {key}"
    found = read_checked(file, key, NUMBERS, "whole numbers")
    if found.size != m or found.ndim > 2 or max(found.shape, default=1) != m:
        expected = f"({m},), the number of steps of each example"
        raise DataError(place, expected, str(found.shape), "one number per example")
    found = found.reshape(-1)
    bad = (found != np.rint(found)) | (found < 1) | (found > T)
    if found.dtype.kind == "b" or bad.any():
        at = int(np.argmax(bad))
        got = f"{found[at]} at [{at}]"
        hint = "the number of real steps of each example"
        raise DataError(place, f"whole numbers from 1 to T = {T}", got, hint)
    return found.astype(np.int32)


def read_checked(
    file: ArrayFile, key: str, kinds: str, what: str, *, finite: bool = True
) -> np.ndarray:
    """Read an array, after checking its dtype and size, and check that it is finite."""
    place, header = f"{file.where}, {key}", file.headers[key]
    if header.dtype.kind not in kinds:
        hint = "plain arrays: pickled objects can run code when loaded, and are never read"
        got = f"an array of {header.dtype}"
        raise DataError(place, what, got, hint if header.dtype.hasobject else "plain arrays")
    check_memory(place, header.size, "a smaller file")
    values = file.read(key)
    if values.dtype.kind not in kinds:  # MATLAB's complex numbers have the type of real ones
        raise DataError(place, what, f"an array of {values.dtype}", "plain arrays")
    if finite:
        check_finite(place, values, LARGEST if kinds == NUMBERS else np.inf)
    return _checked_text(place, values) if values.dtype.kind in "SU" else values


def _checked_text(place: str, values: np.ndarray) -> np.ndarray:
    """Return an array of text; refuse bytes that are not UTF-8, and characters that do not exist.

    An array that was damaged may contain numbers that are not those of characters.
    """
    hint = "saving it as UTF-8"
    try:
        text = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError as error:
        raise DataError(place, "text", f"other data ({error})", hint) from None
    if text.size and text.dtype.itemsize:
        number = np.dtype(np.uint32).newbyteorder(text.dtype.byteorder)
        codes = np.ascontiguousarray(text).reshape(-1).view(number)
        if codes.max() > sys.maxunicode or ((codes >> 11) == SURROGATES).any():
            raise DataError(place, "text", "numbers that are not characters", hint)
    return text


def check_finite(place: str, values: np.ndarray, largest: float = LARGEST) -> None:
    """Refuse NaN, infinity and numbers above `largest`, and report the position of the first.

    Booleans other than 0 and 1 are refused as well.
    """
    if values.dtype.kind == "b" and (values.view(np.uint8) > 1).any():
        got = f"the byte {values.view(np.uint8).max()}"
        raise DataError(place, "booleans, stored as 0 and 1", got, "saving the array again")
    if values.dtype.kind != "f" or not values.size:
        return
    bad = ~np.isfinite(values)
    if not bad.any() and values.min() >= -largest and values.max() <= largest:
        return
    bad |= np.abs(values) > largest
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), values.shape))
    at = f"{values[first]} at {list(first)}" if first else str(values[first])
    more = f" and {bad.sum() - 1} more" if bad.sum() > 1 else ""
    beyond = np.isfinite(values[first])
    expected = "numbers within the range of float32" if beyond else "finite numbers"
    hint = "smaller units" if beyond else "removing or filling in these values"
    raise DataError(place, expected, at + more, hint)


def as_rows(where: str, pair: Pair, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return X and y with examples in rows; arrays stored as in the course are transposed."""
    if y.ndim == 2 and y.shape[0] == 1 and X.ndim == 2 and X.shape[1] == y.shape[1]:
        if X.shape[0] == X.shape[1] > 1:
            raise DataError(
                f"{where}, {pair.x}",
                f"different numbers of rows and columns, or {pair.y} with one dimension",
                f"{X.shape} and {pair.y} {y.shape}: the examples could be the rows or the columns",
                f"examples in rows, and {pair.y} of shape ({y.shape[1]},)",
            )
        X = X.T
    if y.ndim == 2 and 1 in y.shape:
        y = y.reshape(-1)
    if y.ndim not in (1, 2):
        expected = "a label (m,) or a row of numbers (m, k) for each example"
        raise DataError(f"{where}, {pair.y}", expected, str(y.shape))
    if X.ndim == 0 or len(X) != len(y):
        transposed = X.ndim == 2 and X.shape[1] == y.shape[-1]
        raise DataError(
            f"{where}, {pair.x} and {pair.y}",
            "as many rows as labels",
            f"{X.shape} and {y.shape}",
            f"the transpose, {pair.x}.T: examples are rows" if transposed else "arrays that match",
        )
    return X, y


def whole(y: np.ndarray) -> np.ndarray:
    """Convert classes stored as 0.0, 1.0, … (as in the course) to integers; keep other numbers."""
    if y.ndim > 1 or y.dtype.kind != "f" or np.any((y % 1 != 0) | (np.abs(y) > 2**24)):
        return y
    return y.astype(np.int64)


def check_same_shape(where: str, key: str, X, other_key: str, other) -> None:
    """Refuse sets whose examples differ in shape, or whose steps do."""
    what, inner = ("steps", 2) if isinstance(X, Sequences) else ("examples", 1)
    if X.shape[inner:] != other.shape[inner:]:
        raise DataError(
            f"{where}, {other_key}",
            f"{what} of shape {X.shape[inner:]}, as in {key}",
            str(other.shape[inner:]),
            "preparing both sets in the same way",
        )


def class_names(file: ArrayFile, pair: Pair, y: np.ndarray | None) -> tuple[str, ...] | None:
    """Return the names of the labels 0, 1, …, if the file contains them."""
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    if key is None or y is None or y.dtype.kind not in "iu":
        return None
    names = tuple(str(name) for name in read_checked(file, key, LABELS, "names").reshape(-1))
    if y.min() < 0 or y.max() >= len(names):
        raise DataError(
            f"{file.where}, {pair.y}",
            f"labels 0 to {len(names) - 1}, which {key} names",
            f"labels {y.min()} to {y.max()}",
            f"a name in {key} for every label",
        )
    return names
