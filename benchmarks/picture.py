"""The picture of docs/benchmarks.md: how many times as long as chainrule's fit a step takes."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

PICTURE = Path("docs/pictures/benchmarks.png")
BASE = "chainrule fit"


def draw(steps, path: Path = PICTURE) -> None:
    """Bars on a logarithmic scale, a group per network; the line at 1 is chainrule."""
    names = [name for name in next(iter(steps.values())) if name != BASE]
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        places = [k + (i - (len(names) - 1) / 2) * width for k in range(len(steps))]
        ratios = [times[name] / times[BASE] for times in steps.values()]
        axes.bar(places, [r - 1 for r in ratios], width, bottom=1, label=name)
    axes.axhline(1, color="black", linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.set_xticks(range(len(steps)), [case.title.replace(", ", "\n") for case in steps])
    axes.set_ylabel("time of a step, as a multiple of chainrule fit's")
    axes.legend(ncols=3, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
