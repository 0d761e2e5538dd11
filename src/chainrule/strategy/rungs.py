"""One rung of the ladder: a short caviar search over width and regularisation.

Notes: "Hyperparameter tuning in practice: pandas vs. caviar" (course 2, week 3).

All candidates of one width train at once in one compiled program, and the worse half of them ends,
again and again. What the user has said (λ, a learning rate, keep_prob) is not searched over.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import inf
from typing import NamedTuple

import numpy as np

from chainrule.data.source import Source
from chainrule.data.split import DEV, numbered, stratified
from chainrule.layers.layer import Layer
from chainrule.search.dimensions import Log
from chainrule.search.together import operations_of, train_together
from chainrule.train.examples import Examples
from chainrule.train.interrupt import interruptible
from chainrule.train.many import Trained, halving_epochs
from chainrule.train.network_options import augments
from chainrule.train.prepare import Data, Prepared, prepare_network
from chainrule.train.recipe import Recipe

WIDTHS, OF_MANY_INPUTS = (16, 64), (64, 256)
MANY_INPUTS = 200
NARROWEST = 8
RATES, WITHOUT_HIDDEN = Log(0.0015, 0.008), Log(0.003, 0.03)
L2 = Log(0.03, 30.0)
KEEP = (1.0, 0.7)
FEWEST, MOST = 2, 6  # candidates of one width
ROOM = 1.2e12  # operations that a rung may take: some ten seconds on two cores
GOLDEN = 0.6180339887, 0.7548776662
"""Multiples of these, without their whole part, are spread evenly however many there are."""
ROWS = 10_000
"""Of the training part that candidates are compared on; the best of a rung sees all of it."""


Watch = Callable[[str, float], None]
"""Is told the hidden layers that are being trained, and the share that is done."""


class Tried(NamedTuple):
    """A candidate after its training."""

    prepared: Prepared
    network: Layer
    dev_cost: float


def search_rung(
    recipe: Recipe, data: Data, below: Sequence[int] | None, watch: Watch | None = None
) -> list[Tried]:
    """The candidates of the rung above the hidden layers `below`, on a sample of the training rows.

    `below` is None for the first rung, which has no hidden layers.
    """
    few = sample(data, recipe.seed)
    bases = [
        prepare_network(replace(recipe, hidden=hidden), few)
        for hidden in architectures(data.door.n_x, below)
    ]
    count = int(np.clip(ROOM / sum(map(operations_of, bases)), FEWEST, MOST))
    groups = []
    for base in bases:
        drawn = [draw(base.recipe, i, data.door.n_x) for i in range(count)]
        groups.append([prepare_network(one, few) for one in dict.fromkeys(drawn)])
    return train_groups(groups, watch)


def train_groups(groups: Sequence[Sequence[Prepared]], watch: Watch | None) -> list[Tried]:
    """Each architecture in a thread of its own, so that their programs are compiled side by side.

    Ctrl-C reaches the main thread alone; the others ask for it when they tell how far they are.
    """
    shares = {name_of(group[0].recipe): 0.0 for group in groups}
    title = " and ".join(shares)
    with interruptible() as interrupted, ThreadPoolExecutor(len(groups)) as pool:

        def told(name: str, share: float) -> None:
            if interrupted():
                raise KeyboardInterrupt
            shares[name] = share
            if watch is not None:
                watch(title, sum(shares.values()) / len(shares))

        return [one for found in pool.map(lambda g: train_group(g, told), groups) for one in found]


def on_all_rows(best: Tried, data: Data, watch: Watch | None = None) -> Tried:
    """The same candidate, trained on the whole training part if it has only seen a sample."""
    if len(data.parts["train"].X) <= ROWS:
        return best
    return train_group([prepare_network(best.prepared.recipe, data)], watch)[0]


def architectures(n_x: int, below: Sequence[int] | None) -> Iterator[tuple[int, ...]]:
    """The hidden layers that a rung tries: none; a narrow and a wide one; one more, half as wide.

    >>> [list(architectures(64, below)) for below in (None, (), (64,))]
    [[()], [(16,), (64,)], [(64, 32)]]
    """
    if below is None:
        yield ()
    elif not below:
        yield from ((n,) for n in (OF_MANY_INPUTS if n_x >= MANY_INPUTS else WIDTHS))
    else:
        yield (*below, max(NARROWEST, below[-1] // 2))


def draw(recipe: Recipe, i: int, n_x: int) -> Recipe:
    """Candidate i: λ and α on a log scale, and whether there is dropout; what was said stays."""
    said = {}
    if recipe.l2 == 0:
        said["l2"] = float(f"{L2.at((0.5 + i * GOLDEN[0]) % 1):.2g}")
    if recipe.learning_rate is None and recipe.optimizer == "adam":
        rates = RATES if recipe.hidden else WITHOUT_HIDDEN
        said["learning_rate"] = float(f"{rates.at((0.5 + i * GOLDEN[1]) % 1):.2g}")
    if recipe.keep_prob == 1 and recipe.hidden and n_x >= MANY_INPUTS:
        said["keep_prob"] = (KEEP[i % 2],) * len(recipe.hidden)
    return replace(recipe, **said)


def train_group(group: Sequence[Prepared], watch: Watch | None = None) -> list[Tried]:
    """Candidates of one architecture, trained at once.

    With half the usual patience, and the last halving after a quarter of the epochs.
    """
    first = group[0]
    name = name_of(first.recipe)
    trained = train_together(
        group,
        patience=first.patience and -(-first.patience // 2),
        halve_at=halving_epochs(first.epochs // 2, len(group)),
        watch=watch and (lambda _, share: watch(name, share)),
    )
    if any(one.history.stopped == "interrupted" for one in trained):
        raise KeyboardInterrupt
    return [
        Tried(prepared, one.network, dev_cost_of(one))
        for prepared, one in zip(group, trained, strict=True)
    ]


def dev_cost_of(one: Trained) -> float:
    """The lowest; ∞ for one that stopped being numbers, which trained alone would be an error."""
    lost = one.history.stopped == "not finite"
    return inf if lost else min(one.history.dev_costs, default=inf)


def name_of(recipe: Recipe) -> str:
    """Its hidden layers in words, or the network of images."""
    if recipe.network is not None:
        return recipe.network + (", augmented" if augments(recipe) else "")
    return "-".join(map(str, recipe.layers)) or "no hidden layer"


def sample(data: Data, seed: int) -> Data:
    """The data with at most ROWS rows to train on, each class with its share."""
    train, part = data.sources["train"], data.parts["train"]
    if len(train) <= ROWS:
        return data
    classes = data.door.labels.task == "classification"
    codes = numbered(np.asarray(train.y)) if classes else np.zeros(len(train), int)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(stratified(codes, ROWS, 0, rng) == DEV)
    weights = None if part.weights is None else part.weights[rows]
    few: dict[str, Source] = data.sources | {"train": train.rows(rows)}
    parts = data.parts | {"train": Examples(part.X[rows], part.Y[rows], weights)}
    return data._replace(sources=few, parts=parts)
