"""Convolutions by the fastest available kernel, which is chosen when a call is traced.

On a CPU these are oneDNN and the project's own Winograd kernels if the native wheel is installed
and the arrays are float32; otherwise XLA computes them. Both provide the same three functions,
which `xla_convolution.py` describes.

For prediction, `pack` converts constant filters once to the layout that the native kernel reads.
Without the native kernels, the filters are left unchanged and XLA computes the convolution.
"""

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.kernels import native, xla_convolution
from chainrule.kernels.native import Geometry, uses_native
from chainrule.kernels.xla_convolution import Pads


def convolution(
    A_prev: Array, W: Array, b: Array | None, *, s: int, pads: Pads, groups: int = 1
) -> Array:
    """Return the convolution Z (m, n_H, n_W, n_C) of A_prev (m, n_H_prev, n_W_prev, n_C_prev)."""
    if uses_native(A_prev):
        return native.conv_forward(A_prev, W, b, s=s, pads=pads, groups=groups)
    Z = xla_convolution.forward(A_prev, W, s=s, pads=pads, groups=groups)
    return Z if b is None else Z + b


def input_gradient(
    dZ: Array, W: Array, *, n_H_prev: int, n_W_prev: int, s: int, pads: Pads, groups: int = 1
) -> Array:
    """Return dA_prev, the gradient of the input."""
    geometry = {"n_H_prev": n_H_prev, "n_W_prev": n_W_prev, "s": s, "pads": pads, "groups": groups}
    if uses_native(dZ):
        return native.conv_input_gradient(dZ, W, **geometry)
    return xla_convolution.input_gradient(dZ, W, **geometry)


def filter_gradient(
    A_prev: Array,
    dZ: Array,
    *,
    f_H: int,
    f_W: int,
    s: int,
    pads: Pads,
    groups: int = 1,
    bias: bool = False,
) -> tuple[Array, Array | None]:
    """Return dW, the gradient of the filters, and db (1, 1, 1, n_C) if there is a bias."""
    geometry = {"f_H": f_H, "f_W": f_W, "s": s, "pads": pads, "groups": groups}
    if uses_native(dZ):
        return native.conv_filter_gradient(A_prev, dZ, **geometry, bias=bias)
    dW = xla_convolution.filter_gradient(A_prev, dZ, **geometry)
    return dW, dZ.sum(axis=(0, 1, 2), keepdims=True) if bias else None


# Constant filters, for prediction


def pack(W: Array, geometry: Geometry) -> Array:
    """Pack W for `convolution`: a flat array in the native kernel's layout, or W itself."""
    return native.pack(W, geometry=geometry) if uses_native(W) else W


def packed_convolution(
    A_prev: Array,
    packed: Array,
    b: Array,
    residual: Array | None,
    *,
    geometry: Geometry,
    relu: bool,
) -> Array:
    """Return A_prev ∗ W + b + residual, followed by ReLU if `relu` is set."""
    if packed.ndim == 1:
        return native.conv_forward_packed(A_prev, packed, b, residual, geometry=geometry, relu=relu)
    settings = {"s": geometry.s, "pads": geometry.pads, "groups": geometry.groups}
    Z = xla_convolution.forward(A_prev, packed, **settings) + b
    Z = Z if residual is None else Z + residual
    return jnp.maximum(0, Z) if relu else Z
