"""The intermediate quantities of image layers, as in `opened.py`: convolutions, pools, Flatten.

Notes: "Convolutional model: step by step" (course 4, week 1).
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.blocks.convolution import conv2d_backward, conv2d_forward
from chainrule.blocks.depthwise import depthwise_backward, depthwise_forward
from chainrule.blocks.pooling import (
    average_pool_backward,
    average_pool_forward,
    global_average_pool_backward,
    global_average_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from chainrule.blocks.shape import image_to_vector_backward, image_to_vector_forward
from chainrule.blocks.transposed import transposed_backward, transposed_forward
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.opened import Opened, Quantities, open_activation, open_batch_norm
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.types import Key

CONVOLUTIONS: dict[type, Any] = {
    Conv2D: (conv2d_forward, conv2d_backward),
    DepthwiseConv2D: (depthwise_forward, depthwise_backward),
    ConvTranspose2D: (transposed_forward, transposed_backward),
}
POOLS: dict[type, Any] = {
    MaxPool: (max_pool_forward, max_pool_backward),
    AveragePool: (average_pool_forward, average_pool_backward),
    GlobalAveragePool: (global_average_pool_forward, global_average_pool_backward),
}


def open_convolution(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a Conv2D, a DepthwiseConv2D or a ConvTranspose2D: Z and A."""
    forward, backward = CONVOLUTIONS[type(layer)]
    Z, cache = forward(A_prev, layer.W, layer.b, s=layer.s, p=layer.p)
    return open_activation(layer.activation, Z, cache, backward)


def open_pool(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a pool: A."""
    forward, backward = POOLS[type(layer)]
    whole = isinstance(layer, GlobalAveragePool)
    A, cache = forward(A_prev, **({} if whole else {"f": layer.f, "s": layer.s, "p": layer.p}))
    return {"A": A}, cache, lambda dA: {"dA": dA, "dA_prev": backward(dA, cache)}


def open_flatten(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a Flatten: A, the columns."""
    A, cache = image_to_vector_forward(A_prev)
    back = image_to_vector_backward
    return {"A": A}, cache, lambda dA: {"dA": dA, "dA_prev": back(dA, cache)}


def open_images(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open an Images layer: A; bytes have no gradient, so they are first converted to floats."""
    if jnp.issubdtype(A_prev.dtype, jnp.integer):
        A_prev = A_prev.astype(layer.dtype) / 255
    A, pull = jax.vjp(layer, A_prev)
    return {"A": A}, (), lambda dA: {"dA": dA, "dA_prev": pull(dA)[0]}


def open_projection(layer: Any, A_prev: Array, key: Key | None, weights: Array | None) -> Opened:
    """Open a Projection: a 1 by 1 convolution, followed by batch norm."""
    Z, cache = conv2d_forward(A_prev, layer.W, None, s=layer.s)
    values, norm_cache, norm_backward = open_batch_norm(layer.normalization, Z, key, weights)

    def backward(dA: Array) -> Quantities:
        gradients = norm_backward(dA)
        dZ = gradients["dA_prev"]
        dA_prev, dW, _ = conv2d_backward(dZ, cache)
        names = {"dgamma": "dnormalization.gamma", "dbeta": "dnormalization.beta"}
        renamed = {names.get(name, name): d for name, d in gradients.items()}
        return renamed | {"dZ": dZ, "dW": dW, "dA_prev": dA_prev}

    return {"Z": Z} | values, (cache, *norm_cache), backward
