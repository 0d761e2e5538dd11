"""Decision boundaries of several networks side by side, on the same examples.

Notes: "Initialization" and "Regularization", the programming exercises (course 2, week 1).
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from chainrule.inspection.plot_style import BLUE, INK, ORANGE, WIDTH
from chainrule.inspection.plots import png

GRID, PADDING = 160, 0.08
MOST_COLUMNS, MARGIN = 3, 1.9
LEVELS = np.linspace(0, 1, 11)


def picture_of_boundaries(
    networks: Mapping[str, Callable], X: ArrayLike, y: ArrayLike, title: str = ""
) -> bytes:
    """Plot a panel for each network: its A over the plane, the line A = 0.5, and the examples.

    A network maps rows (m, 2), float32, to A, the probability of class 1 for each row. The
    examples X (m, 2) with labels y (m,) are drawn in blue for class 0 and orange for class 1.
    """
    X, y = np.asarray(X, np.float32), np.asarray(y)
    low, high = X.min(axis=0), X.max(axis=0)
    padding = PADDING * (high - low)
    x1, x2 = np.linspace(low - padding, high + padding, GRID, dtype=np.float32).T
    plane = np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)
    outputs = {name: np.asarray(A(plane)).reshape(GRID, GRID) for name, A in networks.items()}
    columns = 2 if len(outputs) == 4 else min(MOST_COLUMNS, len(outputs))
    rows = -(-len(outputs) // columns)
    panel_height = (WIDTH - MARGIN) / columns * float(np.ptp(x2) / np.ptp(x1))

    def draw(figure):
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        filled = None
        for axes, (name, A) in zip(panels, outputs.items(), strict=False):
            style = {"cmap": "RdBu_r", "alpha": 0.5, "vmin": 0, "vmax": 1}
            filled = axes.contourf(x1, x2, A, levels=LEVELS, **style)
            if A.min() < 0.5 < A.max():
                axes.contour(x1, x2, A, levels=[0.5], colors=[INK], linewidths=1.3)
            for label, colour in ((0, BLUE), (1, ORANGE)):
                shown = X[y == label]
                axes.scatter(*shown.T, s=9, color=colour, edgecolors="white", linewidths=0.3)
            axes.set(title=name, aspect="equal")
            axes.tick_params(length=0, labelsize=9)
            axes.grid(visible=False)
        for axes in panels[len(outputs) :]:
            axes.set_visible(False)
        if filled is not None:
            figure.colorbar(
                filled, ax=panels, label="A, the probability of the orange class", shrink=0.8
            )
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw, height=0.8 + (panel_height + 0.4) * rows)
