"""Repeat a training on fewer examples or with another width, as learning curves need it.

Everything else is as in the run: the recipe, the batch size, the dev set and the preprocessor. A
run that was transferred from another one is trained from scratch. The preprocessor is not
fitted again on fewer examples: every point uses μ and σ of the whole training set, which changes
little and keeps the inputs the same at every size.

With full-batch training, a smaller training set is padded to the full size with its own examples,
weighted so that each counts once: the gradient is the same, and all sizes share one compiled
program.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.data.split import numbered
from chainrule.layers.layer import Layer
from chainrule.models.deep_network import DeepNetwork
from chainrule.train.defaults import COSTS, METRICS
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs
from chainrule.train.penalty import make_penalty
from chainrule.train.prepare import Data, labelled, prepare_network
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run
from chainrule.train.schedule import without_decay


def trained_on(run: Run, data: Data, rows: np.ndarray, recipe: Recipe) -> Layer:
    """Train a network by this recipe on these rows of the training set."""
    source, part = data.sources["train"], data.parts["train"]
    sources = {**data.sources, "train": source.rows(rows)}
    weights = None if part.weights is None else part.weights[rows]
    some = Examples(part.X[rows], part.Y[rows], weights)
    prepared = prepare_network(recipe, data._replace(sources=sources))
    whole = prepared.batch_size == len(rows)
    m = len(rows) if weights is None else float(weights.sum())
    return fit(
        prepared.network,
        prepared.optimizer,
        COSTS[run.door.cost],
        filled(some, len(part.X)) if whole else some,
        data.parts["dev"],
        epochs=prepared.epochs,
        batch_size=len(part.X) if whole else prepared.batch_size,
        metric=METRICS[run.door.metric],
        patience=prepared.patience,
        penalty=make_penalty(recipe.l2, recipe.l1, m, always=True),
        seed=recipe.seed,
    ).network


def recipe_of(run: Run, data: Data) -> Recipe:
    """Return the run's recipe with every default that depends on the training set's size fixed."""
    batch_size, m = run.facts["batch_size"], len(data.sources["train"])
    prepared = prepare_network(run.recipe, data)
    return replace(
        without_decay(run.recipe, prepared.epochs),
        hidden=run.recipe.hidden if run.recipe.network else hidden_of(run),
        batch_size=0 if batch_size == m else batch_size,
        early_stopping=prepared.patience is not None,
    )


def sizes_of(run: Run, widths: Sequence[float]) -> dict[str, dict[str, Any]]:
    """Return the entries of a recipe for each width, by the name of the width.

    A width multiplies the units of the hidden layers, or the channels of a convolutional network.
    """
    if run.recipe.network is not None:
        now = run.recipe.width or 1.0
        return {f"{now * times:g}": {"width": now * times} for times in widths}
    hidden = hidden_of(run)
    made = (scaled(hidden, times) for times in widths) if hidden else ()
    return {",".join(map(str, units)): {"hidden": units} for units in made}


def scaled(hidden: tuple[int, ...], times: float) -> tuple[int, ...]:
    """Multiply the units of each layer, keeping at least one.

    >>> scaled((64, 3), 0.25)
    (16, 1)
    """
    return tuple(max(1, round(n * times)) for n in hidden)


def hidden_of(run: Run) -> tuple[int, ...]:
    """Return the units of the hidden layers; () for a convolutional network."""
    return run.network.sizes[1:-1] if isinstance(run.network, DeepNetwork) else ()


def filled(part: Examples, m: int) -> Examples:
    """Repeat the examples to m rows, with weights so that each example counts once.

    >>> filled(Examples(np.eye(2), np.eye(2)), 5).weights.round(2).tolist()
    [0.33, 0.5, 0.33, 0.5, 0.33]
    """
    s = len(part.X)
    if s == m:
        return part
    index = np.resize(np.arange(s), m)
    weights = np.ones(s) if part.weights is None else part.weights
    return Examples(part.X[index], part.Y[index], (weights / np.bincount(index))[index])


def nested(data: Data, *, classes: bool, seed: int = 0) -> np.ndarray:
    """Order the training rows with weight so that every prefix is a sample of them all.

    Every prefix is stratified by class; with groups, the rows of a group stay together instead.
    """
    source, weights = data.sources["train"], data.parts["train"].weights
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(source) if weights is None else np.flatnonzero(weights))
    if source.groups is not None:
        groups = numbered(source.groups)[rows]
        return rows[np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")]
    if not classes:
        return rows
    codes = numbered(labelled(source))[rows]
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    rank = np.empty(len(rows))
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows[np.argsort((rank + rng.random(len(rows))) / counts[codes], kind="stable")]


def errors_of(network: Layer, run: Run, data: Data, part: str) -> np.ndarray:
    """Return the error of each example (m,): 1 for a wrong class, or the squared error."""
    answers = run.door.answers(network_outputs(network, data.parts[part].X))
    true = labelled(data.sources[part])
    if run.door.labels.task == "classification":
        return (answers != true).astype(float)
    off = np.asarray(answers, np.float64).reshape(len(true), -1) - true.reshape(len(true), -1)
    return (off**2).sum(axis=1)
