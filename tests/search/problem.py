"""A simulated search without training: a candidate costs (log₁₀ α + 2)², so that 0.01 is best."""

import math
import time
from pathlib import Path

import optuna
from optuna.study import Study

from chainrule.runs.recipe import Recipe
from chainrule.search.samplers import PRUNERS
from chainrule.search.space import Space
from chainrule.search.study import Plan, open_storage
from chainrule.search.trials import DONE, FAILED, INTERRUPTED, PRUNED, Outcome

SPACE = Space.parse(["learning_rate=log(1e-4, 1)", "l2=log(1e-4, 1)"])
STEPS = (10, 50, 100)


class Pretended:
    """A simulated `Objective`."""

    def __init__(self, seconds: float = 0.0, interrupt_at: int | None = None):
        self.base = Recipe("pretended")
        self.seconds, self.interrupt_at, self.calls = seconds, interrupt_at, 0

    def __call__(self, recipe: Recipe, report) -> Outcome:
        self.calls += 1
        if self.calls == self.interrupt_at:
            return Outcome(INTERRUPTED)
        assert recipe.learning_rate is not None
        if recipe.learning_rate > 0.9:
            return Outcome(FAILED, why="not finite")
        cost = (math.log10(recipe.learning_rate) + 2) ** 2
        for step in STEPS:
            time.sleep(self.seconds / len(STEPS))
            if report(step, cost + 1 / step) and step < 100:
                return Outcome(PRUNED, cost + 1 / step, why=f"after {step}")
        curve = {"epoch": [1, 2], "cost": [1.0, cost], "dev_cost": [2.0, cost]}
        return Outcome(DONE, cost, {"dev": {"m": 5, "cost": cost, "accuracy": 0.5}}, curve)


def plan(trials: int = 6, sampler: str = "random", pruner: str = "none", round_size: int = 4):
    """Return a plan for the simulated search."""
    return Plan(SPACE, sampler, pruner, 0, round_size, trials)


def study_in(folder: Path, storage=None) -> Study:
    """Return the study in a folder or a storage, as another process would see it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder) if storage is None else storage
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.pruner = PRUNERS["none"]()
    return study
