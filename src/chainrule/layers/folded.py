"""Batch norm folded into the convolution before it, for a network that predicts faster.

Notes: "Batch norm at test time" (course 2, week 3): mean and variance are constants then.

    A = g(γ ⊙ (A_prev ∗ W − mean) / √(variance + ε) + β)
      = g(A_prev ∗ (W ⊙ scale) + β − mean ⊙ scale),   scale = γ / √(variance + ε)

The filters are packed once for m images of one size (`kernels/convolution.py`), and the
convolution also computes the ReLU and the sum of a residual block. Layers that only act in training
(dropout, augmentation) are removed.
"""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.activations import identity, relu
from chainrule.blocks.convolution import Padding, pads_of
from chainrule.kernels import convolution
from chainrule.kernels.native import Geometry
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import Layer
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential


class FoldedConv(Layer):
    """A = g(A_prev ∗ W + b + residual) for m images of one size; it cannot be trained."""

    packed: Array
    b: Float[Array, "1 1 1 n_C"]
    geometry: Geometry = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __call__(self, A_prev: Array, residual: Array | None = None) -> Array:
        """Return A, with the residual added before the activation."""
        fused = self.activation is relu
        settings = {"geometry": self.geometry, "relu": fused}
        A = convolution.packed_convolution(A_prev, self.packed, self.b, residual, **settings)
        return A if fused else self.activation(A)


class FoldedResidual(Layer):
    """A = g(main(A_prev) + shortcut(A_prev)); the last convolution of main adds and applies g."""

    firsts: Sequential
    last: FoldedConv
    shortcut: FoldedConv | None

    def __call__(self, A_prev: Array) -> Array:
        """Return A of the residual block."""
        shortcut = A_prev if self.shortcut is None else self.shortcut(A_prev)
        return self.last(self.firsts(A_prev), shortcut)


def folded(layers: Sequence[Layer], images: tuple[int, ...]) -> list[Layer]:
    """Return the layers for prediction on images (m, n_H, n_W, n_C), with batch norm folded in."""
    result: list[Layer] = []
    remaining = [layer for layer in layers if not isinstance(layer, Dropout | Augment)]
    while remaining:
        layer, *remaining = remaining
        if isinstance(layer, Conv2D | DepthwiseConv2D):
            can_fold = bool(remaining) and _can_fold(layer, remaining[0])
            norm = remaining.pop(0) if can_fold else None
            result.append(_fold_conv(layer, norm, images))  # pyright: ignore[reportArgumentType]
        elif isinstance(layer, Residual):
            result.append(_fold_residual(layer, images))
        else:
            result.append(layer)
        images = _shape_after(result[-1], images)
    return result


def _can_fold(layer: Conv2D | DepthwiseConv2D, after: Layer) -> bool:
    return layer.activation is identity and isinstance(after, BatchNorm)


def _fold_conv(
    layer: Conv2D | DepthwiseConv2D, norm: BatchNorm | None, images: tuple[int, ...]
) -> FoldedConv:
    depthwise = isinstance(layer, DepthwiseConv2D)
    W = layer.W[:, :, None] if depthwise else layer.W
    groups = W.shape[3] if depthwise else 1
    g = layer.activation if norm is None else norm.activation
    return _fold(W, layer.b, norm, images, s=layer.s, p=layer.p, groups=groups, activation=g)


def _fold(
    W: Array,
    b: Array | None,
    norm: BatchNorm | None,
    images: tuple[int, ...],
    *,
    s: int,
    p: Padding,
    groups: int = 1,
    activation: Callable = identity,
) -> FoldedConv:
    b = jnp.zeros((1, 1, 1, W.shape[3]), W.dtype) if b is None else b
    if norm is not None:
        scale = norm.gamma / jnp.sqrt(norm.variance + norm.epsilon)
        W, b = W * scale, norm.beta + (b - norm.mean) * scale
    geometry = Geometry.of(images, W.shape, s=s, pads=pads_of(p, W.shape[0]), groups=groups)
    return FoldedConv(convolution.pack(W, geometry), b, geometry, activation)


def _fold_residual(layer: Residual, images: tuple[int, ...]) -> Layer:
    """Fold a residual block that ends with a convolution and batch norm; others are unchanged."""
    main = folded(layer.main.layers, images)
    last, shortcut = main[-1], layer.shortcut
    if not isinstance(last, FoldedConv) or last.activation is not identity:
        return layer
    return FoldedResidual(
        Sequential(main[:-1]),
        FoldedConv(last.packed, last.b, last.geometry, layer.activation),
        None if shortcut is None else _fold_projection(shortcut, images),
    )


def _fold_projection(layer: Projection, images: tuple[int, ...]) -> FoldedConv:
    return _fold(layer.W, None, layer.normalization, images, s=layer.s, p=0)


def _shape_after(layer: Layer, images: tuple[int, ...]) -> tuple[int, ...]:
    """Return the output shape of a layer."""
    if isinstance(layer, FoldedConv):
        return layer.geometry.result
    dtype = jnp.result_type(*jax.tree.leaves(layer), jnp.float32)
    return jax.eval_shape(layer, jax.ShapeDtypeStruct(images, dtype)).shape
