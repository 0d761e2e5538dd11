"""Learning curves: how much more data, or a larger network, would reduce the error.

Notes: "Why is deep learning taking off?" (course 1, week 1); "Bias and variance", "Basic recipe for
machine learning" (course 2, week 1).

    examples   10, 20, 35, 60 and 100 % of the training set, each containing the one before
    width      the hidden layers at ¼, ½, 1 and 2 times their units, on the whole training set;
               for a convolutional network all its channels

Everything else is as in the run (`growing.py`). There are several seeds at each size; a seed
selects the examples, the initial weights and the order. The dev errors over the sizes are fitted by
error(m) = a + b m^(−c) (`power_law.py`), which predicts the error with twice the data. Twice the
width is measured and compared with the original width on the same dev rows.

The confidence intervals reflect the choice of the dev rows (the same for all sizes, so they are
resampled together) and the seeds. Early stopping uses the dev set, so its errors are slightly
optimistic, equally at every size.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.errors import DataError, RunError
from chainrule.strategy.growing import errors_of, nested, recipe_of, sizes_of, trained_on
from chainrule.strategy.outlook import Errors, Outlook, interval, summarize, twice, wider
from chainrule.strategy.table import aligned
from chainrule.train.prepare import Data
from chainrule.train.run import Run

SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)
WIDTHS = (0.25, 0.5, 1.0, 2.0)
FEWEST = 10
"""The number of examples at the smallest size, at least."""


@dataclass(frozen=True)
class Point:
    """A size, the errors measured there, and the 95 % confidence interval of the dev error."""

    name: str
    size: float
    train: float
    dev: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurves:
    """The errors for growing training sets and growing networks.

    unit        "share" of wrong predictions, or "rmse" in the target's units
    seeds       the number of trainings at each size
    examples    a point for each size of the training set
    more_data   the predicted effect of twice the data
    widths      a point for each width (none without hidden units)
    more_width  the measured effect of twice the width
    of_width    what the width multiplies: "hidden units", or "width" of a convolutional network
    """

    unit: str
    seeds: int
    examples: tuple[Point, ...]
    more_data: Outlook
    widths: tuple[Point, ...]
    more_width: Outlook | None
    of_width: str = "hidden units"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return two tables and the conclusions as text for a terminal."""
        lines = [*self._table("examples", self.examples), "", self.more_data.describe(self.percent)]
        if self.more_width is not None:
            lines += ["", *self._table(self.of_width, self.widths)]
            lines += ["", self.more_width.describe(self.percent)]
        trainings = f"{self.seeds} trainings" if self.seeds > 1 else "one training"
        return "\n".join([*lines, f"({trainings} at each size; 95 % confidence intervals)"])

    @property
    def percent(self) -> bool:
        """Return whether the errors are shares."""
        return self.unit == "share"

    def _table(self, head: str, points: tuple[Point, ...]) -> list[str]:
        error_name = "error" if self.percent else "RMSE"
        rows = [[head, f"train {error_name}", f"dev {error_name}", ""]]
        for point in points:
            numbers = [f"{error:.3g}" for error in (point.train, point.dev)]
            rows.append([point.name, *numbers, interval(point.low, point.high)])
        return aligned(rows, right=(0, 1, 2))


def learning_curves(
    run: Run,
    data: Data,
    *,
    shares: tuple[float, ...] = SHARES,
    widths: tuple[float, ...] = WIDTHS,
    seeds: int | None = None,
) -> LearningCurves:
    """Train on growing subsets of the training set, and with growing networks.

    `seeds` is the number of trainings at each size, by default three up to 2,000 examples, else
    two. Raises RunError where there is no dev set, DataError where there are too few examples.
    """
    if "dev" not in data.parts:
        hint = "a run with a dev set, trained without --dev none"
        raise RunError("the learning curves", "a dev set", "none", hint)
    bench = Bench(run, data, seeds or (3 if len(data.sources["train"]) <= 2000 else 2))
    sizes = bench.sizes(shares)
    by_size = summarize([bench.at_size(n) for n in sizes], bench.weights, bench.percent)
    points = by_width = more_width = ()
    if networks := sizes_of(run, widths):
        by_width = [bench.at_width(settings) for settings in networks.values()]
        by_width = summarize(by_width, bench.weights, bench.percent)
        points = tuple(
            point(name, _largest(settings), by_width, i)
            for i, (name, settings) in enumerate(networks.items())
        )
        more_width = wider(by_width, widths)
    return LearningCurves(
        "share" if bench.percent else "rmse",
        bench.seeds,
        tuple(point(f"{n:,}", n, by_size, i) for i, n in enumerate(sizes)),
        twice(by_size, sizes),
        points,
        more_width or None,
        "hidden units" if run.recipe.network is None else "width",
    )


class Bench:
    """Train the run's recipe at other sizes and measure the errors on train and dev."""

    def __init__(self, run: Run, data: Data, seeds: int):
        self.run, self.data, self.seeds = run, data, seeds
        self.recipe = recipe_of(run, data)
        self.percent = run.door.labels.task == "classification"
        self.weights = data.parts["dev"].weights
        seeds_of_rows = range(run.recipe.seed, run.recipe.seed + seeds)
        self.orders = [nested(data, classes=self.percent, seed=seed) for seed in seeds_of_rows]

    def sizes(self, shares: tuple[float, ...]) -> list[int]:
        """Return the number of examples of each share, in increasing order."""
        m = len(self.orders[0])
        sizes = sorted({min(m, max(round(share * m), FEWEST)) for share in shares})
        if len(sizes) < 3:
            hint = f"a training set of {4 * FEWEST} or more examples"
            expected = "at least three sizes of the training set"
            raise DataError("the learning curves", expected, f"{len(sizes)}", hint)
        return sizes

    def at_size(self, n: int) -> tuple[list[float], list[np.ndarray]]:
        """Train on n examples; return, for each seed, the training error and each dev row's."""
        return self._train(n, self.recipe)

    def at_width(self, settings: dict[str, Any]) -> tuple[list[float], list[np.ndarray]]:
        """Train a network of another width on all examples; return the same as `at_size`."""
        return self._train(len(self.orders[0]), replace(self.recipe, **settings))

    def _train(self, n: int, recipe) -> tuple[list[float], list[np.ndarray]]:
        weights, train, dev = self.data.parts["train"].weights, [], []
        for k, order in enumerate(self.orders):
            rows = np.sort(order[:n])
            counts = None if weights is None else weights[rows]
            seeded = replace(recipe, seed=recipe.seed + k)
            network = trained_on(self.run, self.data, rows, seeded)
            train.append(float(np.average(self._errors(network, "train")[rows], weights=counts)))
            dev.append(self._errors(network, "dev"))
        return train, dev

    def _errors(self, network, part: str) -> np.ndarray:
        return errors_of(network, self.run, self.data, part)


def _largest(settings: dict[str, Any]) -> float:
    """Return the position of a width on the plot's axis: the units of its largest layer."""
    return float(np.max(next(iter(settings.values()))))


def point(name: str, size: float, found: Errors, i: int) -> Point:
    """Build the point of the i-th size."""
    return Point(name, float(size), *(float(v[i]) for v in found.shown))
