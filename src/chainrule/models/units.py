"""What the tables of the papers are made of: CONV → BATCH NORM → g, and what fits an image.

Notes: "Batch norm" (course 2, week 3), "One layer of a convolutional network" (course 4, week 1).

Before batch norm a convolution has no b, which the mean would take away again.
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
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.residual import Projection
from chainrule.randomness import split_key
from chainrule.types import Key

MOST_LAYERS = 512


@dataclass
class Units:
    """Makes layers one after the other, each with a key of its own; as sentences of a table."""

    key: Key
    initializer: Initializer = he
    dtype: DTypeLike = np.float32
    keys: Iterator[Key] = field(init=False)

    def __post_init__(self):
        self.keys = iter(split_key(self.key, MOST_LAYERS))

    def conv(
        self, n_C_prev: int, n_C: int, f: int, *, s: int = 1, p: Padding = "same", **how: Any
    ) -> Conv2D:
        """A convolution; `how` is its activation and bias."""
        return Conv2D(n_C_prev, n_C, f=f, s=s, p=p, **how, **self._start())

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
        """CONV → BATCH NORM → g; with `zero` γ starts from 0, so that the unit says nothing yet."""
        conv = self.conv(n_C_prev, n_C, f, s=s, p=p, bias=False)
        return [conv, self.norm(n_C, g, zero=zero)]

    def depthwise(
        self, n_C: int, *, s: int = 1, p: Padding = "same", g: Callable = relu
    ) -> list[Layer]:
        """A depthwise convolution of 3 by 3 → BATCH NORM → g."""
        conv = DepthwiseConv2D(n_C, f=3, s=s, p=p, bias=False, **self._start())
        return [conv, self.norm(n_C, g)]

    def transposed(self, n_C_prev: int, n_C: int) -> ConvTranspose2D:
        """A transposed convolution of 2 by 2 that doubles the sides."""
        return ConvTranspose2D(n_C_prev, n_C, f=2, s=2, **self._start())

    def norm(self, n_C: int, g: Callable, *, zero: bool = False) -> BatchNorm:
        """BATCH NORM → g."""
        norm = BatchNorm(n_C, activation=g, images=True, dtype=self.dtype)
        return eqx.tree_at(lambda one: one.gamma, norm, norm.beta) if zero else norm

    def projection(self, n_C_prev: int, n_C: int, s: int) -> Projection | None:
        """The shortcut that changes the shape; None where there is nothing to change."""
        if n_C_prev == n_C and s == 1:
            return None
        return Projection(n_C_prev, n_C, s=s, **self._start())

    def dense(self, n_prev: int, n_l: int, g: Callable = identity, *, bias: bool = True) -> Dense:
        """FC."""
        return Dense(n_prev, n_l, activation=g, bias=bias, **self._start())

    def _start(self) -> dict[str, Any]:
        return {"key": next(self.keys), "initializer": self.initializer, "dtype": self.dtype}


class Step(NamedTuple):
    """A convolution or a pool that makes images smaller."""

    title: str
    f: int
    s: int = 1
    p: Padding = 0


def shrunk(where: str, shape: Sequence[int], steps: Sequence[Step]) -> tuple[int, int]:
    """n_H and n_W behind all the steps; refused where one of them finds too little.

    >>> shrunk("lenet", (32, 32, 1), [Step("CONV1", 5), Step("POOL1", 2, 2)])
    (14, 14)
    """
    n_H, n_W = shape[:2]
    for step in steps:
        before = n_H, n_W
        n_H, n_W = (size_after(n, *step[1:]) for n in before)
        if min(n_H, n_W) < 1:
            least, asked = least_size(steps), step.f - sum(pads_of(step.p, step.f))
            raise ShapeError(
                f"{where}, {step.title}",
                f"images of at least {asked} by {asked} to look at, f = {step.f}",
                f"{before[0]} by {before[1]}, which is left of {shape[0]} by {shape[1]}",
                f"an image size of {least}x{least} or more",
            )
    return n_H, n_W


def least_size(steps: Sequence[Step]) -> int:
    """The smallest images that pass through all the steps.

    >>> least_size([Step("CONV1", 5), Step("POOL1", 2, 2)])
    6
    """
    n = 1
    for step in reversed(steps):
        n = max(1, (n - 1) * step.s + step.f - sum(pads_of(step.p, step.f)))
    return n


def scaled(n: int, width: float) -> int:
    """n channels or units, times the width; 1 at least."""
    return max(1, round(n * width))


def divisible(n: float, by: int = 8) -> int:
    """n channels rounded to a multiple of 8, and never by more than a tenth downwards.

    As in "MobileNetV2: Inverted Residuals and Linear Bottlenecks" and its published weights.

    >>> divisible(24 * 0.5), divisible(32 * 0.35), divisible(16 * 0.75)
    (16, 16, 16)
    """
    rounded = max(by, int(n + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * n else rounded


def check_width(where: str, width: float) -> None:
    """Refuse anything but a number above 0."""
    if isinstance(width, bool) or not isinstance(width, Real) or not 0 < width < np.inf:
        expected = "width, a number above 0, by which all channels are multiplied"
        raise OptionError(where, expected, repr(width), "0.5, for half of them")


def unusual(**options: tuple[Any, Any]) -> dict[str, Any]:
    """The options that are not as usual: name=(value, usual); NumPy's numbers become Python's.

    >>> unusual(width=(np.float64(0.5), 1), plain=(False, False))
    {'width': 0.5}
    """
    said = {name: value for name, (value, usual) in options.items() if value != usual}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in said.items()}
