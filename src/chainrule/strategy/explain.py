"""Explain a network: the importance of its columns, and the reasons for a single prediction.

Permutation importance is how much worse the network gets when one of the columns is shuffled:

    importance of a column    mean over examples of (loss with the column shuffled − loss)

All network inputs that come from one column are shuffled together, so an example gets the whole
cell of another example. The accuracy lost, or the RMSE gained, is reported as well. The confidence
interval reflects the choice of the examples (each is the mean of its repeats), since another dev
set would give another number.

The importance describes the network, not the data: of two columns with the same information,
either can be shuffled at little loss.

A prediction is explained by a number f that says how strongly the network supports the answer:

    classes    f = Z_c − log Σ_{k≠c} e^{Z_k}    the log odds of the answer c
    two        f = Z, or −Z                     also the log odds
    numbers    f = Z in the target's units

Z_c alone is not suitable: an input that raises all of Z equally does not change the probabilities.

For images, a saliency map shows how much each pixel contributes to f:

    saliency    X ⊙ (1/K) Σ_k ∂f/∂X at (k − ½)/K · X        integrated gradients, K = 32

The gradients are averaged along a straight line from the average image (0 after normalisation) to
X and multiplied by the change of each pixel. The sum over the pixels is f(X) − f(0), up to the
error of K steps; the gradient at X alone does not have this sum, and its map is noisier
(Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017).

For a row of a table, each column has a contribution to f:

    f(row) − f(average) = Σ over the columns of their contributions       exactly

The columns of the row replace those of the average row one after the other, in some order; the
contribution of a column is the change of f when it is replaced. The mean over a few orders and
their reverses approximates the Shapley value (up to four columns all orders are used, and it is
exact). The average row is 0 after normalisation, where every column has mean 0 over the training
rows; after robust or piecewise normalisation it is the row of the medians. All inputs made from a
column, such as its quantile bins, are replaced together. Of a table with more than 1,000 columns,
the contributions are integrated gradients, whose sum is approximate: replacing every column would
take hours.

Of a sequence or a text, the contribution of a step is f(X) − f(X without this step): its numbers
are replaced by their means in training, its character by an unknown one. These have no sum, since
several steps together may tell what each of them tells alone.
"""

from dataclasses import asdict, dataclass
from functools import partial
from itertools import permutations
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import padded
from chainrule.data.sequences import Sequences
from chainrule.errors import OptionError, check_choice
from chainrule.formatting import aligned, count_of
from chainrule.runs.prepare import Data
from chainrule.runs.preprocessing import Preprocessor, picture_shape
from chainrule.runs.run import Run
from chainrule.strategy.error_analysis import default_part, losses
from chainrule.strategy.uncertainty import DEVIATIONS_95
from chainrule.train.examples import Examples
from chainrule.train.outputs import CHUNK, FEWEST, chunk_rows, network_outputs


def answer_value(Z: Any, answer: Any, cost: str, scale: Any = 1.0, *, xp: Any = np) -> Any:
    """Return f, the number to explain, for each example, from Z and the one-hot answers (n_L, m).

    >>> Z = np.log([[4.0], [1.0], [1.0]])
    >>> round(float(answer_value(Z, np.array([[1], [0], [0]]), "softmax")[0]), 4)
    0.6931
    """
    if cost == "softmax":
        others = xp.where(answer > 0, -xp.inf, Z)
        top = others.max(axis=0, keepdims=True)
        total = top + xp.log(xp.exp(others - top).sum(axis=0, keepdims=True))
        return ((answer * Z).sum(axis=0, keepdims=True) - total)[0]
    if cost == "logistic":
        return (xp.where(answer > 0, Z, -Z)).sum(axis=0)
    return (answer * Z * scale).sum(axis=0)


def answers_of(Z: np.ndarray, preprocessor: Preprocessor, output: int = 0) -> np.ndarray:
    """Return the one-hot predictions (n_L, m); for regression, 1 at the given output."""
    if preprocessor.cost == "logistic":
        return preprocessor.predicted_classes(Z.T)[None].astype(Z.dtype)
    chosen = np.zeros_like(Z)
    rows = Z.argmax(axis=0) if preprocessor.cost == "softmax" else np.full(Z.shape[1], output)
    chosen[rows, np.arange(Z.shape[1])] = 1
    return chosen


SALIENCY_STEPS = 32
ROWS = 256
"""The number of images that are computed at a time."""


def saliency(run: Run, X: Any, *, steps: int = SALIENCY_STEPS) -> np.ndarray:
    """Return maps (m, n_H, n_W), positive where a pixel supports the prediction.

    The contributions of the colours of a pixel are summed.
    """
    shape = picture_shape(run.preprocessor)
    if shape is None:
        hint = "explain_rows, which explains columns"
        raise OptionError("saliency", "a network for images", "one for named columns", hint)
    values = integrated_gradients(run, run.preprocessor.rows(X), steps=steps)
    pixels = of_columns(values, column_inputs(run.preprocessor)).reshape(-1, *shape)
    return pixels.sum(axis=-1) if len(shape) == 3 else pixels


def integrated_gradients(
    run: Run, rows: Any, *, steps: int = SALIENCY_STEPS, output: int = 0
) -> np.ndarray:
    """Return the contribution of each input of the network to f, (m, n_x), for prepared rows.

    `output` is the index of the output to explain when several numbers are predicted.
    """
    cost, average = run.preprocessor.cost, average_row(run.preprocessor)
    found = [np.zeros((0, rows.shape[1]), np.float32)]
    at_a_time = min(ROWS, chunk_rows(run.network, rows.shape[1:]))
    for i in range(0, len(rows), at_a_time):
        some = np.asarray(rows[i : i + at_a_time])
        size = padded(max(len(some), min(FEWEST, at_a_time)))
        filled = np.pad(some, ((0, size - len(some)), (0, 0)))
        answer = answers_of(network_outputs(run.network, filled).T, run.preprocessor, output)
        change = filled - average
        gradients = _mean_gradient(
            run.network, average[:, None], change.T, answer, steps, cost=cost
        )
        found.append((change * np.asarray(gradients).T)[: len(some)])
    return np.concatenate(found)


@partial(jax.jit, static_argnames="cost")
def _mean_gradient(
    network: Any, average: Any, change: Any, answer: Any, steps: int, *, cost: str
) -> Any:
    """Average the gradient of f along the line from the average row by change (n_x, m)."""

    def f(A):
        return answer_value(network(A), answer, cost, xp=jnp).sum()

    def add(k, total):
        share = (k + 0.5) / steps
        return total + jax.grad(f)(average + share.astype(change.dtype) * change)

    return jax.lax.fori_loop(0, steps, add, jnp.zeros_like(change)) / steps


class Inputs(NamedTuple):
    """The names of the columns, and for each input of the network the index of its column."""

    names: tuple[str, ...]
    column: np.ndarray


def column_inputs(preprocessor: Preprocessor) -> Inputs:
    """Group the inputs by the column they come from, since they can only change together."""
    number = preprocessor.inputs.columns_of(preprocessor.n_numbers)
    if preprocessor.columns is None:
        return Inputs(tuple(preprocessor.names), number)
    columns = preprocessor.columns.columns
    widths = [len(column.names) for column in columns]
    column = np.repeat(range(len(widths)), widths)
    return Inputs(tuple(column.name for column in columns), column[number])


def average_row(preprocessor: Preprocessor) -> np.ndarray:
    """Return the inputs (n_x,) of the average row, with which a row is compared."""
    return preprocessor.inputs.average(preprocessor.n_numbers)


def of_columns(values: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Sum the values of the inputs (m, n_x) over those of each column, (m, columns)."""
    starts = np.searchsorted(inputs.column, np.arange(len(inputs.names)))
    return np.add.reduceat(values, starts, axis=1)


REPEATS = 5
MOST_NUMBERS = 10**8
"""The maximum count of numbers in all shuffled copies together; a larger set is subsampled."""
FEWEST_ROWS = 200
FEWEST_COLUMNS, MOST_INPUTS = 100, 10**6
"""The limits of the number of columns that are shuffled. This number times the number of inputs is
at most MOST_INPUTS, but at least FEWEST_COLUMNS are shuffled."""


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
    others        the number of further columns of a wide table, which were not shuffled
    """

    part: str
    m: int
    repeats: int
    task: str
    cost: float
    error: float
    columns: tuple[Importance, ...]
    others: int = 0

    def text(self, most: int = 20) -> str:
        """Return a table of the `most` most important columns."""
        what = "accuracy lost" if self.task == "classification" else "RMSE gained"
        lines = [["column", "cost gained", "95 % interval", what, "95 % interval"]]
        for one in self.columns[:most]:
            pairs = (one.cost, one.cost_low, one.cost_high), (one.loss, one.loss_low, one.loss_high)
            cells = [[f"{v:.4f}", f"{low:.4f} to {high:.4f}"] for v, low, high in pairs]
            lines.append([one.column, *cells[0], *cells[1]])
        rest = len(self.columns) + self.others - most
        more = [f"… and {rest:,} more"] if rest > 0 else []
        times, examples = count_of(self.repeats, "time"), count_of(self.m, "example")
        head = f"each column shuffled {times}, {examples} of {self.part}"
        return "\n".join([head, "", *aligned(lines, [1, 3]), *more])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def importance(
    run: Run, data: Data, part: str | None = None, *, repeats: int = REPEATS, seed: int = 0
) -> Importances | None:
    """Measure the importance of each column, by default on the dev set.

    It is None for images and for sequences, which have no columns.

    Of a table with more than about 1,000 columns, only those with the largest contributions are
    shuffled, so that the time is linear in the number of columns.
    """
    if picture_shape(run.preprocessor) is not None or run.preprocessor.takes_sequences:
        return None
    part = default_part(data) if part is None else part
    check_choice("the set", part, data.parts)
    rng, inputs = np.random.default_rng(seed), column_inputs(run.preprocessor)
    rows = _some(data.parts[part], len(inputs.names) * repeats, rng)
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    share = weights / weights.sum()
    before = _losses_and_errors(run, rows.X, rows.Y)
    copies = np.tile(np.arange(len(rows.X)), repeats)
    X, Y = rows.X[copies], rows.Y[copies]
    importances = []
    for k in _columns_to_shuffle(run, rows.X, inputs):
        others = np.concatenate([rng.permutation(len(rows.X)) for _ in range(repeats)])
        own_inputs = slice(*np.searchsorted(inputs.column, [k, k + 1]))
        X[:, own_inputs] = rows.X[others, own_inputs]
        after = _losses_and_errors(run, X, Y).reshape(2, repeats, -1).mean(axis=1)
        X[:, own_inputs] = rows.X[copies, own_inputs]
        name, task = inputs.names[k], run.preprocessor.labels.task
        importances.append(_of_column(name, before, after, share, task))
    cost, error = before @ share
    task = run.preprocessor.labels.task
    return Importances(
        part,
        len(rows.X),
        repeats,
        task,
        float(cost),
        float(np.sqrt(error) if task == "regression" else error),
        tuple(sorted(importances, key=lambda one: -one.cost)),
        len(inputs.names) - len(importances),
    )


def _columns_to_shuffle(run: Run, X: np.ndarray, inputs: Inputs) -> list[int]:
    """Return the columns, of a wide table only those with the largest contributions."""
    count = max(FEWEST_COLUMNS, MOST_INPUTS // X.shape[1])
    if len(inputs.names) <= count:
        return list(range(len(inputs.names)))
    size = np.abs(of_columns(integrated_gradients(run, X), inputs)).mean(axis=0)
    return sorted(np.argsort(-size, kind="stable")[:count].tolist())


def _some(rows: Examples, copies: int, rng: np.random.Generator) -> Examples:
    """Draw a sample of the examples, as large as the memory limit allows."""
    m, n_x = rows.X.shape
    most = max(FEWEST_ROWS, MOST_NUMBERS // (copies * n_x))
    if m <= most:
        return rows
    index = np.sort(rng.choice(m, most, replace=False))
    weights = None if rows.weights is None else rows.weights[index]
    return Examples(rows.X[index], rows.Y[index], weights)


def _losses_and_errors(run: Run, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return (2, m): the losses, and the errors (1 for a wrong class, or the squared error)."""
    Z = network_outputs(run.network, X)
    preprocessor = run.preprocessor
    if preprocessor.labels.task == "regression":
        error = (((Z - Y) * preprocessor.outputs.scale) ** 2).mean(axis=1)
    else:
        error = preprocessor.predicted_classes(Z) != (
            Y[:, 0] > 0.5 if Y.shape[1] == 1 else Y.argmax(axis=1)
        )
    return np.stack([losses(Z, Y, preprocessor.cost), error]).astype(np.float64)


def _of_column(
    name: str, before: np.ndarray, after: np.ndarray, share: np.ndarray, task: str
) -> Importance:
    """Compute the mean rise of the loss and of the error, each with its confidence interval."""
    rise = after - before
    mean = rise @ share
    reach = DEVIATIONS_95 * np.sqrt(((rise - mean[:, None]) ** 2) @ share**2)
    ends = np.stack([mean, mean - reach, mean + reach])  # (3, 2)
    if task == "regression":
        squares = before[1] @ share
        ends[:, 1] = np.sqrt(np.maximum(0, squares + ends[:, 1])) - np.sqrt(squares)
    return Importance(name, *ends[:, 0].tolist(), *ends[:, 1].tolist())


FEWEST_PAIRS, MOST_PAIRS, CONTRIBUTION_STEPS = 8, 64, 512
"""STEPS / columns random orders are drawn (one if there are many columns), with their reverses."""
MANY = 100
WIDE = 1000
ALL_ORDERS = 4


@dataclass(frozen=True, eq=False)
class Contributions:
    """The contributions to the predictions of m rows.

    columns   the names of the columns
    values    (m, columns), the contribution of each column, or of each step
    average   (m,) f, the number to explain, for the average row
    total     (m,) f for the row itself
    steps     of sequences, the names of the steps of each row
    """

    columns: tuple[str, ...]
    values: np.ndarray
    average: np.ndarray
    total: np.ndarray
    steps: tuple[tuple[str, ...], ...] = ()

    def most(self, i: int, count: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return the columns of row i that contribute most for and most against its prediction."""
        row, names = self.values[i], self.steps[i] if self.steps else self.columns
        order = np.argsort(-row, kind="stable")
        pro = {names[j]: float(row[j]) for j in order[:count] if row[j] > 0}
        con = {names[j]: float(row[j]) for j in order[::-1][:count] if row[j] < 0}
        return pro, con

    def to_dict(self, count: int | None = None) -> list[dict[str, Any]]:
        """Return plain data for JSON, one dict for each row."""
        n = self.values.shape[1] if count is None else count
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
    preprocessor, rows = run.preprocessor, run.preprocessor.rows(X)
    if preprocessor.takes_sequences:
        return _explain_steps(run, X, rows, output)
    inputs = column_inputs(preprocessor)
    n = len(inputs.names)
    if n > WIDE:
        return _explain_wide(run, rows, inputs, output)
    orders = _orders(n, seed)
    from_row = _ranks(orders)[:, None, inputs.column] < np.arange(n + 1)[None, :, None]
    answer = answers_of(network_outputs(run.network, rows).T, preprocessor, output)
    size = max(1, CHUNK // from_row[..., 0].size)
    blocks = [
        _block(run, rows[i : i + size], answer[:, i : i + size], orders, from_row)
        for i in range(0, len(rows), size)
    ]
    values, average, total = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    mean = _mean_answer(preprocessor, output)
    return Contributions(inputs.names, values, average + mean, total + mean)


def _explain_steps(run: Run, given: Any, X: Sequences, output: int) -> Contributions:
    """Return how much f falls if a step is replaced by an average or unknown one."""
    preprocessor, T = run.preprocessor, X.shape[1]
    answer = answers_of(network_outputs(run.network, X).T, preprocessor, output)
    scale = np.reshape(preprocessor.outputs.scale, (-1, 1))
    # Version 0 is the sequence itself, version 1 has no real information, version t + 2 no step t.
    kept = np.concatenate([np.full((1, T), True), np.full((1, T), False), ~np.eye(T, dtype=bool)])
    kept = kept.reshape(1, T + 2, T, *(1,) * (X.ndim - 2))
    size = max(1, CHUNK // (T + 2))
    found = []
    for start in range(0, len(X), size):
        some = X[start : start + size]
        versions = np.where(kept, some.values[:, None], np.zeros((), X.dtype))
        lengths = np.repeat(some.lengths, T + 2)
        flat = Sequences(versions.reshape(-1, *X.shape[1:]), lengths)
        Z = network_outputs(run.network, flat).T.astype(np.float64)
        of_versions = np.repeat(answer[:, start : start + size], T + 2, axis=1)
        f = answer_value(Z, of_versions, preprocessor.cost, scale)
        found.append(f.reshape(len(some), T + 2))
    f = np.concatenate(found) + _mean_answer(preprocessor, output)
    values = np.where(X.real(), f[:, :1] - f[:, 2:], 0)
    texts = given if preprocessor.vocabulary is not None else [()] * len(X)
    names = tuple(
        tuple(f"{t}: {character!r}" for t, character in enumerate(text, 1))
        or tuple(f"step {t}" for t in range(1, n + 1))
        for text, n in zip(texts, X.lengths.tolist(), strict=True)
    )
    return Contributions((), values, f[:, 1], f[:, 0], names)


def _mean_answer(preprocessor: Preprocessor, output: int) -> float:
    """Return the mean of the target, which f does not contain; 0 for classes."""
    if preprocessor.cost != "squared":
        return 0.0
    return float(np.ravel(preprocessor.outputs.mean)[output])


def _explain_wide(run: Run, rows: np.ndarray, inputs: Inputs, output: int) -> Contributions:
    """Return contributions by integrated gradients, whose cost is linear in the columns."""
    preprocessor = run.preprocessor
    scale = np.reshape(preprocessor.outputs.scale, (-1, 1))
    Z = network_outputs(run.network, np.concatenate([rows, average_row(preprocessor)[None]])).T
    Z, zero = Z[:, :-1].astype(np.float64), Z[:, -1:].astype(np.float64)
    answer, mean = answers_of(Z, preprocessor, output), _mean_answer(preprocessor, output)
    total = answer_value(Z, answer, preprocessor.cost, scale)
    average = answer_value(np.repeat(zero, len(rows), axis=1), answer, preprocessor.cost, scale)
    values = of_columns(integrated_gradients(run, rows, output=output), inputs)
    if preprocessor.cost == "squared":
        values = values * float(np.broadcast_to(scale, (len(Z), 1))[output, 0])
    return Contributions(inputs.names, values.astype(np.float64), average + mean, total + mean)


def _block(
    run: Run, X: np.ndarray, answer: np.ndarray, orders: np.ndarray, from_row: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the contributions of a chunk of rows: one pass over the columns for each order."""
    K, steps, n_x = from_row.shape
    average = average_row(run.preprocessor)
    filled = np.where(from_row[None], X[:, None, None], average).reshape(-1, n_x)
    Z = network_outputs(run.network, filled).T.astype(np.float64)
    scale = np.reshape(run.preprocessor.outputs.scale, (-1, 1))
    f = answer_value(Z, np.repeat(answer, K * steps, axis=1), run.preprocessor.cost, scale)
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
    pairs = min(MOST_PAIRS, max(FEWEST_PAIRS, CONTRIBUTION_STEPS // n)) if n <= MANY else 1
    rng = np.random.default_rng(seed)
    some = np.array([rng.permutation(n) for _ in range(pairs)])
    return np.concatenate([some, some[:, ::-1]])


def _ranks(orders: np.ndarray) -> np.ndarray:
    """Return the position of each column in each order (K, n)."""
    return np.argsort(orders, axis=1)
