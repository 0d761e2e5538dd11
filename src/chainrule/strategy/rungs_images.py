"""The rungs of the ladder for images: logistic regression, a LeNet, a residual network.

Notes: "Build your first system quickly, then iterate" (course 3, week 2); "CNN example" (course 4,
week 1); "ResNets" (course 4, week 2).

    rung 0    logistic, softmax or linear regression on the pixels
    rung 1    LeNet, or the convnet for small images, with and without augmentation
    rung 2    ResNet-20, with augmentation where that was better

All are compared on the same rows, at most 10,000 of the training set and as many as fit in a
fixed amount of memory; the chosen network is then trained on all rows. Candidates are trained in
turn, since several convolutional networks at once are slower. A rung that would take more than a
few minutes gets fewer epochs, or is skipped.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from chainrule.data.split import DEV, numbered, stratified
from chainrule.models.volumes import multiplications, walk
from chainrule.strategy.rungs import ROWS, OnProgress, Result, search_rung
from chainrule.train.examples import Examples
from chainrule.train.history import History
from chainrule.train.network_options import SETTLED
from chainrule.train.prepare import Data, Prepared, prepare_network
from chainrule.train.recipe import Recipe
from chainrule.train.run import fit_prepared

LEAST, LEAST_FOR_LENET = 8, 16
"""The shorter side of the images in pixels, at least."""
RESIDUAL = "resnet20"
OPERATIONS = 2e13
"""The limit for a candidate: a few minutes on two cores."""
BYTES = 2**28
"""The memory limit of the rows on which candidates are compared."""


def uses_image_rungs(recipe: Recipe, data: Data) -> bool:
    """Return whether these rungs apply: large enough images, and no options of other networks."""
    shape = data.door.shape
    other_options = any(getattr(recipe, name) != usual for name, usual in SETTLED.items())
    return len(shape) > 1 and min(shape[:2]) >= LEAST and not other_options


def search_image_rung(
    recipe: Recipe, data: Data, below: Recipe | None, on_progress: OnProgress | None = None
) -> list[Result]:
    """Train the candidates of the rung above the recipe `below`; none above the last."""
    if below is None:
        return search_rung(recipe, data, None, on_progress)
    prepared = (within_limit(one, data) for one in candidates(recipe, data, below))
    return [train_alone(one, on_progress) for one in prepared if one is not None]


def candidates(recipe: Recipe, data: Data, below: Recipe) -> Iterator[Recipe]:
    """Yield the recipes to try above `below`."""
    base = replace(recipe, hidden=None)
    if below.network is None:
        small = min(data.door.shape[:2]) < LEAST_FOR_LENET
        for augment in (None, "auto"):
            yield replace(base, network="convnet" if small else "lenet", augment=augment)
    elif below.network != RESIDUAL:
        yield replace(base, network=RESIDUAL, augment=below.augment)


def within_limit(recipe: Recipe, data: Data) -> Prepared | None:
    """Prepare a candidate with as many epochs as the limit allows; None if less than one."""
    made = prepare_network(recipe, data)
    network: Any = made.network
    m = len(data.parts["train"].X)
    steps = walk(network.parts(), network.shape)
    products = sum(multiplications(layer, sizes) for layer, sizes, _ in steps)
    most_epochs = int(OPERATIONS / (6.0 * products * m))
    if most_epochs < 1:
        return None
    few = replace(recipe, epochs=min(made.epochs, most_epochs))
    return prepare_network(few, data)


def train_alone(prepared: Prepared, on_progress: OnProgress | None) -> Result:
    """Train a single candidate."""
    name = str(prepared.recipe.network)

    def report(history: History, share: float) -> None:
        if on_progress is not None:
            on_progress(name, share)

    fitted = fit_prepared(prepared, report)
    if fitted.history.stopped == "interrupted":
        raise KeyboardInterrupt
    return Result(prepared, fitted.network, min(fitted.history.dev_costs, default=inf))


def sample_images(data: Data, seed: int) -> Data:
    """Reduce train and dev to the rows on which candidates are compared, loaded into memory."""
    most = min(ROWS, BYTES // (4 * data.door.n_x))
    classes = data.door.labels.task == "classification"
    sources, parts = dict(data.sources), dict(data.parts)
    for name in ("train", "dev"):
        source, part = sources[name], parts[name]
        rows = np.arange(len(source))
        if len(source) > most:
            codes = numbered(np.asarray(source.y)) if classes else np.zeros(len(source), int)
            selected = stratified(codes, most, 0, np.random.default_rng(seed))
            rows = np.flatnonzero(selected == DEV)
        weights = None if part.weights is None else part.weights[rows]
        sources[name] = source.rows(rows)
        parts[name] = Examples(np.asarray(part.X[rows]), part.Y[rows], weights)
    return data._replace(sources=sources, parts=parts)


def with_schedule_of(found: Recipe, recipe: Recipe) -> Recipe:
    """Return the recipe that was found, with the epochs and the decay that the user asked for."""
    if found.network is None:
        return found
    schedule = {name: getattr(recipe, name) for name in ("epochs", "decay", "decay_rate")}
    return replace(found, **schedule)
