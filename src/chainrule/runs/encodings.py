"""Choose how the numbers of a table are encoded: by the dev cost of small trainings on folds.

Notes: "Normalizing inputs" (course 2, week 1); "Train / dev / test sets" (course 2, week 1).

    candidates   standard, robust and piecewise (`data/scaling.py`), each learned from the rows of
                 the first training set
    training     the network of the user on each fold, for some 300 steps with mini-batches
    cost         the mean over the folds of the lowest dev cost; the lowest is chosen

There are as many folds as give about 1,000 held-out predictions, at most five, and at most 10,000
rows are used. With so many inputs that this takes too long, there are fewer folds, and then no
piecewise inputs. With fewer than 100 predictions, or without a column that has bins, nothing is
trained and the inputs are standardised. The number of members of an ensemble has no influence.

All encodings and folds are trained at once in one compiled program (`train/many.py`). Each encoding
has a block of rows of its own, in which the inputs that only another encoding has are 0: the
weights of these inputs start at 0 and stay there.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.data.columns import Columns
from chainrule.data.dataset import Dataset
from chainrule.data.scaling import Normalizer
from chainrule.data.split import FOLDS, Fold, can_be_split, fold
from chainrule.data.streaming import is_streamed
from chainrule.errors import DataWarning
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.randomness import seed_of_member
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.optimizer import Optimizer
from chainrule.runs.defaults import COSTS, CURRENT, METRICS, judge_for
from chainrule.runs.networks import fully_connected
from chainrule.runs.prepare import Data, class_weights, strata_of, times_weights, with_decay
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples, joined
from chainrule.train.interrupt import interruptible
from chainrule.train.many import Candidate, TrainedCandidate, fit_many

STANDARD = "standard"
CANDIDATES = (STANDARD, "robust", "piecewise")
"""The encodings that are compared, the simplest first."""
FEWEST_HELD_OUT, ENOUGH_HELD_OUT = 100, 1000
"""The numbers of held-out predictions below which no encoding is chosen, and which are enough."""
MOST_ROWS = 10_000
"""The maximum number of rows of a fold on which encodings are compared."""
MOST_VALUES = 2**26
"""The maximum number of inputs of all rows and encodings together, 256 MB."""
MOST_OPERATIONS = 4e11
"""The maximum number of operations of a comparison in the first layer, some ten seconds."""
STEPS, EPOCHS, BATCH = 300, 5, 128
"""About the number of steps and the minimum number of epochs of a comparison, and its batches."""


class Choice(NamedTuple):
    """The chosen encoding, and the cost of each that was compared; none if there was no choice."""

    kind: str
    costs: dict[str, float]


def choose_for(recipe: Recipe, data: Data) -> Choice | None:
    """Return the encoding for the training of a recipe; None if there is nothing to choose.

    That is so if the user chose one, for images, and without hidden layers, which would make one of
    the plain regressions something else. Only training rows are used, unless rows are in groups or
    have a time: then the dev set is the only fold.
    """
    fixed = recipe.normalize or recipe.network or recipe.base or recipe.defaults != CURRENT
    source, preprocessor = data.sources["train"], data.preprocessor
    rows = preprocessor.inputs.kind == STANDARD and len(preprocessor.shape) == 1
    rows = rows and not preprocessor.takes_sequences
    if fixed or not rows or recipe.hidden == () or is_streamed(source.X):
        return None
    names = ["train"] if recipe.divides_at_random else ["train", "dev"]
    if not set(names) <= set(data.parts):
        return None
    columns = preprocessor.columns
    examples, *dev = (
        data.parts[name]._replace(X=plain_numbers(columns, data.sources[name])).weighted()
        for name in names
    )
    if recipe.class_weight is not None:
        by_class = class_weights(recipe.class_weight, preprocessor.labels, data.parts)
        examples, *dev = (times_weights(part, by_class) for part in (examples, *dev))
    folds = folds_of(recipe, data, examples, *dev)
    examples = joined(examples, dev[0]) if dev else examples
    n_L, seeds = preprocessor.n_L, [seed_of_member(recipe.seed, k) for k in range(len(folds))]

    def network(n_x: int, k: int) -> DeepNetwork:
        return fully_connected(replace(recipe, seed=seeds[k]), n_x, n_L)

    def optimizer(steps: int, epochs: int) -> Optimizer:
        return with_decay(recipe, epochs).descent.make(steps, epochs)

    judge = judge_for(preprocessor.cost, kind="rows")
    functions = COSTS[preprocessor.cost], METRICS[preprocessor.metric], judge
    setting = Setting(network, optimizer, *functions, seeds)
    return choose_encoding(examples, folds, setting, names=columns and columns.names)


def plain_numbers(columns: Columns | None, part: Dataset) -> np.ndarray:
    """Return the numbers (m, n) of a set before they are scaled."""
    return np.asarray(part.X if columns is None else columns.apply(part.X))


def folds_of(
    recipe: Recipe, data: Data, train: Examples, dev: Examples | None = None
) -> list[Fold]:
    """Return the folds of the training examples, or with a dev set, both sets as the only one.

    The row numbers of the dev set follow those of the training set.
    """
    m, classes = len(train.X), strata_of(data.preprocessor, train)
    if dev is not None:
        return [Fold(np.arange(m), np.arange(m, m + len(dev.X)))]
    if not can_be_split(m, classes):
        return []
    return [fold(m, k, classes=classes, seed=recipe.seed) for k in range(FOLDS)]


class Setting(NamedTuple):
    """How the networks of a comparison are built and trained.

    network      a function from the number of inputs and the number of a fold to a new network
    optimizer    a function from the steps per epoch and the epochs to an optimiser
    cost, metric, judge   the functions of `fit`
    seeds        the seed of each fold, which decides the order of its examples
    """

    network: Callable[[int, int], DeepNetwork]
    optimizer: Callable[[int, int], Optimizer]
    cost: Callable
    metric: Callable
    judge: Callable | None
    seeds: Sequence[int]


def choose_encoding(
    examples: Examples,
    folds: Sequence[Fold],
    setting: Setting,
    *,
    names: Sequence[str] | None = None,
) -> Choice:
    """Return the encoding with the lowest mean dev cost; `examples.X` (m, n) holds plain numbers.

    The folds have equally many rows; `names` are those of the columns, for messages.
    """
    first = folds[0].train if folds else np.zeros(0, np.intp)
    folds = needed_folds(folds, MOST_VALUES // (len(CANDIDATES) * examples.X.shape[1]))
    if not folds:
        return Choice(STANDARD, {})
    known = None if examples.weights is None else examples.weights[first]
    with warnings.catch_warnings():  # they are issued when the chosen encoding is learned
        warnings.simplefilter("ignore", DataWarning)
        X = examples.X[first]
        scales = [Normalizer.learn(kind, X, names, known) for kind in CANDIDATES]
    bins = scales[-1].bins
    if bins is None or not bins.counts.any():
        return Choice(STANDARD, {})
    folds = needed_folds(folds, MOST_VALUES // (len(CANDIDATES) * bins.n_x))
    scales, folds = affordable(scales, folds, examples.X.shape[1], setting)
    if not folds:
        return Choice(STANDARD, {})
    enable_compilation_cache()
    (X, Y, weights), folds = only_used(examples, folds)
    blocks = [scale.apply(X, names) for scale in scales]
    widths = [block.shape[1] for block in blocks]
    rows = [padded_columns(block, max(widths)) for block in blocks]
    repeated = (np.concatenate([part] * len(rows)) for part in (Y, _ones(X, weights)))
    several = Examples(np.concatenate(rows), *repeated)
    size, steps, epochs = schedule_for(len(folds[0].train))
    optimizer = setting.optimizer(steps, epochs)
    candidates = [
        Candidate(
            with_more_inputs(setting.network(width, k), max(widths)),
            optimizer,
            seed=setting.seeds[k],
            order=setting.seeds[k],
            rows=rows_of_fold.train + i * len(X),
            dev=rows_of_fold.dev + i * len(X),
        )
        for i, width in enumerate(widths)
        for k, rows_of_fold in enumerate(folds)
    ]
    with interruptible() as interrupted:
        done = fit_many(
            candidates,
            setting.cost,
            several,
            None,
            epochs=epochs,
            batch_size=size,
            metric=setting.metric,
            judge=setting.judge,
        )
    if interrupted():
        raise KeyboardInterrupt
    means = np.array([lowest_cost(one) for one in done]).reshape(len(widths), -1).mean(axis=1)
    kinds = [scale.kind for scale in scales]
    chosen = kinds[int(np.argmin(means))] if np.isfinite(means).any() else STANDARD
    return Choice(chosen, dict(zip(kinds, means.tolist(), strict=True)))


def schedule_for(m: int) -> tuple[int, int, int]:
    """Return the batch size, the steps per epoch and the epochs of a comparison on m rows.

    >>> schedule_for(560), schedule_for(8000)
    ((128, 5, 60), (128, 63, 5))
    """
    size = min(BATCH, m)
    steps = steps_per_epoch(m, size)
    return size, steps, max(EPOCHS, -(-STEPS // steps))


def affordable(
    scales: Sequence[Normalizer], folds: Sequence[Fold], n: int, setting: Setting
) -> tuple[Sequence[Normalizer], Sequence[Fold]]:
    """Return the encodings of n columns and the folds that are compared within MOST_OPERATIONS.

    With too many inputs there are fewer folds, then no piecewise inputs, and then no comparison.
    """
    if not folds:
        return scales, folds
    size, steps, epochs = schedule_for(len(folds[0].train))
    units, few = setting.network(1, 0).sizes[1], -(-FEWEST_HELD_OUT // len(folds[0].dev))
    for some in (scales, scales[:-1]):
        weights = units * max(scale.n_inputs(n) for scale in some)
        each = steps * epochs * 6.0 * size * weights
        for kept in (folds, folds[:few]):
            if len(some) * len(kept) * each <= MOST_OPERATIONS:
                return some, kept
    return scales, []


def needed_folds(folds: Sequence[Fold], most: int = MOST_ROWS) -> list[Fold]:
    """Return as many folds as are needed, each with at most `most` rows; none for few rows."""
    if not folds:
        return []
    few = [_fewer_rows(one, min(most, MOST_ROWS)) for one in folds]
    held = len(few[0].dev)
    enough = held * len(few) >= FEWEST_HELD_OUT
    return few[: -(-ENOUGH_HELD_OUT // held)] if enough else []


def _fewer_rows(fold: Fold, most: int) -> Fold:
    """Return the fold with at most so many rows, evenly taken from both of its sets."""
    train, dev = fold
    share = most / (len(train) + len(dev))

    def some(rows: np.ndarray) -> np.ndarray:
        n = int(len(rows) * share)
        return rows if share >= 1 else rows[np.arange(n) * len(rows) // max(n, 1)]

    return Fold(some(train), some(dev))


def only_used(examples: Examples, folds: Sequence[Fold]) -> tuple[Examples, list[Fold]]:
    """Return the examples that occur in a fold, and the folds with their new row numbers."""
    used = np.unique(np.concatenate([rows for fold in folds for rows in fold]))
    again = [Fold(*(np.searchsorted(used, rows) for rows in fold)) for fold in folds]
    return examples.take(used), again


def lowest_cost(one: TrainedCandidate) -> float:
    """Return the lowest dev cost of a training, or ∞ if its numbers were not finite."""
    diverged = one.history.stopped == "not finite"
    costs = [] if diverged else [J for J in one.history.dev_costs if np.isfinite(J)]
    return min(costs, default=np.inf)


def _ones(X: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.ones(len(X), np.float32) if weights is None else weights


def padded_columns(X: np.ndarray, n: int) -> np.ndarray:
    """Return the rows with columns of zeros up to n columns."""
    return np.pad(X, [(0, 0), (0, n - X.shape[1])])


def with_more_inputs(network: DeepNetwork, n: int) -> DeepNetwork:
    """Return the network with weights of 0 for inputs up to n inputs."""

    def W(network: Any) -> Any:
        return network.parts()[0].W

    return eqx.tree_at(W, network, jax.device_put(padded_columns(np.asarray(W(network)), n)))
