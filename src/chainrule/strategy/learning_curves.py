"""Learning curves: what more data, or a larger network, would bring.

Notes: "Why is deep learning taking off?" (course 1, week 1); "Bias and variance", "Basic recipe for
machine learning" (course 2, week 1).

    examples   10, 20, 35, 60 and 100 % of the training part, each holding the one before
    width      the hidden layers at ¼, ½, 1 and 2 times their units, on all of the training part;
               of a network of images all its channels

Every training is the run's own but for that (`growing.py`), several seeds at each place: another
seed is other examples, other first weights, another order. The errors of the dev part over sizes
are fitted by error(m) = a + b m^(−c) (`power_law.py`), which says what twice the data would bring.
Twice the width is measured, and compared with the width as it is on the same dev rows.

An interval holds what is left to chance: which rows the dev part has (the same for all sizes, so
they are drawn together), and the seeds. Early stopping has seen the dev part: its errors are a
little low, at every size alike.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from chainrule.errors import DataError, RunError
from chainrule.strategy.growing import errors_of, nested, recipe_of, sizes_of, trained_on
from chainrule.strategy.outlook import Measured, Outlook, interval, measured, twice, wider
from chainrule.strategy.table import aligned
from chainrule.train.prepare import Data
from chainrule.train.run import Run

SHARES = (0.1, 0.2, 0.35, 0.6, 1.0)
WIDTHS = (0.25, 0.5, 1.0, 2.0)
FEWEST = 10
"""Examples in the smallest part."""


@dataclass(frozen=True)
class Point:
    """One size, the errors measured there, and the interval of the dev error."""

    name: str
    size: float
    train: float
    dev: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurves:
    """Errors over growing training sets and networks.

    unit      "share" of the examples that are wrong, or "rmse" in the target's units
    seeds     trainings at each size
    examples  a point for each size of the training set; more_data: what twice of it would bring
    widths    a point for each width (none without hidden units); more_width: what twice brings
    of_width  what is multiplied: "hidden units", or "width" of a network of images
    """

    unit: str
    seeds: int
    examples: tuple[Point, ...]
    more_data: Outlook
    widths: tuple[Point, ...]
    more_width: Outlook | None
    of_width: str = "hidden units"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self) -> str:
        """Two tables, and what they say."""
        lines = [*self._table("examples", self.examples), "", self.more_data.words(self.percent)]
        if self.more_width is not None:
            lines += ["", *self._table(self.of_width, self.widths)]
            lines += ["", self.more_width.words(self.percent)]
        trainings = f"{self.seeds} trainings at each size" if self.seeds > 1 else "one training"
        return "\n".join([*lines, f"({trainings}; intervals of 95 %)"])

    @property
    def percent(self) -> bool:
        """Whether errors are shares."""
        return self.unit == "share"

    def _table(self, head: str, points: tuple[Point, ...]) -> list[str]:
        words = "error" if self.percent else "RMSE"
        rows = [[head, f"train {words}", f"dev {words}", ""]]
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
    """Train on growing parts of the training set, and on growing networks.

    `seeds` trainings at each size: three up to 2,000 examples, else two. Raises RunError where
    there is no dev part to judge by, DataError where there are too few examples.
    """
    if "dev" not in data.parts:
        hint = "a run with a dev part, which --dev none leaves out"
        raise RunError("the learning curves", "a dev part", "none", hint)
    bench = Bench(run, data, seeds or (3 if len(data.sources["train"]) <= 2000 else 2))
    sizes = bench.sizes(shares)
    by_size = measured([bench.at_size(n) for n in sizes], bench.weights, bench.percent)
    points = by_width = more_width = ()
    if networks := sizes_of(run, widths):
        by_width = [bench.at_width(said) for said in networks.values()]
        by_width = measured(by_width, bench.weights, bench.percent)
        points = tuple(
            point(name, _largest(said), by_width, i)
            for i, (name, said) in enumerate(networks.items())
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
    """Trains the run's recipe again at a size, and measures it on train and dev."""

    def __init__(self, run: Run, data: Data, seeds: int):
        self.run, self.data, self.seeds = run, data, seeds
        self.recipe = recipe_of(run, data)
        self.percent = run.door.labels.task == "classification"
        self.weights = data.parts["dev"].weights
        seeds_of_rows = range(run.recipe.seed, run.recipe.seed + seeds)
        self.orders = [nested(data, classes=self.percent, seed=seed) for seed in seeds_of_rows]

    def sizes(self, shares: tuple[float, ...]) -> list[int]:
        """How many examples each share is, the fewest first."""
        m = len(self.orders[0])
        sizes = sorted({min(m, max(round(share * m), FEWEST)) for share in shares})
        if len(sizes) < 3:
            hint = f"more examples: {4 * FEWEST} and more can be told apart"
            raise DataError("the learning curves", "at least three sizes", f"{len(sizes)}", hint)
        return sizes

    def at_size(self, n: int) -> tuple[list[float], list[np.ndarray]]:
        """On n examples: for each seed the mean error of those, and that of each dev row."""
        return self._train(n, self.recipe)

    def at_width(self, said: dict[str, Any]) -> tuple[list[float], list[np.ndarray]]:
        """On all examples, with a network of another width."""
        return self._train(len(self.orders[0]), replace(self.recipe, **said))

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


def _largest(said: dict[str, Any]) -> float:
    """Where a width stands in the picture: its units, of the largest layer."""
    return float(np.max(next(iter(said.values()))))


def point(name: str, size: float, found: Measured, i: int) -> Point:
    """The i-th place."""
    return Point(name, float(size), *(float(v[i]) for v in found.shown))
