"""Parse goals such as "best f1 with recall of malignant >= 0.95 and prediction under 1 ms".

    [best] METRIC [of CLASS] [with CONDITION [and CONDITION …]]
    CONDITION    METRIC [of CLASS]  >=, <=, >, <, at least, at most, over, under  NUMBER [%, ms]

A metric is given by its key ("macro_f1"), which may be written with spaces; `prediction` is the
time to predict one row, in milliseconds, and `parameters` the number of parameters of the network.
"""

import re
from typing import NamedTuple

from chainrule.errors import OptionError, did_you_mean

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
"""With two classes these refer to the second one, with more they are averaged over the classes."""
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
    """Parse the conditions, one after the other, to the end of the text."""
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
    """Build a condition from its parts as they were written."""
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
