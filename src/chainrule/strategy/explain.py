"""Which columns a network lives by: what it loses when one of them is shuffled.

    importance of a column    mean over examples of (loss with the column shuffled − loss)

All inputs that a column gives move together: an example gets the whole column of another one. The
same in the number that counts: accuracy lost, or RMSE gained. The interval is over the examples,
each the mean of its repeats: another dev part would give another number.

What is said is of the network, not of the world: of two columns that tell the same, either can be
shuffled at little loss. For pictures there is `saliency.py`.
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
"""What all the shuffled copies may hold together; of a larger part some examples are drawn."""
FEWEST = 200


@dataclass(frozen=True)
class Importance:
    """Of a column: how much the cost rises without it, and the accuracy lost or RMSE gained."""

    column: str
    cost: float
    cost_low: float
    cost_high: float
    loss: float
    loss_low: float
    loss_high: float


@dataclass(frozen=True)
class Importances:
    """Of all columns, the most important first.

    cost, error   of the part as it is: J, and 1 − accuracy or the RMSE in the target's units
    """

    part: str
    m: int
    repeats: int
    task: str
    cost: float
    error: float
    columns: tuple[Importance, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def text(self, most: int = 20) -> str:
        """A table of the first of them."""
        what = "accuracy lost" if self.task == "classification" else "RMSE gained"
        lines = [["column", "cost gained", "between", what, "between"]]
        for one in self.columns[:most]:
            pairs = (one.cost, one.cost_low, one.cost_high), (one.loss, one.loss_low, one.loss_high)
            cells = [[f"{v:.4f}", f"{low:.4f} and {high:.4f}"] for v, low, high in pairs]
            lines.append([one.column, *cells[0], *cells[1]])
        rest = len(self.columns) - most
        more = [f"… and {rest:,} more"] if rest > 0 else []
        head = f"each column shuffled {self.repeats} times, {self.m:,} examples of {self.part}"
        return "\n".join([head, "", *aligned(lines, [1, 3]), *more])


def importance(
    run: Run, data: Data, part: str | None = None, *, repeats: int = REPEATS, seed: int = 0
) -> Importances | None:
    """Of each column; None for pictures, whose single pixels say nothing. None is the dev part."""
    if picture_shape(run.door) is not None:
        return None
    part = default_part(data) if part is None else part
    check_choice("the part", part, data.parts)
    rng, inputs = np.random.default_rng(seed), column_inputs(run.door)
    rows = _some(data.parts[part], len(inputs.names) * repeats, rng)
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    share = weights / weights.sum()
    before = _suffered(run, rows.X, rows.Y)
    copies = np.tile(np.arange(len(rows.X)), repeats)
    Y = rows.Y[copies]
    made = []
    for k, name in enumerate(inputs.names):
        X = rows.X[copies]
        others = np.concatenate([rng.permutation(len(rows.X)) for _ in range(repeats)])
        mine = np.flatnonzero(inputs.column == k)
        X[:, mine] = rows.X[np.ix_(others, mine)]
        after = _suffered(run, X, Y).reshape(2, repeats, -1).mean(axis=1)
        made.append(_of_column(name, before, after, share, run.door.labels.task))
    cost, error = before @ share
    task = run.door.labels.task
    return Importances(
        part,
        len(rows.X),
        repeats,
        task,
        float(cost),
        float(np.sqrt(error) if task == "regression" else error),
        tuple(sorted(made, key=lambda one: -one.cost)),
    )


def _some(rows: Examples, copies: int, rng: np.random.Generator) -> Examples:
    """As many of the examples as there is room for."""
    m, n_x = rows.X.shape
    most = max(FEWEST, MOST_NUMBERS // (copies * n_x))
    if m <= most:
        return rows
    index = np.sort(rng.choice(m, most, replace=False))
    weights = None if rows.weights is None else rows.weights[index]
    return Examples(rows.X[index], rows.Y[index], weights)


def _suffered(run: Run, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """(2, m): the loss of each example; 1 where a class is wrong, or the squared error."""
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
    """The mean rise of both, each with its interval over the examples."""
    rise = after - before
    mean = rise @ share
    reach = DEVIATIONS * np.sqrt(((rise - mean[:, None]) ** 2) @ share**2)
    ends = np.stack([mean, mean - reach, mean + reach])  # (3, 2)
    if task == "regression":
        squares = before[1] @ share
        ends[:, 1] = np.sqrt(np.maximum(0, squares + ends[:, 1])) - np.sqrt(squares)
    return Importance(name, *ends[:, 0].tolist(), *ends[:, 1].tolist())
