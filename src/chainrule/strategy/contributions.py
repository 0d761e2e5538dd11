"""Why one prediction: what each column of a row adds to the answer.

    f(row) − f(average) = Σ over the columns of their contributions       exactly

Columns are put into the average row one after the other, in an order; each is given what f then
gains. The mean over a few orders, each with its reverse, is near the Shapley value (with up to four
columns all orders are taken, and it is that). f is in `spoken.py`; the average row is 0 on the
door's scale, where columns have mean 0 over the training rows.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from chainrule.strategy.column_inputs import column_inputs
from chainrule.strategy.spoken import answers_of, spoken
from chainrule.train.outputs import CHUNK, network_outputs
from chainrule.train.run import Run

FEWEST_PAIRS, MOST_PAIRS, STEPS = 8, 64, 512
"""Orders, each with its reverse: as many as STEPS has columns. Beyond MANY columns there is one."""
MANY = 100
ALL_ORDERS = 4


@dataclass(frozen=True, eq=False)
class Contributions:
    """Of m rows: values (m, columns); f of the average row and f of the row, (m,) each."""

    columns: tuple[str, ...]
    values: np.ndarray
    average: np.ndarray
    total: np.ndarray

    def most(self, i: int, count: int) -> tuple[dict[str, float], dict[str, float]]:
        """The columns of row i that speak most for the answer, and those most against it."""
        row = self.values[i]
        order = np.argsort(-row, kind="stable")
        pro = {self.columns[j]: float(row[j]) for j in order[:count] if row[j] > 0}
        con = {self.columns[j]: float(row[j]) for j in order[::-1][:count] if row[j] < 0}
        return pro, con

    def to_dict(self, count: int | None = None) -> list[dict[str, Any]]:
        """For JSON, row by row."""
        n = len(self.columns) if count is None else count
        found = []
        for i in range(len(self.values)):
            pro, con = self.most(i, n)
            ends = {"average": float(self.average[i]), "total": float(self.total[i])}
            found.append({"for": pro, "against": con, **ends})
        return found


def explain_rows(run: Run, X: Any, *, output: int = 0, seed: int = 0) -> Contributions:
    """What each column adds to each answer; `output` says which, where several are predicted."""
    door, rows = run.door, run.door.rows(X)
    inputs = column_inputs(door)
    n = len(inputs.names)
    orders = _orders(n, seed)
    there = _ranks(orders)[:, None, inputs.column] < np.arange(n + 1)[None, :, None]
    answer = answers_of(network_outputs(run.network, rows).T, door, output)
    size = max(1, CHUNK // there[..., 0].size)
    blocks = [
        _block(run, rows[i : i + size], answer[:, i : i + size], orders, there)
        for i in range(0, len(rows), size)
    ]
    values, average, total = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    if door.cost == "squared":
        mean = float(np.ravel(door.outputs.mean)[output])
        average, total = average + mean, total + mean
    return Contributions(inputs.names, values, average, total)


def _block(
    run: Run, X: np.ndarray, answer: np.ndarray, orders: np.ndarray, there: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a few rows: each row as often as there are orders, and columns put in."""
    K, steps, n_x = there.shape
    filled = np.where(there[None], X[:, None, None], np.float32(0)).reshape(-1, n_x)
    Z = network_outputs(run.network, filled).T.astype(np.float64)
    scale = np.reshape(run.door.outputs.scale, (-1, 1))
    f = spoken(Z, np.repeat(answer, K * steps, axis=1), run.door.cost, scale)
    f = f.reshape(len(X), K, steps)
    gains = np.diff(f, axis=2)  # (rows, orders, columns in that order)
    values = np.zeros((len(X), steps - 1))
    for k, order in enumerate(orders):
        values[:, order] += gains[:, k] / K
    return values, f[:, 0, 0], f[:, 0, -1]


def _orders(n: int, seed: int) -> np.ndarray:
    """(K, n): all of them, or some with their reverses."""
    if n <= ALL_ORDERS:
        return np.array(list(permutations(range(n))))
    pairs = min(MOST_PAIRS, max(FEWEST_PAIRS, STEPS // n)) if n <= MANY else 1
    rng = np.random.default_rng(seed)
    some = np.array([rng.permutation(n) for _ in range(pairs)])
    return np.concatenate([some, some[:, ::-1]])


def _ranks(orders: np.ndarray) -> np.ndarray:
    """(K, n): when each column comes in."""
    return np.argsort(orders, axis=1)
