"""The notes' two loops, step by step, with everything they make on the way.

Notes: "Forward and backward propagation" (course 1, week 4).

    forward     for l = 1 … L:   Z[l] = W[l] A[l−1] + b[l];  A[l] = g(Z[l]);  keep the cache
    backward    dZ[L] from the cost;  for l = L … 1:   dZ[l] = dA[l] ⊙ g'(Z[l]);
                dW[l], db[l], dA[l−1]

The same forward and backward functions that training differentiates with, called one at a time;
a test holds the gradients equal to those of training.
"""

from dataclasses import dataclass, field
from typing import Any

import jax
from jaxtyping import Array

from chainrule.blocks.linear import linear_backward, linear_forward
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer


@dataclass
class LayerTrace:
    """One layer's way forward and back.

    `forward` and `backward` hold the quantities by their names in the notes, in the order in which
    they are made: Z, A; then dA, dZ, dW, db, dA_prev. `cache` is what forward kept for backward.
    """

    layer: Layer
    A_prev: Array
    forward: dict[str, Array] = field(default_factory=dict)
    backward: dict[str, Array] = field(default_factory=dict)
    cache: Any = None


@dataclass
class Trace:
    """A batch through the network and back: A[0], the layers, the cost J and dZ[L]."""

    X: Array
    layers: list[LayerTrace]
    J: Array
    dZ: Array

    def gradients(self) -> list[Array]:
        """dW[1], db[1], dW[2], …: the gradients in the order of the network's parameters."""
        signal = ("dA", "dZ", "dA_prev")
        return [d for t in self.layers for name, d in t.backward.items() if name not in signal]


def trace(network: Layer, X: Array, Y: Array, cost: Any, weights: Array | None = None) -> Trace:
    """Forward through the layers, the cost, and backward through the layers."""
    layers, A = [], X
    for layer in network.parts():
        layers.append(_forward(layer, A))
        A = layers[-1].forward["A"]
    J, dZ = _cost(cost, A, Y, weights)
    dA = dZ
    for step in reversed(layers):
        dA = _backward(step, dA)
    return Trace(X, layers, J, dZ)


def _cost(cost: Any, Z: Array, Y: Array, weights: Array | None) -> tuple[Array, Array]:
    """J and dZ[L], by the cost's own formulas where it has them."""
    if hasattr(cost, "forward"):
        J, cache = cost.forward(Z, Y, weights)
        return J, cost.backward(jax.numpy.ones_like(J), cache)
    return jax.value_and_grad(cost)(Z, Y, weights)


def _forward(layer: Layer, A_prev: Array) -> LayerTrace:
    g: Any = layer.activation if isinstance(layer, Dense) else None
    if isinstance(layer, Dense) and hasattr(g, "forward"):
        Z, linear_cache = linear_forward(A_prev, layer.W, layer.b)
        A, activation_cache = g.forward(Z)
        cache = (linear_cache, activation_cache)
        return LayerTrace(layer, A_prev, {"Z": Z, "A": A}, cache=cache)
    A, pull = jax.vjp(lambda layer, A_prev: layer(A_prev), layer, A_prev)
    return LayerTrace(layer, A_prev, {"A": A}, cache=pull)


def _backward(step: LayerTrace, dA: Array) -> Array:
    """Fill in the way back; gives dA_prev."""
    layer: Any = step.layer
    if "Z" in step.forward:
        linear_cache, activation_cache = step.cache
        dZ = layer.activation.backward(dA, activation_cache)
        dA_prev, dW, db = linear_backward(dZ, linear_cache)
        db_if_any = {} if db is None else {"db": db}
        step.backward = {"dA": dA, "dZ": dZ, "dW": dW, **db_if_any, "dA_prev": dA_prev}
        return dA_prev
    d_layer, dA_prev = step.cache(dA)
    arrays = zip(_fields(layer), jax.tree.leaves(d_layer), strict=True)
    step.backward = {"dA": dA} | {f"d{name}": d for name, d in arrays} | {"dA_prev": dA_prev}
    return dA_prev


def _fields(layer: Layer) -> list[str]:
    """The names of its arrays: W, b; Ws[0] in a field that is a list."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(layer)
    return [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]
