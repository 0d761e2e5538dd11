"""A network of images as a table: sizes, parameters and products, a residual block on two lines.

Notes: "CNN example" (course 4, week 1); "MobileNet" (course 4, week 2); "U-Net" (week 3).

Of a U-Net each level has a line: its convolutions on the way down, ⇒ for the skip connection, and
those on the way up.

Products are those of `models/volumes.py`, of one image. What a depthwise convolution and the 1 by 1
after it cost beside a plain convolution of the same sizes, 1/n_C' + 1/f², is said under the table.
"""

from collections.abc import Sequence

from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.layer import Layer
from chainrule.layers.mirrored import Mirrored
from chainrule.layers.residual import Residual
from chainrule.layers.skip import Padded, Skip
from chainrule.models.volumes import Pair
from chainrule.strategy.table import aligned


def image_table(rows: Sequence[Sequence[str]], totals: Sequence[str]) -> list[str]:
    """Rows of l, formula, A[l], parameters, products; then a rule and the totals."""
    head = ["l", "formula", "A[l]", "parameters", "products"]
    first, *body, last = aligned([head, *rows, ["", "total", "", *totals]], right=[3, 4])
    rule = "─" * max(map(len, (first, *body, last)))
    return [first, rule, *body, rule, last]


def block(layer: Layer) -> str:
    """The convolutions of a residual block, of the levels of a U-Net, or of what is mirrored.

    "" for any other layer. Such as "1×1 64 → 3×3 64 /2 → 1×1 256; shortcut 1×1".
    """
    if isinstance(layer, Padded):
        return "\n".join(_levels(layer.main.parts()))
    if isinstance(layer, Mirrored):
        return _row(layer.main.parts())
    if not isinstance(layer, Residual):
        return ""
    shortcut = "; shortcut 1×1" if layer.shortcut else ""
    return f"{_row(layer.main.parts())}{shortcut}"


def _levels(parts: Sequence[Layer], size: int = 1) -> list[str]:
    """A line for each level, its sides 1/size of the images'."""
    side = f"1/{size}".ljust(6)
    at = next((i for i, one in enumerate(parts) if isinstance(one, Skip)), None)
    if at is None:
        return [f"{side}{_row(parts)}"]
    skip, below = parts[at], size * 2
    assert isinstance(skip, Skip)
    line = f"{side}{_row(parts[:at])} ⇒ {_row(parts[at + 1 :])}"
    return [line, *_levels(skip.main.parts(), below)]


def _row(parts: Sequence[Layer]) -> str:
    """The convolutions among them, such as "3×3 64 → 3×3 64"."""
    kinds = (Conv2D, DepthwiseConv2D, ConvTranspose2D)
    return " → ".join(_said(one) for one in parts if isinstance(one, kinds))


def _said(layer: Conv2D | DepthwiseConv2D | ConvTranspose2D) -> str:
    f, n_C = layer.W.shape[0], layer.W.shape[-1]
    kind = {DepthwiseConv2D: "depthwise ", ConvTranspose2D: "transposed "}.get(type(layer), "")
    return f"{kind}{f}×{f} {n_C}{f' /{layer.s}' if layer.s > 1 else ''}"


def separable(pairs: Sequence[Pair]) -> str:
    """What the depthwise separable convolutions cost beside plain ones; "" where there are none."""
    if not pairs:
        return ""
    cost, plain = sum(pair.multiplications for pair in pairs), sum(pair.plain for pair in pairs)
    ratios = [f"{ratio:.3f}" for ratio in sorted(pair.ratio for pair in pairs)]
    each = " to ".join(dict.fromkeys((ratios[0], ratios[-1])))
    return (
        f"{len(pairs)} times depthwise and 1×1: {cost:,} products instead of the {plain:,}\n"
        f"of plain convolutions, a ratio of {cost / plain:.3f}; of each 1/n_C' + 1/f²: {each}"
    )
