"""The candidates of a rung of the ladder, on tables and on images.

Notes: "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3); "Build your first
system quickly, then iterate" (course 3, week 2); "CNN example" (course 4, week 1); "ResNets"
(course 4, week 2).

On a table, a rung is a short random search over width and regularisation. All candidates of one
width are trained at once in one compiled program. If they are compared on folds
(`strategy/comparison.py`), each is trained on every fold, with one width; with a dev set the worse
half of them is stopped repeatedly (successive halving). Settings given by the user (λ, the learning
rate, keep_prob) are not searched.

The rungs for images:

    rung 0    logistic, softmax or linear regression on the pixels
    rung 1    LeNet, or the convnet for small images, with and without augmentation
    rung 2    ResNet-20, with augmentation where that was better

The rungs for sequences and texts:

    rung 0    logistic, softmax or linear regression on statistics of the steps, or on counts of
              characters
    rung 1    a GRU, with and without dropout
    rung 2    a bidirectional GRU, and one with two layers

All are compared on the same rows: at most 10,000 of the training set, or fewer if these do not
fit in a fixed amount of memory; the chosen network is then trained on all rows. Candidates are
trained in turn, since several convolutional networks at once are slower. A candidate that would
take more than a few minutes, or more than is left of the budget, gets fewer epochs, or is left out.

`plan_rung` and `plan_named_rung` return the candidates of a rung and count the operations that
training them takes at most, `train_rung` trains them, and `operations_used` counts those that
training took, which are fewer if it stopped early. The count includes the compilation, which takes
about as long as COMPILATION operations for each layer. A processor computes LANES channels of a
convolution at once, so that fewer channels take as long.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from chainrule.choices import SUMMARY
from chainrule.data.dataset import Dataset
from chainrule.data.sequences import sequences_in
from chainrule.data.split import DEV, encode_classes, stratified
from chainrule.layers.conv import Conv2D
from chainrule.layers.layer import Layer, count_parameters, layer_numbers
from chainrule.models.conv_network import multiplications, walk
from chainrule.runs.defaults import COSTS, METRICS
from chainrule.runs.encodings import lowest_cost
from chainrule.runs.prepare import Data, Prepared, prepare_network
from chainrule.runs.recipe import HIDDEN_OF_SEQUENCES, SETTLED, Recipe, augments
from chainrule.search.dimensions import Log
from chainrule.search.objective import operations_of, train_together
from chainrule.strategy.comparison import (
    Comparison,
    FoldResult,
    averaged,
    for_folds,
    train_on_folds,
)
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.many import halving_epochs
from chainrule.train.many_steps import COMPILATION
from chainrule.train.outputs import network_outputs, score

WIDTHS, OF_MANY_ROWS, OF_MANY_INPUTS = (16, 64), (32, 128), (64, 256)
MANY_ROWS = 2000
MANY_INPUTS = 200
NARROWEST = 8
RATES, WITHOUT_HIDDEN = Log(0.0015, 0.008), Log(0.003, 0.03)
L2 = Log(0.03, 30.0)
KEEP = (1.0, 0.7)
FEWEST, MOST = 2, 6  # candidates of one width
ON_FOLDS = 2
"""The number of candidates of one width that are compared on folds."""
MEMBERS = 5
"""The number of networks of the ensemble that is compared with the best network."""
OPERATIONS = 1.2e12  # operations that a rung may take: some ten seconds on two cores
GOLDEN = 0.6180339887, 0.7548776662
"""The fractional parts of multiples of these are evenly spread, however many are drawn."""
ROWS = 10_000
"""Candidates are compared on at most this many training rows; the best one is trained on all."""


OnProgress = Callable[[str, float], None]
"""A callback with the hidden layers that are being trained, and the share that is done."""


class Result(NamedTuple):
    """A trained candidate.

    held_out     with folds, its outputs for the held-out examples, for each repetition
    trained_on   with folds, its outputs for the examples that the networks were trained on
    members      the number of networks whose predictions are averaged
    """

    prepared: Prepared
    network: Layer
    dev_cost: float
    history: History
    held_out: list[np.ndarray] | None = None
    trained_on: list[np.ndarray] | None = None
    members: int = 1

    def outputs(self, comparison: Comparison) -> list[np.ndarray]:
        """Return the outputs for the examples on which networks are compared."""
        if self.held_out is not None:
            return self.held_out
        return [network_outputs(self.network, comparison.part.X)]


class PlannedRung(NamedTuple):
    """The candidates of a rung before they are trained.

    groups       the candidates of each architecture; empty if not even one epoch is possible
    operations   the operations that training them takes at most
    compilation  how many of these stand for the compilation
    shortened    a note for each candidate that is trained for fewer epochs than usual
    alone        whether the candidates are trained one after the other
    comparison   the folds on which the candidates are trained, or None for the dev set
    """

    name: str
    groups: tuple[tuple[Prepared, ...], ...]
    operations: float
    compilation: float
    shortened: tuple[str, ...] = ()
    alone: bool = False
    comparison: Comparison | None = None


def plan_rung(
    recipe: Recipe,
    data: Data,
    below: Sequence[int] | None,
    most: float = inf,
    comparison: Comparison | None = None,
) -> PlannedRung:
    """Plan the rung above the hidden layers `below`, on a sample of the rows.

    `below` is None for the first rung, which has no hidden layers. If more than the operations
    `most` would be needed, fewer candidates are planned, but at least FEWEST of each width. With
    folds, each of the candidates is trained on all of them.
    """
    if comparison is not None and comparison.folds:
        return _plan_on_folds(recipe, data, below, comparison)
    few = sample(data, recipe.seed)
    bases = [
        prepare_network(replace(recipe, hidden=hidden), few)
        for hidden in architectures(data.preprocessor.n_numbers, below, len(data.sources["train"]))
    ]
    limit = min(OPERATIONS, most) / sum(map(operations_of, bases))
    count = int(np.clip(limit, FEWEST, MOST))
    groups = []
    for base in bases:
        drawn = [draw(base.recipe, i, data.preprocessor.n_numbers) for i in range(count)]
        groups.append(tuple(prepare_network(one, few) for one in dict.fromkeys(drawn)))
    compilation = sum(map(operations_to_compile, bases))
    operations = compilation + sum(map(operations_of_group, groups))
    if few is not data:  # the best candidate is trained again, on all rows
        operations += max(operations_of(prepare_network(base.recipe, data)) for base in bases)
    name = " and ".join(name_of(base.recipe) for base in bases)
    return PlannedRung(name, tuple(groups), operations, compilation)


def _plan_on_folds(
    recipe: Recipe, data: Data, below: Sequence[int] | None, comparison: Comparison
) -> PlannedRung:
    """Plan the candidates of a rung that are compared on folds."""
    groups = []
    n, m = data.preprocessor.n_numbers, len(comparison.part.X)
    for hidden in list(architectures(n, below, m))[-1:]:  # the wide one
        base = replace(recipe, hidden=hidden)
        drawn = dict.fromkeys(_draw_on_folds(base, i, n) for i in range(ON_FOLDS))
        prepared = [for_folds(prepare_network(one, data), comparison) for one in drawn]
        groups.append(tuple(prepared))
    firsts, folds = [group[0] for group in groups], len(comparison.folds)
    compilation = sum(map(operations_to_compile, firsts))
    training = sum(operations_of(one) * len(g) for one, g in zip(firsts, groups, strict=True))
    name = " and ".join(name_of(one.recipe) for one in firsts)
    operations = compilation + folds * training
    return PlannedRung(name, tuple(groups), operations, compilation, comparison=comparison)


def _draw_on_folds(recipe: Recipe, i: int, n_x: int) -> Recipe:
    """Draw candidate i; with hidden layers not its α, since the final training takes more steps."""
    drawn = draw(recipe, i, n_x)
    return replace(drawn, learning_rate=recipe.learning_rate) if recipe.hidden else drawn


def operations_of_group(group: Sequence[Prepared]) -> float:
    """Return the operations for training a group at once, if no candidate is stopped early."""
    epochs, running, previous = 0, len(group), 0
    for stage in (*stages_of(group), group[0].epochs):
        epochs += running * (stage - previous)
        running, previous = -(-running // 2), stage
    return operations_of(group[0]) * epochs / group[0].epochs


def operations_to_compile(prepared: Prepared) -> float:
    """Return how many operations take as long as the compilation of a network's program."""
    return COMPILATION * (1 + max(layer_numbers(prepared.network.parts()), default=0))


def operations_used(plan: PlannedRung, found: Sequence[Result], best: Result) -> float:
    """Return the operations used to train a rung, and to train `best` again on all rows."""
    if plan.comparison is not None:
        return plan.operations
    trained = found if any(best is one for one in found) else [*found, best]
    return plan.compilation + sum(map(operations_of_result, trained))


def operations_of_result(one: Result) -> float:
    """Return the operations of the epochs for which a candidate was trained."""
    epochs = len(one.history.epochs)
    if one.prepared.recipe.schedule != "rows":
        return epochs * padded_operations_of_epoch(one.prepared)
    return operations_of(one.prepared) * epochs / one.prepared.epochs


def stages_of(group: Sequence[Prepared]) -> list[int]:
    """Return the epochs after which the worse half of the candidates is stopped.

    The last of them is a quarter of all epochs.
    """
    return halving_epochs(group[0].epochs // 2, len(group))


def train_rung(plan: PlannedRung, on_progress: OnProgress | None = None) -> list[Result]:
    """Train the candidates of a rung."""
    if plan.alone:
        return [train_alone(one, on_progress) for group in plan.groups for one in group]
    return train_groups(plan.groups, on_progress, plan.comparison)


def search_rung(
    recipe: Recipe, data: Data, below: Sequence[int] | None, on_progress: OnProgress | None = None
) -> list[Result]:
    """Plan and train the rung above the hidden layers `below`."""
    return train_rung(plan_rung(recipe, data, below), on_progress)


def train_groups(
    groups: Sequence[Sequence[Prepared]],
    on_progress: OnProgress | None,
    comparison: Comparison | None = None,
) -> list[Result]:
    """Train each architecture in a thread of its own, so that programs are compiled in parallel.

    Ctrl-C only reaches the main thread; the other threads check for it when they report progress.
    """
    shares = {name_of(group[0].recipe): 0.0 for group in groups}
    title = " and ".join(shares)
    with interruptible() as interrupted, ThreadPoolExecutor(len(groups)) as pool:

        def report(name: str, share: float) -> None:
            if interrupted():
                raise KeyboardInterrupt
            shares[name] = share
            if on_progress is not None:
                on_progress(title, sum(shares.values()) / len(shares))

        results = pool.map(lambda group: train_group(group, report, comparison), groups)
        return [one for of_group in results for one in of_group]


def on_all_rows(best: Result, data: Data, on_progress: OnProgress | None = None) -> Result:
    """Train the candidate again on the whole training set, if it was trained on a sample of it."""
    if len(data.parts["train"].X) <= ROWS or best.held_out is not None:
        return best
    return train_group([prepare_network(best.prepared.recipe, data)], on_progress)[0]


def architectures(n_x: int, below: Sequence[int] | None, m: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield the hidden layers to try for n_x numbers and m examples.

    These are none, then a narrow and a wide one, then one layer more.

    >>> [list(architectures(64, below, 100)) for below in (None, (), (64,))]
    [[()], [(16,), (64,)], [(64, 32)]]
    """
    if below is None:
        yield ()
    elif not below:
        wider = OF_MANY_ROWS if m > MANY_ROWS else WIDTHS
        yield from ((n,) for n in (OF_MANY_INPUTS if n_x >= MANY_INPUTS else wider))
    else:
        yield (*below, max(NARROWEST, below[-1] // 2))


def draw(recipe: Recipe, i: int, n_x: int) -> Recipe:
    """Draw candidate i: λ and α on a log scale, with or without dropout; keep given settings."""
    drawn = {}
    if recipe.l2 == 0:
        drawn["l2"] = float(f"{L2.at((0.5 + i * GOLDEN[0]) % 1):.2g}")
    if recipe.learning_rate is None and recipe.optimizer == "adam":
        rates = RATES if recipe.hidden else WITHOUT_HIDDEN
        drawn["learning_rate"] = float(f"{rates.at((0.5 + i * GOLDEN[1]) % 1):.2g}")
    if recipe.keep_prob == 1 and recipe.hidden and n_x >= MANY_INPUTS:
        drawn["keep_prob"] = (KEEP[i % 2],) * len(recipe.hidden)
    return replace(recipe, **drawn)


def train_group(
    group: Sequence[Prepared],
    on_progress: OnProgress | None = None,
    comparison: Comparison | None = None,
) -> list[Result]:
    """Train candidates of one architecture at once.

    With a dev set they have half the usual patience, and the last halving is after a quarter of the
    epochs.
    """
    first = group[0]
    name = name_of(first.recipe)
    if comparison is not None:
        report = on_progress and (lambda _, share: on_progress(name, share))
        trained = train_on_folds(group, comparison, on_progress=report)
        return [result_on_folds(*pair) for pair in zip(group, trained, strict=True)]
    trained = train_together(
        group,
        patience=first.patience and -(-first.patience // 2),
        halve_at=stages_of(group),
        on_progress=on_progress and (lambda _, share: on_progress(name, share)),
    )
    if any(one.history.stopped == "interrupted" for one in trained):
        raise KeyboardInterrupt
    return [
        Result(prepared, one.network, lowest_cost(one), one.history)
        for prepared, one in zip(group, trained, strict=True)
    ]


def result_on_folds(prepared: Prepared, found: FoldResult) -> Result:
    """Return the result of a candidate, or of a member of an ensemble, on the folds."""
    outputs = found.held_out, found.trained_on
    return Result(prepared, found.network, found.dev_cost, found.history, *outputs)


def ensemble_on_folds(
    best: Result, comparison: Comparison, on_progress: OnProgress | None = None
) -> Result:
    """Train more members of the best candidate on the folds, and average their predictions."""
    prepared, cost = best.prepared, best.prepared.preprocessor.cost
    name = name_of(prepared.recipe, MEMBERS)
    report = on_progress and (lambda _, share: on_progress(name, share))
    more = range(1, MEMBERS)
    members = [
        best,
        *(
            result_on_folds(prepared, one)
            for one in train_on_folds([prepared], comparison, members=more, on_progress=report)
        ),
    ]
    held_out = averaged([one.held_out or [] for one in members], cost)
    trained_on = averaged([one.trained_on or [] for one in members], cost)
    functions = COSTS[cost], METRICS[prepared.preprocessor.metric]
    pairs = zip(held_out, comparison.held_out, strict=True)
    costs = [score(Z, part.Y, part.weights, *functions)[0] for Z, part in pairs]
    mean = float(np.mean(costs))
    return best._replace(dev_cost=mean, held_out=held_out, trained_on=trained_on, members=MEMBERS)


def name_of(recipe: Recipe, members: int = 1) -> str:
    """Return the hidden layers as text, or the name of the network for images or sequences.

    >>> name_of(Recipe("iris", hidden=(64, 32)), 5), name_of(Recipe("iris", hidden=()))
    ('5 × 64-32', 'no hidden layer')
    >>> name_of(Recipe("a.ts", network="gru", hidden=(64,), bidirectional=True, keep_prob=0.8))
    'gru 64, bidirectional, dropout'
    """
    if recipe.reads_sequences:
        name = f"{recipe.network} {'-'.join(map(str, recipe.hidden_sizes))}".strip()
        dropout = ", dropout" if recipe.keep_prob != 1 else ""
        return f"{name}{', bidirectional' * recipe.bidirectional}{dropout}"
    if recipe.network is not None:
        return recipe.network + (", augmented" if augments(recipe) else "")
    name = "-".join(map(str, recipe.hidden_sizes)) or "no hidden layer"
    return name if members == 1 else f"{members} × {name}"


def sample(data: Data, seed: int) -> Data:
    """Reduce the data to at most ROWS training rows, stratified by class."""
    train, part = data.sources["train"], data.parts["train"]
    if len(train) <= ROWS:
        return data
    classes = data.preprocessor.labels.task == "classification"
    codes = encode_classes(np.asarray(train.y)) if classes else np.zeros(len(train), int)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(stratified(codes, ROWS, 0, rng) == DEV)
    weights = None if part.weights is None else part.weights[rows]
    few: dict[str, Dataset] = data.sources | {"train": train.rows(rows)}
    parts = data.parts | {"train": Examples(part.X[rows], part.Y[rows], weights)}
    return data._replace(sources=few, parts=parts)


LEAST, LEAST_FOR_LENET = 8, 16
"""The minimum length in pixels of the shorter side, for the image rungs and for LeNet."""
RESIDUAL = "resnet20"
IMAGE_OPERATIONS = 2e13
"""The limit for a candidate: a few minutes on two cores."""
LANES = 16
"""The number of channels that a processor computes at once."""
BYTES = 2**28
"""The memory limit of the rows on which candidates are compared."""


def kind_of_rungs(recipe: Recipe, data: Data) -> str:
    """Return which rungs apply: those for "rows", "images" or "sequences".

    The ones for images need large images, and no options of other networks.
    """
    if data.preprocessor.takes_sequences:
        return "sequences"
    return "images" if _uses_image_rungs(recipe, data) else "rows"


def _uses_image_rungs(recipe: Recipe, data: Data) -> bool:
    shape = data.preprocessor.shape
    other_options = any(getattr(recipe, name) != usual for name, usual in SETTLED.items())
    return len(shape) > 1 and min(shape[:2]) >= LEAST and not other_options


def plan_named_rung(
    recipe: Recipe, data: Data, below: Recipe | None, most: float = inf
) -> PlannedRung | None:
    """Plan the rung of images or sequences above the recipe `below`; None after the last one.

    The candidates share the operations `most`. One that would need more gets fewer epochs.
    """
    if data.preprocessor.takes_sequences:
        recipes = list(sequence_candidates(recipe, below))
    elif below is None:
        return plan_rung(recipe, data, None, most)
    else:
        recipes = list(candidates(recipe, data, below))
    if not recipes:
        return None
    name = " and ".join(map(name_of, recipes))
    planned = [within_limit(one, data, most / len(recipes)) for one in recipes]
    groups = tuple((one,) for one in planned if one is not None)
    counted = [one for (one,) in groups] or [prepare_network(one, data) for one in recipes]
    compilation = sum(map(operations_to_compile, counted))
    epochs = [one.epochs if groups else 1 for one in counted]
    operations = compilation + sum(
        n * padded_operations_of_epoch(one) for n, one in zip(epochs, counted, strict=True)
    )
    notes = tuple(filter(None, map(_note, recipes, planned, [data] * len(recipes))))
    return PlannedRung(name, groups, operations, compilation, notes if groups else (), alone=True)


def _note(recipe: Recipe, planned: Prepared | None, data: Data) -> str:
    """Return a note if a candidate is left out or trained for fewer epochs, otherwise ""."""
    if planned is None:
        return f"{name_of(recipe)} is left out"
    usual = prepare_network(recipe, data).epochs
    if planned.epochs == usual:
        return ""
    return f"{name_of(recipe)} is trained for {planned.epochs} instead of {usual} epochs"


def candidates(recipe: Recipe, data: Data, below: Recipe) -> Iterator[Recipe]:
    """Yield the recipes to try on the rung above the recipe `below`."""
    base = replace(recipe, hidden=None)
    if below.network is None:
        small = min(data.preprocessor.shape[:2]) < LEAST_FOR_LENET
        for augment in (None, "auto"):
            yield replace(base, network="convnet" if small else "lenet", augment=augment)
    elif below.network != RESIDUAL:
        yield replace(base, network=RESIDUAL, augment=below.augment)


def sequence_candidates(recipe: Recipe, below: Recipe | None) -> Iterator[Recipe]:
    """Yield the recipes to try on the rung for sequences above the recipe `below`."""
    base = replace(recipe, hidden=None)
    if below is None:
        yield replace(base, network=SUMMARY)
    elif below.network == SUMMARY:
        given = recipe.keep_prob != 1
        for keep_prob in (recipe.keep_prob,) if given else KEEP:
            yield replace(base, network="gru", hidden=HIDDEN_OF_SEQUENCES, keep_prob=keep_prob)
    elif below.hidden_sizes == HIDDEN_OF_SEQUENCES and not below.bidirectional:
        same = replace(base, network="gru", keep_prob=below.keep_prob)
        yield replace(same, hidden=HIDDEN_OF_SEQUENCES, bidirectional=True)
        yield replace(same, hidden=2 * HIDDEN_OF_SEQUENCES)


def within_limit(recipe: Recipe, data: Data, most: float = inf) -> Prepared | None:
    """Prepare a candidate with the epochs that the limit allows; None if it allows none.

    The limit is IMAGE_OPERATIONS, or the operations `most` if these are fewer.
    """
    made = prepare_network(recipe, data)
    left = max(0.0, most - operations_to_compile(made))
    most_epochs = int(
        min(IMAGE_OPERATIONS / operations_of_epoch(made), left / padded_operations_of_epoch(made))
    )
    if most_epochs < 1:
        return None
    few = replace(recipe, epochs=min(made.epochs, most_epochs))
    return prepare_network(few, data)


def operations_of_epoch(prepared: Prepared, *, lanes: int = 1) -> float:
    """Return the operations of one epoch of a network for images or for sequences.

    The channels of convolutions are rounded up to a multiple of `lanes`.
    """
    network: Any = prepared.network
    if prepared.preprocessor.takes_sequences:
        (X,) = sequences_in(prepared.parts["train"].X)
        return 6.0 * count_parameters(network) * float(X.lengths.sum())
    steps = walk(network.parts(), network.shape)
    products = sum(
        multiplications(layer, sizes) * rounded_up(layer, lanes) for layer, sizes, _ in steps
    )
    return 6.0 * products * len(prepared.parts["train"].X)


def padded_operations_of_epoch(prepared: Prepared) -> float:
    """Return the operations of one epoch, with the number of channels rounded up to LANES."""
    return operations_of_epoch(prepared, lanes=LANES)


def rounded_up(layer: Layer, lanes: int) -> float:
    """Return the factor by which a convolution grows if its channels are rounded up to `lanes`."""
    channels = layer.W.shape[2:] if isinstance(layer, Conv2D) else ()
    return prod(-(-n // lanes) * lanes / n for n in channels)


def train_alone(prepared: Prepared, on_progress: OnProgress | None) -> Result:
    """Train a single candidate."""
    name = name_of(prepared.recipe)

    def report(history: History, share: float) -> None:
        if on_progress is not None:
            on_progress(name, share)

    fitted = fit(**prepared.fit_arguments(), on_progress=report)
    if fitted.history.stopped == "interrupted":
        raise KeyboardInterrupt
    history = fitted.history
    return Result(prepared, fitted.network, min(history.dev_costs, default=inf), history)


def sample_rows(data: Data, seed: int) -> Data:
    """Reduce train and dev to the rows on which candidates are compared, loaded into memory."""
    row = data.parts["train"].X[:1]
    most = min(ROWS, BYTES // max(1, row.nbytes))
    classes = data.preprocessor.labels.task == "classification"
    sources, parts = dict(data.sources), dict(data.parts)
    for name in ("train", "dev"):
        source, part = sources[name], parts[name]
        rows = np.arange(len(source))
        if len(source) > most:
            codes = encode_classes(np.asarray(source.y)) if classes else np.zeros(len(source), int)
            selected = stratified(codes, most, 0, np.random.default_rng(seed))
            rows = np.flatnonzero(selected == DEV)
        weights = None if part.weights is None else part.weights[rows]
        sources[name] = source.rows(rows)
        some = part.X[rows]
        X = some if sequences_in(some) else np.asarray(some)
        parts[name] = Examples(X, part.Y[rows], weights)
    return data._replace(sources=sources, parts=parts)


def with_schedule_of(found: Recipe, recipe: Recipe, *, always: bool = False) -> Recipe:
    """Return the recipe that was found, with the user's schedule if it was trained with another.

    This is so for images and, with `always`, for networks compared on folds.
    """
    if found.network is None and not always:
        return found
    schedule = {name: getattr(recipe, name) for name in ("epochs", "decay", "decay_rate")}
    return replace(found, **schedule)
