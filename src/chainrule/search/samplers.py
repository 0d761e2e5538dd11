"""Who chooses the values of a candidate, by name; and who ends it early.

random            each dimension at random on its own scale, by seed and number alone
coarse_to_fine    in rounds: at random, then again in a smaller space around the best few
tpe, qmc, …       optuna's, seeded anew for each candidate, so that a resumed search goes on
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from chainrule.errors import MissingExtraError, check_choice
from chainrule.search.space import Space, place
from chainrule.search.stored import label, stored
from chainrule.search.zoom import Region

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
"""Those that can choose many candidates before one of them is done."""

NEEDS = {"gp": "torch", "cmaes": "cmaes"}

AT_ONCE = ("none", "halving")
"""Pruners that candidates trained at once can have: `fit_many` halves them itself."""

WARM_UP = 10  # percent of its training that every candidate may have
PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=WARM_UP),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=WARM_UP),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=WARM_UP, max_resource=100),
}


def check_names(sampler: str, pruner: str) -> None:
    """Refuse names that are none, and a sampler whose package is not installed."""
    check_choice("--sampler", sampler, SAMPLERS)
    check_choice("--pruner", pruner, PRUNERS)
    package = NEEDS.get(sampler)
    if package and find_spec(package) is None:
        where, hint = f"--sampler {sampler}", f"pip install {package}, or --sampler tpe"
        raise MissingExtraError(where, package, "", hint)


def optunas_sampler(name: str, seed: int, number: int) -> BaseSampler:
    """optuna's sampler of this name, for candidate `number`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return OPTUNAS[name](seed, number)


class AtRandom(BaseSampler):
    """What `Space.sample` draws for this candidate, or the same in a smaller region."""

    def __init__(self, space: Space, seed: int, number: int, region: Region):
        self._values = {
            label(name, dimension): stored(
                dimension, region.draw(space, name, place(seed, number, name))
            )
            for name, dimension in space.dimensions.items()
        }

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """None: each dimension by itself."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict) -> dict:
        """Nothing: each dimension by itself."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """The value that belongs to this name."""
        return self._values[param_name]


def _seed(seed: int, number: int) -> int:
    """One for each candidate."""
    return (seed * 1_000_003 + number) % 2**32
