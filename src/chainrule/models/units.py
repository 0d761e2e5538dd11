"""Building blocks of the architectures: CONV → BATCH NORM → g, and checks of the image size.

Notes: "Batch norm" (course 2, week 3), "One layer of a convolutional network" (course 4, week 1).

A convolution before batch norm has no b, since batch norm would subtract it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, relu
from chainrule.blocks.convolution import Padding, pads_of, size_after
from chainrule.errors import OptionError, ShapeError
from chainrule.host.randomness import split_key
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.residual import Projection
from chainrule.types import Key

MOST_LAYERS = 512


@dataclass
class Units:
    """A factory of layers, each with its own random key, so that a model reads like a table."""

    key: Key
    initializer: Initializer = he
    dtype: DTypeLike = np.float32
    keys: Iterator[Key] = field(init=False)

    def __post_init__(self):
        self.keys = iter(split_key(self.key, MOST_LAYERS))

    def conv(
        self, n_C_prev: int, n_C: int, f: int, *, s: int = 1, p: Padding = "same", **options: Any
    ) -> Conv2D:
        """Build a convolution; `options` are its activation and bias."""
        return Conv2D(n_C_prev, n_C, f=f, s=s, p=p, **options, **self.start())

    def normalized(
        self,
        n_C_prev: int,
        n_C: int,
        f: int,
        *,
        s: int = 1,
        p: Padding = "same",
        g: Callable = relu,
        zero: bool = False,
    ) -> list[Layer]:
        """Build CONV → BATCH NORM → g; with `zero`, γ starts at 0, so that the output is 0."""
        conv = self.conv(n_C_prev, n_C, f, s=s, p=p, bias=False)
        return [conv, self.norm(n_C, g, zero=zero)]

    def depthwise(
        self, n_C: int, *, s: int = 1, p: Padding = "same", g: Callable = relu
    ) -> list[Layer]:
        """Build a 3 by 3 depthwise convolution → BATCH NORM → g."""
        conv = DepthwiseConv2D(n_C, f=3, s=s, p=p, bias=False, **self.start())
        return [conv, self.norm(n_C, g)]

    def transposed(self, n_C_prev: int, n_C: int) -> ConvTranspose2D:
        """Build a 2 by 2 transposed convolution that doubles the sides."""
        return ConvTranspose2D(n_C_prev, n_C, f=2, s=2, **self.start())

    def norm(self, n_C: int, g: Callable, *, zero: bool = False) -> BatchNorm:
        """Build BATCH NORM → g."""
        norm = BatchNorm(n_C, activation=g, images=True, dtype=self.dtype)
        return eqx.tree_at(lambda layer: layer.gamma, norm, norm.beta) if zero else norm

    def projection(self, n_C_prev: int, n_C: int, s: int) -> Projection | None:
        """Build a shortcut that changes the shape; None if the shape does not change."""
        if n_C_prev == n_C and s == 1:
            return None
        return Projection(n_C_prev, n_C, s=s, **self.start())

    def dense(self, n_prev: int, n_l: int, g: Callable = identity, *, bias: bool = True) -> Dense:
        """Build a fully connected layer (FC)."""
        return Dense(n_prev, n_l, activation=g, bias=bias, **self.start())

    def start(self) -> dict[str, Any]:
        """Return the key, the initialiser and the dtype of the next layer."""
        return {"key": next(self.keys), "initializer": self.initializer, "dtype": self.dtype}


class Step(NamedTuple):
    """A convolution or a pooling layer that reduces the size of images."""

    title: str
    f: int
    s: int = 1
    p: Padding = 0


def size_after_steps(where: str, shape: Sequence[int], steps: Sequence[Step]) -> tuple[int, int]:
    """Return n_H and n_W after all the steps; refuse images that are too small for one of them.

    >>> size_after_steps("lenet", (32, 32, 1), [Step("CONV1", 5), Step("POOL1", 2, 2)])
    (14, 14)
    """
    n_H, n_W = shape[:2]
    for step in steps:
        before = n_H, n_W
        n_H, n_W = (size_after(n, *step[1:]) for n in before)
        if min(n_H, n_W) < 1:
            least, needed = least_size(steps), step.f - sum(pads_of(step.p, step.f))
            raise ShapeError(
                f"{where}, {step.title}",
                f"an input of at least {needed} by {needed} for f = {step.f}",
                f"{before[0]} by {before[1]}, which is what remains of {shape[0]} by {shape[1]}",
                f"an image size of at least {least}x{least}",
            )
    return n_H, n_W


def least_size(steps: Sequence[Step]) -> int:
    """Return the smallest side of images that pass through all the steps.

    >>> least_size([Step("CONV1", 5), Step("POOL1", 2, 2)])
    6
    """
    n = 1
    for step in reversed(steps):
        n = max(1, (n - 1) * step.s + step.f - sum(pads_of(step.p, step.f)))
    return n


def scaled(n: int, width: float) -> int:
    """Return n channels or units times the width, at least 1."""
    return max(1, round(n * width))


def divisible(n: float, by: int = 8) -> int:
    """Round n channels to a multiple of 8, and never down by more than a tenth.

    This is the rule of "MobileNetV2: Inverted Residuals and Linear Bottlenecks" and its weights.

    >>> divisible(24 * 0.5), divisible(32 * 0.35), divisible(16 * 0.75)
    (16, 16, 16)
    """
    rounded = max(by, int(n + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * n else rounded


def check_width(where: str, width: float) -> None:
    """Refuse a width that is not a finite number above 0."""
    if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < np.inf:
        expected = "a width greater than 0, the factor for all numbers of channels"
        raise OptionError(where, expected, repr(width), "0.5, for half of the channels")


def non_defaults(**options: tuple[Any, Any]) -> dict[str, Any]:
    """Return the options that differ from their default, given as name=(value, default).

    NumPy numbers are converted to Python numbers.

    >>> non_defaults(width=(np.float64(0.5), 1), plain=(False, False))
    {'width': 0.5}
    """
    changed = {name: value for name, (value, usual) in options.items() if value != usual}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in changed.items()}
