"""Plots for the example programs: curves, steps of gradient descent, and decision boundaries.

    plot_curves             a line (x, y) for each name, in one panel or several
    cost_over_weight        J(w), and the points that gradient descent visits
    cost_bowl               contours of J(w, b), and the path of gradient descent
    plot_paths              contours of J(w1, w2) in panels, and in each the paths of optimisers
    plot_boundaries         decision boundaries of several networks, on the same examples

Notes: "Gradient descent" (course 1, week 2); "Normalizing inputs", and the programming exercises
"Initialization" and "Regularization" (course 2, week 1); "Gradient descent with momentum",
"RMSprop" and "Understanding mini-batch gradient descent" (course 2, week 2).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from chainrule.inspection.plots import (
    BLUE,
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    ORANGE,
    WIDTH,
    png,
    short,
)

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]

MOST_MARKERS = 40
"""The number of points above which a line is drawn without markers."""


def plot_curves(
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
    """Return the style of the i-th line: thinner than the earlier ones, dashed after the sixth."""
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


WEIGHTS = 301


def cost_over_weight(
    costs: Mapping[str, Callable],
    ends: tuple[float, float],
    walks: Mapping[str, Sequence[float]] | None = None,
) -> bytes:
    """Plot a panel for each cost J(w) of one weight, with the steps of gradient descent on it.

    `costs` maps the title of a panel to J; `walks` maps a name to the weights that it visits.
    """
    w = np.linspace(*ends, WEIGHTS, dtype=np.float32)
    visited = {name: np.asarray(walk, np.float32) for name, walk in (walks or {}).items()}

    def draw(figure):
        panels = figure.subplots(1, len(costs), squeeze=False).flat
        for axes, (name, J) in zip(panels, costs.items(), strict=True):
            heights = jax.vmap(J)
            axes.plot(w, heights(w), color=BLUE)
            for colour, (walker, steps) in zip(COLOURS[1:], visited.items(), strict=False):
                style = {"ms": 8, "mec": "white", "mew": 0.6, "label": walker}
                axes.plot(steps, heights(steps), "o", color=colour, **style)
            axes.set(title=name, xlabel="w")
            if visited:
                axes.legend(loc="best")
        figure.supylabel("cost J(w)", size=12)

    return png(draw)


def cost_bowl(
    J: Callable,
    walk: ArrayLike,
    w_ends: tuple[float, float],
    b_ends: tuple[float, float],
    title: str = "",
) -> bytes:
    """Plot the contours of J(w, b), dark where the cost is low, and the walk (steps, 2)."""
    w = np.linspace(*w_ends, WEIGHTS, dtype=np.float32)
    b = np.linspace(*b_ends, WEIGHTS, dtype=np.float32)
    over_w = jax.vmap(J, in_axes=(0, None))
    heights = np.asarray(jax.jit(jax.vmap(over_w, in_axes=(None, 0)))(jnp.array(w), jnp.array(b)))
    steps = np.asarray(walk, np.float64)
    levels = np.geomspace(heights.min(), heights.max(), 24)

    def draw(figure):
        axes = figure.subplots()
        filled = axes.contourf(w, b, heights, levels=levels, cmap="Blues_r", norm="log")
        axes.contour(w, b, heights, levels=levels, colors="white", linewidths=0.5, alpha=0.6)
        bar = figure.colorbar(filled, ax=axes, label="cost J(w, b)", format="{x:.2g}")
        bar.outline.set_visible(False)
        axes.plot(
            *steps.T, "o-", color=ORANGE, ms=5, mec="white", mew=0.6, label="gradient descent"
        )
        axes.plot(*steps[0], "s", color=INK, ms=8, mec="white", label="start")
        axes.plot(*steps[-1], "*", color=ORANGE, ms=17, mec="white", label="end", zorder=4)
        axes.set(title=title, xlabel="w", ylabel="b", xlim=w_ends, ylim=b_ends)
        axes.grid(visible=False)
        axes.legend(loc="lower left", frameon=True, framealpha=0.85)

    return png(draw, height=5.6)


CONTOUR_POINTS, HEIGHTS, CONTOUR_PADDING = 161, 16, 0.12
PATH_COLUMNS = 3


class Paths(NamedTuple):
    """A cost J(w1, w2), and for each named walk the points (steps, 2) that it visits."""

    J: Callable
    walks: Mapping[str, Any]


def plot_paths(
    panels: Mapping[str, Paths], title: str = "", names: tuple[str, str] = ("w1", "w2")
) -> bytes:
    """Plot a panel for each title: the contours of J, dark where it is low, and the walks on them.

    Both axes of a panel have the same scale, so that a long valley looks long. Panels of the same
    J show the same region.
    """
    columns = 2 if len(panels) == 4 else min(PATH_COLUMNS, len(panels))
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
    """Return all points that the walks in the panels visit."""
    walks = [walk for panel in panels for walk in panel.walks.values()]
    return np.concatenate([np.asarray(walk, np.float64) for walk in walks])


def _contours(axes, J: Callable, places: np.ndarray) -> None:
    """Draw the contours of J on a square around the points, at levels that grow quadratically."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, (0.5 + CONTOUR_PADDING) * (high - low).max()
    x1, x2 = np.linspace(middle - half, middle + half, CONTOUR_POINTS, dtype=np.float32).T
    over_x1 = jax.vmap(J, in_axes=(0, None))
    heights = np.asarray(jax.vmap(over_x1, in_axes=(None, 0))(x1, x2))
    levels = heights.min() + np.linspace(0, 1, HEIGHTS) ** 2 * np.ptp(heights)
    axes.contourf(x1, x2, heights, levels=levels, cmap="Blues_r", alpha=0.8)
    axes.contour(x1, x2, heights, levels=levels, colors="white", linewidths=0.5, alpha=0.6)


GRID, PADDING = 160, 0.08
MOST_COLUMNS, MARGIN = 3, 1.9
LEVELS = np.linspace(0, 1, 11)


def plot_boundaries(
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
