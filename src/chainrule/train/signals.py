"""Measure the signal: the size of activations, gradients and updates in each layer.

Notes: "Vanishing/exploding gradients" (course 2, week 1).

    A, dA        ‖A[l]‖ / √size and ‖dA[l]‖ / √size: the root mean square forward and backward
    W, dW        ‖W[l]‖ and ‖dW[l]‖
    update       ‖ΔW[l]‖ / ‖W[l]‖, the relative change in a step; about a thousandth is usual
    dead         share of units that are 0 for every example, where g is ReLU
    saturated    share of values where g is nearly flat: sigmoid within 0.01 of 0 or 1, tanh of ±1

It is measured on a sample of the training set, before the first epoch, after epochs 1, 2, 4, 8, …
and after the last one. Measuring it does not change the results of training.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from chainrule.blocks.activations import relu, sigmoid, tanh
from chainrule.layers.layer import Layer, layer_numbers, split_parameters
from chainrule.layers.trace import LayerTrace, trace
from chainrule.train.epochs import Progress, Rows
from chainrule.train.penalty import Penalty, penalty_cost
from chainrule.train.step import Batch
from chainrule.types import Key

SAMPLE = 256
FLAT = 0.01

Signal = dict[str, float]
"""The quantities above for one layer, without those that it does not have."""


def due(epoch: int) -> bool:
    """Return whether the signal is measured after this epoch: 0, 1, 2, 4, 8, …

    >>> [epoch for epoch in range(20) if due(epoch)]
    [0, 1, 2, 4, 8, 16]
    """
    return epoch & (epoch - 1) == 0


def measure(
    progress: Progress,
    rows: Rows,
    m: int,
    penalty: Penalty | None,
    key: Key,
    *,
    cost: Callable,
    update: Callable,
) -> list[Signal]:
    """Return the signal of each layer l = 1 … L on the first rows of the training set."""
    sample = rows.batch(jax.device_put(np.arange(min(m, SAMPLE), dtype=np.int32)))
    found = _measure(progress.network, progress.state, sample, penalty, key, cost, update)
    return [{k: float(x) for k, x in layer.items()} for layer in jax.device_get(found)]


@partial(jax.jit, static_argnames=("cost", "update"))
def _measure(
    network: Layer,
    state: Any,
    batch: Batch,
    penalty: Penalty | None,
    key: Key,
    cost: Callable,
    update: Callable,
) -> list[dict[str, Array]]:
    steps = trace(network, batch.X, batch.Y, cost, batch.weights, key=key)
    theta, _ = split_parameters(network)
    gradients = jax.tree.unflatten(jax.tree.structure(theta), steps.gradients())
    if penalty is not None:
        penalty_gradients = jax.grad(lambda theta: penalty_cost(theta, penalty))(theta)
        gradients = jax.tree.map(jnp.add, gradients, penalty_gradients)
    updates, _ = update(gradients, state, theta)
    layers = [{} for _ in range(max(layer_numbers(network.parts()), default=0))]
    pairs = zip(steps.layers, updates.parts(), strict=True)
    for step, d_theta in chain.from_iterable(_with_inside(*pair) for pair in pairs):
        if step.number > 0:
            part, signal = step.layer, layers[step.number - 1]
            signal |= _through(step) | _weights(part, step, d_theta) | _flat(part, step)
    return layers


def _with_inside(step: LayerTrace, d_theta: Any) -> Iterator[tuple[LayerTrace, Any]]:
    """Yield the layers inside a residual block and then the block, without its shortcut."""
    if step.main:
        for pair in zip(step.main, d_theta.main.parts(), strict=True):
            yield from _with_inside(*pair)
    yield step, d_theta


def _through(step: LayerTrace) -> dict[str, Array]:
    """Return the sizes of A and dA; of several parts with one number the last one counts."""
    return {"A": _size(step.forward["A"]), "dA": _size(step.backward["dA"])}


def _weights(part: Any, step: LayerTrace, d_theta: Any) -> dict[str, Array]:
    """Return the norms of W and dW, and the relative change of W in the step."""
    if "dW" not in step.backward:
        return {}
    length = jnp.linalg.norm(part.W)
    change = jnp.linalg.norm(d_theta.W) / jnp.where(length == 0, 1, length)
    return {"W": length, "dW": jnp.linalg.norm(step.backward["dW"]), "update": change}


def _flat(part: Layer, step: LayerTrace) -> dict[str, Array]:
    """Return the share of dead units or saturated values, which pass on no gradient."""
    g, A = getattr(part, "activation", None), step.forward["A"]
    if g is relu:
        examples = tuple(range(1, A.ndim)) if A.ndim == 2 else tuple(range(A.ndim - 1))
        return {"dead": (A == 0).all(axis=examples).mean(dtype=A.dtype)}
    if g in (sigmoid, tanh):
        middle = 0.5 if g is sigmoid else 0.0
        return {"saturated": (jnp.abs(A - middle) > 1 - middle - FLAT).mean(dtype=A.dtype)}
    return {}


def _size(values: Array) -> Array:
    """Return the root mean square."""
    return jnp.sqrt((values**2).mean())
