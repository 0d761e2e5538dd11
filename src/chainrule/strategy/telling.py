"""Find a leaking column: one that predicts the target by itself, unless the task is that easy.

    rule    predict, for each value of the column, the most frequent class of the training examples
            with that value, or their mean rank; a new number is treated as the nearest known one
    score   the accuracy of the rule on dev, or R² of the ranks

The rule is learned on train and confirmed on dev. A column is reported when its rule is wrong on
at most 2 % of each, and the error of the best other column is at least 10 points higher.
"""

from typing import NamedTuple

import numpy as np

from chainrule.strategy.columns import Coded, coded_columns
from chainrule.strategy.findings import LEAK, Finding, amount
from chainrule.strategy.part_errors import codes
from chainrule.strategy.shares import wilson
from chainrule.train.prepare import Data

PERFECT = 0.02
FAR = 0.10
FEWEST = 20
SAMPLE = 2000
MOST_COLUMNS = 1000


class RuleErrors(NamedTuple):
    """The errors of the rule of one column on the training set and the held-out set."""

    name: str
    train: float
    held_out: float


def leaking_column(data: Data) -> Finding | None:
    """Report the column that predicts the target by itself, or None."""
    part = next((name for name in ("dev", "test") if name in data.parts), None)
    if part is None or len(data.parts[part].X) < FEWEST or data.door.n_x > MOST_COLUMNS:
        return None
    train, held_out = (data.parts[name] for name in ("train", part))
    pick = np.random.default_rng(0).permutation(len(train.X))[:SAMPLE]
    columns = coded_columns(data.door, np.asarray(train.X[pick]), np.asarray(held_out.X))
    if data.door.labels.task == "regression":
        ranks = _ranks(train.Y[pick], train.Y[pick]), _ranks(train.Y[pick], held_out.Y)
        errors = [_mean_rule(column, *ranks) for column in columns]
    else:
        Y = codes(train.Y[pick]), codes(held_out.Y)
        errors = [_majority_rule(column, *Y) for column in columns]
    return _finding(errors, part, len(held_out.X))


def _majority_rule(column: Coded, y: np.ndarray, y_held: np.ndarray) -> RuleErrors:
    """Predict the most frequent class of each value, and return the error rates."""
    C = 1 + int(max(y.max(), y_held.max()))
    table = np.bincount(column.codes[0] * C + y, minlength=column.values * C).reshape(-1, C)
    table[table.sum(axis=1) == 0] = np.bincount(y, minlength=C)  # values that train does not have
    rule = table.argmax(axis=1)
    train, held = (rule[code] != true for code, true in zip(column.codes, (y, y_held), strict=True))
    return RuleErrors(column.name, float(train.mean()), float(held.mean()))


def _mean_rule(column: Coded, Y: np.ndarray, Y_held: np.ndarray) -> RuleErrors:
    """Predict the mean of each value, and return the shares of variance not explained."""
    count = np.bincount(column.codes[0], minlength=column.values)
    shares = []
    for y, y_held in zip(Y.T, Y_held.T, strict=True):
        sums = np.bincount(column.codes[0], weights=y, minlength=column.values)
        rule = np.where(count > 0, sums / np.maximum(count, 1), y.mean())
        pairs = zip(column.codes, (y, y_held), strict=True)
        shares.append([_unexplained(true, rule[code]) for code, true in pairs])
    train, held = np.mean(shares, axis=0)
    return RuleErrors(column.name, float(train), float(held))


def _ranks(Y: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the rank of each value among Y (m, k), from 0 to 1, column by column."""
    columns = zip(Y.T, of.T, strict=True)
    return np.stack([np.searchsorted(np.sort(y), v, side="right") for y, v in columns], 1) / len(Y)


def _unexplained(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 − R², the share of the variance that is not explained."""
    spread = float(((true - true.mean()) ** 2).sum())
    return float(((true - predicted) ** 2).sum()) / spread if spread else 1.0


def _finding(errors: list[RuleErrors], part: str, m: int) -> Finding | None:
    leaking = [one for one in errors if max(one.train, one.held_out) <= PERFECT]
    others = [one.held_out for one in errors if one not in leaking]
    if not leaking or not others or min(others) < FAR + leaking[0].held_out:
        return None
    best = min(leaking, key=lambda one: one.held_out)
    size = 1 - best.held_out
    words = (
        f"the column {best.name!r} alone predicts {amount(size, 'share')} of {part}, the next "
        f"best {amount(1 - min(others), 'share')}: is its value known before the answer?"
    )
    return Finding(LEAK, size, *wilson(size, m), "share", True, words)
