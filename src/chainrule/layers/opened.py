"""The intermediate quantities of a layer: its forward pass, its cache and its backward pass.

These are the same forward and backward functions with which training differentiates. A layer can be
opened up if its formulas and its activation are blocks; any other layer is differentiated by JAX.
Layers on images are in `opened_images.py`; `trace.py` combines all of them.
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
"""The quantities of the forward pass, the cache, and a function from dA to those of backward."""


def open_dense(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a Dense: Z and A."""
    Z, cache = linear_forward(A_prev, layer.W, layer.b)
    return open_activation(layer.activation, Z, cache, linear_backward)


def open_activation(g: Any, Z: Array, linear_cache: Any, linear_backward: Callable) -> Opened:
    """Open A = g(Z) after a formula with W and b, with the backward pass through both."""
    A, activation_cache = g.forward(Z)

    def backward(dA: Array) -> Quantities:
        dZ = g.backward(dA, activation_cache)
        dA_prev, dW, db = linear_backward(dZ, linear_cache)
        return {"dA": dA, "dZ": dZ, "dW": dW, "db": db, "dA_prev": dA_prev}

    return {"Z": Z, "A": A}, (linear_cache, activation_cache), backward


def open_batch_norm(layer: Any, Z: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a BatchNorm: mean, variance, Z_norm, Z_tilde and A."""
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

    def backward(dA: Array) -> Quantities:
        dZ_tilde = layer.activation.backward(dA, activation_cache)
        dZ, dgamma, dbeta, *_ = pull(dZ_tilde if key is None else (dZ_tilde, zeros, zeros))
        gradients = {"dA": dA, "dZ_tilde": dZ_tilde, "dgamma": dgamma, "dbeta": dbeta}
        return gradients | {"dZ_norm": gamma * dZ_tilde, "dA_prev": dZ}

    values = {"mean": mean, "variance": variance, "Z_norm": Z_norm, "Z_tilde": Z_tilde, "A": A}
    return values, (cache, activation_cache), backward


def open_dropout(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a Dropout: D and A, or in prediction only A, which is A_prev."""
    if key is None:
        return {"A": A_prev}, (), lambda dA: {"dA": dA, "dA_prev": dA}
    D = dropout_mask(key, A_prev.shape, layer.keep_prob)
    A, cache = dropout_forward(A_prev, D, layer.keep_prob)
    values = {"D": D.astype(A.dtype), "A": A}
    return values, cache, lambda dA: {"dA": dA, "dA_prev": dropout_backward(dA, cache)}


def open_whole(layer: Layer, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Return only A of a layer that cannot be opened up; JAX differentiates it."""
    theta, rest = split_parameters(layer)

    def call(theta: Layer, A_prev: Array) -> Array:
        layer = eqx.combine(theta, rest)
        return layer(A_prev) if key is None else layer.train(A_prev, key=key, weights=weights)[0]

    A, pull = jax.vjp(call, theta, A_prev)

    def backward(dA: Array) -> Quantities:
        d_theta, dA_prev = pull(dA)
        gradients = zip(parameter_names(layer), jax.tree.leaves(d_theta), strict=True)
        return {"dA": dA} | {f"d{name}": d for name, d in gradients} | {"dA_prev": dA_prev}

    return {"A": A}, pull, backward


def parameter_names(layer: Layer) -> list[str]:
    """Return the names of a layer's parameters: W, b, or Ws[0] in a field that is a list."""
    theta, _ = split_parameters(layer)
    leaves, _ = jax.tree_util.tree_flatten_with_path(theta)
    return [jax.tree_util.keystr(path).removeprefix(".") for path, _ in leaves]
