"""Read images and segmentation masks from a .npz file: X and Y, or X_train and Y_train, …."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.array_keys import CLASS_NAMES, find_pairs
from chainrule.data.arrays import array_file
from chainrule.data.named_arrays import ArrayFile, read_checked
from chainrule.errors import DataError

ROLES = {"x": "x", "images": "x", "y": "y", "labels": "y", "masks": "y"}


class ArrayPart(NamedTuple):
    """Images X (m, n_H, n_W, n_C) and masks Y (m, n_H, n_W); `where` names Y in errors."""

    X: np.ndarray
    Y: np.ndarray
    where: str


class MaskArrays(NamedTuple):
    """The sets of a file, its class names if it contains any, and its sha256."""

    parts: dict[str, ArrayPart]
    names: tuple[str, ...] | None
    digest: str


def mask_arrays(path: Path, prefix: str = "") -> MaskArrays:
    """Read a .npz file; `prefix` selects one of several sets."""
    file = array_file(path)
    pairs = find_pairs(file.where, file.headers, file.listing(), prefix, ROLES)
    parts = {}
    for part, (x, y) in pairs.items():
        if y is None:
            hint = "adding an array of masks, such as Y"
            raise DataError(file.where, f"masks for {x}", file.listing(), hint)
        X = _images(file, x)
        parts[part] = ArrayPart(X, _masks(file, y, X), f"{file.where}, {y}")
    key = next((key for key in CLASS_NAMES if key in file.headers), None)
    names = None if key is None else tuple(read_checked(file, key, "US", "names").tolist())
    return MaskArrays(parts, names, file.digest)


def _images(file: ArrayFile, key: str) -> np.ndarray:
    """Read and check the images."""
    X = read_checked(file, key, "biuf", "numbers")
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or X.size == 0:
        expected = "images, (m, n_H, n_W) or (m, n_H, n_W, n_C)"
        raise DataError(
            f"{file.where}, {key}", expected, str(X.shape), "X.reshape(m, n_H, n_W, n_C)"
        )
    return X if X.dtype == np.uint8 else X.astype(np.float32)


def _masks(file: ArrayFile, key: str, X: np.ndarray) -> np.ndarray:
    """Read the masks, and check that they fit the images X."""
    where, Y = f"{file.where}, {key}", read_checked(file, key, "biu", "whole numbers")
    Y = Y[..., 0] if Y.ndim == 4 and Y.shape[3] == 1 else Y
    if Y.shape != X.shape[:3]:
        hint = "masks of the same size as the images"
        raise DataError(where, f"masks of shape {X.shape[:3]}", str(Y.shape), hint)
    return Y.astype(np.int32) if Y.dtype != np.uint8 else Y
