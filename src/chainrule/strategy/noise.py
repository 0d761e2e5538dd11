"""How sure a score is, and how sure that one network is better than another.

    gain        new − old on the same examples; what both get wrong alike is no noise
    interval    of a share (accuracy, precision, recall) Wilson's, of all else value ± 1.96 errors

The standard errors are in closed form, for every metric a goal may have: see `influence.py`.
"""

from typing import NamedTuple

import numpy as np

from chainrule.strategy.goal import Goal, value_of
from chainrule.strategy.goal_text import UNBOUNDED, class_of, name_of
from chainrule.strategy.influence import influence, standard_error
from chainrule.strategy.shares import Z as CERTAIN
from chainrule.strategy.shares import wilson
from chainrule.train.door import Door
from chainrule.train.scores import Guessed, Judged, judged


class Gain(NamedTuple):
    """How much better one network is than another on the same examples, and the noise of that."""

    gain: float
    standard_error: float


class Interval(NamedTuple):
    """A score, its standard error, and the ends between which it lies in 95 of 100 samples."""

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
    """How much better Z_new is than Z_old on the same examples, and the paired standard error.

    `old_door` is that of Z_old, where its threshold is another.
    """
    new, old = judged(door, Z_new, Y, weights), judged(old_door or door, Z_old, Y, weights)
    risen = value_of(goal.metric, door, new) - value_of(goal.metric, door, old)
    moved = influence(goal.metric, door, new) - influence(goal.metric, door, old)
    return Gain(goal.sign * risen, standard_error(moved))


def interval(
    goal: Goal, door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
) -> Interval:
    """The goal's metric, as people read it, and how sure it is: Wilson's interval for a share."""
    rows = judged(door, Z, Y, weights)
    value = value_of(goal.metric, door, rows)
    noise = standard_error(influence(goal.metric, door, rows))
    counted = counted_weights(goal.metric, door, rows)
    if counted is not None and counted.any():
        ends = wilson(value, float(counted.sum() ** 2 / (counted**2).sum()))
        return Interval(value, noise, *ends)
    low, high = value - CERTAIN * noise, value + CERTAIN * noise
    if name_of(goal.metric) not in UNBOUNDED:
        low, high = max(0.0, low), min(1.0, high)
    return Interval(value, noise, low, high)


def counted_weights(metric: str, door: Door, rows: Judged | Guessed) -> np.ndarray | None:
    """The weights of the examples that the metric is a share of; None where it is no share."""
    name, label = name_of(metric), class_of(metric)
    if name == "accuracy":
        return rows.weights
    if isinstance(rows, Guessed) or name not in ("precision", "recall"):
        return None
    c = 1 if label is None else door.labels.names.index(label)
    return rows.weights[(rows.said if name == "precision" else rows.y) == c]
