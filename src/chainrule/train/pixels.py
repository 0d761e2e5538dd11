"""Which inputs are pictures: images, and unnamed numbers that fill a square."""

from math import isqrt

from chainrule.train.door import Door

SMALLEST = 6
"""A square of fewer pixels to a side is taken for a table of unnamed numbers."""


def picture_shape(door: Door) -> tuple[int, ...] | None:
    """(n_H, n_W) or (n_H, n_W, n_C) of one example, None where it is no picture.

    64 unnamed numbers are taken for 8 by 8 pixels, 12,288 for 64 by 64 in three colours.
    """
    if door.columns is not None:
        return None
    if len(door.shape) > 1:
        return door.shape
    return square(door.n_x)


def square(n_x: int) -> tuple[int, ...] | None:
    """The square that so many numbers fill, grey or of three colours.

    >>> square(64), square(12288), square(30), square(4)
    ((8, 8), (64, 64, 3), None, None)
    """
    for colours in (1, 3):
        side = isqrt(n_x // colours)
        if side >= SMALLEST and side * side * colours == n_x:
            return (side, side) if colours == 1 else (side, side, 3)
    return None
