"""MobileNet, version 1 and 2: depthwise separable convolutions instead of plain ones.

Notes: "MobileNet" and "MobileNet architecture" (course 4, week 2); "MobileNets: Efficient
convolutional neural networks for mobile vision applications" (Howard and others, 2017), table 1;
"MobileNetV2: Inverted residuals and linear bottlenecks" (Sandler and others, 2018), table 2.

    a pair        depthwise 3×3, then 1×1 to n_C' channels: 1/n_C' + 1/f² of a plain convolution
    version 1     3×3 32 /2 → 13 pairs, each convolution with batch norm and relu → average → FC
    version 2     3×3 32 /2 → 17 bottlenecks → 1×1 1280 → average → FC, with relu6
    a bottleneck  1×1 to t n_C channels, depthwise 3×3, 1×1 to n_C' without activation; a shortcut
                  if the shape does not change

`width` multiplies all numbers of channels, which are rounded to multiples of 8 (`divisible`); the
last 1280 channels of version 2 are never reduced.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, relu6
from chainrule.blocks.convolution import Padding, size_after
from chainrule.errors import OptionError, check_choice
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import GlobalAveragePool
from chainrule.layers.residual import Residual
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.units import Units, check_width, divisible, non_defaults
from chainrule.types import Key

PAIRS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""(n_C, s) for the pairs of version 1; s is the stride of the depthwise convolution."""

BOTTLENECKS = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
"""(t, n_C, number of bottlenecks, stride of the first) for the stages of version 2."""

STEM, HEAD = 32, 1280
PADDINGS = ("same", "tensorflow")


def mobilenet_v1(
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build MobileNet version 1; `width` is the α of its paper."""
    check_width("mobilenet_v1", width)
    make, n_C = Units(key, initializer, dtype), divisible(STEM * width)
    layers: list[Layer] = make.normalized(shape[2], n_C, 3, s=2)
    for n, s in PAIRS:
        n_C_prev, n_C = n_C, divisible(n * width)
        layers += [*make.depthwise(n_C_prev, s=s), *make.normalized(n_C_prev, n_C, 1)]
    layers += [GlobalAveragePool(), Flatten(), make.dense(n_C, n_L)]
    options = non_defaults(width=(width, 1))
    return ConvNetwork(layers, name="mobilenet_v1", shape=shape, n_L=n_L, options=options)


def mobilenet_v2(
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    keep_prob: float = 1,
    padding: str = "same",
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build MobileNet version 2, with dropout before the last layer if `keep_prob` is below 1.

    `padding="tensorflow"` pads as TensorFlow does, for weights that were trained with it: at a
    stride of 2 and an even size, all zeros come after the image.
    """
    check_width("mobilenet_v2", width)
    check_choice("mobilenet_v2(padding=…)", padding, PADDINGS)
    check_keep_prob("mobilenet_v2(keep_prob=…)", keep_prob)
    make, n_C = Units(key, initializer, dtype), divisible(STEM * width)
    n_H, n_W, n_C_image = shape
    p = _padding(padding, n_H, n_W, 2)
    layers: list[Layer] = make.normalized(n_C_image, n_C, 3, s=2, p=p, g=relu6)
    n_H, n_W = (size_after(n, 3, 2, p) for n in (n_H, n_W))
    for t, n, blocks, stride in BOTTLENECKS:
        for s in (stride, *[1] * (blocks - 1)):
            n_C_prev, n_C = n_C, divisible(n * width)
            p = _padding(padding, n_H, n_W, s)
            layers += bottleneck(make, n_C_prev, n_C, t, s, p)
            n_H, n_W = (size_after(n, 3, s, p) for n in (n_H, n_W))
    head = divisible(HEAD * max(1, width))
    layers += [*make.normalized(n_C, head, 1, g=relu6), GlobalAveragePool(), Flatten()]
    layers += [Dropout(keep_prob, dtype=dtype)] if keep_prob < 1 else []
    layers += [make.dense(head, n_L)]
    options = non_defaults(width=(width, 1), keep_prob=(keep_prob, 1), padding=(padding, "same"))
    return ConvNetwork(layers, name="mobilenet_v2", shape=shape, n_L=n_L, options=options)


def bottleneck(
    make: Units, n_C_prev: int, n_C: int, t: int, s: int, p: Padding = "same"
) -> list[Layer]:
    """Build a bottleneck: three convolutions, of which the second is depthwise.

    A 1×1 convolution has t · n_C_prev output channels (it is left out if t is 1), the depthwise one
    has 3×3 filters, and a last 1×1 convolution has n_C output channels.

    It has a shortcut if the shape does not change.
    """
    expanded = t * n_C_prev
    main = make.normalized(n_C_prev, expanded, 1, g=relu6) if t > 1 else []
    main += make.depthwise(expanded, s=s, p=p, g=relu6)
    main += make.normalized(expanded, n_C, 1, g=identity)
    if s == 1 and n_C_prev == n_C:
        return [Residual(Sequential(main), activation=identity)]
    return main


def _padding(padding: str, n_H: int, n_W: int, s: int) -> Padding:
    """Return the padding of a 3 by 3 filter with stride s."""
    if padding == "same" or s == 1:
        return "same"
    if n_H % 2 != n_W % 2:
        hint = "a square image size"
        expected = (
            "a height and a width that are both even or both odd before every layer with stride 2"
        )
        raise OptionError("mobilenet_v2(padding='tensorflow')", expected, f"{n_H} by {n_W}", hint)
    return (0, 1) if n_H % 2 == 0 else (1, 1)
