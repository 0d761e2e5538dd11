"""Find rows of dev or test that are also in the training set, exactly or nearly: a leak.

    exact   the same values in every column
    near    the nearest training row is within a fiftieth of the distance to the 50th nearest

With few columns of few values each, rows repeat by chance: m times the product over the columns of
Σ n (n − 1) / (m (m − 1)) times, where n of the m examples have the same value. In d dimensions a
row is near by chance in 50 · (1/50)^d of all cases; d = log 2 / log(r₅₀/r₂₅) is estimated from
the distances r.
"""

from collections.abc import Mapping

import numpy as np

from chainrule.data.duplicates import array_hashes, table_hashes
from chainrule.data.source import Source
from chainrule.data.streamed import rows_that_fit, thinned
from chainrule.strategy.columns import coded_columns
from chainrule.strategy.findings import LEAK, Finding, amount
from chainrule.strategy.part_errors import mean_error, unit_of
from chainrule.strategy.shares import wilson
from chainrule.train.prepare import Data

MATTERS = 0.01
BY_CHANCE = 1e-4
NEIGHBOURS = 50
NEAR = 1 / 50
MATTERS_NEAR = 0.05
SAMPLE = 300, 3000
"""The number of held-out rows and of training rows that are compared."""
REMEDIES = (
    "remove these rows from the training data and train again: until then the errors are too low",
    "--group COLUMN, where rows belong together: a group is never split between two sets",
)


def repeated_rows(data: Data, each: Mapping[str, np.ndarray]) -> Finding | None:
    """Report the set with the largest share of rows that are also in the training set, or None.

    `each` has the error of each example of every set.
    """
    counts = {second: n for (first, second), n in data.duplicates.items() if first == "train" and n}
    worst = max(counts, key=lambda name: counts[name] / len(data.sources[name]), default=None)
    if worst is None or _chance(data) > BY_CHANCE:
        return None
    m = len(data.sources[worst])
    share = counts[worst] / m
    low, high = wilson(share, m)
    if low < MATTERS:
        return None
    words = f"{counts[worst]:,} of the {m:,} rows of {worst} are also in train"
    words += _without(data, worst, each)
    return Finding(LEAK, share, low, high, "share", True, words, REMEDIES)


def near_rows(data: Data) -> Finding | None:
    """Report a held-out set with many rows that are nearly equal to training rows, or None."""
    X = data.parts["train"].X
    part = next((name for name in ("dev", "test") if name in data.parts), None)
    if part is None or len(X) <= NEIGHBOURS or X.shape[1] < 3:
        return None
    rng = np.random.default_rng(0)
    held, train = (
        thinned(values, rng.permutation(len(values))[:n]).astype(float)
        for values, n in zip((data.parts[part].X, X), SAMPLE, strict=True)
    )
    near, chance = _near(held, train)
    share, m = float(near.mean()), len(near)
    low, high = wilson(share, m)
    if low < MATTERS_NEAR + chance:
        return None
    words = f"{amount(share, 'share')} of the rows of {part} are nearly equal to a row of train"
    return Finding(LEAK, share, low, high, "share", True, words, REMEDIES)


def _near(held: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which held-out rows are near a training row, and the share expected by chance."""
    squares = (held**2).sum(axis=1)[:, None] + (train**2).sum(axis=1) - 2 * held @ train.T
    k = min(NEIGHBOURS, len(train)) - 1
    ranks = [0, k // 2, k]
    r1, r25, r50 = np.sqrt(np.maximum(np.partition(squares, ranks, axis=1)[:, ranks], 0)).T
    apart = r50 > 0
    growth = np.median(np.log(r50[apart] / np.maximum(r25[apart], 1e-12))) if apart.any() else 1.0
    d = np.log(2) / max(float(growth), 1e-12)
    return (r1 < NEAR * r50) & apart, NEIGHBOURS * NEAR**d


def _without(data: Data, part: str, each: Mapping[str, np.ndarray]) -> str:
    """Compare the error on the rows that are not in train with the error on all rows."""
    new = ~np.isin(_hashes(data.sources[part]), _hashes(data.sources["train"]))
    if not new.any():
        return "; it has no other rows"
    weights, unit = data.parts[part].weights, unit_of(data.door)
    alone = mean_error(part, each[part][new], None if weights is None else weights[new], unit).error
    all_rows = mean_error(part, each[part], weights, unit).error
    on_new, on_all = amount(alone, unit), amount(all_rows, unit)
    return f"; the error is {on_new} on the other rows, {on_all} on all"


def _hashes(source: Source) -> np.ndarray:
    if source.is_table:
        return table_hashes(source.X)
    return array_hashes(source.X, np.dtype(np.uint8 if source.X.dtype == np.uint8 else float))


def _chance(data: Data) -> float:
    """Return the expected number of training rows equal to a row, if columns were independent."""
    X = data.parts["train"].X
    sample, share = np.asarray(X[: rows_that_fit(X, SAMPLE[1])]), 1.0
    for column in coded_columns(data.door, sample):
        n, m = np.bincount(column.codes[0]), len(sample)
        share *= float((n * (n - 1)).sum()) / max(1, m * (m - 1))
        if share * len(X) < BY_CHANCE:
            return 0.0
    return share * len(X)
