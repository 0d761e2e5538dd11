"""Permutation importance: how much worse a network gets when one of the columns is shuffled.

    importance of a column    mean over examples of (loss with the column shuffled − loss)

All network inputs that come from one column are shuffled together, so an example gets the whole
cell of another example. The accuracy lost, or the RMSE gained, is reported as well. The confidence
interval reflects the choice of the examples (each is the mean of its repeats), since another dev
set would give another number.

The importance describes the network, not the data: of two columns with the same information,
either can be shuffled at little loss. For images see `saliency.py`.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chainrule.errors import check_choice
from chainrule.strategy.column_inputs import column_inputs
from chainrule.strategy.judged import default_part, losses
from chainrule.strategy.shares import Z as DEVIATIONS
from chainrule.strategy.table import aligned
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.train.pixels import picture_shape
from chainrule.train.prepare import Data
from chainrule.train.run import Run

REPEATS = 5
MOST_NUMBERS = 10**8
"""The most numbers that all shuffled copies may hold together; a larger set is subsampled."""
FEWEST = 200


@dataclass(frozen=True)
class Importance:
    """The importance of a column, with 95 % confidence intervals.

    cost   how much the cost rises when the column is shuffled
    loss   the accuracy lost, or the RMSE gained
    """

    column: str
    cost: float
    cost_low: float
    cost_high: float
    loss: float
    loss_low: float
    loss_high: float


@dataclass(frozen=True)
class Importances:
    """The importances of all columns, the most important first.

    cost, error   without shuffling: J, and 1 − accuracy or the RMSE in the target's units
    """

    part: str
    m: int
    repeats: int
    task: str
    cost: float
    error: float
    columns: tuple[Importance, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def text(self, most: int = 20) -> str:
        """Return a table of the `most` most important columns."""
        what = "accuracy lost" if self.task == "classification" else "RMSE gained"
        lines = [["column", "cost gained", "95 % interval", what, "95 % interval"]]
        for one in self.columns[:most]:
            pairs = (one.cost, one.cost_low, one.cost_high), (one.loss, one.loss_low, one.loss_high)
            cells = [[f"{v:.4f}", f"{low:.4f} to {high:.4f}"] for v, low, high in pairs]
            lines.append([one.column, *cells[0], *cells[1]])
        rest = len(self.columns) - most
        more = [f"… and {rest:,} more"] if rest > 0 else []
        head = f"each column shuffled {self.repeats} times, {self.m:,} examples of {self.part}"
        return "\n".join([head, "", *aligned(lines, [1, 3]), *more])


def importance(
    run: Run, data: Data, part: str | None = None, *, repeats: int = REPEATS, seed: int = 0
) -> Importances | None:
    """Measure the importance of each column, by default on the dev set; None for images."""
    if picture_shape(run.door) is not None:
        return None
    part = default_part(data) if part is None else part
    check_choice("the set", part, data.parts)
    rng, inputs = np.random.default_rng(seed), column_inputs(run.door)
    rows = _some(data.parts[part], len(inputs.names) * repeats, rng)
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    share = weights / weights.sum()
    before = _losses_and_errors(run, rows.X, rows.Y)
    copies = np.tile(np.arange(len(rows.X)), repeats)
    Y = rows.Y[copies]
    importances = []
    for k, name in enumerate(inputs.names):
        X = rows.X[copies]
        others = np.concatenate([rng.permutation(len(rows.X)) for _ in range(repeats)])
        own_inputs = np.flatnonzero(inputs.column == k)
        X[:, own_inputs] = rows.X[np.ix_(others, own_inputs)]
        after = _losses_and_errors(run, X, Y).reshape(2, repeats, -1).mean(axis=1)
        importances.append(_of_column(name, before, after, share, run.door.labels.task))
    cost, error = before @ share
    task = run.door.labels.task
    return Importances(
        part,
        len(rows.X),
        repeats,
        task,
        float(cost),
        float(np.sqrt(error) if task == "regression" else error),
        tuple(sorted(importances, key=lambda one: -one.cost)),
    )


def _some(rows: Examples, copies: int, rng: np.random.Generator) -> Examples:
    """Draw as many of the examples as the memory limit allows."""
    m, n_x = rows.X.shape
    most = max(FEWEST, MOST_NUMBERS // (copies * n_x))
    if m <= most:
        return rows
    index = np.sort(rng.choice(m, most, replace=False))
    weights = None if rows.weights is None else rows.weights[index]
    return Examples(rows.X[index], rows.Y[index], weights)


def _losses_and_errors(run: Run, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return (2, m): the losses, and the errors (1 for a wrong class, or the squared error)."""
    Z = network_outputs(run.network, X)
    door = run.door
    if door.labels.task == "regression":
        error = (((Z - Y) * door.outputs.scale) ** 2).mean(axis=1)
    else:
        error = door.said(Z) != (Y[:, 0] > 0.5 if Y.shape[1] == 1 else Y.argmax(axis=1))
    return np.stack([losses(Z, Y, door.cost), error]).astype(np.float64)


def _of_column(
    name: str, before: np.ndarray, after: np.ndarray, share: np.ndarray, task: str
) -> Importance:
    """Compute the mean rise of the loss and of the error, each with its confidence interval."""
    rise = after - before
    mean = rise @ share
    reach = DEVIATIONS * np.sqrt(((rise - mean[:, None]) ** 2) @ share**2)
    ends = np.stack([mean, mean - reach, mean + reach])  # (3, 2)
    if task == "regression":
        squares = before[1] @ share
        ends[:, 1] = np.sqrt(np.maximum(0, squares + ends[:, 1])) - np.sqrt(squares)
    return Importance(name, *ends[:, 0].tolist(), *ends[:, 1].tolist())
