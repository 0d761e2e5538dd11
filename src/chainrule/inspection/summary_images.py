"""A network on images as a table: sizes, parameters and multiplications of each layer.

Notes: "CNN example" (course 4, week 1); "MobileNet" (course 4, week 2); "U-Net" (week 3).

A residual block has two lines. Each level of a U-Net has a line: its convolutions on the way down,
⇒ for the skip connection, and its convolutions on the way up.

The multiplications are those of `models/volumes.py` for one image. The text below the table
compares the cost of each depthwise convolution and the 1 by 1 convolution after it with that of a
plain convolution of the same sizes: the ratio is 1/n_C' + 1/f².
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
    """Return rows of l, formula, A[l], parameters and MACs, a rule, and the totals.

    MACs are multiply-accumulate operations: the multiplications for one image.
    """
    head = ["l", "formula", "A[l]", "parameters", "MACs"]
    first, *body, last = aligned([head, *rows, ["", "total", "", *totals]], right=[3, 4])
    rule = "─" * max(map(len, (first, *body, last)))
    return [first, rule, *body, rule, last]


def block(layer: Layer) -> str:
    """Describe the convolutions of a residual block, of each level of a U-Net, or of a `Mirrored`.

    For example "1×1 64 → 3×3 64 /2 → 1×1 256; shortcut 1×1"; "" for any other layer.
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
    """Return a line for each level of a U-Net, whose images are 1/size as high and wide."""
    side = f"1/{size}".ljust(6)
    at = next((i for i, one in enumerate(parts) if isinstance(one, Skip)), None)
    if at is None:
        return [f"{side}{_row(parts)}"]
    skip, below = parts[at], size * 2
    assert isinstance(skip, Skip)
    line = f"{side}{_row(parts[:at])} ⇒ {_row(parts[at + 1 :])}"
    return [line, *_levels(skip.main.parts(), below)]


def _row(parts: Sequence[Layer]) -> str:
    """Return the convolutions among the layers on one line, such as "3×3 64 → 3×3 64"."""
    kinds = (Conv2D, DepthwiseConv2D, ConvTranspose2D)
    return " → ".join(_convolution_text(one) for one in parts if isinstance(one, kinds))


def _convolution_text(layer: Conv2D | DepthwiseConv2D | ConvTranspose2D) -> str:
    f, n_C = layer.W.shape[0], layer.W.shape[-1]
    kind = {DepthwiseConv2D: "depthwise ", ConvTranspose2D: "transposed "}.get(type(layer), "")
    return f"{kind}{f}×{f} {n_C}{f' /{layer.s}' if layer.s > 1 else ''}"


def separable(pairs: Sequence[Pair]) -> str:
    """Compare the cost of depthwise separable and plain convolutions; "" if there are none."""
    if not pairs:
        return ""
    cost, plain = sum(pair.multiplications for pair in pairs), sum(pair.plain for pair in pairs)
    ratios = [f"{ratio:.3f}" for ratio in sorted(pair.ratio for pair in pairs)]
    each = " to ".join(dict.fromkeys((ratios[0], ratios[-1])))
    return (
        f"{len(pairs)} depthwise separable convolutions: {cost:,} multiplications instead of\n"
        f"{plain:,} with plain convolutions, a ratio of {cost / plain:.3f}; "
        f"1/n_C' + 1/f² is {each}"
    )
