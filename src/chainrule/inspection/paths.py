"""Plots of optimisation paths over the contours of a cost: gradient descent, momentum, Adam.

    picture_of_paths   contours of J(w1, w2) in panels, and in each the paths of optimisers

Notes: "Normalizing inputs" (course 2, week 1); "Gradient descent with momentum", "RMSprop" and
"Understanding mini-batch gradient descent" (course 2, week 2).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.inspection.plot_style import COLOURS, INK, WIDTH
from chainrule.inspection.plots import png

POINTS, HEIGHTS, PADDING = 161, 16, 0.12
MOST_COLUMNS = 3


class Paths(NamedTuple):
    """A cost J(w1, w2), and for each named walk the points (steps, 2) that it visits."""

    J: Callable
    walks: Mapping[str, Any]


def picture_of_paths(
    panels: Mapping[str, Paths], title: str = "", names: tuple[str, str] = ("w1", "w2")
) -> bytes:
    """Plot a panel for each title: the contours of J, dark where it is low, and the walks on them.

    Both axes of a panel have the same scale, so that a long valley looks long. Panels of the same
    J show the same region.
    """
    columns = 2 if len(panels) == 4 else min(MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)

    def draw(figure):
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (heading, (J, walks)) in zip(grid, panels.items(), strict=False):
            _contours(axes, J, _places(panel for panel in panels.values() if panel.J is J))
            for colour, (name, walk) in zip(COLOURS[1:], walks.items(), strict=False):
                style: dict[str, Any] = {"ms": 2.5, "linewidth": 1.2, "label": name}
                axes.plot(*np.transpose(walk), "o-", color=colour, **style)
            axes.plot(*next(iter(walks.values()))[0], "s", color=INK, ms=6, mec="white")
            axes.set(title=heading, xlabel=names[0], ylabel=names[1], aspect="equal")
            axes.grid(visible=False)
            if len(walks) > 1:
                axes.legend(loc="best", fontsize=9, frameon=True, framealpha=0.85)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw, height=1 + 0.85 * WIDTH / columns * rows)


def _places(panels: Iterable[Paths]) -> np.ndarray:
    """Return every point that a walk in one of the panels visits."""
    walks = [walk for panel in panels for walk in panel.walks.values()]
    return np.concatenate([np.asarray(walk, np.float64) for walk in walks])


def _contours(axes, J: Callable, places: np.ndarray) -> None:
    """Draw the contours of J on a square around the points, at levels that grow quadratically."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, (0.5 + PADDING) * (high - low).max()
    x1, x2 = np.linspace(middle - half, middle + half, POINTS, dtype=np.float32).T
    over_x1 = jax.vmap(J, in_axes=(0, None))
    heights = np.asarray(jax.vmap(over_x1, in_axes=(None, 0))(x1, x2))
    levels = heights.min() + np.linspace(0, 1, HEIGHTS) ** 2 * np.ptp(heights)
    axes.contourf(x1, x2, heights, levels=levels, cmap="Blues_r", alpha=0.8)
    axes.contour(x1, x2, heights, levels=levels, colors="white", linewidths=0.5, alpha=0.6)
