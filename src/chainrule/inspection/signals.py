"""The health of the signal, as a picture and as a table: see `train/signals.py` for what is drawn.

Notes: "Vanishing/exploding gradients" (course 2, week 1).
"""

from typing import Any

import numpy as np

from chainrule.inspection.plot_style import COLOURS, DASHES, GREY
from chainrule.inspection.plots import png
from chainrule.strategy.table import aligned
from chainrule.train.history import History

PANELS = {
    "A": "A[l]: forward",
    "dA": "dA[l]: back",
    "update": "update, ‖ΔW[l]‖ / ‖W[l]‖",
    "flat": "dead or saturated, share",
}
USUAL = 1e-3
"""Of ‖W‖: about what a step should change."""
FEW = 13
"""Layers that are all in the legend."""


def signal_picture(history: History) -> bytes:
    """A line for each layer: the sizes of A[l] and dA[l], the update against W[l], what is flat."""
    epochs = [line["epoch"] for line in history.signals]
    layers = [_layer(history, l) for l in range(_count(history))]

    def draw(figure):
        panels = figure.subplots(2, 2).flat
        for axes, (quantity, title) in zip(panels, PANELS.items(), strict=True):
            for i, series in enumerate(layers):
                _line(axes, series[quantity], i, len(layers))
            axes.set(title=title, xlabel="epoch")
            axes.set_xticks(range(len(epochs)), labels=epochs)
            if quantity == "flat":
                axes.set(ylim=(-0.04, 1.04))
            else:
                _scale(axes, [size for series in layers for size in series[quantity] if size > 0])
            if quantity == "update":
                axes.axhline(USUAL, color=GREY, linewidth=1, linestyle=":")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)

    return png(draw, height=6.2)


def signal_table(history: History) -> str:
    """The last measurement: a row for each layer; nothing where nothing was measured."""
    if not history.signals:
        return ""
    last = history.signals[-1]
    names = [name for name in ("A", "dA", "W", "dW", "update") if name in last["signal"][0]]
    rows = [["l", *(f"{name}[l]" if name != "update" else name for name in names), "flat"]]
    for l, layer in enumerate(last["signal"], 1):
        cells = [f"{layer[name]:.1e}" if name in layer else "" for name in names]
        rows.append([str(l), *cells, _flat_words(layer)])
    lines = aligned(rows, right=range(1, len(names) + 1))
    title = f"the signal after epoch {last['epoch']:,} (A, dA: root mean square; W, dW: length)"
    return "\n".join([title, *lines])


def _count(history: History) -> int:
    return len(history.signals[0]["signal"]) if history.signals else 0


def _layer(history: History, l: int) -> dict[str, list[float]]:
    """The course of each quantity of one layer; what it does not have is not a number."""
    measured = [line["signal"][l] for line in history.signals]
    flat = [m.get("dead", m.get("saturated", np.nan)) for m in measured]
    return {name: [m.get(name, np.nan) for m in measured] for name in PANELS} | {"flat": flat}


def _line(axes: Any, values: list[float], i: int, n: int) -> None:
    repeat, colour = divmod(i, len(COLOURS))
    label = f"l = {i + 1}" if n < FEW or i % 4 == 0 else None
    how = {"color": COLOURS[colour], "linestyle": DASHES[repeat % len(DASHES)], "ms": 4}
    axes.plot(values, marker="o", label=label, **how)


def _scale(axes: Any, sizes: list[float]) -> None:
    """Powers of ten, where there is one between the sizes to be marked."""
    if sizes and max(sizes) > 10 * min(sizes):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("")
    axes.yaxis.set_major_formatter("{x:g}")


def _flat_words(layer: dict[str, float]) -> str:
    for name in ("dead", "saturated"):
        if name in layer:
            return f"{layer[name]:.0%} {name}"
    return ""
