"""Pictures as scikit-learn has them, rows or an array of images, for a network of images.

rows_of        (m, n_H, n_W) or (m, n_H, n_W, n_C) become rows (m, n_x); bytes are over 255
image_shape    (n_H, n_W, n_C): as said, as the images had, or of the square that n_x fills
check_alike    images of another shape than those that were learned from are refused
as_images      an array of images as (m, n_H, n_W, n_C), bytes over 255
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.models.conv_network import Shape
from chainrule.train.pixels import square


def rows_of(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """X as rows, and the shape of one image where it was an array of images."""
    pixels = isinstance(X, np.ndarray) and X.dtype == np.uint8
    if isinstance(X, np.ndarray) and X.ndim in (3, 4):
        rows, shape = X.reshape(len(X), -1), X.shape[1:]
    else:
        rows, shape = X, None
    return (np.divide(rows, 255, dtype=np.float32) if pixels else rows), shape


def image_shape(said: Sequence[int] | None, seen: tuple[int, ...] | None, n_x: int) -> Shape:
    """What was said, or what was seen, or the square; refused where it is not n_x numbers."""
    shape = tuple(said) if said is not None else seen or square(n_x)
    hint = "image_shape=(28, 28), or (32, 32, 3) in colour"
    if shape is None:
        expected = "the height and width of the images, which rows do not tell"
        raise OptionError("image_shape", expected, f"rows of {n_x:,} numbers", hint)
    whole = all(isinstance(n, int | np.integer) and n >= 1 for n in shape)
    if len(shape) not in (2, 3) or not whole:
        raise OptionError("image_shape", "(n_H, n_W) or (n_H, n_W, n_C)", repr(said), hint)
    if np.prod(shape) != n_x:
        sides = "×".join(map(str, shape))
        expected = f"{int(np.prod(shape)):,} numbers a row, {sides}"
        raise ShapeError("X", expected, f"{n_x:,}", "another image_shape")
    n_H, n_W, *n_C = map(int, shape)
    return n_H, n_W, n_C[0] if n_C else 1


def check_alike(shape: tuple[int, ...] | None, learned: tuple[int, ...]) -> None:
    """Refuse images of another shape, also of as many numbers: (3, 8, 8) for (8, 8, 3)."""
    if shape is None or (*shape, 1)[:3] == (*learned, 1)[:3]:
        return
    expected, got = (f"images of {'×'.join(map(str, sides))}" for sides in (learned, shape))
    raise ShapeError("X", expected, got, "images as in fit; X[None] of a single one")


def as_images(
    X: Any, name: str, shape: tuple[int, ...] | None = None, *, bytes_stay: bool = False
) -> np.ndarray:
    """Images (m, n_H, n_W, n_C) in float32, bytes over 255; of this shape, if one is asked.

    Where `bytes_stay` they do: networks of images divide them themselves.
    """
    X = np.asarray(X)
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or (shape is not None and X.shape[1:] != shape):
        sizes = "n_H, n_W, n_C" if shape is None else ", ".join(map(str, shape))
        raise ShapeError(name, f"images (m, {sizes})", str(X.shape), "X[None], if it is one image")
    if X.dtype == np.uint8:
        return X if bytes_stay else X.astype(np.float32) / np.float32(255)
    X = X.astype(np.float32)
    if not np.isfinite(X).all():
        raise DataError(name, "finite numbers", "nan or infinity", "a look at those images")
    return X
