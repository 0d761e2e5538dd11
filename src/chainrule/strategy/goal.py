"""The goal: one number to be best in, and conditions that are enough to keep.

Notes: "Single number evaluation metric", "Satisficing and optimizing metric" (course 3, week 1).

    optimising     the metric that should be as good as can be
    satisficing    conditions that must hold; beyond that they count nothing

Of several networks the best of those that keep every condition is chosen; where none does, the one
that misses them by least: Σ |value − bound| / |bound| over the conditions that do not hold.
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

HOLDS: dict[str, Callable] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
Scores = Mapping[str, Any]
"""Of one network, or arrays with a number for each of many."""


class Judgement(NamedTuple):
    """A condition, what was measured, and whether that is enough."""

    condition: Condition
    value: float
    met: bool

    def __str__(self) -> str:
        return f"{self.condition}: {self.value:.4g}, {'met' if self.met else 'not met'}"


@dataclass(frozen=True)
class Goal:
    """metric is what should be best, and a key of `Goal.scores`; conditions must hold.

    >>> goal = parse_goal("best f1 with recall >= 0.9")
    >>> goal.choose([{"f1": 0.8, "recall": 0.7}, {"f1": 0.7, "recall": 0.95}])
    1
    """

    metric: str
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        kept = " and ".join(map(str, self.conditions))
        return f"best {self.metric}" + (f" with {kept}" if kept else "")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": str(self),
            "metric": self.metric,
            "conditions": [condition._asdict() for condition in self.conditions],
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        """All that it names."""
        return (self.metric, *(condition.metric for condition in self.conditions))

    def scores(
        self, door: Door, Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None = None
    ) -> dict[str, float]:
        """Every score that fits the task, and what the goal asks of one class."""
        found, rows = scores(door, Z, Y, weights), judged(door, Z, Y, weights)
        asked = (metric for metric in self.metrics if class_of(metric))
        return found | {metric: value_of(metric, door, rows) for metric in asked}

    def value(self, scores: Scores) -> Any:
        """Larger is better: errors are negated. What could not be measured is worst."""
        value = self.sign * np.asarray(scores.get(self.metric, np.nan), float)
        return np.where(np.isnan(value), -np.inf, value)[()]

    def error(self, scores: Scores) -> float:
        """1 − the metric; the metric itself where less is better; of numbers the RMSE."""
        if self.metric == "r2":
            return scores["rmse"]
        return scores[self.metric] if self.sign < 0 else 1 - scores[self.metric]

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, −1 where less is."""
        return -1 if name_of(self.metric) in SMALLER else 1

    def judgements(self, scores: Scores) -> list[Judgement]:
        """Of each condition, in their order."""
        values = [scores.get(condition.metric, np.nan) for condition in self.conditions]
        return [
            Judgement(condition, value, bool(HOLDS[condition.sign](value, condition.bound)))
            for condition, value in zip(self.conditions, values, strict=True)
        ]

    def satisfied(self, scores: Scores) -> bool:
        """Whether every condition holds."""
        return all(judgement.met for judgement in self.judgements(scores))

    def shortfall(self, scores: Scores) -> Any:
        """By how much the conditions are missed, in parts of their bounds; 0 where they hold."""
        missed: Any = 0.0
        for metric, sign, bound in self.conditions:
            value = np.asarray(scores.get(metric, np.nan), float)
            gap = np.abs(value - bound) / (abs(bound) or 1.0)
            gap = np.where(np.isnan(gap), np.inf, np.maximum(gap, np.finfo(float).tiny))
            missed = missed + np.where(HOLDS[sign](value, bound), 0.0, gap)
        return missed

    def choose(self, of: Sequence[Scores]) -> int | None:
        """Which of them: the best that keeps every condition, or the one that misses least.

        The first of equals; None of none.
        """
        if not of:
            return None
        return min(range(len(of)), key=lambda i: (self.shortfall(of[i]), -self.value(of[i])))

    def text(self, scores: Scores) -> str:
        """The goal and what was reached of it, a line for each condition."""
        value = scores.get(self.metric)
        reached = "not defined on these examples" if value is None else f"{value:.4f}"
        lines = [f"goal: {self}", f"  {self.metric}: {reached}"]
        return "\n".join(lines + [f"  {judgement}" for judgement in self.judgements(scores)])


def parse_goal(text: str, task: str | None = None) -> Goal:
    """From its words; whether it fits the data is for `goal_for` to say.

    The hints are for this task, where it is known.
    """
    metric, conditions = split_goal(text, task)
    return Goal(metric, tuple(conditions))


def goal_for(text: str | None, door: Door) -> Goal:
    """The goal of this text for these labels; accuracy or R² where nothing is said.

    Of more than two classes precision, recall and F1 are their means over the classes.
    """
    if text is None:
        return Goal(door.metric)
    goal = parse_goal(text, door.labels.task)
    conditions = [c._replace(metric=fitting(c.metric, door)) for c in goal.conditions]
    return replace(goal, metric=fitting(goal.metric, door), conditions=tuple(conditions))


def fitting(metric: str, door: Door) -> str:
    """The metric as the scores of this task name it; refused where they have none."""
    name, label, names = name_of(metric), class_of(metric), door.labels.names
    task = "numbers" if door.labels.task == "regression" else "classes"
    mine, others = (OF_NUMBERS, OF_CLASSES) if task == "numbers" else (OF_CLASSES, OF_NUMBERS)
    if name in others:
        expected = f"a metric for a target of {task}: {', '.join(mine)}"
        raise OptionError("--goal", expected, name, mine[0])
    if label is not None and label not in names:
        raise OptionError(
            "--goal", "a class of the target", repr(label), did_you_mean(label, names)
        )
    means = label is None and len(names) > 2 and name in OF_ANSWERS
    return f"macro_{name}" if means else metric


def value_of(metric: str, door: Door, rows: Judged | Guessed) -> float:
    """One score, and nothing beside it; nan where it is not defined."""
    label = class_of(metric)
    c = None if label is None else door.labels.names.index(label)
    return score_of(name_of(metric), rows, c)
