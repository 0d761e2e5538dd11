"""The health of the signal as a plot and as a table: `train/signals.py` defines the quantities.

Notes: "Vanishing/exploding gradients" (course 2, week 1).
"""

from typing import Any

import numpy as np

from chainrule.inspection.plot_style import COLOURS, DASHES, GREY
from chainrule.inspection.plots import png
from chainrule.strategy.table import aligned
from chainrule.train.history import History

PANELS = {
    "A": "A[l], root mean square",
    "dA": "dA[l], root mean square",
    "update": "relative update ‖ΔW[l]‖ / ‖W[l]‖",
    "flat": "share of dead or saturated units",
}
USUAL = 1e-3
"""The usual size of an update, as a share of ‖W‖."""
FEW = 13
"""With fewer layers than this, every layer is in the legend; otherwise every fourth."""


def signal_picture(history: History) -> bytes:
    """Plot, with a line for each layer, A[l], dA[l], the relative update and the dead units."""
    epochs = [line["epoch"] for line in history.signals]
    layers = [_layer_series(history, l) for l in range(_layer_count(history))]

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
                _set_scale(
                    axes, [size for series in layers for size in series[quantity] if size > 0]
                )
            if quantity == "update":
                axes.axhline(USUAL, color=GREY, linewidth=1, linestyle=":")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=7)

    return png(draw, height=6.2)


def signal_table(history: History) -> str:
    """Return the last measurement as a table with a row for each layer, or "" without one."""
    if not history.signals:
        return ""
    last = history.signals[-1]
    names = [name for name in ("A", "dA", "W", "dW", "update") if name in last["signal"][0]]
    rows = [["l", *(f"{name}[l]" if name != "update" else name for name in names), "flat"]]
    for l, layer in enumerate(last["signal"], 1):
        cells = [f"{layer[name]:.1e}" if name in layer else "" for name in names]
        rows.append([str(l), *cells, _flat_text(layer)])
    lines = aligned(rows, right=range(1, len(names) + 1))
    title = f"the signal after epoch {last['epoch']:,} (A, dA: root mean square; W, dW: norm)"
    return "\n".join([title, *lines])


def _layer_count(history: History) -> int:
    return len(history.signals[0]["signal"]) if history.signals else 0


def _layer_series(history: History, l: int) -> dict[str, list[float]]:
    """Return the values of each quantity of one layer over time; missing values are nan."""
    measured = [line["signal"][l] for line in history.signals]
    flat = [m.get("dead", m.get("saturated", np.nan)) for m in measured]
    return {name: [m.get(name, np.nan) for m in measured] for name in PANELS} | {"flat": flat}


def _line(axes: Any, values: list[float], i: int, n: int) -> None:
    repeat, colour = divmod(i, len(COLOURS))
    label = f"l = {i + 1}" if n < FEW or i % 4 == 0 else None
    style = {"color": COLOURS[colour], "linestyle": DASHES[repeat % len(DASHES)], "ms": 4}
    axes.plot(values, marker="o", label=label, **style)


def _set_scale(axes: Any, sizes: list[float]) -> None:
    """Use a log scale if the sizes span more than a power of ten."""
    if sizes and max(sizes) > 10 * min(sizes):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("")
    axes.yaxis.set_major_formatter("{x:g}")


def _flat_text(layer: dict[str, float]) -> str:
    for name in ("dead", "saturated"):
        if name in layer:
            return f"{layer[name]:.0%} {name}"
    return ""
