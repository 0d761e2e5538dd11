"""Convolutions for prediction: filters that stay, laid out once as the kernel reads them.

Where the native kernels are not in use the filters are kept as they came, and XLA computes.
"""

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.kernels import onednn, xla_convolution
from chainrule.kernels.choice import native
from chainrule.kernels.onednn import Geometry


def pack(W: Array, geometry: Geometry) -> Array:
    """W for `convolution`: a flat array of the native kernel's own, or W itself."""
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
    """A_prev ∗ W + b + residual, then ReLU where asked."""
    if packed.ndim == 1:
        return onednn.conv_forward_packed(A_prev, packed, b, residual, geometry=geometry, relu=relu)
    how = {"s": geometry.s, "pads": geometry.pads, "groups": geometry.groups}
    Z = xla_convolution.forward(A_prev, packed, **how) + b
    Z = Z if residual is None else Z + residual
    return jnp.maximum(0, Z) if relu else Z
