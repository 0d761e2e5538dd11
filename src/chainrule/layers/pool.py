"""Pooling layers; they have no parameters, and so no layer number.

Notes: "Pooling layers" (course 4, week 1): CONV1 and POOL1 are layer 1.
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from chainrule.blocks.convolution import Padding
from chainrule.blocks.pooling import average_pool, global_average_pool, max_pool
from chainrule.errors import check_images
from chainrule.layers.conv import block_errors_in, stride_text
from chainrule.layers.layer import Layer


class _Pool(Layer):
    """The base class of layers that reduce each f by f window of a channel to a number."""

    numbered: ClassVar[bool] = False
    block: ClassVar[Callable[..., Array]]

    f: int = eqx.field(static=True)
    s: int = eqx.field(static=True)
    p: Padding = eqx.field(static=True)

    def __init__(self, f: int = 2, *, s: int | None = None, p: Padding = 0):
        self.f, self.s, self.p = f, f if s is None else s, p

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Array:
        """Return A, the pooled images."""
        check_images(self.title, A_prev)
        with block_errors_in(self):
            return type(self).block(A_prev, f=self.f, s=self.s, p=self.p)

    @property
    def title(self) -> str:
        """The title of the layer, such as "MaxPool(2×2, s=2, p=0)"."""
        return f"{type(self).__name__}({self.f}×{self.f}{stride_text(self.s, self.p)})"


class MaxPool(_Pool):
    """A layer that takes the maximum of each f by f window of a channel, with stride s.

    >>> MaxPool(2)(jnp.ones((5, 28, 28, 6), jnp.float32)).shape
    (5, 14, 14, 6)
    """

    block = staticmethod(max_pool)

    def __init__(self, f: int = 2, *, s: int | None = None, p: Padding = 0):
        super().__init__(f, s=s, p=p)


class AveragePool(_Pool):
    """A layer that takes the average of each f by f window of a channel, with stride s."""

    block = staticmethod(average_pool)

    def __init__(self, f: int = 2, *, s: int | None = None, p: Padding = 0):
        super().__init__(f, s=s, p=p)


class GlobalAveragePool(Layer):
    """A layer that averages each channel: (m, n_H, n_W, n_C) → (m, 1, 1, n_C)."""

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Float[Array, "m 1 1 n_C"]:
        """Return A, the pooled images."""
        check_images(self.title, A_prev)
        return global_average_pool(A_prev)
