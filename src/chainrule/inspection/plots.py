"""Plots as the bytes of a PNG: the only module that uses matplotlib, imported on the first plot.

    cost_curve               J and the dev cost of every epoch
    plot_costs               several cost curves in one plot
    confusion_matrix         how often each class is predicted as each class
    decision_boundary        the predicted classes of the plane, for two features
    predicted_against_true   the predictions of a regression, with the line predicted = true
    activation_curves        the notes' four activations and their slopes
    plot_averages            exponentially weighted averages, with and without bias correction:
                             "Exponentially weighted averages" (course 2, week 2)

The same input gives the same bytes: nothing is random, and no date is written.

All plots have one style, set by matplotlib's rcParams: a white page, few lines, and the colours of
Okabe and Ito, which colour-blind people can tell apart.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import DataError, ShapeError
from chainrule.formatting import count_of, printable
from chainrule.optim.averages import weighted_averages
from chainrule.train.history import History

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BLUE, ORANGE, *_ = COLOURS
INK, GREY, LIGHT = "#333333", "#6B6B6B", "#E6E6E6"
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX"
WIDTH = 8.2
"""The width of a figure in inches, which is 902 pixels."""

CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei")
"""Chinese fonts for the names of classes and columns, used if they are installed."""

STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "figure.facecolor": "white",
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.markerscale": 1.3,
    "lines.linewidth": 2,
}


def classes_of(*labels: ArrayLike) -> list:
    """Return the distinct labels in order: numbers first, then strings.

    >>> classes_of(["b", "a"], np.array(["b"]))
    ['a', 'b']
    """
    found = {label for some in labels for label in np.asarray(some).tolist()}
    return sorted(found, key=lambda label: (isinstance(label, str), label))


def codes(labels: ArrayLike, classes: Sequence) -> np.ndarray:
    """Return the index of each label among the classes; raise DataError for an unknown label.

    >>> codes(["no", "yes", "no"], ["no", "yes"])
    array([0, 1, 0])
    """
    place = {label: k for k, label in enumerate(classes)}
    listed = np.asarray(labels).tolist()
    unknown = [label for label in listed if label not in place]
    if unknown:
        raise DataError(
            "plot of the classes",
            f"labels that are among the {len(classes)} classes",
            repr(unknown[0]),
            "passing the classes that the model was trained with",
        )
    return np.array([place[label] for label in listed], np.int64)


def drawable(text: str) -> str:
    """Return a text that can be drawn: control characters are shown as escape sequences."""
    return printable(text).encode("utf-8", "replace").decode()


def short(label: object, most: int = 18) -> str:
    """Return a label on one line; a long label keeps only its beginning and its end.

    >>> short("Iris versicolor, second collection")
    'Iris vers…ollection'
    """
    text = drawable(" ".join(str(label).split()))
    half = most // 2
    return text if len(text) <= most + 1 else f"{text[:half]}…{text[-half:]}"


def shorts(labels: Iterable) -> list[str]:
    """Shorten every label so that it fits on an axis."""
    return [short(label) for label in labels]


GRID = 260
MOST_POINTS = 3000
MOST_NUMBERS = 20
"""The number of classes above which a confusion matrix shows colours without counts."""


def cost_curve(history: History, title: str = "") -> bytes:
    """Plot J and the dev cost of each epoch, and mark the epoch whose parameters are kept."""
    epochs = [epoch.epoch for epoch in history.epochs]
    dev = {e.epoch: e.dev_cost for e in history.epochs if e.dev_cost is not None}
    best = history.best_epoch

    def draw(figure):
        axes = figure.subplots()
        _line(axes, epochs, history.costs, BLUE, "train")
        _line(axes, list(dev), list(dev.values()), ORANGE, "dev")
        if best in dev:
            axes.axvline(best, color=GREY, linewidth=1, linestyle=":", zorder=1)
            label = f"best: epoch {best:,}, {dev[best]:.4g}"
            axes.plot(best, dev[best], "o", color=ORANGE, mec="white", ms=9, label=label)
        progress = _cost_progress(history)
        axes.set(title=_titled(title, progress) if title else progress.capitalize())
        axes.set(xlabel="epoch", ylabel="cost J")
        _finish_costs(axes, [*history.costs, *dev.values()])

    return png(draw)


def plot_costs(curves: dict[str, list[float]], title: str, ylabel: str) -> bytes:
    """Plot a line for each list of costs, one cost per epoch; lines after the sixth are dashed."""

    def draw(figure):
        axes = figure.subplots()
        for i, (name, costs) in enumerate(curves.items()):
            repeat, colour = divmod(i, len(COLOURS))
            _line(
                axes,
                range(1, len(costs) + 1),
                costs,
                COLOURS[colour],
                name,
                linestyle=DASHES[repeat % 4],
            )
        axes.set(title=title, xlabel="epoch", ylabel=ylabel)
        _finish_costs(axes, [cost for costs in curves.values() for cost in costs])

    return png(draw)


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence, title: str = ""
) -> bytes:
    """Plot a confusion matrix: a row for each true class, a column for each predicted class.

    The numbers are counts; the colour is the share of the row, blue if right and orange if wrong.
    Raises DataError for a label that is not among the classes.
    """
    true, predicted = codes(y_true, classes), codes(y_pred, classes)
    C = len(classes)
    counts = np.bincount(true * C + predicted, minlength=C * C).reshape(C, C)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    edges = "white" if C <= MOST_NUMBERS else "none"

    def draw(figure):
        axes = figure.subplots()
        for colours, others in (
            ("Blues", ~np.eye(C, dtype=bool)),
            ("Oranges", np.eye(C, dtype=bool)),
        ):
            shown = np.ma.masked_array(
                shares**0.5, (counts == 0) | others
            )  # √ keeps small shares visible
            axes.pcolormesh(shown, cmap=colours, vmin=-0.1, vmax=1.2, edgecolors=edges)
        if C <= MOST_NUMBERS:
            _write_counts(axes, counts, shares)
        _class_ticks(axes, classes)
        axes.set(title=_titled(title, _accuracy_text(true == predicted)))
        axes.set(xlabel="predicted class", ylabel="true class", aspect="equal", ylim=(C, 0))

    return png(draw, height=7.2)


def decision_boundary(
    predict: Callable[[np.ndarray], Any],
    X: ArrayLike,
    y: ArrayLike,
    names: Sequence[str] = ("x1", "x2"),
    title: str = "",
) -> bytes:
    """Plot the classes that `predict` assigns to the plane, and the examples X (m, 2) on it.

    `predict` maps rows (m, 2) to labels (m,).
    """
    X = np.asarray(X, np.float64)
    x1, x2 = _axis_values(X[:, 0]), _axis_values(X[:, 1])
    plane = np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)
    plane_labels, y_pred = predict(plane), predict(X)
    classes = classes_of(plane_labels, y_pred, y)
    regions = codes(plane_labels, classes).reshape(GRID, GRID)
    true, predicted = codes(y, classes), codes(y_pred, classes)
    some = _drawn_examples(len(X))
    drawn = f", {len(some):,} of them drawn" if len(some) < len(X) else ""

    def draw(figure):
        axes = figure.subplots()
        for k, label in enumerate(classes):
            colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
            inside = _smoothed(regions == k)
            axes.contourf(x1, x2, inside, levels=[0.5, 2], colors=[colour], alpha=0.22)
            shown = some[true[some] == k]
            _points(axes, X[shown, 0], X[shown, 1], colour, marker=marker, label=short(label))
        axes.set(xlabel=short(names[0]), ylabel=short(names[1]))
        axes.set(title=_titled(title, _accuracy_text(true == predicted) + drawn))
        axes.grid(visible=False)
        axes.legend(title="true class", loc="center left", bbox_to_anchor=(1, 0.5))

    return png(draw, height=6)


def predicted_against_true(y: ArrayLike, y_pred: ArrayLike, title: str = "") -> bytes:
    """Plot predicted against true values, with the line on which a prediction is exact."""
    true, predicted = (np.asarray(v, np.float64).ravel() for v in (y, y_pred))
    some = _drawn_examples(len(true))
    spread = ((true - true.mean()) ** 2).sum()
    r2 = 1 - ((true - predicted) ** 2).sum() / spread if spread > 0 else 0.0
    result = f"R² = {r2:.3f} on {len(true):,} example{'' if len(true) == 1 else 's'}"

    def draw(figure):
        axes = figure.subplots()
        ends = _axis_values(np.concatenate([true, predicted]))[[0, -1]]
        axes.plot(ends, ends, color=GREY, linewidth=1.2, linestyle="--", label="predicted = true")
        _points(axes, true[some], predicted[some], BLUE)
        axes.set(title=_titled(title, result), xlim=ends, ylim=ends)
        axes.set(xlabel="true", ylabel="predicted", aspect="equal")
        axes.legend(loc="upper left")

    return png(draw, height=6.4)


def activation_curves() -> bytes:
    """Plot A = g(Z) and the slope g'(Z) of sigmoid, tanh, relu and leaky_relu."""
    from chainrule.blocks.activations import leaky_relu, relu, sigmoid, tanh

    Z = np.linspace(-4, 4, 400, dtype=np.float32)  # even: no point is on the kink at 0
    functions: tuple[Any, ...] = (sigmoid, tanh, relu, leaky_relu)

    def draw(figure):
        panels = figure.subplots(2, 2, sharex=True).flat
        for axes, g in zip(panels, functions, strict=True):
            A, cache = g.forward(Z)
            _line(axes, Z, A, BLUE, "A = g(Z)")
            _line(axes, Z, g.backward(np.ones_like(Z), cache), ORANGE, "slope g'(Z)")
            axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
            axes.set(title=g.__name__)
        panels[-1].legend(loc="upper left")
        figure.supxlabel("Z", size=12)

    return png(draw, height=6.4)


def png(draw: Callable[[Any], None], height: float = 4.6) -> bytes:
    """Return a figure drawn by `draw` as a PNG, in one style whatever the user's rcParams are."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(font for font in CHINESE if font in installed)]
    file = BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a character that no font has
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        matplotlib.rcParams["font.family"] = fonts
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        for text in figure.findobj(Text):
            if (shown := drawable(text.get_text())) != text.get_text():
                text.set_text(shown)
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _line(axes, x, y, colour: str, label: str, **how) -> None:
    """Draw a line, or a point if there is only one value."""
    marker = "o" if len(y) == 1 else ""
    if len(y):
        axes.plot(x, y, color=colour, label=short(label, 30), marker=marker, **how)


def _points(axes, x, y, colour: str, **how) -> None:
    how = {"s": 30 if len(x) <= 500 else 14, "alpha": 0.85, "linewidths": 0.5, "zorder": 3, **how}
    axes.scatter(x, y, color=colour, edgecolors="white", **how)


def _finish_costs(axes, costs: Sequence[float]) -> None:
    """Finish the axes: a log scale if the costs span two decades, whole epochs, a legend."""
    from matplotlib.ticker import MaxNLocator

    finite = [cost for cost in costs if np.isfinite(cost)]
    if finite and min(finite) > 0 and max(finite) > 100 * min(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if costs:
        axes.legend(loc="best")


def _cost_progress(history: History) -> str:
    costs = history.costs
    if not costs:
        return "no epoch was completed"
    if len(costs) == 1:
        return f"the cost is {costs[0]:.4g} in the first epoch"
    return (
        f"the cost goes from {costs[0]:.4g} to {costs[-1]:.4g} in {count_of(len(costs), 'epoch')}"
    )


def _titled(title: str, result: str) -> str:
    return f"{title}: {result}" if title else result


def _accuracy_text(right: np.ndarray) -> str:
    share = f" ({right.mean():.1%})" if right.size else ""
    return f"{right.sum():,} of {right.size:,} are right{share}"


def _write_counts(axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = 13 if len(counts) <= 6 else 10 if len(counts) <= 12 else 7.5
    for i, j in np.argwhere(counts):
        ink = "white" if shares[i, j] > 0.4 else INK
        place = {"ha": "center", "va": "center"}
        axes.text(j + 0.5, i + 0.5, f"{counts[i, j]:,}", color=ink, size=size, **place)


def _class_ticks(axes, classes: Sequence) -> None:
    """Label both axes with the names of the classes, as many as fit."""
    every = -(-len(classes) // 40)
    places = np.arange(0, len(classes), every)
    words = shorts(classes[::every])
    turned = 45 if sum(map(len, words)) > 70 else 0
    axes.set_xticks(places + 0.5, words, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(places + 0.5, words)
    axes.tick_params(length=0, labelsize=11 if len(classes) <= 12 else 8)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _smoothed(region: np.ndarray) -> np.ndarray:
    """Return the share of each 3 × 3 neighbourhood inside the region, which smooths its border."""
    wide = np.pad(region.astype(float), 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3))
    return windows.mean(axis=(2, 3))


def _axis_values(x: np.ndarray) -> np.ndarray:
    """Return GRID evenly spaced numbers, from a little below the least x to above the greatest."""
    low, high = x.min(), x.max()
    padding = 0.06 * (high - low) or 1.0
    return np.linspace(low - padding, high + padding, GRID)


def _drawn_examples(m: int) -> np.ndarray:
    """Return the indices of at most MOST_POINTS of m examples, the same ones on every call."""
    if m <= MOST_POINTS:
        return np.arange(m)
    return np.sort(np.random.default_rng(0).choice(m, MOST_POINTS, replace=False))


MOST_AVERAGES = 400
"""The number of points above which a series is drawn as a line instead of as points."""


def plot_averages(
    values: ArrayLike,
    betas: Sequence[float] = (0.5, 0.9, 0.98),
    *,
    correction: bool = True,
    title: str = "",
    name: str = "value",
) -> bytes:
    """Plot a series (n,) in grey and its exponentially weighted average for each β.

    The average is dashed, and solid with bias correction. With `correction=False`, only the
    uncorrected averages are drawn. Raises DataError and OptionError as `weighted_averages` does.
    """
    if np.ndim(values) > 1:
        hint = "one column of the array"
        raise ShapeError("values", "one series (n,)", str(np.shape(values)), hint)
    corrections = (False, True) if correction else (False,)
    averages = {
        (beta, corrected): weighted_averages(values, beta, corrected=corrected)
        for beta in dict.fromkeys(betas)
        for corrected in corrections
    }
    colours = dict(zip(dict.fromkeys(betas), COLOURS * len(betas), strict=False))
    n = np.size(values)
    t = np.arange(1, n + 1)

    def draw(figure):
        axes = figure.subplots()
        points = {"marker": "o", "ms": 4, "linestyle": ""}
        style = points if n <= MOST_AVERAGES else {"linewidth": 0.6}
        axes.plot(t, values, color=GREY, alpha=0.5, label=short(name, 30), **style)
        for (beta, corrected), average in averages.items():
            label = f"β = {beta:g}" + (", corrected" if corrected else "")
            dashes = "-" if corrected or not correction else "--"
            line = {"color": colours[beta], "zorder": 2 + beta, "linewidth": 1.7, "label": label}
            axes.plot(t, average, dashes, marker="o" if n == 1 else "", **line)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(title=title, xlabel="t", ylabel=short(name, 30))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return png(draw)
