"""The rungs for pictures: logistic regression, a small convolutional network, a residual one.

Notes: "Build your first system quickly, then iterate" (course 3, week 2); "CNN example" (course 4,
week 1); "ResNets" (course 4, week 2).

    rung 0    logistic, softmax or linear regression on the pixels
    rung 1    LeNet, of smaller pictures the convnet: as it is, and with augmentation
    rung 2    ResNet-20, with augmentation where that was better

All are compared on the same rows, at most 10,000 of the training part and as many as memory holds
without care; the network that is chosen then trains on all. Candidates are trained in turn, as many
convolutions at once are slower than one after the other. A rung that would take more than some
minutes gets fewer epochs, or is not tried.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from chainrule.data.split import DEV, numbered, stratified
from chainrule.models.volumes import multiplications, walk
from chainrule.strategy.rungs import ROWS, Tried, Watch, search_rung
from chainrule.train.examples import Examples
from chainrule.train.history import History
from chainrule.train.network_options import SETTLED
from chainrule.train.prepare import Data, Prepared, prepare_network
from chainrule.train.recipe import Recipe
from chainrule.train.run import fit_prepared

LEAST, LEAST_FOR_LENET = 8, 16
"""Pixels of the shorter side."""
RESIDUAL = "resnet20"
OPERATIONS = 2e13
"""Of a candidate, at most: some minutes on two cores."""
BYTES = 2**28
"""Of the rows that candidates are compared on."""


def climbs_by_pictures(recipe: Recipe, data: Data) -> bool:
    """Whether these rungs fit: pictures large enough, and nothing said that is not theirs."""
    shape = data.door.shape
    said = any(getattr(recipe, name) != usual for name, usual in SETTLED.items())
    return len(shape) > 1 and min(shape[:2]) >= LEAST and not said


def search_picture_rung(
    recipe: Recipe, data: Data, below: Recipe | None, watch: Watch | None = None
) -> list[Tried]:
    """The candidates of the rung above the recipe `below`; none above the last."""
    if below is None:
        return search_rung(recipe, data, None, watch)
    prepared = (bounded(one, data) for one in candidates(recipe, data, below))
    return [train_alone(one, watch) for one in prepared if one is not None]


def candidates(recipe: Recipe, data: Data, below: Recipe) -> Iterator[Recipe]:
    """What is tried above `below`."""
    named = replace(recipe, hidden=None)
    if below.network is None:
        small = min(data.door.shape[:2]) < LEAST_FOR_LENET
        for augment in (None, "auto"):
            yield replace(named, network="convnet" if small else "lenet", augment=augment)
    elif below.network != RESIDUAL:
        yield replace(named, network=RESIDUAL, augment=below.augment)


def bounded(recipe: Recipe, data: Data) -> Prepared | None:
    """The candidate with as many epochs as time allows; None where there is not time for one."""
    made = prepare_network(recipe, data)
    network: Any = made.network
    m = len(data.parts["train"].X)
    steps = walk(network.parts(), network.shape)
    products = sum(multiplications(layer, sizes) for layer, sizes, _ in steps)
    room = int(OPERATIONS / (6.0 * products * m))
    if room < 1:
        return None
    few = replace(recipe, epochs=min(made.epochs, room))
    return prepare_network(few, data)


def train_alone(prepared: Prepared, watch: Watch | None) -> Tried:
    """One candidate, as a training of its own."""
    name = str(prepared.recipe.network)

    def told(history: History, share: float) -> None:
        if watch is not None:
            watch(name, share)

    fitted = fit_prepared(prepared, told)
    if fitted.history.stopped == "interrupted":
        raise KeyboardInterrupt
    return Tried(prepared, fitted.network, min(fitted.history.dev_costs, default=inf))


def few_pictures(data: Data, seed: int) -> Data:
    """The data with the rows that candidates are compared on, in memory; dev bounded as well."""
    most = min(ROWS, BYTES // (4 * data.door.n_x))
    classes = data.door.labels.task == "classification"
    sources, parts = dict(data.sources), dict(data.parts)
    for name in ("train", "dev"):
        source, part = sources[name], parts[name]
        rows = np.arange(len(source))
        if len(source) > most:
            codes = numbered(np.asarray(source.y)) if classes else np.zeros(len(source), int)
            kept = stratified(codes, most, 0, np.random.default_rng(seed))
            rows = np.flatnonzero(kept == DEV)
        weights = None if part.weights is None else part.weights[rows]
        sources[name] = source.rows(rows)
        parts[name] = Examples(np.asarray(part.X[rows]), part.Y[rows], weights)
    return data._replace(sources=sources, parts=parts)


def as_asked(found: Recipe, recipe: Recipe) -> Recipe:
    """The recipe that was found, for as long as was asked: its rate falls over those epochs."""
    if found.network is None:
        return found
    asked = {name: getattr(recipe, name) for name in ("epochs", "decay", "decay_rate")}
    return replace(found, **asked)
