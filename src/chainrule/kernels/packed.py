"""Convolutions for prediction: constant filters, converted once to the layout the kernel reads.

Without the native kernels, the filters are left unchanged and XLA computes the convolution.
"""

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.kernels import onednn, xla_convolution
from chainrule.kernels.choice import native
from chainrule.kernels.onednn import Geometry


def pack(W: Array, geometry: Geometry) -> Array:
    """Pack W for `convolution`: a flat array in the native kernel's layout, or W itself."""
    return onednn.pack(W, geometry=geometry) if native(W) else W


def convolution(
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
        return onednn.conv_forward_packed(A_prev, packed, b, residual, geometry=geometry, relu=relu)
    settings = {"s": geometry.s, "pads": geometry.pads, "groups": geometry.groups}
    Z = xla_convolution.forward(A_prev, packed, **settings) + b
    Z = Z if residual is None else Z + residual
    return jnp.maximum(0, Z) if relu else Z
