"""The plots of a run: cost, predictions, signal health, augmented images and learning curves.

`train/health.py` defines the quantities of the signal, which are also printed as a table.

Notes: "Vanishing/exploding gradients" (course 2, week 1); "Why is deep learning taking off?"
(course 1, week 1).
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from chainrule.data.dataset import Dataset
from chainrule.data.split import inspection_split
from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.image_plots import Tile, as_colours, gallery
from chainrule.inspection.plots import (
    BLUE,
    COLOURS,
    DASHES,
    GREY,
    ORANGE,
    confusion_matrix,
    cost_curve,
    decision_boundary,
    png,
    predicted_against_true,
)
from chainrule.layers.augment import Augment
from chainrule.layers.layer import Layer
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.prepare import labels_of_set
from chainrule.runs.run import Run
from chainrule.strategy.learning_curves import LearningCurves, Point
from chainrule.train.history import History
from chainrule.types import Key

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


def plot_signals(history: History) -> bytes:
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
    """Return the last measurement as a table with a row for each layer, or "" if there is none."""
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


ROWS, VERSIONS = 4, 4
"""The number of original images, and of augmented versions of each."""

WHERE = "augmented_gallery"


def augmented_gallery(
    network: Layer, images: ArrayLike, *, key: Key | None = None, title: str = ""
) -> bytes:
    """Return a PNG whose rows show one of the first four images and augmented versions of it.

    `network` is an `Augment` layer or contains one. `images` (m, n_H, n_W, n_C) are scaled as the
    network expects them, or are bytes, which are divided by 255. All versions are drawn on the
    brightness scale of the original images.
    """
    layer = augment_layer(network)
    originals = as_numbers(np.asarray(images))
    originals = originals[np.arange(ROWS) % len(originals)]
    batch = np.repeat(originals, VERSIONS, axis=0)
    augmented, _ = layer.train(jnp.asarray(batch), key=key_from_seed(0) if key is None else key)
    versions = np.asarray(augmented).reshape(ROWS, VERSIONS, *originals.shape[1:])
    rows = np.concatenate([originals[:, None], versions], axis=1)
    shown = as_colours(as_bytes(rows.reshape(-1, *originals.shape[1:]), originals))
    captions = ["original", *[""] * VERSIONS] * ROWS
    tiles = [Tile(*pair) for pair in zip(shown, captions, strict=True)]
    return gallery(tiles, title or layer.title, columns=1 + VERSIONS)


def augment_layer(network: Layer) -> Augment:
    """Return the first `Augment` layer of a network; raise OptionError if it has none."""
    for part in network.parts():
        if isinstance(part, Augment):
            return part
    hint = "augment_for(images) as the first layer of the network"
    raise OptionError(WHERE, "a network with an Augment layer", network.title, hint)


def as_numbers(images: np.ndarray) -> np.ndarray:
    """Convert images to float32; bytes are divided by 255."""
    if images.ndim != 4 or not len(images):
        hint = "images[:4], with an axis for the channels"
        raise OptionError(WHERE, "images (m, n_H, n_W, n_C)", str(images.shape), hint)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    return images.astype(np.float32)


def as_bytes(images: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """Convert images to bytes, with black and white set by the original images.

    Black is 0 and white is 1 if the originals lie between 0 and 1; otherwise they are the least
    and the greatest value of the originals.

    >>> as_bytes(np.array([-1.0, 0.0, 0.5, 2.0]), np.array([0.0, 0.9])).tolist()
    [0, 0, 128, 255]
    """
    low, high = originals.min(), originals.max()
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shares = (images - low) / ((high - low) or 1.0)
    return np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)


def plot_run(run: Run, sources: Mapping[str, Dataset]) -> dict[str, bytes]:
    """Return PNG files by name, drawn on the dev set (or the test or training set without one)."""
    name = inspection_split(sources)
    shown = sources[name]
    pictures = {"cost.png": cost_curve(run.history, title=shown.name)}
    if run.history.signals:
        pictures["signal.png"] = plot_signals(run.history)
    y, y_pred, labels = labels_of_set(shown), run.predict(shown.X), run.preprocessor.labels
    if labels.task == "classification":
        pictures["confusion.png"] = confusion_matrix(y, y_pred, labels.classes, name)
    elif labels.n_outputs == 1:
        pictures["predicted.png"] = predicted_against_true(y, y_pred, name)
    if isinstance(run.network, ConvNetwork) and "augment" in run.network.settings:
        images = run.preprocessor.rows(sources["train"].X[:4]).reshape(-1, *run.network.shape)
        pictures["augmented.png"] = augmented_gallery(run.network, images)
    plane = run.preprocessor.n_numbers == 2 and not run.preprocessor.takes_sequences
    if plane and labels.task == "classification":
        X = run.preprocessor.columns.apply(shown.X) if run.preprocessor.columns else shown.X
        names = (run.preprocessor.names[0], run.preprocessor.names[1])
        pictures["boundary.png"] = decision_boundary(run.predict, X, y, names, name)
    return pictures


def plot_learning_curves(curves: LearningCurves, title: str = "") -> bytes:
    """Plot the errors over the number of examples and, if measured, over the size of the network.

    The dashed line extrapolates the dev error to twice the training data.
    """
    ylabel = "error" if curves.percent else "RMSE"
    panels = [("training examples", curves.examples)]
    if curves.widths:
        panels.append((curves.of_width, curves.widths))

    def draw(figure):
        shared = figure.subplots(1, len(panels), squeeze=False, sharey=True).flat
        for axes, (xlabel, points) in zip(shared, panels, strict=True):
            _draw_points(axes, points)
            axes.set(xlabel=xlabel, ylim=(0, None))
        forecast = curves.more_data
        last = curves.examples[-1]
        sizes = [last.size, 2 * last.size]
        label = f"twice the data: {forecast.then:.3g}"
        shared[0].plot(sizes, [last.dev, forecast.then], "--", color=ORANGE, label=label)
        ends = [[max(forecast.then - forecast.low, 0)], [max(forecast.high - forecast.then, 0)]]
        shared[0].errorbar(
            sizes[1:], [forecast.then], yerr=ends, fmt="o", mfc="white", color=ORANGE, capsize=4
        )
        shared[0].set(ylabel=ylabel)
        shared[0].legend(loc="best")
        if title:
            figure.suptitle(title, x=0.01, ha="left", size=13)

    return png(draw)


def _draw_points(axes, points: tuple[Point, ...]) -> None:
    """Draw the train and dev errors at each size, the confidence interval of dev as a band."""
    sizes = [point.size for point in points]
    axes.plot(sizes, [p.train for p in points], color=BLUE, marker="o", ms=5, label="train")
    axes.plot(sizes, [p.dev for p in points], color=ORANGE, marker="o", ms=5, label="dev")
    low, high = ([getattr(p, end) for p in points] for end in ("low", "high"))
    axes.fill_between(sizes, low, high, color=ORANGE, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(sizes, [p.name for p in points])
    axes.tick_params(axis="x", labelcolor=GREY)
