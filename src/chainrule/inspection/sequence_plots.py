"""Plots of what a network does with sequences.

    plot_attention   the weights of an attention, for each token of the source and of the target

Notes: "Attention model" (course 5, week 3).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.inspection.plots import png, short

MOST_NAMES = 60
"""The number of tokens on an axis above which only some are named."""


def plot_attention(found: Sequence[Any]) -> bytes:
    """Plot a panel for each text: its target's tokens in rows, its source's tokens in columns.

    Each has the names of the tokens, `source` and `target`, and `weights` (T_y, T_x); the darker a
    field, the more its row takes of its column.
    """
    heights = [max(1.2, 0.19 * min(len(one.target), MOST_NAMES)) for one in found]

    def draw(figure):
        panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights).flat
        for axes, one in zip(panels, found, strict=True):
            axes.pcolormesh(one.weights, cmap="Blues", vmin=0, vmax=1, rasterized=True)
            _name(axes.set_xticks, one.source)
            _name(axes.set_yticks, one.target)
            axes.invert_yaxis()
            axes.tick_params(length=0, labelsize=9)
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
        figure.supxlabel("source", size=11)
        figure.supylabel("translation", size=11)

    return png(draw, height=0.8 + sum(heights) + 0.4 * len(found))


def _name(set_ticks: Any, tokens: Sequence[str]) -> None:
    """Name the tokens of an axis, as many as fit; a space is shown as an open box."""
    every = -(-len(tokens) // MOST_NAMES)
    names = [short(token) if token.strip() else "␣" for token in tokens]
    wide = max(map(len, names)) > 2 and set_ticks.__name__ == "set_xticks"
    turned = {"rotation": 90} if wide else {}
    set_ticks(np.arange(0, len(tokens), every) + 0.5, names[::every], **turned)
