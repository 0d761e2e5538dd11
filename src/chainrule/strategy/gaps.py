"""Locate the source of the error: the four gaps between successive errors.

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
"""

import math
from collections.abc import Sequence

from chainrule.strategy.findings import (
    BIAS,
    DEV_OVERFITTING,
    MISMATCH,
    VARIANCE,
    Finding,
    PartError,
    Unit,
    amount,
)

TENTH = 0.1
"""A gap of a smaller share of the largest error is not the source of the error."""
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
    """Compute how much worse the second set is, and whether that is significant and matters."""
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
    """Return the names of the sets with too few examples to estimate their errors."""
    return [part.name for part in parts if part.m is not None and part.m < FEWEST]


def _reason(low: float, high: float, size: float, enough: float) -> str:
    """Return why a gap does not count as found, or nothing where it does."""
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
