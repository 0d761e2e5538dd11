"""Rows of dev or test that stand in the training part too, exactly or nearly: a leak.

    exact   the same values in every column
    near    the nearest training row is within a fiftieth of the distance to the 50th nearest

Rows of few columns with few values each repeat by chance: m times the product over the columns
of Σ n (n − 1) / (m (m − 1)) is how often, n of the m examples having the same value. In d
dimensions a row is near by chance in 50 · (1/50)^d of all cases; d = log 2 / log(r₅₀/r₂₅), from
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
"""Held-out rows and training rows that are compared."""
CURES = (
    "taking these rows out of the training data, and training again: until then the errors flatter",
    "--group COLUMN, where rows belong together: they stay in one part",
)


def repeated_rows(data: Data, each: Mapping[str, np.ndarray]) -> Finding | None:
    """The part that repeats most of the training part, with its error with and without; or None.

    `each` are the misses of every part's examples.
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
    words = f"{counts[worst]:,} of the {m:,} rows of {worst} stand in train too"
    words += _without(data, worst, each)
    return Finding(LEAK, share, low, high, "share", True, words, CURES)


def near_rows(data: Data) -> Finding | None:
    """The held-out part with rows so near to training rows that they are hardly others; or None."""
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
    words = f"{amount(share, 'share')} of the rows of {part} are hardly other than a row of train"
    return Finding(LEAK, share, low, high, "share", True, words, CURES)


def _near(held: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, float]:
    """Which held-out rows are near, and how many would be by chance."""
    squares = (held**2).sum(axis=1)[:, None] + (train**2).sum(axis=1) - 2 * held @ train.T
    k = min(NEIGHBOURS, len(train)) - 1
    ranks = [0, k // 2, k]
    r1, r25, r50 = np.sqrt(np.maximum(np.partition(squares, ranks, axis=1)[:, ranks], 0)).T
    apart = r50 > 0
    growth = np.median(np.log(r50[apart] / np.maximum(r25[apart], 1e-12))) if apart.any() else 1.0
    d = np.log(2) / max(float(growth), 1e-12)
    return (r1 < NEAR * r50) & apart, NEIGHBOURS * NEAR**d


def _without(data: Data, part: str, each: Mapping[str, np.ndarray]) -> str:
    """The error of the rows that are new, beside that of all."""
    new = ~np.isin(_hashes(data.sources[part]), _hashes(data.sources["train"]))
    if not new.any():
        return "; none of them is new"
    weights, unit = data.parts[part].weights, unit_of(data.door)
    alone = mean_error(part, each[part][new], None if weights is None else weights[new], unit).error
    all_rows = mean_error(part, each[part], weights, unit).error
    said = amount(alone, unit), amount(all_rows, unit)
    return f"; on the others the error is {said[0]}, on all {said[1]}"


def _hashes(source: Source) -> np.ndarray:
    if source.is_table:
        return table_hashes(source.X)
    return array_hashes(source.X, np.dtype(np.uint8 if source.X.dtype == np.uint8 else float))


def _chance(data: Data) -> float:
    """How many training rows are equal to a row by chance, were the columns independent."""
    X = data.parts["train"].X
    sample, share = np.asarray(X[: rows_that_fit(X, SAMPLE[1])]), 1.0
    for column in coded_columns(data.door, sample):
        n, m = np.bincount(column.codes[0]), len(sample)
        share *= float((n * (n - 1)).sum()) / max(1, m * (m - 1))
        if share * len(X) < BY_CHANCE:
            return 0.0
    return share * len(X)
