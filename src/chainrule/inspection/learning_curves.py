"""A plot of learning curves: errors over the size of the training set and of the network.

Notes: "Why is deep learning taking off?" (course 1, week 1).
"""

from chainrule.inspection.plot_style import BLUE, GREY, ORANGE
from chainrule.inspection.plots import png
from chainrule.strategy.learning_curves import LearningCurves, Point


def picture_of_learning_curves(curves: LearningCurves, title: str = "") -> bytes:
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
