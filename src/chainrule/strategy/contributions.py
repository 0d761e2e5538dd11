"""Explain a single prediction: how much each column of a row contributes to it.

    f(row) − f(average) = Σ over the columns of their contributions       exactly

The columns of the row replace those of the average row one after the other, in some order; the
contribution of a column is the change of f when it is replaced. The mean over a few orders and
their reverses approximates the Shapley value (up to four columns all orders are used, and it is
exact). f is in `spoken.py`; the average row is 0 after normalisation, where every column has mean
0 over the training rows.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from chainrule.strategy.column_inputs import column_inputs
from chainrule.strategy.spoken import answer_value, answers_of
from chainrule.train.outputs import CHUNK, network_outputs
from chainrule.train.run import Run

FEWEST_PAIRS, MOST_PAIRS, STEPS = 8, 64, 512
"""Pairs of an order and its reverse: STEPS / columns of them; one pair beyond MANY columns."""
MANY = 100
ALL_ORDERS = 4


@dataclass(frozen=True, eq=False)
class Contributions:
    """The contributions to the predictions of m rows.

    values    (m, columns), the contribution of each column
    average   (m,) f of the average row
    total     (m,) f of the row
    """

    columns: tuple[str, ...]
    values: np.ndarray
    average: np.ndarray
    total: np.ndarray

    def most(self, i: int, count: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return the columns of row i that contribute most for and most against its prediction."""
        row = self.values[i]
        order = np.argsort(-row, kind="stable")
        pro = {self.columns[j]: float(row[j]) for j in order[:count] if row[j] > 0}
        con = {self.columns[j]: float(row[j]) for j in order[::-1][:count] if row[j] < 0}
        return pro, con

    def to_dict(self, count: int | None = None) -> list[dict[str, Any]]:
        """Return plain data for JSON, one dict for each row."""
        n = len(self.columns) if count is None else count
        found = []
        for i in range(len(self.values)):
            pro, con = self.most(i, n)
            ends = {"average": float(self.average[i]), "total": float(self.total[i])}
            found.append({"for": pro, "against": con, **ends})
        return found


def explain_rows(run: Run, X: Any, *, output: int = 0, seed: int = 0) -> Contributions:
    """Return the contributions to the predictions of rows X.

    `output` is the index of the output to explain when several numbers are predicted.
    """
    door, rows = run.door, run.door.rows(X)
    inputs = column_inputs(door)
    n = len(inputs.names)
    orders = _orders(n, seed)
    from_row = _ranks(orders)[:, None, inputs.column] < np.arange(n + 1)[None, :, None]
    answer = answers_of(network_outputs(run.network, rows).T, door, output)
    size = max(1, CHUNK // from_row[..., 0].size)
    blocks = [
        _block(run, rows[i : i + size], answer[:, i : i + size], orders, from_row)
        for i in range(0, len(rows), size)
    ]
    values, average, total = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    if door.cost == "squared":
        mean = float(np.ravel(door.outputs.mean)[output])
        average, total = average + mean, total + mean
    return Contributions(inputs.names, values, average, total)


def _block(
    run: Run, X: np.ndarray, answer: np.ndarray, orders: np.ndarray, from_row: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the contributions of a chunk of rows: one pass over the columns for each order."""
    K, steps, n_x = from_row.shape
    filled = np.where(from_row[None], X[:, None, None], np.float32(0)).reshape(-1, n_x)
    Z = network_outputs(run.network, filled).T.astype(np.float64)
    scale = np.reshape(run.door.outputs.scale, (-1, 1))
    f = answer_value(Z, np.repeat(answer, K * steps, axis=1), run.door.cost, scale)
    f = f.reshape(len(X), K, steps)
    gains = np.diff(f, axis=2)  # (rows, orders, columns in that order)
    values = np.zeros((len(X), steps - 1))
    for k, order in enumerate(orders):
        values[:, order] += gains[:, k] / K
    return values, f[:, 0, 0], f[:, 0, -1]


def _orders(n: int, seed: int) -> np.ndarray:
    """Return orders of n columns (K, n): all of them, or random ones with their reverses."""
    if n <= ALL_ORDERS:
        return np.array(list(permutations(range(n))))
    pairs = min(MOST_PAIRS, max(FEWEST_PAIRS, STEPS // n)) if n <= MANY else 1
    rng = np.random.default_rng(seed)
    some = np.array([rng.permutation(n) for _ in range(pairs)])
    return np.concatenate([some, some[:, ::-1]])


def _ranks(orders: np.ndarray) -> np.ndarray:
    """Return the position of each column in each order (K, n)."""
    return np.argsort(orders, axis=1)
