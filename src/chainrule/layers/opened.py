"""A layer opened up: what its formulas make forward, what they keep, and the way back.

The same forward and backward functions that training differentiates with. A layer whose formulas,
and activation, are blocks opens up; any other is differentiated by JAX. Layers on images are in
`opened_images.py`; `trace.py` puts all together.
"""

from collections.abc import Callable
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
from chainrule.layers.dropout import dropout_mask
from chainrule.layers.layer import Layer, split_parameters
from chainrule.types import Key

Quantities = dict[str, Any]
Opened = tuple[Quantities, Any, Callable[[Array], Quantities]]
"""What forward makes, what it keeps, and from dA what backward makes."""


def open_dense(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Z and A of a Dense."""
    return activated(layer.activation, *linear_forward(A_prev, layer.W, layer.b), linear_backward)


def activated(g: Any, Z: Array, linear_cache: Any, linear_backward: Callable) -> Opened:
    """A = g(Z) after a formula with W and b, and the way back through both."""
    A, activation_cache = g.forward(Z)

    def way_back(dA: Array) -> Quantities:
        dZ = g.backward(dA, activation_cache)
        dA_prev, dW, db = linear_backward(dZ, linear_cache)
        return {"dA": dA, "dZ": dZ, "dW": dW, "db": db, "dA_prev": dA_prev}

    return {"Z": Z, "A": A}, (linear_cache, activation_cache), way_back


def open_batch_norm(layer: Any, Z: Array, key: Key | None, weights: Array | None) -> Opened:
    """Mean, variance, Z_norm, Z_tilde and A of a BatchNorm."""
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


def open_dropout(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """D and A of a Dropout; at prediction A alone, all of A_prev."""
    if key is None:
        return {"A": A_prev}, (), lambda dA: {"dA": dA, "dA_prev": dA}
    D = dropout_mask(key, A_prev.shape, layer.keep_prob)
    A, cache = dropout_forward(A_prev, D, layer.keep_prob)
    made = {"D": D.astype(A.dtype), "A": A}
    return made, cache, lambda dA: {"dA": dA, "dA_prev": dropout_backward(dA, cache)}


def open_whole(layer: Layer, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """A layer that does not open up: JAX differentiates it."""
    theta, rest = split_parameters(layer)

    def call(theta: Layer, A_prev: Array) -> Array:
        layer = eqx.combine(theta, rest)
        return layer(A_prev) if key is None else layer.train(A_prev, key=key, weights=weights)[0]

    A, pull = jax.vjp(call, theta, A_prev)

    def way_back(dA: Array) -> Quantities:
        d_theta, dA_prev = pull(dA)
        gradients = zip(parameter_names(layer), jax.tree.leaves(d_theta), strict=True)
        return {"dA": dA} | {f"d{name}": d for name, d in gradients} | {"dA_prev": dA_prev}

    return {"A": A}, pull, way_back


def parameter_names(layer: Layer) -> list[str]:
    """The names of its parameters: W, b; Ws[0] in a field that is a list."""
    theta, _ = split_parameters(layer)
    leaves, _ = jax.tree_util.tree_flatten_with_path(theta)
    return [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]
