"""Where the error comes from: the four gaps between neighbouring errors.

Notes: "Avoidable bias", "Understanding human-level performance" (course 3, week 1), "Bias and
variance with mismatched data distributions" (course 3, week 2).

    avoidable bias              train − reference
    variance                    train-dev − train, or dev − train where there is no train-dev part
    data mismatch               dev − train-dev
    overfitting to the dev set  test − dev

The reference is what people reach, or Bayes error. The parts are independent samples, so a gap
d = e₂ − e₁ between errors with the intervals (l₁, u₁), (l₂, u₂) lies (Newcombe) between

    low   d − √((e₂ − l₂)² + (u₁ − e₁)²)
    high  d + √((u₂ − e₂)² + (e₁ − l₁)²)

For shares the parts have Wilson's interval, which holds near 0; an RMSE that of its mean square,
± z s/√m. A gap is there when low > 0 and it is more than a tenth of the largest error, and both
parts have at least ten examples: intervals of so few hold by their formulas alone.
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
"""Of the largest error: a smaller gap is not where the error comes from."""
FEWEST = 10
"""Examples of a part: fewer tell nothing."""
ASSUMED = 0.01
"""A reference nobody gave is not known to the point: less of it is no bias."""


def gaps(
    parts: Sequence[PartError], reference: float | None = None, unit: Unit = "share"
) -> list[Finding]:
    """The gaps that these parts have, in the notes' order, without their cures."""
    named = {part.name: part for part in parts}
    at_best = PartError("reference", None, reference or 0, reference or 0, reference or 0)
    like_train = named.get("train-dev") or named.get("dev") or named.get("test")
    pairs = (
        (BIAS, at_best, named.get("train")),
        (VARIANCE, named.get("train"), like_train),
        (MISMATCH, named.get("train-dev"), named.get("dev")),
        (DEV_OVERFITTING, named.get("dev"), named.get("test")),
    )
    largest = max((part.error for part in parts), default=0.0)
    found = [
        gap(name, first, second, largest, unit)
        for name, first, second in pairs
        if first is not None and second is not None
    ]
    return [_assumed(one, unit) if one.name == BIAS and reference is None else one for one in found]


def gap(name: str, first: PartError, second: PartError, largest: float, unit: Unit) -> Finding:
    """By how much the second is worse than the first, and whether that is sure and matters."""
    size = second.error - first.error
    low = size - math.hypot(second.error - second.low, first.high - first.error)
    high = size + math.hypot(second.high - second.error, first.error - first.low)
    enough = TENTH * largest * (1 + 1e-9)  # 1 % of 10 % is a tenth, whatever float64 makes of it
    few = too_few(first, second)
    found = low > 0 and size >= enough and not few
    errors = f"{_error(first, unit)}, {_error(second, unit)}"
    but = "; so few examples tell nothing" if few else _but(low, high, size, enough)
    return Finding(name, size, low, high, unit, found, f"{errors}{but}")


def too_few(*parts: PartError) -> list[str]:
    """The parts whose errors tell nothing."""
    return [part.name for part in parts if part.m is not None and part.m < FEWEST]


def _but(low: float, high: float, size: float, enough: float) -> str:
    """Why it is not found, or nothing."""
    if low <= 0 < size and high >= enough:
        return "; with so few examples nobody can tell"
    return "; too small to matter" if 0 < size < enough else ""


def _assumed(bias: Finding, unit: Unit) -> Finding:
    """A bias against an error of 0 that nobody spoke of: numbers are never without noise."""
    words = bias.words.replace("reference", "assumed reference")
    if unit == "rmse":
        words += "; how much of it could be avoided only a reference would tell"
    found = bias.found and unit != "rmse" and bias.size >= ASSUMED
    return Finding(bias.name, bias.size, bias.low, bias.high, unit, found, words)


def _error(part: PartError, unit: Unit) -> str:
    return f"{part.name} {amount(part.error, unit)}"
