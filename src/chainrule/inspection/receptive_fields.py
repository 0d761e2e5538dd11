"""The receptive field of a unit in a convolutional network: the square of input pixels it sees.

Notes: "What are deep ConvNets learning?" (course 4, week 4): deeper units see a larger region.

    after a filter or a pool of f by f, stride s, p zeros before:
        size   = size_prev + (f − 1) stride_prev
        stride = s · stride_prev
        offset = offset_prev − p · stride_prev
    a residual block sees the least square around the fields of its layers and its shortcut

The unit at h sees the rows offset + stride · h … offset + stride · h + size − 1, and likewise for
w. Rows before 0 or beyond the last one are padding.
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
    """The square that a unit sees: `size` pixels, starting at offset + stride · h."""

    size: int
    stride: int
    offset: int


class Seen(NamedTuple):
    """A layer whose units see a square of the input.

    l       the number of the layer
    end     the number of the network's parts up to its A[l], including a batch norm after it
    layer   the layer itself
    field   the receptive field of its units
    """

    l: int
    end: int
    layer: Layer
    field: ReceptiveField


PIXEL = ReceptiveField(1, 1, 0)
"""The receptive field of an input pixel: itself."""

FILTERS = Conv2D | DepthwiseConv2D | Residual


def receptive_field(parts: Sequence[Layer], l: int) -> ReceptiveField:
    """Return the receptive field of layer l; raise OptionError if its units see no square.

    A[l] is taken before a pool that follows the layer, so that pool does not enlarge the field.
    """
    return layer_seen(parts, l).field


def layer_seen(parts: Sequence[Layer], l: int) -> Seen:
    """Return layer l with its receptive field; raise OptionError if its units see no square."""
    seen = layers_that_see(parts)
    for one in seen:
        if one.l == l:
            return one
    expected = f"one of the convolutional layers {', '.join(str(one.l) for one in seen)}"
    raise OptionError("layer", expected, str(l), str(min(seen, key=lambda one: abs(one.l - l)).l))


def layers_that_see(parts: Sequence[Layer]) -> list[Seen]:
    """Return the convolutions and residual blocks before the global pool or Flatten.

    Raises OptionError for a network that has none.
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
        hint = "a convolutional network, such as --network lenet"
        raise OptionError("features", "a network with convolutional layers", got, hint)
    return found


def field_after(layer: Layer, field: ReceptiveField) -> ReceptiveField | None:
    """Return the receptive field of a unit after this layer, or None if it sees no square."""
    match layer:
        case Conv2D() | DepthwiseConv2D():
            return _after_filter(
                field, layer.W.shape[0], layer.s, pads_of(layer.p, layer.W.shape[0])[0]
            )
        case MaxPool() | AveragePool():
            return _after_filter(field, layer.f, layer.s, pads_of(layer.p, layer.f)[0])
        case Projection():
            return _after_filter(field, 1, layer.s, 0)
        case Residual():
            return _after_block(layer, field)
        case BatchNorm() | Dropout() | Images() | Augment():
            return field
    return None


def _after_filter(prev: ReceptiveField, f: int, s: int, p: int) -> ReceptiveField:
    """Apply the formulas of size, stride and offset for a filter or a pool."""
    size = prev.size + (f - 1) * prev.stride
    return ReceptiveField(size, s * prev.stride, prev.offset - p * prev.stride)


def _after_block(block: Residual, field: ReceptiveField) -> ReceptiveField | None:
    """Return the least square around the fields of the block's layers and of its shortcut."""
    around = field if block.shortcut is None else field_after(block.shortcut, field)
    main: ReceptiveField | None = field
    for part in block.main.parts():
        main = main and field_after(part, main)
    if main is None or around is None:
        return None
    start = min(main.offset, around.offset)
    end = max(main.offset + main.size, around.offset + around.size)
    return ReceptiveField(end - start, main.stride, start)
