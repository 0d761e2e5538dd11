"""Segmentation masks overlaid on images, with a legend of the classes.

Each class has its own colour, taken from the mask file if that has colours. Edges between classes
are opaque; the areas that they enclose are half transparent.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

from chainrule.data.drawing import Colour, chips, sheet
from chainrule.inspection.plot_style import COLOURS

OPAQUE = 0.5
"""The opacity of a class's colour within its area."""

MORE = (
    *("#FFE119", "#911EB4", "#800000", "#46F0F0", "#808000", "#F032E6", "#000075"),
    *("#BFEF45", "#9A6324", "#DCBEFF", "#E6194B", "#AAFFC3", "#808080", "#FFD8B1"),
)
"""The colours that follow the first five of COLOURS, whose sixth is a second blue."""

TURN = 0.618033988749895
"""The step between the hues of further classes: the golden ratio, so that they stay apart."""


def palette(n: int) -> np.ndarray:
    """Return colours (n, 3) of bytes for classes 0, 1, …; a class always has the same colour.

    >>> palette(2).tolist()
    [[0, 114, 178], [213, 94, 0]]
    """
    listed = [_bytes(code) for code in (*COLOURS[:5], *MORE)[:n]]
    for i in range(len(listed), n):
        hue, value = i * TURN % 1, (0.95, 0.6)[i % 2]
        listed.append([round(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.8, value)])
    return np.array(listed, np.uint8).reshape(-1, 3)


def overlay(picture: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Overlay the classes of a mask on an image (n_H, n_W[, 1 or 3]) of bytes.

    Returns (n_H, n_W, 3) of bytes. Pixels whose mask value is no class, such as 255, are unchanged.
    """
    below = picture[..., None] if picture.ndim == 2 else picture
    below = np.broadcast_to(below, (*mask.shape, 3)).astype(np.float64)
    known = mask < len(colours)
    above = colours[np.where(known, mask, 0)]
    share = np.where(edges(mask), 1.0, OPAQUE) * known
    return np.rint(below + share[..., None] * (above - below)).astype(np.uint8)


def edges(mask: np.ndarray) -> np.ndarray:
    """Return which pixels have another class than the pixel above them or to their left.

    >>> edges(np.array([[1, 1, 2, 2]])).tolist()
    [[False, False, True, False]]
    """
    found = np.zeros(mask.shape, bool)
    found[1:] |= mask[1:] != mask[:-1]
    found[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    return found


def legend(names: Sequence[str], colours: np.ndarray, width: int) -> np.ndarray:
    """Return a legend, each name on its colour, that is `width` pixels wide."""
    return chips([(name, _colour(own)) for name, own in zip(names, colours, strict=True)], width)


def with_legend(
    picture: np.ndarray, mask: np.ndarray, names: Sequence[str], colours: np.ndarray
) -> np.ndarray:
    """Return the overlay with a legend below it of the classes that occur in the mask."""
    present = np.unique(mask[mask < len(names)])
    below = legend([names[int(kind)] for kind in present], colours[present], mask.shape[1])
    return np.concatenate([overlay(picture, mask, colours), below])


def compared(
    pictures: Sequence[np.ndarray],
    masks: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    colours: np.ndarray,
    scale: int = 1,
) -> np.ndarray:
    """Return a row for each image, plain and with each of its masks overlaid, and a legend below.

    Each pixel of the images is enlarged to `scale` by `scale` pixels.
    """
    tiles = []
    for picture, own in zip(pictures, masks, strict=True):
        nothing = np.full(picture.shape[:2], len(colours))
        large, *larger = (one.repeat(scale, 0).repeat(scale, 1) for one in (picture, nothing, *own))
        tiles += [overlay(large, mask, colours) for mask in larger]
    page = sheet(tiles, len(tiles) // len(pictures))
    return np.concatenate([page, legend(names, colours, page.shape[1])])


def _colour(numbers: np.ndarray) -> Colour:
    r, g, b = (int(number) for number in numbers)
    return r, g, b


def _bytes(code: str) -> list[int]:
    return [int(code[i : i + 2], 16) for i in (1, 3, 5)]
