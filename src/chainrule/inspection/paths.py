"""Several ways downhill over the same contours: gradient descent, momentum, RMSprop, Adam.

    picture_of_paths   J(w1, w2) from above in panels, and in each the ways that were taken

Notes: "Normalizing inputs" (course 2, week 1); "Gradient descent with momentum", "RMSprop" and
"Understanding mini-batch gradient descent" (course 2, week 2).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from chainrule.inspection.plot_style import COLOURS, INK
from chainrule.inspection.plots import png

POINTS, HEIGHTS, ROOM = 161, 16, 0.12
COLUMNS = 2


class Paths(NamedTuple):
    """A cost J(w1, w2) and the places (steps, 2) that each walk comes by, by its name."""

    J: Callable
    walks: Mapping[str, ArrayLike]


def picture_of_paths(
    panels: Mapping[str, Paths], title: str = "", names: tuple[str, str] = ("w1", "w2")
) -> bytes:
    """A panel for each title: J, dark where it is low, and the walks over it.

    Each panel has the same scale on both axes, so that a long valley looks long.
    """
    rows = -(-len(panels) // COLUMNS)

    def draw(figure):
        every = figure.subplots(rows, min(COLUMNS, len(panels)), squeeze=False).ravel()
        for axes, (heading, (J, walks)) in zip(every, panels.items(), strict=False):
            places = {name: np.asarray(walk, np.float64) for name, walk in walks.items()}
            _contours(axes, J, np.concatenate(list(places.values())))
            for colour, (name, steps) in zip(COLOURS[1:], places.items(), strict=False):
                how: dict[str, Any] = {"ms": 2.5, "linewidth": 1.2, "label": name}
                axes.plot(*steps.T, "o-", color=colour, **how)
            axes.plot(*next(iter(places.values()))[0], "s", color=INK, ms=6, mec="white")
            axes.set(title=heading, xlabel=names[0], ylabel=names[1], aspect="equal")
            axes.grid(visible=False)
            axes.legend(loc="best", fontsize=9, frameon=True, framealpha=0.85)
        for axes in every[len(panels) :]:
            axes.set_visible(False)
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw, height=1 + 3.2 * rows)


def _contours(axes, J: Callable, places: np.ndarray) -> None:
    """J around the places, as wide as high, at heights that grow with the square."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, (0.5 + ROOM) * (high - low).max()
    x1, x2 = np.linspace(middle - half, middle + half, POINTS, dtype=np.float32).T
    over_x1 = jax.vmap(J, in_axes=(0, None))
    heights = np.asarray(jax.vmap(over_x1, in_axes=(None, 0))(x1, x2))
    levels = heights.min() + np.linspace(0, 1, HEIGHTS) ** 2 * np.ptp(heights)
    axes.contourf(x1, x2, heights, levels=levels, cmap="Blues_r", alpha=0.8)
    axes.contour(x1, x2, heights, levels=levels, colors="white", linewidths=0.5, alpha=0.6)
