"""The error of each set of a run's data, with its 95 % confidence interval.

    classes        1 − accuracy                      Wilson's interval
    numbers        √((1/m) Σ (z − y)²), the RMSE     ± z s/√m of the mean square, s its deviation
    another goal   1 − the metric, or the metric     the middle 95 % of 200 bootstrap samples
                   itself where less is better       (drawn with replacement)

Numbers are in the target's units. Where examples have weights w, m counts as (Σ w)² / Σ w².
"""

import math
from collections.abc import Mapping

import numpy as np

from chainrule.errors import OptionError
from chainrule.strategy.findings import PartError, Unit
from chainrule.strategy.goal import Goal, goal_for, value_of
from chainrule.strategy.shares import Z as QUANTILE
from chainrule.strategy.shares import wilson
from chainrule.train.door import Door
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import Data
from chainrule.train.run import Run
from chainrule.train.scores import judged

SAMPLES = 200
COUNTED = ("accuracy", "r2", "rmse")
"""Metrics whose error is a mean over the examples."""


def outputs_of(run: Run, data: Data) -> dict[str, np.ndarray]:
    """Return Z (m, n_L) of every set."""
    return {name: network_outputs(run.network, part.X) for name, part in data.parts.items()}


def unit_of(door: Door, goal: Goal | None = None) -> Unit:
    """Return the unit of the errors."""
    if goal is None or goal.metric in COUNTED:
        return "rmse" if door.labels.task == "regression" else "share"
    return "share" if goal.sign > 0 else "number"


def check_reference(reference: float | None, unit: Unit) -> None:
    """Raise OptionError for a share above 1, such as a percentage given by mistake."""
    if reference is not None and unit == "share" and reference > 1:
        hint = "0.05, the share that people get wrong"
        raise OptionError("--reference", "a share from 0 to 1", f"{reference:g}", hint)


def part_errors(run: Run, data: Data, Z: Mapping[str, np.ndarray]) -> list[PartError]:
    """Compute the error of every set, by the goal of the run."""
    goal = goal_for(run.recipe.goal, run.door)
    if goal.metric in COUNTED:
        unit = unit_of(run.door)
        return [
            mean_error(name, misses(Z[name], part, run.door), part.weights, unit)
            for name, part in data.parts.items()
        ]
    return [goal_error(name, Z[name], part, run.door, goal) for name, part in data.parts.items()]


def misses(Z: np.ndarray, part: Examples, door: Door) -> np.ndarray:
    """Return the error of each example (m,): 1 for a wrong class, or the squared error."""
    if door.labels.task == "regression":
        return ((door.numbers(Z.astype(float)) - door.numbers(part.Y)) ** 2).mean(axis=1)
    return (door.said(Z) != codes(part.Y)).astype(float)


def codes(Y: np.ndarray) -> np.ndarray:
    """Return the class of each example as a number (m,), from Y (m, n_L)."""
    return (Y[:, 0] > 0.5).astype(int) if Y.shape[1] == 1 else Y.argmax(axis=1)


def mean_error(name: str, missed: np.ndarray, weights: np.ndarray | None, unit: Unit) -> PartError:
    """Compute the error of a set with its interval, from the errors of its examples."""
    w = np.ones(len(missed)) if weights is None else np.asarray(weights, float)
    m = float(w.sum() ** 2 / (w**2).sum())
    mean = float((w * missed).sum() / w.sum())
    if unit == "share":
        return PartError(name, len(missed), mean, *wilson(mean, m))
    reach = QUANTILE * math.sqrt(float((w * (missed - mean) ** 2).sum() / w.sum()) / m)
    ends = (math.sqrt(max(0.0, mean - reach)), math.sqrt(mean + reach))
    return PartError(name, len(missed), math.sqrt(mean), *ends)


def goal_error(name: str, Z: np.ndarray, part: Examples, door: Door, goal: Goal) -> PartError:
    """Compute the error by a metric that is not a mean over the examples."""
    m, rng = len(Z), np.random.default_rng(0)

    def error(rows: np.ndarray) -> float:
        weights = None if part.weights is None else part.weights[rows]
        value = value_of(goal.metric, door, judged(door, Z[rows], part.Y[rows], weights))
        return value if goal.sign < 0 else 1 - value

    drawn = np.array([error(rng.integers(m, size=m)) for _ in range(SAMPLES)])
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.isfinite(drawn).any() else (0.0, 1.0)
    middle = error(np.arange(m))
    return PartError(name, m, middle, min(float(low), middle), max(float(high), middle))


def given_error(name: str, error: float, m: int | None) -> PartError:
    """Build the record of an error given as a number; without m it is taken as exact."""
    low, high = (error, error) if m is None else wilson(error, m)
    return PartError(name, m, error, low, high)
