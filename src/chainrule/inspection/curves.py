"""A picture of lines in panels: what one number does to others, one line for each case.

picture_of_curves   a line (x, y) for each name, in one panel or several
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.inspection.class_names import short
from chainrule.inspection.plot_style import COLOURS, DASHES, MARKERS
from chainrule.inspection.plots import png

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]

MOST_MARKERS = 40
"""A line of more points is drawn without markers."""


def picture_of_curves(
    panels: Mapping[str, Curves],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
) -> bytes:
    """A panel for each title, a line (x, y) for each name; a name keeps its colour in all panels.

    `log` names the axes that are logarithmic: "", "x", "y" or "xy". What is not finite is left out.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))

    def draw(figure):
        shared = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True).flat
        for axes, (heading, curves) in zip(shared, panels.items(), strict=True):
            for name, (x, y) in curves.items():
                x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
                kept = np.isfinite(x) & np.isfinite(y)
                axes.plot(x[kept], y[kept], **_look(names.index(name), kept.sum()), label=name)
            axes.set(title=heading, xlabel=xlabel)
            _scales(axes, log, [x for x, _ in curves.values()])
        shared[0].set_ylabel(ylabel)
        handles = {}
        for axes in shared:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        words = [short(name, 30) for name in handles]
        figure.legend(list(handles.values()), words, loc="outside right center")
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw)


def _look(i: int, points: int) -> dict[str, Any]:
    """How the i-th line is drawn: thinner than those below it, and dashed beyond six."""
    repeat, colour = divmod(i, len(COLOURS))
    marker = MARKERS[i % len(MARKERS)] if points <= MOST_MARKERS else ""
    return {
        "color": COLOURS[colour],
        "linestyle": DASHES[repeat % len(DASHES)],
        "linewidth": max(1.2, 3 - 0.4 * i),
        "marker": marker,
        "ms": 4,
    }


def _scales(axes, log: str, xs: Sequence[ArrayLike]) -> None:
    """Logarithmic where it is asked; whole numbers get no ticks between them."""
    if "x" not in log and all(np.issubdtype(np.asarray(x).dtype, np.integer) for x in xs):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if "x" in log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    if "y" in log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
