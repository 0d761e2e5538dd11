"""The goal of training: one metric to optimise, and conditions that only have to be met.

Notes: "Single number evaluation metric", "Satisficing and optimizing metric" (course 3, week 1).

    optimising     the metric that should be as good as possible
    satisficing    conditions that must be met; exceeding them has no value

Of several networks, the best of those that meet every condition is chosen; where none does, the one
that misses them by the least: Σ |value − bound| / |bound| over the conditions that are not met.

A goal is written as, for example, "best f1 with recall of malignant >= 0.95 and prediction under
1 ms":

    [best] METRIC [of CLASS] [with CONDITION [and CONDITION …]]
    CONDITION    METRIC [of CLASS]  >=, <=, >, <, at least, at most, over, under  NUMBER [%, ms]

A metric is given by its key ("macro_f1"), which may be written with spaces; `prediction` is the
time to predict one row, in milliseconds, and `parameters` the number of parameters of the network.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import OptionError, did_you_mean
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.scores import (
    ClassificationResults,
    RegressionResults,
    results_of_outputs,
    score_of,
    scores,
)

OF_CLASSES = (
    "accuracy",
    "precision",
    "recall",
    "f1",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_f1",
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
    "calibration_error",
)
OF_NUMBERS = ("r2", "rmse", "mae", "median_error")
OF_NETWORKS = ("prediction", "parameters")
OF_ANSWERS = ("precision", "recall", "f1")
"""Metrics of the second of two classes; with more classes, they are averaged over the classes."""
OF_ONE_CLASS = (*OF_ANSWERS, "roc_auc", "pr_auc")
"""Metrics that are defined for one class: "recall of malignant"."""
CONDITIONS_ONLY = ("median_error", *OF_NETWORKS)
"""Metrics that can only be conditions, since no standard error is computed for them."""
SMALLER = (
    *("log_loss", "brier", "calibration_error", "rmse", "mae", "median_error"),
    *OF_NETWORKS,
)
"""Metrics that are better when smaller."""
UNBOUNDED = ("log_loss", "r2", "rmse", "mae", "median_error", *OF_NETWORKS)
"""Metrics that may lie outside 0 … 1."""

SYNONYMS = {
    "f1_score": "f1",
    "auc": "roc_auc",
    "average_precision": "pr_auc",
    "balanced_accuracy": "macro_recall",
    "prediction_time": "prediction",
}
"""Alternative names of some metrics."""

SIGNS = {
    **{">=": ">=", "≥": ">=", "at least": ">=", "<=": "<=", "≤": "<=", "at most": "<="},
    **{">": ">", "over": ">", "above": ">", "<": "<", "under": "<", "below": "<"},
}
WITH = re.compile(r"\s+(?:with|where)\s+", re.IGNORECASE)
CONDITION = re.compile(
    r"\s*(?P<metric>.+?)\s*(?P<sign>>=|≥|<=|≤|>|<|\bat least\b|\bat most\b|\b(?:over|above|under|"
    r"below)\b)\s*(?P<bound>-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>%|ms)?\s*"
    r"(?:,\s*and\b|,|\band\b|$)",
    re.IGNORECASE,
)
EXAMPLE = "f1 with recall >= 0.9 and prediction under 1 ms"
OF_NUMBERS_EXAMPLE = "mae with median_error <= 5 and prediction under 1 ms"
FITTING = {
    "classification": ((*OF_CLASSES, *OF_NETWORKS), EXAMPLE),
    "regression": ((*OF_NUMBERS, *OF_NETWORKS), OF_NUMBERS_EXAMPLE),
    None: ((*OF_CLASSES, *OF_NUMBERS, *OF_NETWORKS), EXAMPLE),
}
"""The metrics of each task and an example of a goal, for the hints of error messages."""


class Condition(NamedTuple):
    """A condition of a goal, such as recall >= 0.9."""

    metric: str
    sign: str
    bound: float

    def __str__(self) -> str:
        unit = " ms" if self.metric == "prediction" else ""
        return f"{self.metric} {self.sign} {self.bound:.12g}{unit}"


def split_goal(text: str, task: str | None = None) -> tuple[str, list[Condition]]:
    """Parse a goal into its metric and its conditions; raise OptionError, with a fitting hint."""
    head, *rest = WITH.split(text.strip(), maxsplit=1)
    metric = metric_of(re.sub(r"^best\s+", "", head, flags=re.IGNORECASE), task)
    if name_of(metric) in CONDITIONS_ONLY:
        expected = "a metric that can be optimised"
        numbers = name_of(metric) in OF_NUMBERS
        example = OF_NUMBERS_EXAMPLE if numbers else FITTING[task][1]
        raise OptionError("--goal", expected, metric, f"it as a condition, as in {example}")
    return metric, conditions_of(rest[0], task) if rest else []


def conditions_of(text: str, task: str | None = None) -> list[Condition]:
    """Parse the conditions one after another, up to the end of the text."""
    found, at = [], 0
    while at < len(text):
        match = CONDITION.match(text, at)
        if match is None:
            expected = 'conditions of a metric, a comparison and a number, joined by "and"'
            raise OptionError("--goal", expected, repr(text[at:].strip()), FITTING[task][1])
        found.append(condition_of(**match.groupdict(), task=task))
        at = match.end()
    return found


def condition_of(
    metric: str, sign: str, bound: str, unit: str | None, task: str | None = None
) -> Condition:
    """Build a condition from its parts, as they were written by the user."""
    metric, example = metric_of(metric, task), FITTING[task][1]
    number = float(bound.replace(",", ""))
    number = number / 100 if unit == "%" else number
    if name_of(metric) not in UNBOUNDED and not 0 <= number <= 1:
        got, hint = f"{number:g}", f"{metric} {sign} {number:g} %" if number <= 100 else example
        raise OptionError(f"--goal, {metric}", "a number from 0 to 1", got, hint)
    if (unit or "").lower() == "ms" and metric != "prediction":
        raise OptionError(f"--goal, {metric}", "a number without a unit", f"{bound} ms", example)
    return Condition(metric, SIGNS[sign.lower()], number)


def metric_of(words: str, task: str | None = None) -> str:
    """Return the key of a metric ("macro_f1" for "Macro F1"); a class keeps its spelling."""
    name, of, label = words.strip().partition(" of ")
    name = re.sub(r"[\s_-]+", "_", name.strip().lower().replace("²", "2"))
    name = SYNONYMS.get(name, name)
    if name not in FITTING[None][0]:
        hint = did_you_mean(name, FITTING[task][0])
        raise OptionError("--goal", "a metric", repr(words.strip()), hint)
    if of and name not in OF_ONE_CLASS:
        expected = f"a metric that is defined for one class ({', '.join(OF_ONE_CLASS)})"
        raise OptionError("--goal", expected, f"{words.strip()!r}", name)
    return f"{name} of {label.strip()}" if of else name


def name_of(metric: str) -> str:
    """Return the metric without its class."""
    return metric.partition(" of ")[0]


def class_of(metric: str) -> str | None:
    """Return the class of the metric, or None."""
    return metric.partition(" of ")[2] or None


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
        self,
        preprocessor: Preprocessor,
        Z: np.ndarray,
        Y: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> dict[str, float]:
        """Compute every score of the task, and the metrics of single classes in the goal."""
        found, rows = (
            scores(preprocessor, Z, Y, weights),
            results_of_outputs(preprocessor, Z, Y, weights),
        )
        of_class = (metric for metric in self.metrics if class_of(metric))
        return found | {metric: value_of(metric, preprocessor, rows) for metric in of_class}

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
        """Check each condition of the goal, in order."""
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
        """Return the index of the best network that meets every condition, or of the nearest miss.

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


def goal_for(text: str | None, preprocessor: Preprocessor) -> Goal:
    """Parse a goal and check that it fits the labels; by default the goal is accuracy or R².

    With more than two classes, precision, recall and F1 are macro averages over the classes.
    """
    if text is None:
        return Goal(preprocessor.metric)
    goal = parse_goal(text, preprocessor.labels.task)
    conditions = [c._replace(metric=fitting(c.metric, preprocessor)) for c in goal.conditions]
    return replace(goal, metric=fitting(goal.metric, preprocessor), conditions=tuple(conditions))


def fitting(metric: str, preprocessor: Preprocessor) -> str:
    """Return the key of the metric in this task's scores; raise OptionError if there is none."""
    name, label, names = name_of(metric), class_of(metric), preprocessor.labels.names
    task = "numbers" if preprocessor.labels.task == "regression" else "classes"
    valid, others = (OF_NUMBERS, OF_CLASSES) if task == "numbers" else (OF_CLASSES, OF_NUMBERS)
    if name in others:
        expected = f"a metric for a target that consists of {task}: {', '.join(valid)}"
        raise OptionError("--goal", expected, name, valid[0])
    if label is not None and label not in names:
        raise OptionError(
            "--goal", "a class of the target", repr(label), did_you_mean(label, names)
        )
    means = label is None and len(names) > 2 and name in OF_ANSWERS
    return f"macro_{name}" if means else metric


def value_of(
    metric: str, preprocessor: Preprocessor, rows: ClassificationResults | RegressionResults
) -> float:
    """Compute a single score; nan where it is not defined."""
    label = class_of(metric)
    c = None if label is None else preprocessor.labels.names.index(label)
    return score_of(name_of(metric), rows, c)
