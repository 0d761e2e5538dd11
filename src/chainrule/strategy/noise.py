"""Confidence intervals of scores, and the standard error of the gain of one network over another.

    gain        new − old on the same examples, with a paired standard error
    interval    of a share (accuracy, precision, recall) Wilson's, else value ± 1.96 standard errors

The standard errors have a closed form for every metric that a goal may have: see `influence.py`.
"""

from typing import NamedTuple

import numpy as np

from chainrule.strategy.goal import Goal, value_of
from chainrule.strategy.goal_text import UNBOUNDED, class_of, name_of
from chainrule.strategy.influence import influence, standard_error
from chainrule.strategy.shares import Z as QUANTILE
from chainrule.strategy.shares import wilson
from chainrule.train.door import Door
from chainrule.train.scores import Guessed, Judged, judged


class Gain(NamedTuple):
    """How much better one network is than another on the same examples, and its standard error."""

    gain: float
    standard_error: float


class Interval(NamedTuple):
    """A score, its standard error, and the ends of its 95 % confidence interval."""

    value: float
    standard_error: float
    low: float
    high: float


def gain(
    goal: Goal,
    door: Door,
    Z_new: np.ndarray,
    Z_old: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    old_door: Door | None = None,
) -> Gain:
    """Compute how much better Z_new is than Z_old on the same examples, with the standard error.

    `old_door` is the preprocessor of Z_old, if it has another threshold.
    """
    new, old = judged(door, Z_new, Y, weights), judged(old_door or door, Z_old, Y, weights)
    risen = value_of(goal.metric, door, new) - value_of(goal.metric, door, old)
    difference = influence(goal.metric, door, new) - influence(goal.metric, door, old)
    return Gain(goal.sign * risen, standard_error(difference))


def interval(
    goal: Goal, door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> Interval:
    """Compute the goal's metric with its confidence interval."""
    rows = judged(door, Z, Y, weights)
    value = value_of(goal.metric, door, rows)
    noise = standard_error(influence(goal.metric, door, rows))
    counted = counted_weights(goal.metric, door, rows)
    if counted is not None and counted.any():
        ends = wilson(value, float(counted.sum() ** 2 / (counted**2).sum()))
        return Interval(value, noise, *ends)
    low, high = value - QUANTILE * noise, value + QUANTILE * noise
    if name_of(goal.metric) not in UNBOUNDED:
        low, high = max(0.0, low), min(1.0, high)
    return Interval(value, noise, low, high)


def counted_weights(metric: str, door: Door, rows: Judged | Guessed) -> np.ndarray | None:
    """Return the weights of the examples in the denominator of a share; None for other metrics."""
    name, label = name_of(metric), class_of(metric)
    if name == "accuracy":
        return rows.weights
    if isinstance(rows, Guessed) or name not in ("precision", "recall"):
        return None
    c = 1 if label is None else door.labels.names.index(label)
    return rows.weights[(rows.said if name == "precision" else rows.y) == c]
