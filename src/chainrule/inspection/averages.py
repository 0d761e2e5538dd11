"""A plot of exponentially weighted averages: a larger β gives a smoother curve that lags more.

Notes: "Exponentially weighted averages" and "Bias correction" (course 2, week 2).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import ShapeError
from chainrule.inspection.class_names import short
from chainrule.inspection.plot_style import COLOURS, GREY
from chainrule.inspection.plots import png
from chainrule.optim.averages import weighted_averages

MOST_POINTS = 400
"""Series of more points are drawn as a line instead of as points."""


def picture_of_averages(
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
        style = points if n <= MOST_POINTS else {"linewidth": 0.6}
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
