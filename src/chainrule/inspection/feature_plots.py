"""Plots of what convolutional layers detect: the first filters, and patches that excite units.

filter_picture    the filters of the first layer: in colour, or positive orange and negative blue
patch_picture     a block for each channel with the patches that excite it most
run_pictures      both plots for every convolutional layer of a run, by file name
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.inspection.features import Patches, filters, patches_of_layers
from chainrule.inspection.image_plots import overlaid
from chainrule.inspection.plots import INK, WIDTH, png, short
from chainrule.runs.preprocessing import picture_shape
from chainrule.runs.run import Run

MOST_FILTERS = 64
OUTSIDE = np.array([0.80, 0.88, 0.94])
"""The colour beyond the border of an image: pale blue."""
BETWEEN, APART = 0.06, 0.3
"""The space between two patches of a channel and between two channels, as shares of a patch."""


def filter_picture(W: np.ndarray) -> bytes:
    """Draw filters (f, f, n_C_prev, n_C), each scaled by its own largest absolute value.

    Filters of three channels are drawn in colour, where grey means 0. The channels of other
    filters are summed; the sum is orange above 0 and blue below.
    """
    f, _, n_C_prev, n_C = W.shape
    shown = np.moveaxis(W, -1, 0)[:MOST_FILTERS].astype(np.float64)  # (n_C, f, f, n_C_prev)
    if n_C_prev == 3:
        most = np.maximum(np.abs(shown).max(axis=(1, 2, 3), keepdims=True), 1e-30)
        tiles, colours = 0.5 + 0.5 * shown / most, "grey is 0"
    else:
        heat = shown.sum(axis=-1)
        tiles, colours = overlaid(np.ones((*heat.shape, 3)), heat), "orange above 0, blue below"
    some = f"{len(tiles)} of the " if len(tiles) < n_C else ""
    title = f"{some}{n_C} filters of {f}×{f}: {colours}"
    return _blocks([Block(str(i), tile[None]) for i, tile in enumerate(tiles)], title, 12)


def patch_picture(patches: Patches) -> bytes:
    """Draw the patches that excite each channel most, without those for which A is 0."""
    blocks = []
    for c, values, pictures in zip(*patches[5:7], patches.pictures, strict=True):
        heading = f"channel {c}: {values[0]:.3g} … {values[-1]:.3g}"
        blocks.append(Block(heading, pictures[values > 0]))
    layer, field = f"layer {patches.l}, {short(patches.title, 34)}", patches.field.size
    n_H, n_W = patches.pictures.shape[2:4]
    seen = f"sees {field}×{field} pixels" + (", the whole image" if n_H < field else "")
    silent = f", {patches.silent} of {patches.n_C} silent" if patches.silent else ""
    across = ceil(sqrt(patches.values.shape[1]))
    return _blocks(blocks, f"{layer}: {seen}{silent}", 3, across, shape=(n_H, n_W))


def plot_features(run: Run, source: Dataset) -> tuple[dict[str, bytes], list[Patches]]:
    """Return the plots of all convolutional layers on a dataset's images, and the patches drawn."""
    shape = picture_shape(run.preprocessor)
    if shape is None:
        hint = "a run that was trained on images"
        raise OptionError(
            "features", "images as inputs", f"rows of {run.preprocessor.n_numbers} numbers", hint
        )
    X = source.X if len(source.X.shape) > 2 else source.X.reshape(-1, *shape)
    found = patches_of_layers(run.network, X, prepare=lambda some: run.preprocessor.rows(some).T)
    pictures = {"filters.png": filter_picture(filters(run.network))}
    return pictures | {f"layer{one.l}.png": patch_picture(one) for one in found}, found


class Block(NamedTuple):
    """A group of tiles (n, n_H, n_W, 3) and the heading above them."""

    heading: str
    tiles: np.ndarray


def _blocks(
    blocks: Sequence[Block],
    title: str,
    columns: int,
    across: int = 1,
    shape: tuple[int, int] | None = None,
) -> bytes:
    """Draw the blocks row by row, each with `across` tiles in a row."""
    n_H, n_W = shape or blocks[0].tiles.shape[1:3]
    columns = min(columns, len(blocks))
    down = max(ceil(max(len(block.tiles) for block in blocks) / across), 1)
    width = across + (across - 1) * BETWEEN  # in tiles
    step_x = width + (APART if across > 1 else 2 * BETWEEN)
    inch = WIDTH / (max(columns, 3) * step_x)  # of a tile
    line = 0.24 / inch
    tall = n_H / n_W
    step_y = down * tall + (down - 1) * BETWEEN + line + (0.12 / inch)
    rows = ceil(len(blocks) / columns)

    def draw(figure):
        axes = figure.subplots()
        for i, block in enumerate(blocks):
            row, column = divmod(i, columns)
            x, y = column * step_x, row * step_y
            axes.text(x, y + 0.8 * line, block.heading, size=9, color=INK, va="baseline")
            for j, tile in enumerate(block.tiles):
                v, u = divmod(j, across)
                _tile(axes, tile, x + u * (1 + BETWEEN), y + line + v * (tall + BETWEEN), tall)
        axes.set(xlim=(0, max(columns, 3) * step_x), ylim=(rows * step_y, 0), title=title)
        axes.set_aspect("equal")
        axes.axis("off")

    return png(draw, height=inch * rows * step_y + 0.5)


def _tile(axes: Any, tile: np.ndarray, x: float, y: float, tall: float) -> None:
    shown = np.where(np.isfinite(tile), tile, OUTSIDE)
    axes.imshow(shown, extent=(x, x + 1, y + tall, y), interpolation="nearest", vmin=0, vmax=1)
