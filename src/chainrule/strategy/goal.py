"""The goal of training: one metric to optimise, and conditions that only have to be met.

Notes: "Single number evaluation metric", "Satisficing and optimizing metric" (course 3, week 1).

    optimising     the metric that should be as good as possible
    satisficing    conditions that must be met; exceeding them has no value

Of several networks, the best of those that meet every condition is chosen; where none does, the
one that misses them by least: Σ |value − bound| / |bound| over the conditions that are not met.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import OptionError, did_you_mean
from chainrule.strategy.goal_text import (
    OF_ANSWERS,
    OF_CLASSES,
    OF_NUMBERS,
    SMALLER,
    Condition,
    class_of,
    name_of,
    split_goal,
)
from chainrule.train.door import Door
from chainrule.train.scores import Guessed, Judged, judged, score_of, scores

COMPARE: dict[str, Callable] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
Scores = Mapping[str, Any]
"""The scores of one network by metric, or arrays of the scores of several networks."""


class ConditionResult(NamedTuple):
    """A condition, the value that was measured, and whether the condition is met."""

    condition: Condition
    value: float
    met: bool

    def __str__(self) -> str:
        return f"{self.condition}: {self.value:.4g}, {'met' if self.met else 'not met'}"


@dataclass(frozen=True)
class Goal:
    """A metric to optimise (a key of `Goal.scores`), and conditions to meet.

    >>> goal = parse_goal("best f1 with recall >= 0.9")
    >>> goal.choose([{"f1": 0.8, "recall": 0.7}, {"f1": 0.7, "recall": 0.95}])
    1
    """

    metric: str
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        conditions = " and ".join(map(str, self.conditions))
        return f"best {self.metric}" + (f" with {conditions}" if conditions else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "text": str(self),
            "metric": self.metric,
            "conditions": [condition._asdict() for condition in self.conditions],
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return all metrics that the goal mentions."""
        return (self.metric, *(condition.metric for condition in self.conditions))

    def scores(
        self, door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
    ) -> dict[str, float]:
        """Compute every score of the task, and the metrics of single classes in the goal."""
        found, rows = scores(door, Z, Y, weights), judged(door, Z, Y, weights)
        of_class = (metric for metric in self.metrics if class_of(metric))
        return found | {metric: value_of(metric, door, rows) for metric in of_class}

    def value(self, scores: Scores) -> Any:
        """Return the metric so that larger is better (errors negated); −∞ where not defined."""
        value = self.sign * np.asarray(scores.get(self.metric, np.nan), float)
        return np.where(np.isnan(value), -np.inf, value)[()]

    def error(self, scores: Scores) -> float:
        """Return the goal as an error: 1 − metric, or the metric where less is better.

        The error of R² is the RMSE.
        """
        if self.metric == "r2":
            return scores["rmse"]
        return scores[self.metric] if self.sign < 0 else 1 - scores[self.metric]

    @property
    def sign(self) -> int:
        """Return 1 where a larger metric is better, −1 where a smaller one is."""
        return -1 if name_of(self.metric) in SMALLER else 1

    def judgements(self, scores: Scores) -> list[ConditionResult]:
        """Check each condition, in order."""
        values = [scores.get(condition.metric, np.nan) for condition in self.conditions]
        return [
            ConditionResult(condition, value, bool(COMPARE[condition.sign](value, condition.bound)))
            for condition, value in zip(self.conditions, values, strict=True)
        ]

    def satisfied(self, scores: Scores) -> bool:
        """Return whether every condition is met."""
        return all(result.met for result in self.judgements(scores))

    def shortfall(self, scores: Scores) -> Any:
        """Return by how much the conditions are missed, relative to their bounds; 0 where met."""
        missed: Any = 0.0
        for metric, sign, bound in self.conditions:
            value = np.asarray(scores.get(metric, np.nan), float)
            gap = np.abs(value - bound) / (abs(bound) or 1.0)
            gap = np.where(np.isnan(gap), np.inf, np.maximum(gap, np.finfo(float).tiny))
            missed = missed + np.where(COMPARE[sign](value, bound), 0.0, gap)
        return missed

    def choose(self, of: Sequence[Scores]) -> int | None:
        """Return the index of the best that meets every condition, or else misses them by least.

        Ties go to the first; an empty sequence gives None.
        """
        if not of:
            return None
        return min(range(len(of)), key=lambda i: (self.shortfall(of[i]), -self.value(of[i])))

    def text(self, scores: Scores) -> str:
        """Return the goal and the values reached as text, a line for each condition."""
        value = scores.get(self.metric)
        reached = "not defined on these examples" if value is None else f"{value:.4f}"
        lines = [f"goal: {self}", f"  {self.metric}: {reached}"]
        return "\n".join(lines + [f"  {result}" for result in self.judgements(scores)])


def parse_goal(text: str, task: str | None = None) -> Goal:
    """Parse a goal from its text, without checking that it fits the data (see `goal_for`).

    `task` selects the examples in the hints of error messages.
    """
    metric, conditions = split_goal(text, task)
    return Goal(metric, tuple(conditions))


def goal_for(text: str | None, door: Door) -> Goal:
    """Parse a goal and check that it fits the labels; by default the goal is accuracy or R².

    With more than two classes, precision, recall and F1 are macro averages over the classes.
    """
    if text is None:
        return Goal(door.metric)
    goal = parse_goal(text, door.labels.task)
    conditions = [c._replace(metric=fitting(c.metric, door)) for c in goal.conditions]
    return replace(goal, metric=fitting(goal.metric, door), conditions=tuple(conditions))


def fitting(metric: str, door: Door) -> str:
    """Return the metric's name in the scores of this task; raise OptionError if it has none."""
    name, label, names = name_of(metric), class_of(metric), door.labels.names
    task = "numbers" if door.labels.task == "regression" else "classes"
    valid, others = (OF_NUMBERS, OF_CLASSES) if task == "numbers" else (OF_CLASSES, OF_NUMBERS)
    if name in others:
        expected = f"a metric for a target of {task}: {', '.join(valid)}"
        raise OptionError("--goal", expected, name, valid[0])
    if label is not None and label not in names:
        raise OptionError(
            "--goal", "a class of the target", repr(label), did_you_mean(label, names)
        )
    means = label is None and len(names) > 2 and name in OF_ANSWERS
    return f"macro_{name}" if means else metric


def value_of(metric: str, door: Door, rows: Judged | Guessed) -> float:
    """Compute a single score; nan where it is not defined."""
    label = class_of(metric)
    c = None if label is None else door.labels.names.index(label)
    return score_of(name_of(metric), rows, c)
