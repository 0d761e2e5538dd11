"""What a unit of a convolutional network sees: a square of pixels of the input.

Notes: "What are deep ConvNets learning?" (course 4, week 4): deeper units see a larger region.

    after a filter or a pool of f by f, stride s, p zeros before:
        size   = size_prev + (f − 1) stride_prev
        stride = s · stride_prev
        offset = offset_prev − p · stride_prev
    a residual block sees what its layers and its shortcut see together

The unit at h sees the rows offset + stride · h … offset + stride · h + size − 1, and so for w. Rows
before 0, or beyond the last, are the border that padding puts there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chainrule.blocks.convolution import pads_of
from chainrule.errors import OptionError
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Images
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.layers.pool import AveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual


class ReceptiveField(NamedTuple):
    """The square that a unit sees: `size` pixels from offset + stride · h on."""

    size: int
    stride: int
    offset: int


class Seen(NamedTuple):
    """A layer of which the units see a square.

    l       its number
    end     how many of the network's parts lead to its A[l], the batch norm after it among them
    layer   itself
    field   what its units see
    """

    l: int
    end: int
    layer: Layer
    field: ReceptiveField


PIXEL = ReceptiveField(1, 1, 0)
"""What a pixel of the input sees of it."""

FILTERS = Conv2D | DepthwiseConv2D | Residual


def receptive_field(parts: Sequence[Layer], l: int) -> ReceptiveField:
    """What a unit of layer l sees; OptionError where layer l has no such units.

    A pool behind the layer is not counted: A[l] is taken before it.
    """
    return layer_seen(parts, l).field


def layer_seen(parts: Sequence[Layer], l: int) -> Seen:
    """The layer of that number; OptionError where it is none of those that see a square."""
    seen = layers_that_see(parts)
    for one in seen:
        if one.l == l:
            return one
    expected = f"one of {', '.join(str(one.l) for one in seen)}, the layers of convolutions"
    raise OptionError("layer", expected, str(l), str(min(seen, key=lambda one: abs(one.l - l)).l))


def layers_that_see(parts: Sequence[Layer]) -> list[Seen]:
    """The convolutions and residual blocks, up to where images end (a global pool, Flatten).

    OptionError for a network that has none.
    """
    found, field = [], PIXEL
    for i, (part, l) in enumerate(zip(parts, layer_numbers(parts), strict=True)):
        after = field_after(part, field)
        if after is None:
            break
        field = after
        if isinstance(part, FILTERS):
            found.append(Seen(l, i + 1, part, field))
        elif isinstance(part, BatchNorm) and found and found[-1].end == i:
            found[-1] = found[-1]._replace(end=i + 1)
    if not found:
        got = ", ".join(part.title for part in parts[:3])
        hint = "a network of convolutions, such as --network lenet"
        raise OptionError("features", "layers of convolutions, which look at patches", got, hint)
    return found


def field_after(layer: Layer, field: ReceptiveField) -> ReceptiveField | None:
    """What a unit after this layer sees; None where it has no square."""
    match layer:
        case Conv2D() | DepthwiseConv2D():
            return _moved(field, layer.W.shape[0], layer.s, pads_of(layer.p, layer.W.shape[0])[0])
        case MaxPool() | AveragePool():
            return _moved(field, layer.f, layer.s, pads_of(layer.p, layer.f)[0])
        case Projection():
            return _moved(field, 1, layer.s, 0)
        case Residual():
            return _together(layer, field)
        case BatchNorm() | Dropout() | Images() | Augment():
            return field
    return None


def _moved(prev: ReceptiveField, f: int, s: int, p: int) -> ReceptiveField:
    """The three formulas."""
    size = prev.size + (f - 1) * prev.stride
    return ReceptiveField(size, s * prev.stride, prev.offset - p * prev.stride)


def _together(block: Residual, field: ReceptiveField) -> ReceptiveField | None:
    """The least square around what is seen through the layers and around them."""
    around = field if block.shortcut is None else field_after(block.shortcut, field)
    main: ReceptiveField | None = field
    for part in block.main.parts():
        main = main and field_after(part, main)
    if main is None or around is None:
        return None
    start = min(main.offset, around.offset)
    end = max(main.offset + main.size, around.offset + around.size)
    return ReceptiveField(end - start, main.stride, start)
