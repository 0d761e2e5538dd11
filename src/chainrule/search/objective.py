"""The objective of a search: it maps the recipe of a candidate to its cost on held-out examples.

    dev set    a candidate is trained on the training set and evaluated on the dev set
    K folds    a candidate is trained K times, each time on all but one fold of the examples
               outside the test set, and evaluated on that fold; the objective is the mean of the
               K costs. μ and σ of the inputs are computed inside each fold.

The test set is not used. A candidate that fails does not affect the others. During training, the
lowest dev cost so far is reported at a few shares of the epochs, and training ends early if the
pruner asks for it.

Compatible candidates are trained at once in one compiled program, the caviar approach; notes:
"Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3). Candidates are compatible
if they have the same layers, update rule, batch size and epochs. They may differ in numbers:
learning rate, β, decay, λ, keep_prob, initial weights. Each result is that of training the
candidate alone, up to rounding.

K-fold cross-validation is for small data sets: each example is held out once. Folds are stratified
by class, and the rows of a group stay in one fold. With a time column, each fold is later than all
rows that are used to predict it.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from math import ceil, isfinite

import jax
import numpy as np

from chainrule.data.batches import steps_per_epoch
from chainrule.data.dataset import Dataset
from chainrule.data.split import encode_classes
from chainrule.errors import ChainruleError, NotFiniteError, OptionError, RunError
from chainrule.layers.layer import Layer, split_parameters
from chainrule.runs.defaults import COSTS, METRICS, calibrates
from chainrule.runs.networks import has_images
from chainrule.runs.prepare import (
    Data,
    Prepared,
    labels_of_set,
    prepare_data,
    prepare_network,
    preprocess_sets,
)
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import evaluate
from chainrule.search.trials import DONE, FAILED, INTERRUPTED, PRUNED, Outcome, mean_of
from chainrule.train.fit import fit
from chainrule.train.history import History
from chainrule.train.many import Candidate, TrainedCandidate, fit_many, halving_epochs
from chainrule.train.many_steps import COMPILATION, STEP, operations_of_model
from chainrule.train.outputs import network_outputs

SHARES = (1, 2, 3, 4, 6, 8, 12, 17, 25, 35, 50, 71, 100)
"""The percentages of the epochs after which the pruner decides whether training continues."""

PARTS = ("train", "dev")
Report = Callable[[int, float], bool]


class EndedEarly(Exception):
    """Raised during training when the pruner ends a candidate."""


def measure(prepared: Prepared, report: Report) -> Outcome:
    """Train one candidate and evaluate it on its training and dev sets."""
    progress = ProgressReporter(prepared.epochs, report)
    try:
        fitted = fit(**prepared.fit_arguments(), on_progress=progress)
    except EndedEarly:
        history = progress.history
        return Outcome(PRUNED, min(history.dev_costs), {}, curve_of(history), why=progress.why)
    return outcome_of(prepared, fitted.network, fitted.history)


def outcome_of(prepared: Prepared, network: Layer, history: History) -> Outcome:
    """Return the outcome of training: the network's scores on the training and dev sets."""
    if history.stopped == "interrupted":
        return Outcome(INTERRUPTED)
    preprocessor, dev = prepared.preprocessor, prepared.parts["dev"]
    if calibrates(prepared.recipe.defaults):
        Z = network_outputs(network, dev.X)
        preprocessor, _ = preprocessor.calibrated(Z, dev.Y, dev.weights)
    scores = {name: evaluate(network, preprocessor, prepared.parts[name]) for name in PARTS}
    dev_cost = scores["dev"]["cost"]
    if not isfinite(dev_cost):
        return Outcome(FAILED, curve=curve_of(history), why="the dev cost is not finite")
    return Outcome(DONE, dev_cost, scores, curve_of(history))


class ProgressReporter:
    """A callback for `fit` that reports the dev cost at fixed shares of the training."""

    def __init__(self, epochs: int, report: Report):
        self.history, self.why = History(), ""
        self._epochs, self._report = epochs, report
        self._shares = {ceil(percent * epochs / 100): percent for percent in SHARES}

    def __call__(self, history: History, share: float) -> None:
        """Report the best dev cost if a share is reached; raise EndedEarly if `report` says so."""
        self.history = history
        for epoch in [epoch for epoch in self._shares if epoch <= len(history.dev_costs)]:
            best = min(history.dev_costs[:epoch])
            if self._report(self._shares.pop(epoch), best) and epoch < self._epochs:
                self.why = f"after epoch {epoch} of {self._epochs}"
                raise EndedEarly


def curve_of(history: History) -> dict[str, list[float]]:
    """Return the train and dev costs of each epoch."""
    return {
        "epoch": [epoch.epoch for epoch in history.epochs],
        "cost": history.costs,
        "dev_cost": history.dev_costs,
    }


def compatibility_key(prepared: Prepared) -> Hashable:
    """Return a key that is equal for candidates that can be trained at once."""
    optimizer = prepared.optimizer
    tree = prepared.network, optimizer.init(split_parameters(prepared.network)[0])
    leaves, structure = jax.tree.flatten(tree)
    arrays = tuple((np.shape(leaf), str(jax.numpy.result_type(leaf))) for leaf in leaves)
    options = prepared.batch_size, prepared.epochs, prepared.patience, prepared.recipe.normalize
    return structure, arrays, optimizer.update, *options


def saves_time(group: Sequence[Prepared]) -> bool:
    """Return whether training the group at once saves more time than compiling its program takes.

    Training at once takes about half as long; trained one at a time, the candidates share a
    program. Convolutions use the whole processor, so they are faster one at a time.
    """
    if has_images(group[0].network):
        return False
    return len(group) > 1 and sum(map(operations_of, group)) / 2 > COMPILATION


def measure_together(group: Sequence[Prepared], *, halve: bool) -> list[Outcome]:
    """Return the outcomes of compatible candidates; `halve` ends the worse half at each stage."""
    first = group[0]
    halve_at = halving_epochs(first.epochs, len(group)) if halve else ()
    trained = train_together(group, patience=first.patience, halve_at=halve_at)
    return [_outcome(*pair) for pair in zip(group, trained, strict=True)]


def train_together(
    group: Sequence[Prepared],
    *,
    patience: int | None,
    halve_at: Sequence[int] = (),
    on_progress: Callable | None = None,
) -> list[TrainedCandidate]:
    """Train compatible candidates on the data of the first.

    `halve_at` and `on_progress` are those of `fit_many`.
    """
    first = group[0]
    return fit_many(
        [Candidate(p.network, p.optimizer, p.penalty(), p.recipe.seed) for p in group],
        COSTS[first.preprocessor.cost],
        first.weighted("train"),
        first.weighted("dev"),
        epochs=first.epochs,
        batch_size=first.batch_size,
        metric=METRICS[first.preprocessor.metric],
        patience=patience,
        seed=first.recipe.seed,
        short_last_batch=first.recipe.short_last_batch,
        judge=first.judge,
        halve_at=halve_at,
        on_progress=on_progress,
    )


def operations_of(prepared: Prepared) -> float:
    """Estimate how many operations a training run takes, including the overhead of each step."""
    steps = prepared.epochs * steps_per_epoch(len(prepared.parts["train"].X), prepared.batch_size)
    return steps * (operations_of_model(prepared.network, prepared.batch_size) + STEP)


def _outcome(prepared: Prepared, trained: TrainedCandidate) -> Outcome:
    history = trained.history
    if history.stopped == "not finite":
        return Outcome(FAILED, curve=curve_of(history), why=f"step {trained.bad_step}: not finite")
    if history.stopped == "halved":
        why = f"after epoch {len(history.epochs)} of {prepared.epochs}"
        return Outcome(PRUNED, min(history.dev_costs), {}, curve_of(history), why=why)
    return outcome_of(prepared, trained.network, history)


def fold_rows(
    source: Dataset, count: int, *, stratify: bool, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (training rows, held-out rows) for each of `count` folds."""
    blocks = count + 1 if source.time is not None else count
    units = len(source) if source.groups is None else len(np.unique(encode_classes(source.groups)))
    if blocks > units:
        what = "examples" if source.groups is None else "groups"
        hint = f"--folds {max(units // 2, 2)}, or more {what}"
        raise OptionError("--folds", f"at least {blocks} {what}", f"{units}", hint)
    if source.time is not None:
        return _by_time(source.time, blocks)
    rng = np.random.default_rng(seed)
    if source.groups is not None:
        fold = _by_group(encode_classes(source.groups), count, rng)
    else:
        codes = encode_classes(labels_of_set(source)) if stratify else np.zeros(len(source), int)
        shuffled = rng.permutation(len(source))
        order = shuffled[np.argsort(codes[shuffled], kind="stable")]  # class by class
        fold = np.empty(len(source), int)
        fold[order] = np.arange(len(source)) % count
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]


def _by_group(groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each row; each group, the largest first, joins the smallest fold."""
    sizes = np.bincount(groups)
    shuffled = rng.permutation(len(sizes))
    fold_of, filled = np.empty(len(sizes), int), np.zeros(count, int)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = np.argmin(filled)
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _by_time(time: np.ndarray, blocks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds in time order: each block after the first is predicted from all before."""
    parts = np.array_split(np.argsort(np.asarray(time), kind="stable"), blocks)
    return [(np.sort(np.concatenate(parts[:k])), np.sort(parts[k])) for k in range(1, len(parts))]


def never_end(percent: int, dev_cost: float) -> bool:
    """Return False, so that no candidate is ended early: a report without a pruner."""
    return False


class Objective:
    """A function that trains and evaluates candidates on a data set, which is read once."""

    def __init__(self, base: Recipe, folds: int | None = None):
        """Read the data; raise OptionError if there is no dev set to compare candidates on."""
        self.base, self.folds = base, folds
        whole = prepare_data(replace(base, dev="none") if folds else base)
        self.digests = {name: part.digest for name, part in whole.sources.items()}
        if folds is None and "dev" not in whole.parts:
            hint = "leaving out --dev none, or --folds 5"
            raise OptionError("--dev", "a dev set to compare candidates on", "none", hint)
        self._whole = whole
        self.data = lru_cache(self._data)
        self.data(base.normalize)  # raise errors in the folds now

    def __call__(self, recipe: Recipe, report: Report) -> Outcome:
        """Return the outcome of a recipe; `report(percent, dev_cost)` returns whether to end it."""
        [outcome] = _timed(1, lambda: [self._measured(self.prepared(recipe), report)])
        return outcome

    def together(
        self, recipes: Sequence[Recipe], *, halve: bool = False
    ) -> Iterator[dict[int, Outcome]]:
        """Yield the outcomes of recipes by index.

        Compatible candidates are trained at once if that saves time.
        """
        groups: dict[object, dict[int, list[Prepared]]] = {}
        for i, recipe in enumerate(recipes):
            try:
                prepared = self.prepared(recipe)
                groups.setdefault(compatibility_key(prepared[0]), {})[i] = prepared
            except ChainruleError as error:
                yield {i: _failure(error)}
        for group in groups.values():
            folds = list(zip(*group.values(), strict=True))
            if len(group) > 1 and (halve or saves_time(folds[0])):
                outcomes = _timed(len(group), lambda folds=folds: _over_folds(folds, halve))
                yield dict(zip(group, outcomes, strict=True))
                continue
            for i in group:
                yield {i: self(recipes[i], never_end)}

    def operations(self, recipe: Recipe) -> float:
        """Return roughly how many operations the training of a recipe takes."""
        try:
            return sum(map(operations_of, self.prepared(recipe)))
        except ChainruleError:
            return 0.0

    def prepared(self, recipe: Recipe) -> list[Prepared]:
        """Return a candidate prepared for training, once for the dev set or once for each fold."""
        return [prepare_network(recipe, data) for data in self.data(recipe.normalize)]

    def _data(self, normalize: str | None) -> list[Data]:
        """Return the training and dev sets: one pair, or one pair for each fold."""
        labels, train = self._whole.preprocessor.labels, self._whole.sources["train"]
        if normalize is None and self.base.network is not None:
            normalize = self._whole.preprocessor.inputs.kind
        if self.folds is None:
            pairs = [{name: self._whole.sources[name] for name in ("train", "dev")}]
        else:
            stratify = labels.task == "classification"
            rows = fold_rows(train, self.folds, stratify=stratify, seed=self.base.seed)
            pairs = [
                {"train": train.rows(used), "dev": train.rows(held_out)} for used, held_out in rows
            ]
        return [preprocess_sets(pair, labels, normalize) for pair in pairs]

    def _measured(self, prepared: list[Prepared], report: Report) -> Outcome:
        if self.folds is None:
            return measure(prepared[0], report)
        outcomes: list[Outcome] = []
        for fold in prepared:
            outcomes.append(measure(fold, never_end))
            if outcomes[-1].state != DONE:
                return outcomes[-1]
            mean = mean_of(outcomes)
            percent = round(100 * len(outcomes) / len(prepared))
            if report(percent, mean.dev_cost) and len(outcomes) < len(prepared):
                why = f"after fold {len(outcomes)} of {len(prepared)}"
                return replace(mean, state=PRUNED, why=why)
        return mean_of(outcomes)


def _over_folds(folds: Sequence[Sequence[Prepared]], halve: bool) -> list[Outcome]:
    """Train a group of candidates on all folds; return the mean outcome of each candidate."""
    measured = []
    for fold in folds:
        measured.append(measure_together(fold, halve=halve))
        if len(folds) > 1 and any(o.state == INTERRUPTED for o in measured[-1]):
            return [Outcome(INTERRUPTED)] * len(fold)
    return [_mean_over_folds(outcomes) for outcomes in zip(*measured, strict=True)]


def _mean_over_folds(outcomes: Sequence[Outcome]) -> Outcome:
    """Return a candidate's mean outcome over the folds, or the first outcome that is not "done"."""
    ended = [outcome for outcome in outcomes if outcome.state != DONE]
    if ended or len(outcomes) == 1:
        return (ended or outcomes)[0]
    return mean_of(outcomes)


def _timed(count: int, train: Callable[[], list[Outcome]]) -> list[Outcome]:
    """Return the outcomes and the seconds that each took; after an error, all count as failed."""
    began = time.perf_counter()
    try:
        outcomes = train()
    except ChainruleError as error:
        outcomes = [_failure(error)] * count
    seconds = (time.perf_counter() - began) / count
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def _failure(error: ChainruleError) -> Outcome:
    """Return the outcome of a candidate that failed; raise other errors again."""
    if isinstance(error, RunError):
        raise error
    if isinstance(error, NotFiniteError):
        return Outcome(FAILED, why=f"{error.where}: not finite")
    return Outcome(FAILED, why=str(error).replace("\n", " "))
