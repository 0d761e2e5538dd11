"""What a network says of every pixel, in colours on the picture it says it of.

Each class has a colour of its own, that of the mask where masks have colours; the edges between
classes are in full colour, what they enclose lets the picture through.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

from chainrule.data.drawing import Colour, chips, sheet
from chainrule.inspection.plot_style import COLOURS

OPAQUE = 0.5
"""The share of the colour within an area."""

MORE = (
    *("#FFE119", "#911EB4", "#800000", "#46F0F0", "#808000", "#F032E6", "#000075"),
    *("#BFEF45", "#9A6324", "#DCBEFF", "#E6194B", "#AAFFC3", "#808080", "#FFD8B1"),
)
"""After the first five of every picture, whose sixth is a second blue."""

TURN = 0.618033988749895


def palette(n: int) -> np.ndarray:
    """Colours (n, 3) of bytes for classes 0, 1, …, the same for the same class.

    >>> palette(2).tolist()
    [[0, 114, 178], [213, 94, 0]]
    """
    listed = [_bytes(code) for code in (*COLOURS[:5], *MORE)[:n]]
    for i in range(len(listed), n):
        hue, value = i * TURN % 1, (0.95, 0.6)[i % 2]
        listed.append([round(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.8, value)])
    return np.array(listed, np.uint8).reshape(-1, 3)


def overlay(picture: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """The picture (n_H, n_W[, 1 or 3]) of bytes with the classes of a mask, (n_H, n_W, 3) of bytes.

    Where the mask is no class (255, say) the picture is as it was.
    """
    below = picture[..., None] if picture.ndim == 2 else picture
    below = np.broadcast_to(below, (*mask.shape, 3)).astype(np.float64)
    known = mask < len(colours)
    above = colours[np.where(known, mask, 0)]
    share = np.where(edges(mask), 1.0, OPAQUE) * known
    return np.rint(below + share[..., None] * (above - below)).astype(np.uint8)


def edges(mask: np.ndarray) -> np.ndarray:
    """The pixels that are of another class than the one above or before them.

    >>> edges(np.array([[1, 1, 2, 2]])).tolist()
    [[False, False, True, False]]
    """
    found = np.zeros(mask.shape, bool)
    found[1:] |= mask[1:] != mask[:-1]
    found[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    return found


def legend(names: Sequence[str], colours: np.ndarray, width: int) -> np.ndarray:
    """The names on their colours, so many pixels wide."""
    return chips([(name, _colour(own)) for name, own in zip(names, colours, strict=True)], width)


def with_legend(
    picture: np.ndarray, mask: np.ndarray, names: Sequence[str], colours: np.ndarray
) -> np.ndarray:
    """The overlay, and below it the names of the classes that there are in the mask."""
    there = np.unique(mask[mask < len(names)])
    below = legend([names[int(kind)] for kind in there], colours[there], mask.shape[1])
    return np.concatenate([overlay(picture, mask, colours), below])


def compared(
    pictures: Sequence[np.ndarray],
    masks: Sequence[Sequence[np.ndarray]],
    names: Sequence[str],
    colours: np.ndarray,
    scale: int = 1,
) -> np.ndarray:
    """A row for each picture: as it is, then with each of its masks; below, the names of classes.

    A pixel is `scale` by `scale` pixels.
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
