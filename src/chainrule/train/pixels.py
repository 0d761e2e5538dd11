"""Recognise image inputs: arrays of images, and rows of unnamed numbers that fill a square."""

from math import isqrt

from chainrule.train.door import Door

SMALLEST = 6
"""The smallest side of a square image; smaller squares are treated as unnamed columns."""


def picture_shape(door: Door) -> tuple[int, ...] | None:
    """Return (n_H, n_W) or (n_H, n_W, n_C) of one example, or None if it is not an image.

    64 unnamed numbers are taken as 8 × 8 pixels, 12,288 as 64 × 64 pixels in three colours.
    """
    if door.columns is not None:
        return None
    if len(door.shape) > 1:
        return door.shape
    return square(door.n_x)


def square(n_x: int) -> tuple[int, ...] | None:
    """Return the shape of the square image, grey or in three colours, with n_x numbers.

    >>> square(64), square(12288), square(30), square(4)
    ((8, 8), (64, 64, 3), None, None)
    """
    for colours in (1, 3):
        side = isqrt(n_x // colours)
        if side >= SMALLEST and side * side * colours == n_x:
            return (side, side) if colours == 1 else (side, side, 3)
    return None
