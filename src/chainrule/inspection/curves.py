"""Line plots in panels: how one quantity depends on another, with a line for each case.

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
"""Lines of more points are drawn without markers."""


def picture_of_curves(
    panels: Mapping[str, Curves],
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
) -> bytes:
    """Plot a panel for each title and in it a line (x, y) for each name.

    A name has the same colour in all panels. `log` names the logarithmic axes: "", "x", "y" or
    "xy". Points that are not finite are left out.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))

    def draw(figure):
        shared = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True).flat
        for axes, (heading, curves) in zip(shared, panels.items(), strict=True):
            for name, (x, y) in curves.items():
                x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
                finite = np.isfinite(x) & np.isfinite(y)
                axes.plot(
                    x[finite], y[finite], **_line_style(names.index(name), finite.sum()), label=name
                )
            axes.set(title=heading, xlabel=xlabel)
            _set_scales(axes, log, [x for x, _ in curves.values()])
        shared[0].set_ylabel(ylabel)
        handles = {}
        for axes in shared:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        labels = [short(name, 30) for name in handles]
        figure.legend(list(handles.values()), labels, loc="outside right center")
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw)


def _line_style(i: int, points: int) -> dict[str, Any]:
    """Return the style of the i-th line: thinner than the lines below, dashed after the sixth."""
    repeat, colour = divmod(i, len(COLOURS))
    marker = MARKERS[i % len(MARKERS)] if points <= MOST_MARKERS else ""
    return {
        "color": COLOURS[colour],
        "linestyle": DASHES[repeat % len(DASHES)],
        "linewidth": max(1.2, 3 - 0.4 * i),
        "marker": marker,
        "ms": 4,
    }


def _set_scales(axes, log: str, xs: Sequence[ArrayLike]) -> None:
    """Set the requested logarithmic axes; an integer x axis has ticks at whole numbers only."""
    if "x" not in log and all(np.issubdtype(np.asarray(x).dtype, np.integer) for x in xs):
        axes.xaxis.get_major_locator().set_params(integer=True)
    if "x" in log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    if "y" in log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
