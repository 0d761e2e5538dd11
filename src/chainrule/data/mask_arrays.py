"""Pictures and masks in a .npz file: X and Y, or X_train and Y_train, and so on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.array_keys import CLASS_NAMES, find_pairs
from chainrule.data.arrays import array_file
from chainrule.data.named_arrays import ArrayFile, read_checked
from chainrule.errors import DataError

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y", "masks": "y"}


class ArrayPart(NamedTuple):
    """Pictures X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W), and where Y stands."""

    X: np.ndarray
    Y: np.ndarray
    where: str


class MaskArrays(NamedTuple):
    """The parts of a file, the names of its values where it brings them, and its sha256."""

    parts: dict[str, ArrayPart]
    names: tuple[str, ...] | None
    digest: str


def mask_arrays(path: Path, prefix: str = "") -> MaskArrays:
    """What there is in a .npz file; `prefix` picks one set of several."""
    file = array_file(path)
    pairs = find_pairs(file.where, file.headers, file.listing(), prefix, ROLES)
    parts = {}
    for part, (x, y) in pairs.items():
        if y is None:
            hint = "an array of masks beside it, such as Y"
            raise DataError(file.where, f"masks beside {x}", file.listing(), hint)
        X = _pictures(file, x)
        parts[part] = ArrayPart(X, _masks(file, y, X), f"{file.where}, {y}")
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    names = None if key is None else tuple(read_checked(file, key, "US", "names").tolist())
    return MaskArrays(parts, names, file.digest)


def _pictures(file: ArrayFile, key: str) -> np.ndarray:
    X = read_checked(file, key, "biuf", "numbers")
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or X.size == 0:
        expected = "pictures, (m, n_H, n_W) or (m, n_H, n_W, n_C)"
        raise DataError(
            f"{file.where}, {key}", expected, str(X.shape), "X.reshape(m, n_H, n_W, n_C)"
        )
    return X if X.dtype == np.uint8 else X.astype(np.float32)


def _masks(file: ArrayFile, key: str, X: np.ndarray) -> np.ndarray:
    where, Y = f"{file.where}, {key}", read_checked(file, key, "biu", "whole numbers")
    Y = Y[..., 0] if Y.ndim == 4 and Y.shape[3] == 1 else Y
    if Y.shape != X.shape[:3]:
        hint = "a mask of the size of each picture"
        raise DataError(where, f"masks {X.shape[:3]}", str(Y.shape), hint)
    return Y.astype(np.int32) if Y.dtype != np.uint8 else Y
