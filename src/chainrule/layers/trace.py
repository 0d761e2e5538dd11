"""The notes' two loops, step by step, with everything they make on the way.

Notes: "Forward and backward propagation" (course 1, week 4); "Fitting batch norm into a neural
network" (course 2, week 3).

    forward     for l = 1 … L:   Z[l] = W[l] A[l−1] + b[l];  A[l] = g(Z[l]);  keep the cache
    backward    dZ[L] from the cost;  for l = L … 1:   dZ[l] = dA[l] ⊙ g'(Z[l]);
                dW[l], db[l], dA[l−1]

The same forward and backward functions that training differentiates with, called one at a time;
a test holds the gradients equal to those of training. How each kind of layer opens up is in
`opened.py` and `opened_images.py`; a residual block is a chain beside its shortcut, so it opens up
here, and any other layer is differentiated by JAX.
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
    """One layer's way forward and back.

    `forward` and `backward` hold the quantities by their names in the notes, in the order in which
    they are made: Z, A; then dA, dZ, dW, db, dA_prev. `cache` is what forward kept for backward.
    `main` holds the layers of a residual block, and `shortcut` the one beside them, if any.
    """

    layer: Layer
    number: int
    A_prev: Array
    forward: Quantities
    cache: Any
    way_back: Callable[[Array], Quantities] = field(repr=False)
    main: "list[LayerTrace]" = field(default_factory=list)
    shortcut: "LayerTrace | None" = None
    backward: Quantities = field(default_factory=dict)

    def steps(self) -> "Iterator[LayerTrace]":
        """All that runs in it, and itself as the last."""
        for step in [*self.main, *([self.shortcut] if self.shortcut else [])]:
            yield from step.steps()
        yield self


@dataclass
class Trace:
    """A batch through the network and back: A[0], the layers, the cost J and dZ[L].

    `training` says whether it went as training goes: batch norm by the batch, dropout with masks.
    """

    X: Array
    layers: list[LayerTrace]
    J: Array
    dZ: Array
    training: bool

    def gradients(self) -> list[Array]:
        """dW[1], db[1], dW[2], …: the gradients in the order of the network's parameters."""
        return [t.backward[f"d{name}"] for t in self.layers for name in parameter_names(t.layer)]

    def steps(self) -> Iterator[LayerTrace]:
        """The layers in their order, those of residual blocks too, each before its block."""
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
    """Forward through the layers, the cost, and backward through the layers.

    With a key it goes as `network.train` does with this key, without one as prediction does.
    """
    layers = _forward(network, X, key, weights, 0)
    J, dZ = _cost(cost, layers[-1].forward["A"] if layers else X, Y, weights)
    _backward(layers, dZ)
    return Trace(X, layers, J, dZ, training=key is not None)


def opens_up(layer: Layer) -> bool:
    """Whether what is inside can be shown: its formulas, and its activation, are blocks."""
    return _is_chain(layer) or _opener(layer) is not open_whole


def _forward(
    chain: Layer, A: Array, key: Key | None, weights: Array | None, before: int
) -> list[LayerTrace]:
    """The parts of a chain, forward; the layers `before` it are counted."""
    parts = chain.parts()
    keys: Sequence = [None] * len(parts) if key is None else chain.part_keys(key)
    made = []
    for layer, l, own_key in zip(parts, layer_numbers(parts), keys, strict=True):
        made.append(_step(layer, before + l, A, own_key, weights))
        A = made[-1].forward["A"]
    return made


def _backward(steps: list[LayerTrace], dA: Array) -> Array:
    """The same layers backward: dA_prev of the first."""
    for step in reversed(steps):
        step.backward = {name: d for name, d in step.way_back(dA).items() if d is not None}
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
    """How the layer opens up: its activation, where it has one, must be a block as well."""
    if hasattr(getattr(layer, "activation", None), "forward"):
        return ACTIVATED.get(type(layer), open_whole)
    return PLAIN.get(type(layer), open_whole)


def _residual(
    block: Residual, l: int, A_prev: Array, key: Key | None, weights: Array | None
) -> LayerTrace:
    """A = g(main(A_prev) + shortcut(A_prev)): the chain, and what is beside it."""
    own, main_key = (None, None) if key is None else block.keys(key)
    main = _forward(block.main, A_prev, main_key, weights, l - layer_numbers([block])[0])
    beside = None if block.shortcut is None else _step(block.shortcut, l, A_prev, own, weights)
    led_around = A_prev if beside is None else beside.forward["A"]
    g: Any = block.activation
    A, cache = g.forward(main[-1].forward["A"] + led_around)

    def way_back(dA: Array) -> Quantities:
        d_main = g.backward(dA, cache)
        dA_prev = _backward(main, d_main) + (
            d_main if beside is None else _backward([beside], d_main)
        )
        inside = {f"main.layers[{i}]": step for i, step in enumerate(main)} | {"shortcut": beside}
        gradients = {
            f"d{where}.{name}": step.backward[f"d{name}"]
            for where, step in inside.items()
            if step is not None
            for name in parameter_names(step.layer)
        }
        return {"dA": dA, "dmain": d_main, **gradients, "dA_prev": dA_prev}

    return LayerTrace(block, l, A_prev, {"A": A}, cache, way_back, main, beside)


def _cost(cost: Any, Z: Array, Y: Array, weights: Array | None) -> tuple[Array, Array]:
    """J and dZ[L], by the cost's own formulas where it has them."""
    if hasattr(cost, "forward"):
        J, cache = cost.forward(Z, Y, weights)
        return J, cost.backward(jax.numpy.ones_like(J), cache)
    return jax.value_and_grad(cost)(Z, Y, weights)
