"""Plots of gradient descent: the cost over one or two parameters and the steps of the descent.

    cost_over_weight   J(w), and the points that gradient descent visits
    cost_bowl          contours of J(w, b), and the path of gradient descent

Notes: "Gradient descent" (course 1, week 2).
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from chainrule.inspection.plot_style import BLUE, COLOURS, INK, ORANGE
from chainrule.inspection.plots import png

POINTS = 301


def cost_over_weight(
    costs: Mapping[str, Callable],
    ends: tuple[float, float],
    walks: Mapping[str, Sequence[float]] | None = None,
) -> bytes:
    """Plot a panel for each cost J(w) of one weight, with the points of every walk on the curve.

    `costs` maps the title of a panel to J; `walks` maps a name to the weights visited.
    """
    w = np.linspace(*ends, POINTS, dtype=np.float32)
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
    w = np.linspace(*w_ends, POINTS, dtype=np.float32)
    b = np.linspace(*b_ends, POINTS, dtype=np.float32)
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
