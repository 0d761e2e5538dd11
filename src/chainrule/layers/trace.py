"""The notes' two loops, step by step, with everything they make on the way.

Notes: "Forward and backward propagation" (course 1, week 4); "Fitting batch norm into a neural
network" (course 2, week 3).

    forward     for l = 1 … L:   Z[l] = W[l] A[l−1] + b[l];  A[l] = g(Z[l]);  keep the cache
    backward    dZ[L] from the cost;  for l = L … 1:   dZ[l] = dA[l] ⊙ g'(Z[l]);
                dW[l], db[l], dA[l−1]

The same forward and backward functions that training differentiates with, called one at a time;
a test holds the gradients equal to those of training. Each kind of layer that opens up has a
function below that gives what forward makes, what it keeps, and the way back; any other layer is
differentiated by JAX.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array

from chainrule.blocks.dropout import dropout_backward, dropout_forward
from chainrule.blocks.linear import linear_backward, linear_forward
from chainrule.blocks.normalization import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_predict_backward,
    batch_norm_predict_forward,
)
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout, dropout_mask
from chainrule.layers.layer import Layer, layer_numbers, split_parameters
from chainrule.types import Key

Quantities = dict[str, Any]
Opened = tuple[Quantities, Any, Callable[[Array], Quantities]]
"""What forward makes, what it keeps, and from dA what backward makes."""


@dataclass
class LayerTrace:
    """One layer's way forward and back.

    `forward` and `backward` hold the quantities by their names in the notes, in the order in which
    they are made: Z, A; then dA, dZ, dW, db, dA_prev. `cache` is what forward kept for backward.
    """

    layer: Layer
    number: int
    A_prev: Array
    forward: Quantities
    cache: Any
    backward: Quantities = field(default_factory=dict)


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
        return [t.backward[f"d{name}"] for t in self.layers for name in _parameter_names(t.layer)]


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
    parts = network.parts()
    keys = [None] * len(parts) if key is None else network.part_keys(key)
    layers, ways_back, A = [], [], X
    for layer, l, own_key in zip(parts, layer_numbers(parts), keys, strict=True):
        forward, cache, way_back = _open(layer)(layer, A, own_key, weights)
        layers.append(LayerTrace(layer, l, A, forward, cache))
        ways_back.append(way_back)
        A = forward["A"]
    J, dZ = _cost(cost, A, Y, weights)
    dA = dZ
    for step, way_back in zip(reversed(layers), reversed(ways_back), strict=True):
        step.backward = {name: d for name, d in way_back(dA).items() if d is not None}
        dA = step.backward["dA_prev"]
    return Trace(X, layers, J, dZ, training=key is not None)


def opens_up(layer: Layer) -> bool:
    """Whether what is inside can be shown: its formulas, and its activation, are blocks."""
    return _open(layer) is not _whole


def _open(layer: Layer) -> Callable[..., Opened]:
    if hasattr(getattr(layer, "activation", None), "forward"):
        return {Dense: _dense, BatchNorm: _batch_norm}.get(type(layer), _whole)
    return _dropout if isinstance(layer, Dropout) else _whole


def _dense(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    Z, linear_cache = linear_forward(A_prev, layer.W, layer.b)
    A, activation_cache = layer.activation.forward(Z)

    def way_back(dA: Array) -> Quantities:
        dZ = layer.activation.backward(dA, activation_cache)
        dA_prev, dW, db = linear_backward(dZ, linear_cache)
        return {"dA": dA, "dZ": dZ, "dW": dW, "db": db, "dA_prev": dA_prev}

    return {"Z": Z, "A": A}, (linear_cache, activation_cache), way_back


def _batch_norm(layer: Any, Z: Array, key: Key | None, weights: Array | None) -> Opened:
    gamma, beta, mean, variance = layer.gamma, layer.beta, layer.mean, layer.variance
    if key is None:
        Z_tilde, cache = batch_norm_predict_forward(Z, gamma, beta, mean, variance)
        pull: Any = partial(batch_norm_predict_backward, cache=cache)
    else:
        (Z_tilde, mean, variance), cache = batch_norm_forward(Z, gamma, beta, weights)
        pull = partial(batch_norm_backward, cache=cache)
    ones, zeros = jax.numpy.ones_like(gamma), jax.numpy.zeros_like(gamma)
    Z_norm, _ = batch_norm_predict_forward(Z, ones, zeros, mean, variance)
    A, activation_cache = layer.activation.forward(Z_tilde)

    def way_back(dA: Array) -> Quantities:
        dZ_tilde = layer.activation.backward(dA, activation_cache)
        dZ, dgamma, dbeta, *_ = pull(dZ_tilde if key is None else (dZ_tilde, zeros, zeros))
        made = {"dA": dA, "dZ_tilde": dZ_tilde, "dgamma": dgamma, "dbeta": dbeta}
        return made | {"dZ_norm": gamma * dZ_tilde, "dA_prev": dZ}

    made = {"mean": mean, "variance": variance, "Z_norm": Z_norm, "Z_tilde": Z_tilde, "A": A}
    return made, (cache, activation_cache), way_back


def _dropout(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    if key is None:
        return {"A": A_prev}, (), lambda dA: {"dA": dA, "dA_prev": dA}
    D = dropout_mask(key, A_prev.shape, layer.keep_prob)
    A, cache = dropout_forward(A_prev, D, layer.keep_prob)
    made = {"D": D.astype(A.dtype), "A": A}
    return made, cache, lambda dA: {"dA": dA, "dA_prev": dropout_backward(dA, cache)}


def _whole(layer: Layer, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """A layer that does not open up: JAX differentiates it."""
    theta, rest = split_parameters(layer)

    def call(theta: Layer, A_prev: Array) -> Array:
        layer = eqx.combine(theta, rest)
        return layer(A_prev) if key is None else layer.train(A_prev, key=key, weights=weights)[0]

    A, pull = jax.vjp(call, theta, A_prev)

    def way_back(dA: Array) -> Quantities:
        d_theta, dA_prev = pull(dA)
        gradients = zip(_parameter_names(layer), jax.tree.leaves(d_theta), strict=True)
        return {"dA": dA} | {f"d{name}": d for name, d in gradients} | {"dA_prev": dA_prev}

    return {"A": A}, pull, way_back


def _cost(cost: Any, Z: Array, Y: Array, weights: Array | None) -> tuple[Array, Array]:
    """J and dZ[L], by the cost's own formulas where it has them."""
    if hasattr(cost, "forward"):
        J, cache = cost.forward(Z, Y, weights)
        return J, cost.backward(jax.numpy.ones_like(J), cache)
    return jax.value_and_grad(cost)(Z, Y, weights)


def _parameter_names(layer: Layer) -> list[str]:
    """The names of its parameters: W, b; Ws[0] in a field that is a list."""
    theta, _ = split_parameters(layer)
    leaves, _ = jax.tree_util.tree_flatten_with_path(theta)
    return [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]
