"""The notes' forward and backward loops, step by step, with all intermediate quantities.

Notes: "Forward and backward propagation" (course 1, week 4); "Fitting batch norm into a neural
network" (course 2, week 3).

    forward     for l = 1 … L:   Z[l] = W[l] A[l−1] + b[l];  A[l] = g(Z[l]);  keep the cache
    backward    dZ[L] from the cost;  for l = L … 1:   dZ[l] = dA[l] ⊙ g'(Z[l]);
                dW[l], db[l], dA[l−1]

The functions are those with which training differentiates, called one at a time; a test checks that
the gradients equal those of training. `opened.py` and `opened_images.py` open up each kind of
layer; a residual block is a chain with a shortcut in parallel, so it is opened up here. Any other
layer is differentiated by JAX.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import jax
from jaxtyping import Array

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.layers.opened import (
    Opened,
    Quantities,
    open_batch_norm,
    open_dense,
    open_dropout,
    open_whole,
    parameter_names,
)
from chainrule.layers.opened_images import (
    CONVOLUTIONS,
    POOLS,
    open_convolution,
    open_flatten,
    open_images,
    open_pool,
    open_projection,
)
from chainrule.layers.residual import Projection, Residual
from chainrule.types import Key

ACTIVATED = {Dense: open_dense, BatchNorm: open_batch_norm}
ACTIVATED |= dict.fromkeys(CONVOLUTIONS, open_convolution)
PLAIN = {Dropout: open_dropout, Flatten: open_flatten, Images: open_images}
PLAIN |= dict.fromkeys(POOLS, open_pool) | {Projection: open_projection}


@dataclass
class LayerTrace:
    """The forward and backward pass of one layer.

    `forward` and `backward` contain the quantities by their names in the notes, in the order in
    which they are computed: Z, A; then dA, dZ, dW, db, dA_prev. `cache` contains the values kept by
    forward for backward, and `pull_back` computes `backward` from dA. `main` contains the layers of
    a residual block, and `shortcut` the layer in parallel to them, if any.
    """

    layer: Layer
    number: int
    A_prev: Array
    forward: Quantities
    cache: Any
    pull_back: Callable[[Array], Quantities] = field(repr=False)
    main: "list[LayerTrace]" = field(default_factory=list)
    shortcut: "LayerTrace | None" = None
    backward: Quantities = field(default_factory=dict)

    def steps(self) -> "Iterator[LayerTrace]":
        """Yield all the layers inside it, and then the layer itself."""
        for step in [*self.main, *([self.shortcut] if self.shortcut else [])]:
            yield from step.steps()
        yield self


@dataclass
class Trace:
    """A forward and backward pass of a batch: A[0] = X, the layers, the cost J and dZ[L].

    `training` is True for a pass as in training: batch norm over the batch, dropout with masks.
    """

    X: Array
    layers: list[LayerTrace]
    J: Array
    dZ: Array
    training: bool

    def gradients(self) -> list[Array]:
        """Return the gradients in the order of the network's parameters: dW[1], db[1], dW[2], …"""
        return [t.backward[f"d{name}"] for t in self.layers for name in parameter_names(t.layer)]

    def steps(self) -> Iterator[LayerTrace]:
        """Yield the layers in order; the layers inside a residual block come before the block."""
        return (step for layer in self.layers for step in layer.steps())


def trace(
    network: Layer,
    X: Array,
    Y: Array,
    cost: Any,
    weights: Array | None = None,
    *,
    key: Key | None = None,
) -> Trace:
    """Run the layers forward, compute the cost, and run the layers backward.

    With a key, the pass is that of `network.train` with this key; without one, that of prediction.
    """
    layers = _forward(network, X, key, weights, 0)
    J, dZ = _cost(cost, layers[-1].forward["A"] if layers else X, Y, weights)
    _backward(layers, dZ)
    return Trace(X, layers, J, dZ, training=key is not None)


def opens_up(layer: Layer) -> bool:
    """Return whether a layer can be opened up: its formulas and its activation are blocks."""
    return _is_chain(layer) or _opener(layer) is not open_whole


def _forward(
    chain: Layer, A: Array, key: Key | None, weights: Array | None, before: int
) -> list[LayerTrace]:
    """Run the parts of a chain forward; `before` is the number of layers before it."""
    parts = chain.parts()
    keys: Sequence = [None] * len(parts) if key is None else chain.part_keys(key)
    steps = []
    for layer, l, own_key in zip(parts, layer_numbers(parts), keys, strict=True):
        steps.append(_step(layer, before + l, A, own_key, weights))
        A = steps[-1].forward["A"]
    return steps


def _backward(steps: list[LayerTrace], dA: Array) -> Array:
    """Run the layers backward and return dA_prev of the first."""
    for step in reversed(steps):
        step.backward = {name: d for name, d in step.pull_back(dA).items() if d is not None}
        dA = step.backward["dA_prev"]
    return dA


def _step(
    layer: Layer, l: int, A_prev: Array, key: Key | None, weights: Array | None
) -> LayerTrace:
    if _is_chain(layer):
        return _residual(layer, l, A_prev, key, weights)
    return LayerTrace(layer, l, A_prev, *_opener(layer)(layer, A_prev, key, weights))


def _is_chain(layer: Layer) -> TypeGuard[Residual]:
    return isinstance(layer, Residual) and hasattr(layer.activation, "forward")


def _opener(layer: Layer) -> Callable[..., Opened]:
    """Return the function that opens up a layer; its activation, if any, must be a block too."""
    if hasattr(getattr(layer, "activation", None), "forward"):
        return ACTIVATED.get(type(layer), open_whole)
    return PLAIN.get(type(layer), open_whole)


def _residual(
    block: Residual, l: int, A_prev: Array, key: Key | None, weights: Array | None
) -> LayerTrace:
    """Run a residual block forward: A = g(main(A_prev) + shortcut(A_prev))."""
    shortcut_key, main_key = (None, None) if key is None else block.keys(key)
    main = _forward(block.main, A_prev, main_key, weights, l - layer_numbers([block])[0])
    shortcut = None
    if block.shortcut is not None:
        shortcut = _step(block.shortcut, l, A_prev, shortcut_key, weights)
    g: Any = block.activation
    A, cache = g.forward(
        main[-1].forward["A"] + (A_prev if shortcut is None else shortcut.forward["A"])
    )

    def pull_back(dA: Array) -> Quantities:
        d_main = g.backward(dA, cache)
        dA_prev = _backward(main, d_main) + (
            d_main if shortcut is None else _backward([shortcut], d_main)
        )
        inside = {f"main.layers[{i}]": step for i, step in enumerate(main)} | {"shortcut": shortcut}
        gradients = {
            f"d{where}.{name}": step.backward[f"d{name}"]
            for where, step in inside.items()
            if step is not None
            for name in parameter_names(step.layer)
        }
        return {"dA": dA, "dmain": d_main, **gradients, "dA_prev": dA_prev}

    return LayerTrace(block, l, A_prev, {"A": A}, cache, pull_back, main, shortcut)


def _cost(cost: Any, Z: Array, Y: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return J and dZ[L], by the formulas of the cost if it is a block."""
    if hasattr(cost, "forward"):
        J, cache = cost.forward(Z, Y, weights)
        return J, cost.backward(jax.numpy.ones_like(J), cache)
    return jax.value_and_grad(cost)(Z, Y, weights)
