"""A gallery of small images with captions, such as mistakes or what a network looked at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.data.source import Source
from chainrule.errors import OptionError
from chainrule.inspection.class_names import short
from chainrule.inspection.plot_style import INK, WIDTH
from chainrule.inspection.plots import png
from chainrule.strategy.error_analysis import Mistakes
from chainrule.train.door import Door
from chainrule.train.pixels import picture_shape

MOST = 100
COLUMNS = 8
GAP = 0.12
"""The space between two images, as a share of an image's width."""

FOR, AGAINST = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])  # orange and blue


class Tile(NamedTuple):
    """An image (n_H, n_W, 3) of numbers from 0 to 1, and the caption below it."""

    picture: np.ndarray
    caption: str


def mistake_gallery(mistakes: Mistakes, source: Source, door: Door) -> bytes:
    """Draw the mistakes as a gallery; raise OptionError if the examples are not images."""
    shape = picture_shape(door)
    if shape is None:
        hint = "-o mistakes.csv, which writes the mistakes as a table"
        raise OptionError("--gallery", "a data set of images", f"rows of {door.n_x} numbers", hint)
    listed = mistakes.listed[:MOST]
    index = [one.index for one in listed]
    captions = []
    for one in listed:
        probability = "" if one.sure is None else f" ({one.sure:.2f})"
        predicted = f"pred. {short(_label_text(one.predicted), 8)}{probability}"
        place = f"{mistakes.place_name} {short(one.place, 12)}"
        captions.append(f"{predicted}\ntrue {short(_label_text(one.true), 12)}\n{place}")
    images = as_colours(np.asarray(source.X[index]).reshape(-1, *shape))
    return gallery([Tile(*pair) for pair in zip(images, captions, strict=True)], mistakes.title)


def gallery(tiles: Sequence[Tile], title: str, columns: int = COLUMNS) -> bytes:
    """Return a PNG of all tiles, row by row, below a title."""
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    lines = 1 + max((tile.caption.count("\n") for tile in tiles), default=0)
    height, width = tiles[0].picture.shape[:2] if tiles else (1, 1)
    inch = WIDTH / max(columns, 4) / (1 + GAP)
    under = 0.165 * lines / inch * width  # the height of the captions, in image pixels
    step_x, step_y = width * (1 + GAP), height + under + GAP * width

    def draw(figure):
        axes = figure.subplots()
        for i, tile in enumerate(tiles):
            row, column = divmod(i, columns)
            x, y = column * step_x, row * step_y
            axes.imshow(tile.picture, extent=(x, x + width, y + height, y), interpolation="nearest")
            axes.text(x, y + height + 0.03 * width, tile.caption, size=8, color=INK, va="top")
        axes.set(xlim=(0, max(columns, 4) * step_x), ylim=(rows * step_y, 0), title=title)
        axes.set_aspect("equal")
        axes.axis("off")

    return png(draw, height=inch / width * rows * step_y + 0.5)


def as_colours(images: np.ndarray) -> np.ndarray:
    """Return images as colours (m, n_H, n_W, 3) from 0 to 1.

    Bytes are divided by 255; other numbers are scaled so that their range is from 0 to 1.
    """
    numbers = np.asarray(images, np.float64)
    if images.dtype == np.uint8:
        numbers = numbers / 255
    elif numbers.size:
        low, high = numbers.min(), numbers.max()
        numbers = (numbers - low) / ((high - low) or 1.0)
    if numbers.shape[3:] == (3,):
        return numbers
    grey = numbers if numbers.ndim == 3 else numbers[..., :1].squeeze(-1)
    return np.repeat(grey[..., None], 3, axis=-1)


def overlaid(pictures: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Overlay a heat map on pale images (m, n_H, n_W, 3): orange for positive, blue for negative.

    heat (m, n_H, n_W) is scaled by the largest absolute value in each image.
    """
    share = heat / np.maximum(np.abs(heat).max(axis=(1, 2), keepdims=True), 1e-30)
    grey = 0.75 + 0.25 * pictures.mean(axis=-1, keepdims=True)
    strength = np.abs(share)[..., None]
    ink = np.where(share[..., None] > 0, FOR, AGAINST)
    return grey * (1 - strength) + ink * strength


def _label_text(label: object) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)
