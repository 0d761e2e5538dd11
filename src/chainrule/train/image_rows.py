"""Convert images in scikit-learn's form, as rows or as an array, for a convolutional network.

rows_of        images (m, n_H, n_W) or (m, n_H, n_W, n_C) to rows (m, n_x); bytes become x / 255
image_shape    (n_H, n_W, n_C) as given, as the images had it, or of the square that n_x fills
check_alike    refuse images whose shape differs from that of the training images
as_images      an array of images to (m, n_H, n_W, n_C); bytes become x / 255
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.models.conv_network import Shape
from chainrule.train.pixels import square


def rows_of(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return X as rows, and the shape of one image if X was an array of images."""
    pixels = isinstance(X, np.ndarray) and X.dtype == np.uint8
    if isinstance(X, np.ndarray) and X.ndim in (3, 4):
        rows, shape = X.reshape(len(X), -1), X.shape[1:]
    else:
        rows, shape = X, None
    return (np.divide(rows, 255, dtype=np.float32) if pixels else rows), shape


def image_shape(given: Sequence[int] | None, seen: tuple[int, ...] | None, n_x: int) -> Shape:
    """Return the image shape given by the user, seen in the data, or of a square of n_x numbers.

    Raises ShapeError if it does not have n_x numbers, and OptionError if it cannot be inferred.
    """
    shape = tuple(given) if given is not None else seen or square(n_x)
    hint = "image_shape=(28, 28), or (32, 32, 3) in colour"
    if shape is None:
        expected = "the height and width of the images, which cannot be inferred from the rows"
        raise OptionError("image_shape", expected, f"rows of {n_x:,} numbers", hint)
    whole = all(isinstance(n, int | np.integer) and n >= 1 for n in shape)
    if len(shape) not in (2, 3) or not whole:
        raise OptionError("image_shape", "(n_H, n_W) or (n_H, n_W, n_C)", repr(given), hint)
    if np.prod(shape) != n_x:
        sides = "×".join(map(str, shape))
        expected = f"{int(np.prod(shape)):,} numbers per row, {sides}"
        raise ShapeError("X", expected, f"{n_x:,}", "a different image_shape")
    n_H, n_W, *n_C = map(int, shape)
    return n_H, n_W, n_C[0] if n_C else 1


def check_alike(shape: tuple[int, ...] | None, learned: tuple[int, ...]) -> None:
    """Refuse images whose shape differs from training, such as (3, 8, 8) for (8, 8, 3)."""
    if shape is None or (*shape, 1)[:3] == (*learned, 1)[:3]:
        return
    expected, got = (f"images of {'×'.join(map(str, sides))}" for sides in (learned, shape))
    raise ShapeError(
        "X", expected, got, "images of the shape used in fit, or X[None] for one image"
    )


def as_images(
    X: Any, name: str, shape: tuple[int, ...] | None = None, *, bytes_stay: bool = False
) -> np.ndarray:
    """Convert to images (m, n_H, n_W, n_C) in float32, bytes to x / 255; check their shape.

    With `bytes_stay` bytes are left as they are, for networks that do the division themselves.
    """
    X = np.asarray(X)
    X = X[..., None] if X.ndim == 3 else X
    if X.ndim != 4 or (shape is not None and X.shape[1:] != shape):
        sizes = "n_H, n_W, n_C" if shape is None else ", ".join(map(str, shape))
        raise ShapeError(
            name, f"images (m, {sizes})", str(X.shape), "X[None] if it is a single image"
        )
    if X.dtype == np.uint8:
        return X if bytes_stay else X.astype(np.float32) / np.float32(255)
    X = X.astype(np.float32)
    if not np.isfinite(X).all():
        raise DataError(
            name, "finite numbers", "nan or infinity", "correcting or leaving out those images"
        )
    return X
