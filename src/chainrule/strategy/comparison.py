"""The examples on which networks are compared: the dev set, or the folds of a small table.

Notes: "Train / dev / test sets", "Bias / variance" (course 2, week 1).

    dev set   every network is trained on the training set and predicts the dev set
    folds     every network is trained once for each fold, and predicts the rows of that fold, which
              it has not seen; so each row outside the test set is predicted

A dev set of 20 examples cannot tell two networks apart. Up to 2,000 rows outside the test set are
therefore divided into five folds, stratified by class, and below 500 rows twice, with other folds.
If there is no dev set, folds are used up to 4,000 rows: as many as give 1,000 predictions. With
more rows, one fold of the training set takes the place of the dev set.

The dev set decides for images, for rows with a time or in groups, and if the user provided it.

The networks of all folds are trained at once, with mini-batches and a short decaying schedule, so
that a comparison costs about as much as one full training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.data.split import FOLDS, Fold, can_be_split, fold
from chainrule.data.streaming import is_streamed
from chainrule.host.randomness import seed_of_member
from chainrule.layers.layer import Layer
from chainrule.models.ensemble import MEANS, Ensemble
from chainrule.runs.defaults import COSTS, METRICS, OPTIMIZERS, OptimizerSettings
from chainrule.runs.encodings import BATCH, EPOCHS, STEPS, lowest_cost, needed_folds
from chainrule.runs.networks import build
from chainrule.runs.prepare import Data, Prepared, strata_of
from chainrule.runs.recipe import Recipe
from chainrule.train.examples import Examples, joined
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.many import Candidate, fit_many
from chainrule.train.outputs import member_outputs
from chainrule.train.step import make_penalty

SMALL = 2000
"""The number of rows outside the test set up to which networks are compared on folds."""
ONE_FOLD_ABOVE = 4000
"""The number of rows above which the schedule of the folds, some twelve epochs, is too short."""
REPEATED_BELOW, REPEATS = 500, 2
"""The number of rows below which networks are compared on several divisions into folds."""
STEPS_WITHOUT_HIDDEN = 4 * STEPS
"""About the number of steps of a comparison without hidden layers, whose steps are quick."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The examples on which networks are compared.

    part      the dev set, or with folds all examples outside the test set
    folds     the row numbers of each fold's training and held-out rows; empty for a dev set
    repeats   how often every row is held out
    """

    part: Examples
    folds: tuple[Fold, ...] = ()
    repeats: int = 1

    @property
    def per_repeat(self) -> int:
        """The number of folds in which every row is held out once."""
        return len(self.folds) // self.repeats

    @cached_property
    def held_out(self) -> list[Examples]:
        """The held-out examples: the dev set, or for each repetition those of all folds."""
        if not self.folds:
            return [self.part]
        return [self.part.take(rows) for rows in self._rows("dev")]

    @cached_property
    def trained_on(self) -> list[Examples]:
        """With folds, the training examples of all of them, for each repetition."""
        return [self.part.take(rows) for rows in self._rows("train")]

    def _rows(self, name: str) -> list[np.ndarray]:
        """Return the row numbers of all folds of each repetition, one fold after the other."""
        rows, n = [getattr(one, name) for one in self.folds], self.per_repeat
        return [np.concatenate(rows[r * n : (r + 1) * n]) for r in range(self.repeats)]

    def outputs(self, Z_k: np.ndarray, name: str) -> list[np.ndarray]:
        """Return the outputs Z of `held_out` (name "dev") or `trained_on` (name "train").

        Z_k (K, m, n_L) are the outputs of the network of each fold for all examples.
        """
        found = [Z[getattr(one, name)] for Z, one in zip(Z_k, self.folds, strict=True)]
        n = self.per_repeat
        return [np.concatenate(found[r * n : (r + 1) * n]) for r in range(self.repeats)]


def comparison_for(recipe: Recipe, data: Data, *, on_folds: bool) -> Comparison | None:
    """Return the examples on which networks are compared; None if there are none.

    With `on_folds` these may be folds of a small training set, instead of the dev set.
    """
    dev, train = data.parts.get("dev"), data.parts["train"]
    by_dev = None if dev is None else Comparison(dev)
    if not on_folds or not _divides(recipe, data):
        return by_dev
    part = (train if dev is None else joined(train, dev)).weighted()
    m, classes = len(part.X), strata_of(data.preprocessor, part)
    if not can_be_split(m, classes) or (dev is not None and m > SMALL):
        return by_dev
    repeats = REPEATS if m < REPEATED_BELOW else 1
    folds = [fold(m, k, classes=classes, seed=recipe.seed) for k in range(FOLDS * repeats)]
    if m > SMALL:
        folds = needed_folds(folds)
    return Comparison(part, tuple(folds), repeats)


def holding_out(data: Data, seed: int) -> Data:
    """Return the data with one fold of the training set as its dev set."""
    train, part = data.sources["train"], data.parts["train"]
    classes = strata_of(data.preprocessor, part)
    rows = fold(len(part.X), 0, classes=classes, seed=seed)
    sources = data.sources | {"train": train.rows(rows.train), "dev": train.rows(rows.dev)}
    parts = data.parts | {"train": part.take(rows.train), "dev": part.take(rows.dev)}
    return data._replace(sources=sources, parts=parts)


def _divides(recipe: Recipe, data: Data) -> bool:
    """Return whether rows may be held out at random, and no set of the user's should decide."""
    own = recipe.dev not in (None, "none")
    return recipe.divides_at_random and not own and not is_streamed(data.parts["train"].X)


@dataclass(frozen=True, eq=False)
class FoldResult:
    """The networks of one candidate, trained on the folds.

    network    that of the first fold
    dev_cost   the mean over the folds of the lowest cost on the held-out rows
    history    that of the first fold
    held_out   the outputs for `Comparison.held_out`, and `trained_on` for those trained on
    """

    network: Layer
    dev_cost: float
    history: History
    held_out: list[np.ndarray]
    trained_on: list[np.ndarray]


def for_folds(prepared: Prepared, comparison: Comparison) -> Prepared:
    """Return the candidate with the short schedule of a comparison on folds."""
    m = len(comparison.folds[0].train)
    batch_size = min(BATCH, m)
    steps = STEPS if prepared.recipe.hidden else STEPS_WITHOUT_HIDDEN
    epochs = max(EPOCHS, -(-steps // steps_per_epoch(m, batch_size)))
    if prepared.recipe.epochs is not None:
        epochs = min(epochs, prepared.recipe.epochs)
    return replace(prepared, batch_size=batch_size, epochs=epochs, patience=None)


def short_descent(recipe: Recipe) -> OptimizerSettings:
    """Return the settings of the optimiser for a comparison, which takes few steps.

    Adam's default α for networks with hidden layers is doubled.
    """
    descent = recipe.descent
    if descent.learning_rate is None and descent.optimizer == "adam" and recipe.hidden:
        return replace(descent, learning_rate=2 * OPTIMIZERS["adam"].learning_rate)
    return descent


def train_on_folds(
    group: Sequence[Prepared],
    comparison: Comparison,
    *,
    members: Sequence[int] = (0,),
    on_progress: Callable[[list[History], float], None] | None = None,
) -> list[FoldResult]:
    """Train candidates of one architecture on all folds at once.

    `members` are the members of an ensemble to train for each candidate: one result for each.
    """
    first = group[0]
    part = first.with_class_weights(comparison.part)
    weights = part.weights
    candidates = []
    for prepared in group:
        optimizer = short_descent(prepared.recipe).make(
            steps_per_epoch(len(comparison.folds[0].train), first.batch_size), first.epochs
        )
        for j in members:
            for k, rows in enumerate(comparison.folds):
                total = len(rows.train) if weights is None else float(weights[rows.train].sum())
                seed = seed_of_member(seed_of_member(prepared.recipe.seed, j), k)
                recipe = replace(prepared.recipe, seed=seed)
                network = build(recipe, prepared.preprocessor, part.X)
                penalty = make_penalty(recipe.l2, recipe.l1, total)
                candidates.append(Candidate(network, optimizer, penalty, seed, seed, *rows))
    with interruptible() as interrupted:
        done = fit_many(
            candidates,
            COSTS[first.preprocessor.cost],
            part,
            None,
            epochs=first.epochs,
            batch_size=first.batch_size,
            metric=METRICS[first.preprocessor.metric],
            short_last_batch=first.recipe.short_last_batch,
            judge=first.judge,
            on_progress=on_progress,
        )
    if interrupted():
        raise KeyboardInterrupt
    n, cost, found = len(comparison.folds), first.preprocessor.cost, []
    for start in range(0, len(done), n):
        ones = done[start : start + n]
        dev_cost = float(np.mean([lowest_cost(one) for one in ones]))
        Z_k = np.zeros((n, *part.Y.shape), np.float32)  # those of a candidate that diverged
        if np.isfinite(dev_cost):
            Z_k = member_outputs(Ensemble.of([one.network for one in ones], cost), part.X)
        outputs = (comparison.outputs(Z_k, name) for name in ("dev", "train"))
        found.append(FoldResult(ones[0].network, dev_cost, ones[0].history, *outputs))
    return found


def averaged(results: Sequence[list[np.ndarray]], cost: str) -> list[np.ndarray]:
    """Return the outputs of an ensemble from those of its members, for each repetition."""
    mean = MEANS[cost]
    return [np.asarray(mean(np.stack(Z_k).swapaxes(1, 2))).T for Z_k in zip(*results, strict=True)]
