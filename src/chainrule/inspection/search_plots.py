"""The plots of a hyperparameter search: its candidates, their importance, and all cost curves.

candidates.png     parallel coordinates: an axis for each dimension on its own scale, and one for
                   the dev cost; a line for each candidate, the best few in colour
importance.png     how much of the differences in dev cost each dimension explains
curves.png         the dev cost of every candidate, epoch by epoch
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.formatting import count_of
from chainrule.inspection.plots import BLUE, GREY, INK, ORANGE, png
from chainrule.search.dimensions import Choices, Dimension, as_text
from chainrule.search.search import importances
from chainrule.search.space import Space
from chainrule.search.trials import DONE, PRUNED, CandidateResult, ranked

FEW = 3
"""The number of best candidates that are drawn in colour."""

FAINT = "#B9B9B9"
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
BEHIND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}
NOT_SAMPLED = -0.12
"""The height at which a line passes a dimension that the candidate has no value for."""


def search_pictures(space: Space, candidates: Sequence[CandidateResult]) -> dict[str, bytes]:
    """Return the plots as PNG files by name; empty plots are left out."""
    candidates = ranked(candidates)
    done = [c for c in candidates if c.done]
    pictures = {}
    if len(done) > 1:
        pictures["candidates.png"] = parallel_coordinates(space, done)
    if found := importances(space, candidates):
        pictures["importance.png"] = importance_bars(found, len(done))
    if any(c.outcome.curve.get("epoch") for c in candidates):
        pictures["curves.png"] = cost_curves(candidates)
    return pictures


def parallel_coordinates(space: Space, done: Sequence[CandidateResult]) -> bytes:
    """Plot a line for each candidate through its values, and on the right its dev cost."""
    names = list(space.dimensions)
    costs = np.log(np.maximum([c.outcome.dev_cost for c in done], 1e-12))
    spread = float(np.ptp(costs)) or 1.0
    heights = (costs - costs.min()) / spread

    def draw(figure):
        axes = figure.subplots()
        axes.set(xlim=(-0.3, len(names) + 0.3), ylim=(-0.16 if space.conditions else -0.04, 1.1))
        axes.axis("off")
        for x, name in enumerate(names):
            not_sampled = [(NOT_SAMPLED, "none")] if name in space.conditions else []
            _draw_axis(axes, x, name, _ticks(space.dimensions[name]) + not_sampled)
        shown = [(u, f"{np.exp(costs.min() + u * spread):.3g}") for u in TICKS]
        _draw_axis(axes, len(names), "dev cost", shown)
        for place, candidate in enumerate(done):
            line = [_height(space, name, candidate.values) for name in names]
            _draw_candidate(axes, [*line, float(heights[place])], place, candidate)
        axes.set_title(
            f"{count_of(len(done), 'candidate')}, the best {min(FEW, len(done))} in colour", pad=18
        )
        figure.legend(loc="outside lower center", ncols=FEW)

    return png(draw, height=5.2)


def importance_bars(found: Mapping[str, float], count: int) -> bytes:
    """Plot the importance of each dimension as a bar."""
    names, shares = list(found), list(found.values())

    def draw(figure):
        axes = figure.subplots()
        bars = axes.barh(range(len(names)), shares, color=BLUE, height=0.6)
        axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=4, color=INK)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlim=(0, 1.08), ylim=(len(names) - 0.4, -0.6))
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set(xlabel="share of the variance in dev-cost rank explained by this dimension alone")
        axes.set(title=f"Importance of the dimensions among {count_of(count, 'candidate')}")
        axes.grid(visible=False, axis="y")

    return png(draw, height=1.6 + 0.45 * len(names))


def cost_curves(candidates: Sequence[CandidateResult]) -> bytes:
    """Plot the dev cost of each candidate; a cross marks one that was ended early."""
    curves = [c for c in candidates if c.outcome.curve.get("epoch")]
    ends = [c for c in curves if c.outcome.state == PRUNED]

    def draw(figure):
        axes = figure.subplots()
        for place, candidate in enumerate(curves):
            outcome = candidate.outcome
            best = place < FEW and outcome.state == DONE
            axes.plot(
                outcome.curve["epoch"],
                outcome.curve["dev_cost"],
                color=_colour(place) if best else FAINT,
                linewidth=2 if best else 1,
                label=_legend_text(place, candidate) if best else None,
                marker="o" if len(outcome.curve["epoch"]) == 1 else "",
                zorder=FEW + 2 - min(place, FEW),
            )
        for i, candidate in enumerate(ends):
            curve, label = candidate.outcome.curve, None if i else f"ended early: {len(ends)}"
            axes.plot(curve["epoch"][-1], curve["dev_cost"][-1], "x", color=GREY, ms=6, label=label)
        _set_log_scale(axes, [v for c in curves for v in c.outcome.curve["dev_cost"]])
        axes.set(title=f"Dev cost of {count_of(len(curves), 'candidate')}")
        axes.set(xlabel="epoch", ylabel="dev cost")
        figure.legend(loc="outside lower center", ncols=2)

    return png(draw, height=5.2)


def _draw_axis(axes, x: int, name: str, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([x, x], [0, 1], color=GREY, linewidth=1, zorder=1)
    axes.text(x, 1.05, name, ha="center", va="bottom", color=INK)
    for u, text in ticks:
        axes.plot([x - 0.012, x + 0.012], [u, u], color=GREY, linewidth=1, zorder=1)
        place = {"ha": "right", "va": "center", "zorder": 5}
        axes.text(x - 0.025, u, text, color=GREY, size=8.5, bbox=BEHIND, **place)


def _ticks(dimension: Dimension) -> list[tuple[float, str]]:
    """Return the ticks of an axis: heights and labels."""
    if isinstance(dimension, Choices):
        return [(dimension.position(v), as_text(v)) for v in dimension.values]
    values = dict.fromkeys(dimension.at(u) for u in TICKS)
    return [(dimension.position(v), f"{v:.3g}") for v in values]


def _height(space: Space, name: str, values: Mapping[str, Any]) -> float:
    return space.dimensions[name].position(values[name]) if name in values else NOT_SAMPLED


def _draw_candidate(axes, line: list[float], place: int, candidate: CandidateResult) -> None:
    best = place < FEW
    axes.plot(
        range(len(line)),
        line,
        color=_colour(place) if best else FAINT,
        linewidth=2.2 if best else 1,
        alpha=1 if best else 0.8,
        label=_legend_text(place, candidate) if best else None,
        zorder=FEW + 2 - min(place, FEW),
    )


def _colour(place: int) -> str:
    return (BLUE, ORANGE, "#009E73")[place]


def _legend_text(place: int, candidate: CandidateResult) -> str:
    return f"candidate {candidate.number + 1}: {candidate.outcome.dev_cost:.4g}"


def _set_log_scale(axes, costs: Sequence[float]) -> None:
    """Use a log scale if the costs span more than a decade."""
    finite = [cost for cost in costs if np.isfinite(cost) and cost > 0]
    if finite and max(finite) > 10 * min(finite):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
