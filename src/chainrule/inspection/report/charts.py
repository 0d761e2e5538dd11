"""Charts as inline SVG, which adapt to the page's light or dark theme and print sharply.

    chart      draw a line for each series of points; pointing at a line shows its values
    intervals  draw a bar for each value, with its confidence interval
    scatter    draw a point for each example, and the line of correct predictions

The functions here compute where each line, point and label is drawn; the macros of
templates/macros.html draw them. Colours are CSS classes of report.css. Each chart has a caption,
which screen readers read out.
"""

import json
from collections.abc import Mapping, Sequence
from math import ceil, floor, inf, isfinite, log10
from typing import Any, NamedTuple

import numpy as np

from chainrule.inspection.plots import short
from chainrule.inspection.report.html import Html, draw

WIDTH, HEIGHT, SMALL = 760, 300, 430
SQUARE = (480, 420)
INDENT = 150
LEFT, RIGHT, TOP, BOTTOM = 62, 28, 14, 44
MOST = 300
"""The maximum number of points of a line; if there are more, some are left out."""
HUES = 6

Series = Mapping[str, Sequence[tuple[float, float]]]


class Scale(NamedTuple):
    """The mapping from values to positions along an axis, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value."""
        low, high = (log10(v) if self.log else v for v in (self.low, self.high))
        value = log10(value) if self.log else value
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round numbers for the ticks of the axis.

        >>> Scale(0, 0.9, 0, 1).ticks(), Scale(0.02, 30, 0, 1, log=True).ticks()
        ([0.0, 0.2, 0.4, 0.6, 0.8], [0.1, 1.0, 10.0])
        """
        if self.log:
            decades = range(ceil(log10(self.low)), floor(log10(self.high)) + 1)
            every = max(1, ceil(len(decades) / 6))
            return [10.0**power for power in decades[::every]]
        step = _round_step((self.high - self.low) / 5)
        first = ceil(self.low / step - 1e-9)
        count = floor(self.high / step + 1e-9) - first + 1
        return [round((first + i) * step, 12) for i in range(count)]


def chart(
    series: Series,
    *,
    words: str,
    x_label: str,
    y_label: str,
    mark: tuple[float, str] | None = None,
    names: Mapping[float, str] | None = None,
    width: int = WIDTH,
) -> Html:
    """Draw a line for each series of (x, y); y has a log scale if it spans two decades.

    The x are whole numbers; `names` maps them to the labels of the ticks. `mark` is an x and its
    label, drawn as a vertical line. `words` is the caption.
    """
    lines = {name: _thinned(points) for name, points in series.items()}
    lines = {name: points for name, points in lines.items() if points}
    x, y = _scales([point for points in lines.values() for point in points], None, (width, HEIGHT))
    shown = _spaced(list(names), x) if names else [at for at in x.ticks() if at.is_integer()]
    ticks = {at: names[at] if names else f"{at:,g}" for at in shown}
    return draw(
        "chart",
        axes=_axes(x, y, x_label, y_label, ticks),
        lines=[_line(points, x, y, i) for i, points in enumerate(lines.values())],
        mark=_mark(mark, x),
        caption=words,
        size=(width, HEIGHT),
        small=width < WIDTH,
        legend=[(name, _hue(i)) for i, name in enumerate(lines)] if len(lines) > 1 else [],
        points=_tooltips(lines, x, names),
        x_label=x_label,
    )


def scatter(true: np.ndarray, predicted: np.ndarray, words: str) -> Html:
    """Draw predicted against true values, and the line on which they agree."""
    some = np.linspace(0, len(true) - 1, min(len(true), MOST)).astype(int)
    pairs = [(float(a), float(b)) for a, b in zip(true[some], predicted[some], strict=True)]
    ends = [value for pair in pairs for value in pair]
    square = [(min(ends), min(ends)), (max(ends), max(ends))]
    x, y = _scales(square, False, SQUARE)
    line = [f"{end:.1f}" for a, b in square for end in (x.place(a), y.place(b))]
    dots = [(f"{x.place(a):.1f}", f"{y.place(b):.1f}") for a, b in pairs]
    axes = _axes(x, y, "true", "predicted", {at: f"{at:,g}" for at in x.ticks()})
    small = SQUARE[0] < WIDTH
    return draw("scatter", axes=axes, line=line, dots=dots, caption=words, size=SQUARE, small=small)


def intervals(rows: Sequence[tuple[str, float, float, float, str]], words: str) -> Html:
    """Draw a bar for each (name, value, low, high, label), with its confidence interval."""
    top, step = 6, 34
    high = max([row[3] for row in rows] + [row[1] for row in rows]) or 1.0
    x = Scale(0, high, INDENT, WIDTH - 24 - 8 * max(len(row[4]) for row in rows))
    bars = []
    for i, (name, value, low, up, label) in enumerate(rows):
        y = top + i * step
        bar = {"name": name, "label": label, "label_x": f"{x.place(max(value, up)) + 10:.1f}"}
        bar |= {"top": y + 6, "middle": y + step / 2, "height": step - 12}
        bar["width"] = f"{max(1.5, x.place(value) - INDENT):.1f}"  # a value of 0 is visible
        ends = (f"{x.place(max(low, 0)):.1f}", f"{x.place(up):.1f}")
        bars.append(bar | {"reach": ends if up > low else None})
    values = "; ".join(f"{name} {label}" for name, *_, label in rows)
    size, description = (WIDTH, top * 2 + step * len(rows)), f"{words}: {values}"
    return draw(
        "intervals", bars=bars, caption=words, description=description, size=size, indent=INDENT
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most about MOST of the finite points, including the first and the last one."""
    finite = [(x, y) for x, y in points if isfinite(y)]
    every = max(1, ceil(len(finite) / MOST))
    thinned = finite[::every]
    return thinned if not finite or thinned[-1] == finite[-1] else [*thinned, finite[-1]]


def _scales(points: Sequence[tuple[float, float]], log: bool | None, size: tuple[int, int]):
    xs, ys = zip(*points, strict=True) if points else ((0.0, 1.0), (0.0, 1.0))
    low, high = min(ys), max(ys)
    if log is None:
        log = low > 0 and high > 100 * low
    if log:
        low = min((y for y in ys if y > 0), default=inf)
        low, high = (low / 1.3, high * 1.3) if high > 0 else (0.1, 1.0)
    else:
        padding = 0.06 * (high - low) or 0.5
        low, high = (0.0 if 0 <= low < 0.4 * high else low - padding), high + padding
    wide = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 0.5, max(xs) + 0.5)
    x = Scale(*wide, LEFT, size[0] - RIGHT)
    return x, Scale(low, high, size[1] - BOTTOM, TOP, log)


def _axes(
    x: Scale, y: Scale, x_label: str, y_label: str, ticks: Mapping[float, str]
) -> dict[str, Any]:
    """Return the positions of the axes, their ticks with numbers, and their labels."""
    return {
        "left": LEFT,
        "right": x.end,
        "top": TOP,
        "bottom": y.start,
        "y_ticks": [(f"{y.place(value):.1f}", f"{value:g}") for value in y.ticks()],
        "x_ticks": [(f"{x.place(value):.1f}", name) for value, name in ticks.items()],
        "x_label": short(x_label, 60),
        "y_label": short(y_label, 40),
    }


def _spaced(values: list[float], x: Scale) -> list[float]:
    """Return evenly spaced values, with enough space between them for their names."""
    every = ceil(len(values) * 44 / (x.end - x.start))
    return values[::every]


def _line(points: Sequence[tuple[float, float]], x: Scale, y: Scale, i: int) -> dict[str, Any]:
    """Return the points and the colour of a line; a log scale leaves out values of 0 or less."""
    at = [(f"{x.place(a):.1f}", f"{y.place(b):.1f}") for a, b in points if b > 0 or not y.log]
    return {"points": at, "hue": _hue(i)}


def _mark(mark: tuple[float, str] | None, x: Scale) -> dict[str, str] | None:
    """Return where the vertical line of a mark is drawn, and its label beside it."""
    if mark is None:
        return None
    at, after = x.place(mark[0]), x.place(mark[0]) < x.end * 0.6
    side, text_x = "right" if after else "left", f"{at + (8 if after else -8):.1f}"
    return {"x": f"{at:.1f}", "label": mark[1], "side": side, "text_x": text_x}


def _hue(i: int) -> str:
    """Return the CSS class for the colour of the i-th line; lines after the sixth are dashed."""
    return f"s{i % HUES}" + (" dashed" if i >= HUES else "")


def _tooltips(lines: Series, x: Scale, names: Mapping[float, str] | None) -> str:
    """Return the tooltips as JSON: for each x its position, its name and the values there."""
    at: dict[float, list[str]] = {}
    for name, points in lines.items():
        for a, b in points:
            at.setdefault(a, []).append(f"{name} {b:.4g}")
    tooltips = [
        [round(x.place(a), 1), names[a] if names else f"{a:,g}", values]
        for a, values in sorted(at.items())
    ]
    return json.dumps(tooltips, ensure_ascii=False, separators=(",", ":"))


def _round_step(least: float) -> float:
    """Return the smallest number of at least `least` that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * 0.999)
