"""A column that alone gives the answer away: a leak, unless the task is that easy.

    rule    of each value of the column, its commonest class in the training part, or the mean rank;
            of a number that was not there, that of the nearest
    told    the share of dev that the rule gets right, or R² of the ranks

The rule is learned on train and confirmed on dev. A column tells the target when it is wrong in
2 % or fewer of both, and the best of the other columns is wrong in 10 points more.
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


class Told(NamedTuple):
    """What one column says alone: the error of its rule on both parts."""

    name: str
    train: float
    held_out: float


def telling_column(data: Data) -> Finding | None:
    """The column that gives the target away, or None."""
    part = next((name for name in ("dev", "test") if name in data.parts), None)
    if part is None or len(data.parts[part].X) < FEWEST or data.door.n_x > MOST_COLUMNS:
        return None
    train, held_out = (data.parts[name] for name in ("train", part))
    pick = np.random.default_rng(0).permutation(len(train.X))[:SAMPLE]
    columns = coded_columns(data.door, np.asarray(train.X[pick]), np.asarray(held_out.X))
    if data.door.labels.task == "regression":
        ranks = _ranks(train.Y[pick], train.Y[pick]), _ranks(train.Y[pick], held_out.Y)
        told = [_means(column, *ranks) for column in columns]
    else:
        Y = codes(train.Y[pick]), codes(held_out.Y)
        told = [_commonest(column, *Y) for column in columns]
    return _finding(told, part, len(held_out.X))


def _commonest(column: Coded, y: np.ndarray, y_held: np.ndarray) -> Told:
    """The commonest class of each value, and how often it is wrong."""
    C = 1 + int(max(y.max(), y_held.max()))
    table = np.bincount(column.codes[0] * C + y, minlength=column.values * C).reshape(-1, C)
    table[table.sum(axis=1) == 0] = np.bincount(y, minlength=C)  # a value that train never had
    rule = table.argmax(axis=1)
    train, held = (rule[code] != true for code, true in zip(column.codes, (y, y_held), strict=True))
    return Told(column.name, float(train.mean()), float(held.mean()))


def _means(column: Coded, Y: np.ndarray, Y_held: np.ndarray) -> Told:
    """The mean of each value, and the share of the variance that the means leave."""
    count = np.bincount(column.codes[0], minlength=column.values)
    shares = []
    for y, y_held in zip(Y.T, Y_held.T, strict=True):
        sums = np.bincount(column.codes[0], weights=y, minlength=column.values)
        rule = np.where(count > 0, sums / np.maximum(count, 1), y.mean())
        pairs = zip(column.codes, (y, y_held), strict=True)
        shares.append([_left(true, rule[code]) for code, true in pairs])
    train, held = np.mean(shares, axis=0)
    return Told(column.name, float(train), float(held))


def _ranks(Y: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The share of Y (m, k) that is no larger, column by column: whatever the target's scale."""
    columns = zip(Y.T, of.T, strict=True)
    return np.stack([np.searchsorted(np.sort(y), v, side="right") for y, v in columns], 1) / len(Y)


def _left(true: np.ndarray, said: np.ndarray) -> float:
    """1 − R²."""
    spread = float(((true - true.mean()) ** 2).sum())
    return float(((true - said) ** 2).sum()) / spread if spread else 1.0


def _finding(told: list[Told], part: str, m: int) -> Finding | None:
    telling = [one for one in told if max(one.train, one.held_out) <= PERFECT]
    others = [one.held_out for one in told if one not in telling]
    if not telling or not others or min(others) < FAR + telling[0].held_out:
        return None
    best = min(telling, key=lambda one: one.held_out)
    size = 1 - best.held_out
    words = (
        f"the column {best.name!r} alone tells {amount(size, 'share')} of {part}, the next best "
        f"{amount(1 - min(others), 'share')}: is it known before the answer is?"
    )
    return Finding(LEAK, size, *wilson(size, m), "share", True, words)
