"""The findings of a diagnosis: the error of each set, and the gaps between successive errors.

A finding is a problem that was looked for. Its size is how much worse the second set of a gap is,
or the share of leaked rows or wrong labels; it is found if the confidence interval excludes 0 and
the size matters.

Notes: "Avoidable bias", "Understanding human-level performance" (course 3, week 1), "Bias and
variance with mismatched data distributions" (course 3, week 2).

    avoidable bias              train − reference
    variance                    train-dev − train, or dev − train where there is no train-dev set
    data mismatch               dev − train-dev
    overfitting to the dev set  test − dev

The reference is the human-level error or the Bayes error. The sets are independent samples, so
the confidence interval of a gap d = e₂ − e₁ between errors with the confidence intervals (l₁, u₁)
and (l₂, u₂) is (Newcombe)

    low   d − √((e₂ − l₂)² + (u₁ − e₁)²)
    high  d + √((u₂ − e₂)² + (e₁ − l₁)²)

The interval of a share is Wilson's, which is valid near 0; that of an RMSE comes from its mean
square, ± z s/√m. A gap is found when low > 0, it is at least a tenth of the largest error, and
both sets have at least ten examples: with fewer the intervals are not reliable.

The error of each set has a 95 % confidence interval:

    classes        1 − accuracy                      Wilson's interval
    numbers        √((1/m) Σ (z − y)²), the RMSE     ± z s/√m of the mean square, s its deviation
    another goal   1 − the metric, or the metric     the middle 95 % of 200 bootstrap samples
                   itself where less is better       (drawn with replacement)

Numbers are in the target's units. Where examples have weights w, m counts as (Σ w)² / Σ w².
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from chainrule.errors import OptionError
from chainrule.runs.prepare import Data
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.run import Run
from chainrule.runs.scores import results_of_outputs
from chainrule.strategy.goal import Goal, goal_for, value_of
from chainrule.strategy.uncertainty import DEVIATIONS_95, wilson
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs

Unit = Literal["share", "rmse", "number", "none"]


@dataclass(frozen=True)
class PartError:
    """The error of a set with its 95 % confidence interval.

    m is the number of examples; where it is not known (None) the interval is a point.
    """

    name: str
    m: int | None
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """A problem that was looked for: its size with a 95 % confidence interval, and the remedies.

    name    the problem, such as "variance" or "leak"
    unit    the unit of size, low and high: "share" (from 0 to 1), "rmse", "number" or "none"
    found   whether the problem is there, as far as these examples show
    words   a sentence that describes the evidence
    cures   remedies, in the order of the course notes; flags are those of `chainrule train`
    """

    name: str
    size: float
    low: float
    high: float
    unit: Unit
    found: bool
    words: str
    cures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @property
    def sizes(self) -> str:
        """Return the size with its confidence interval as text."""
        if self.unit == "none":
            return ""
        size = amount(self.size, self.unit)
        if self.low == self.high:
            return size
        return f"{size} ({amount(self.low, self.unit)} to {amount(self.high, self.unit)})"


BIAS, VARIANCE = "avoidable bias", "variance"
MISMATCH, DEV_OVERFITTING = "data mismatch", "overfitting to the dev set"
GAPS = (BIAS, VARIANCE, MISMATCH, DEV_OVERFITTING)
LEAK, WRONG_LABELS, CONSTANT = "leak", "wrong labels", "constant inputs"
MANY_CATEGORIES = "many categories"


def amount(value: float, unit: Unit) -> str:
    """Format an error: shares in per cent, without a minus sign before a zero.

    >>> amount(0.0815, "share"), amount(-0.0001, "share"), amount(54.321, "rmse")
    ('8.2 %', '0.0 %', '54.32')
    """
    if unit == "share":
        return f"{100 * value:.1f} %".replace("-0.0 ", "0.0 ").replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


TENTH = 0.1
"""A gap smaller than this share of the largest error is not taken as a source of error."""
FEWEST = 10
"""The smallest number of examples of a set from which an error can be estimated."""
ASSUMED = 0.01
"""The smallest bias that is reported when the reference was assumed and not given."""


def gaps(
    parts: Sequence[PartError], reference: float | None = None, unit: Unit = "share"
) -> list[Finding]:
    """Compute the gaps between these sets, in the order of the course notes, without remedies."""
    by_name = {part.name: part for part in parts}
    at_best = PartError("reference", None, reference or 0, reference or 0, reference or 0)
    like_train = by_name.get("train-dev") or by_name.get("dev") or by_name.get("test")
    pairs = (
        (BIAS, at_best, by_name.get("train")),
        (VARIANCE, by_name.get("train"), like_train),
        (MISMATCH, by_name.get("train-dev"), by_name.get("dev")),
        (DEV_OVERFITTING, by_name.get("dev"), by_name.get("test")),
    )
    largest = max((part.error for part in parts), default=0.0)
    found = [
        gap(name, first, second, largest, unit)
        for name, first, second in pairs
        if first is not None and second is not None
    ]
    return [
        _with_assumed_reference(one, unit) if one.name == BIAS and reference is None else one
        for one in found
    ]


def gap(name: str, first: PartError, second: PartError, largest: float, unit: Unit) -> Finding:
    """Compute how much worse the second set is, and whether that is significant and relevant."""
    size = second.error - first.error
    low = size - math.hypot(second.error - second.low, first.high - first.error)
    high = size + math.hypot(second.high - second.error, first.error - first.low)
    enough = TENTH * largest * (1 + 1e-9)  # a tenth in spite of rounding in float64
    few = too_few(first, second)
    found = low > 0 and size >= enough and not few
    errors = f"{_error(first, unit)}, {_error(second, unit)}"
    reason = "; too few examples to tell" if few else _reason(low, high, size, enough)
    return Finding(name, size, low, high, unit, found, f"{errors}{reason}")


def too_few(*parts: PartError) -> list[str]:
    """Return the names of the sets that have too few examples to estimate their error."""
    return [part.name for part in parts if part.m is not None and part.m < FEWEST]


def _reason(low: float, high: float, size: float, enough: float) -> str:
    """Return the reason why a gap does not count as found, or an empty text if it does."""
    if low <= 0 < size and high >= enough:
        return "; not significant with so few examples"
    return "; too small to matter" if 0 < size < enough else ""


def _with_assumed_reference(bias: Finding, unit: Unit) -> Finding:
    """Qualify a bias measured against an assumed reference of 0.

    An RMSE is never found to be biased: without a reference its unavoidable noise is not known.
    """
    words = bias.words.replace("reference", "assumed reference")
    if unit == "rmse":
        words += "; only a reference can show how much of it is avoidable"
    found = bias.found and unit != "rmse" and bias.size >= ASSUMED
    return Finding(bias.name, bias.size, bias.low, bias.high, unit, found, words)


def _error(part: PartError, unit: Unit) -> str:
    return f"{part.name} {amount(part.error, unit)}"


SAMPLES = 200
COUNTED = ("accuracy", "r2", "rmse")
"""Metrics whose error is a mean over the examples."""


def outputs_of(run: Run, data: Data) -> dict[str, np.ndarray]:
    """Return Z (m, n_L) of every set."""
    return {name: network_outputs(run.network, part.X) for name, part in data.parts.items()}


def unit_of(preprocessor: Preprocessor, goal: Goal | None = None) -> Unit:
    """Return the unit of the errors."""
    if goal is None or goal.metric in COUNTED:
        return "rmse" if preprocessor.labels.task == "regression" else "share"
    return "share" if goal.sign > 0 else "number"


def check_reference(reference: float | None, unit: Unit) -> None:
    """Raise OptionError for a share above 1, such as a percentage given by mistake."""
    if reference is not None and unit == "share" and reference > 1:
        hint = "0.05, an error rate of 5 %"
        raise OptionError("--reference", "a share from 0 to 1", f"{reference:g}", hint)


def part_errors(run: Run, data: Data, Z: Mapping[str, np.ndarray]) -> list[PartError]:
    """Compute the error of every set, by the goal of the run."""
    goal = goal_for(run.recipe.goal, run.preprocessor)
    if goal.metric in COUNTED:
        unit = unit_of(run.preprocessor)
        return [
            mean_error(name, misses(Z[name], part, run.preprocessor), part.weights, unit)
            for name, part in data.parts.items()
        ]
    return [
        goal_error(name, Z[name], part, run.preprocessor, goal) for name, part in data.parts.items()
    ]


def misses(Z: np.ndarray, part: Examples, preprocessor: Preprocessor) -> np.ndarray:
    """Return the error of each example (m,): 1 for a wrong class, or the squared error."""
    if preprocessor.labels.task == "regression":
        return ((preprocessor.numbers(Z.astype(float)) - preprocessor.numbers(part.Y)) ** 2).mean(
            axis=1
        )
    return (preprocessor.predicted_classes(Z) != codes(part.Y)).astype(float)


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
    reach = DEVIATIONS_95 * math.sqrt(float((w * (missed - mean) ** 2).sum() / w.sum()) / m)
    ends = (math.sqrt(max(0.0, mean - reach)), math.sqrt(mean + reach))
    return PartError(name, len(missed), math.sqrt(mean), *ends)


def goal_error(
    name: str, Z: np.ndarray, part: Examples, preprocessor: Preprocessor, goal: Goal
) -> PartError:
    """Compute the error by a metric that is not a mean over the examples."""
    m, rng = len(Z), np.random.default_rng(0)

    def error(rows: np.ndarray) -> float:
        weights = None if part.weights is None else part.weights[rows]
        value = value_of(
            goal.metric,
            preprocessor,
            results_of_outputs(preprocessor, Z[rows], part.Y[rows], weights),
        )
        return value if goal.sign < 0 else 1 - value

    drawn = np.array([error(rng.integers(m, size=m)) for _ in range(SAMPLES)])
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.isfinite(drawn).any() else (0.0, 1.0)
    middle = error(np.arange(m))
    return PartError(name, m, middle, min(float(low), middle), max(float(high), middle))


def given_error(name: str, error: float, m: int | None) -> PartError:
    """Build the record of an error given as a number; without m it is taken as exact."""
    low, high = (error, error) if m is None else wilson(error, m)
    return PartError(name, m, error, low, high)
