"""Convolutions by the fastest available kernel, which is chosen when a call is traced.

On a CPU these are oneDNN and the project's own Winograd kernels if the native wheel is installed
and the arrays are float32; otherwise XLA computes them. Both provide the same three functions,
which `xla_convolution.py` describes.
"""

from jaxtyping import Array

from chainrule.kernels import onednn, xla_convolution
from chainrule.kernels.choice import native
from chainrule.kernels.xla_convolution import Pads


def convolution(
    A_prev: Array, W: Array, b: Array | None, *, s: int, pads: Pads, groups: int = 1
) -> Array:
    """Return Z (m, n_H, n_W, n_C) for A_prev (m, n_H_prev, n_W_prev, n_C_prev)."""
    if native(A_prev):
        return onednn.conv_forward(A_prev, W, b, s=s, pads=pads, groups=groups)
    Z = xla_convolution.forward(A_prev, W, s=s, pads=pads, groups=groups)
    return Z if b is None else Z + b


def input_gradient(
    dZ: Array, W: Array, *, n_H_prev: int, n_W_prev: int, s: int, pads: Pads, groups: int = 1
) -> Array:
    """Return dA_prev."""
    geometry = {"n_H_prev": n_H_prev, "n_W_prev": n_W_prev, "s": s, "pads": pads, "groups": groups}
    if native(dZ):
        return onednn.conv_input_gradient(dZ, W, **geometry)
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
    """Return dW, and db (1, 1, 1, n_C) if there is a bias."""
    geometry = {"f_H": f_H, "f_W": f_W, "s": s, "pads": pads, "groups": groups}
    if native(dZ):
        return onednn.conv_filter_gradient(A_prev, dZ, **geometry, bias=bias)
    dW = xla_convolution.filter_gradient(A_prev, dZ, **geometry)
    return dW, dZ.sum(axis=(0, 1, 2), keepdims=True) if bias else None
