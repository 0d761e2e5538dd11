"""Samplers, which choose the values of a candidate, and pruners, which end it early.

random            each dimension at random on its own scale, from the seed and the number alone
coarse_to_fine    in rounds: first at random, then in a smaller space around the best few
tpe, qmc, …       optuna's samplers, reseeded for each candidate, so that a search can be resumed

Coarse to fine search follows "Tuning process" (course 2, week 3): after each round, zoom in to the
region where the good points lie, and sample more densely there. On each dimension's own scale,
where positions go from 0 to 1:

    low  = max(low_before,  min of the best − MARGIN · width_before)
    high = min(high_before, max of the best + MARGIN · width_before)

If the best few lie at both ends of the range, the range stays the same: the dimension does not
matter. Of choices, only those of the best candidates remain.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from chainrule.errors import MissingExtraError, check_choice
from chainrule.search.dimensions import Choices
from chainrule.search.space import Space, uniform_number
from chainrule.search.trials import label, to_optuna

BEST = 4  # the best few are a quarter of the round, but at least FEWEST
FEWEST = 3
MARGIN = 0.1


class Result(NamedTuple):
    """The values and the dev cost of a finished candidate."""

    number: int
    values: Mapping[str, Any]
    dev_cost: float


class Region(NamedTuple):
    """The region of a space that is still searched: ranges of positions, and remaining choices."""

    ranges: Mapping[str, tuple[float, float]]
    choices: Mapping[str, tuple]

    @classmethod
    def whole(cls, space: Space) -> "Region":
        """Return the region that covers the whole space."""
        choices = {n: d.values for n, d in space.dimensions.items() if isinstance(d, Choices)}
        return cls({n: (0.0, 1.0) for n in space.dimensions if n not in choices}, choices)

    def draw(self, space: Space, name: str, u: float) -> Any:
        """Return the value at position u, from 0 to 1, within the remaining range or choices."""
        if name in self.choices:
            remaining = self.choices[name]
            return remaining[min(int(u * len(remaining)), len(remaining) - 1)]
        low, high = self.ranges[name]
        return space.dimensions[name].at(low + (high - low) * u)


def zoom(space: Space, region: Region, best: Sequence[Result]) -> Region:
    """Return the region around the best candidates; dimensions without values stay the same."""
    ranges, choices = dict(region.ranges), dict(region.choices)
    for name, dimension in space.dimensions.items():
        values = [result.values[name] for result in best if name in result.values]
        if values and name in choices:
            choices[name] = tuple(v for v in choices[name] if v in values)
        elif values:
            positions = [dimension.position(value) for value in values]
            low, high = ranges[name]
            margin = MARGIN * (high - low)
            ranges[name] = max(low, min(positions) - margin), min(high, max(positions) + margin)
    return Region(ranges, choices)


def region_of(space: Space, results: Sequence[Result], number: int, size: int) -> Region:
    """Return the region of candidate `number`, zoomed after each round of `size` candidates."""
    region = Region.whole(space)
    for first in range(size, number + 1, size):
        so_far = sorted((r for r in results if r.number < first), key=lambda r: r.dev_cost)
        region = zoom(space, region, so_far[: max(FEWEST, size // BEST)])
    return region


OWN = ("random", "coarse_to_fine")
OPTUNAS: dict[str, Callable[[int, int], BaseSampler]] = {
    "tpe": lambda seed, number: optuna.samplers.TPESampler(
        seed=_seed(seed, number), constant_liar=True
    ),
    "qmc": lambda seed, number: optuna.samplers.QMCSampler(
        scramble=True, seed=seed, warn_independent_sampling=False
    ),
    "gp": lambda seed, number: optuna.samplers.GPSampler(seed=_seed(seed, number)),
    "cmaes": lambda seed, number: optuna.samplers.CmaEsSampler(
        seed=_seed(seed, number), warn_independent_sampling=False
    ),
}
SAMPLERS = (*OWN, *OPTUNAS)
BLIND = ("random", "coarse_to_fine", "qmc")
"""The samplers that can choose many candidates before the first of them is done."""

NEEDS = {"gp": "torch", "cmaes": "cmaes"}

AT_ONCE = ("none", "halving")
"""The pruners for candidates that are trained at once; `fit_many` does the halving itself."""

WARM_UP = 10  # percent of the training before which no candidate is ended
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=WARM_UP),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=WARM_UP),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=WARM_UP, max_resource=100),
}


def check_names(sampler: str, pruner: str) -> None:
    """Raise an error for an unknown name, or for a sampler whose package is not installed."""
    check_choice("--sampler", sampler, SAMPLERS)
    check_choice("--pruner", pruner, PRUNERS)
    package = NEEDS.get(sampler)
    if package and find_spec(package) is None:
        where, hint = f"--sampler {sampler}", f"pip install {package}, or --sampler tpe"
        raise MissingExtraError(where, package, "", hint)


def optunas_sampler(name: str, seed: int, number: int) -> BaseSampler:
    """Return optuna's sampler of this name for candidate `number`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return OPTUNAS[name](seed, number)


class RandomSampler(BaseSampler):
    """A sampler that draws like `Space.sample`, but within a region of the space."""

    def __init__(self, space: Space, seed: int, number: int, region: Region):
        self._values = {
            label(name, dimension): to_optuna(
                dimension, region.draw(space, name, uniform_number(seed, number, name))
            )
            for name, dimension in space.dimensions.items()
        }

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """Return no joint search space, since each dimension is drawn independently."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict) -> dict:
        """Return no joint values, since each dimension is drawn independently."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Return the value that was drawn for this parameter."""
        return self._values[param_name]


def _seed(seed: int, number: int) -> int:
    """Return a seed that differs for each candidate."""
    return (seed * 1_000_003 + number) % 2**32
