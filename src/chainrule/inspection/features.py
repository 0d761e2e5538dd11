"""What convolutional layers detect: the image patches that excite each channel most.

Notes: "What are deep ConvNets learning?" (course 4, week 4): pick a unit, find the nine image
patches that maximise its activation, repeat for other units. Edges first, then parts, then objects.

    strongest   of channel c in image i   max over h, w of A[l][i, h, w, c], and where it is
    patches     the images with the greatest of these values, each cropped to the receptive field of
                the unit

All images are processed in chunks, so memory use does not grow with their number. An image
contributes at most one patch to a channel. `inspection/feature_plots.py` draws the results.

The receptive field of a unit is the square of input pixels that it sees; deeper units see a larger
region:

    after a convolution or pooling layer of f by f, stride s, p zeros before:
        size   = size_prev + (f − 1) stride_prev
        stride = s · stride_prev
        offset = offset_prev − p · stride_prev
    a residual block sees the smallest square around the fields of its layers and its shortcut

The unit at h sees the rows offset + stride · h … offset + stride · h + size − 1, and likewise for
w. Rows before 0 or beyond the last one are padding.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.blocks.convolution import pads_of
from chainrule.data.batches import padded
from chainrule.errors import DataError, OptionError, check_integer
from chainrule.inspection.image_plots import as_colours
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Images
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.layers.pool import AveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual


class ReceptiveField(NamedTuple):
    """The square of input pixels that a unit sees: `size` pixels from offset + stride · h on."""

    size: int
    stride: int
    offset: int


class Seen(NamedTuple):
    """A layer whose units see a square of the input image.

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
"""The receptive field of an input pixel, which is the pixel itself."""

FILTERS = Conv2D | DepthwiseConv2D | Residual


def receptive_field(parts: Sequence[Layer], l: int) -> ReceptiveField:
    """Return the receptive field of layer l.

    Raises OptionError if the units of the layer do not have a square receptive field.
    A[l] is taken before any pooling layer after it, so that pooling does not enlarge the field.
    """
    return layer_seen(parts, l).field


def layer_seen(parts: Sequence[Layer], l: int) -> Seen:
    """Return layer l with its receptive field; raise OptionError if that is not a square."""
    seen = layers_that_see(parts)
    for one in seen:
        if one.l == l:
            return one
    expected = f"one of the convolutional layers {', '.join(str(one.l) for one in seen)}"
    raise OptionError("layer", expected, str(l), str(min(seen, key=lambda one: abs(one.l - l)).l))


def layers_that_see(parts: Sequence[Layer]) -> list[Seen]:
    """Return the convolutions and residual blocks before global pooling or Flatten.

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
    """Return the receptive field of a unit after this layer, or None if it is not a square."""
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
    """Update size, stride and offset of the field after a convolution or pooling layer."""
    size = prev.size + (f - 1) * prev.stride
    return ReceptiveField(size, s * prev.stride, prev.offset - p * prev.stride)


def _after_block(block: Residual, field: ReceptiveField) -> ReceptiveField | None:
    """Return the smallest square around the fields of the block's layers and its shortcut."""
    around = field if block.shortcut is None else field_after(block.shortcut, field)
    main: ReceptiveField | None = field
    for part in block.main.parts():
        main = main and field_after(part, main)
    if main is None or around is None:
        return None
    start = min(main.offset, around.offset)
    end = max(main.offset + main.size, around.offset + around.size)
    return ReceptiveField(end - start, main.stride, start)


UNITS, PATCHES = 9, 9
CHUNK_BYTES = 32_000_000
"""The most bytes that the largest A of a chunk of images may take."""
MOST_ROWS = 256


class Patches(NamedTuple):
    """The patches that excite channels of a layer most: a row for each channel, strongest first.

    l, title   the number and the title of the layer
    field      the receptive field of its units
    n_C        the number of its channels
    silent     the number of silent channels, whose A is nowhere above 0
    channels   (units,) the indices of the channels shown, from 0
    values     (units, patches) the activations A
    images     (units, patches) the indices of the images
    places     (units, patches, 2) the position (h, w) of the unit in A
    pictures   (units, patches, n, n, 3) pixels from 0 to 1, nan beyond the border of the image
    """

    l: int
    title: str
    field: ReceptiveField
    n_C: int
    silent: int
    channels: np.ndarray
    values: np.ndarray
    images: np.ndarray
    places: np.ndarray
    pictures: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pixels as plain data for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("channels", "values", "images")}
        rest = {"places": self.places.tolist(), "channels_in_all": self.n_C, "silent": self.silent}
        return {"layer": self.l, "title": self.title, **self.field._asdict(), **arrays, **rest}


class Strongest(NamedTuple):
    """The k strongest activations of each channel so far (k, n_C), with their images and positions.

    `places` are flat indices h · n_W + w.
    """

    values: np.ndarray
    images: np.ndarray
    places: np.ndarray
    n_W: int


def filters(network: Layer) -> np.ndarray:
    """Return W (f, f, n_C_prev, n_C) of the first convolution; OptionError if there is none."""
    for seen in layers_that_see(network.parts()):
        if isinstance(seen.layer, Conv2D):
            return np.asarray(seen.layer.W)
    hint = "a network that begins with Conv2D"
    raise OptionError("filters", "a network with a Conv2D layer", network.title, hint)


def exciting_patches(
    network: Layer,
    images: Any,
    l: int,
    *,
    units: int | Sequence[int] = UNITS,
    patches: int = PATCHES,
    prepare: Callable[[np.ndarray], Any] | None = None,
) -> Patches:
    """Return the patches of the images (m, n_H, n_W[, n_C]) that excite channels of layer l most.

    `units` lists the channels, or is their number; then they are spread evenly over the channels
    that are not silent. The patches are cut from the images as given; `prepare` turns a batch of
    images into the input of the network. Images are read as `images[i:j]`, so they may be a
    memory-mapped file.
    """
    seen = layer_seen(network.parts(), l)
    (one,) = _found(network, images, [seen], units, patches, prepare)
    return one


def patches_of_layers(
    network: Layer,
    images: Any,
    *,
    units: int = UNITS,
    patches: int = PATCHES,
    prepare: Callable[[np.ndarray], Any] | None = None,
) -> list[Patches]:
    """Return the strongest patches of every convolutional layer, in one pass over the images."""
    seen = layers_that_see(network.parts())
    return _found(network, images, seen, units, patches, prepare)


def _found(network, images, seen: list[Seen], units, patches: int, prepare) -> list[Patches]:
    if len(images) == 0 or len(images.shape) not in (3, 4):
        expected, got = "images (m, n_H, n_W) or (m, n_H, n_W, n_C)", str(tuple(images.shape))
        raise DataError("features", expected, got, "X.reshape(m, n_H, n_W, n_C)")
    check_integer("patches", patches, hint=str(PATCHES))
    prepare = prepare or _as_floats
    found = strongest(network.parts(), images, [one.end for one in seen], patches, prepare)
    return [_cut(one, strong, images, units) for one, strong in zip(seen, found, strict=True)]


def strongest(
    parts: Sequence[Layer],
    images: Any,
    ends: Sequence[int],
    k: int,
    prepare: Callable[[np.ndarray], Any],
) -> list[Strongest]:
    """Return, for each end, the k images that excite each channel of A after parts[:end] most."""
    leading, ends = tuple(parts[: ends[-1]]), tuple(ends)
    rows = _rows_at_a_time(leading, prepare(np.asarray(images[:1])))
    found: list[Strongest] = []
    for i in range(0, len(images), rows):
        some = np.asarray(images[i : i + rows])
        size = min(rows, padded(len(some)))  # padded: few compiled programs
        filled = np.resize(some, (size, *some.shape[1:]))
        for at, (values, places, n_W) in enumerate(_largest(leading, prepare(filled), ends)):
            m = len(some)
            which = np.broadcast_to(np.arange(i, i + m)[:, None], (m, values.shape[1]))
            new = Strongest(np.asarray(values)[:m], which, np.asarray(places)[:m], int(n_W))
            if at == len(found):
                found.append(_best(new, k))
            else:
                found[at] = _best(_joined(found[at], new), k)
    return found


@partial(jax.jit, static_argnames="ends")
def _largest(parts: tuple[Layer, ...], A: Any, ends: tuple[int, ...]) -> list[tuple]:
    """Return, for each end, the maximum A (m, n_C) per image and channel, its position, and n_W."""
    found = []
    for i, part in enumerate(parts, 1):
        A = part(A)
        if i in ends:
            m, n_H, n_W, n_C = A.shape
            flat = A.reshape(m, n_H * n_W, n_C)
            found.append((flat.max(axis=1), flat.argmax(axis=1), n_W))
    return found


def _best(some: Strongest, k: int) -> Strongest:
    """Keep the k greatest values of each channel in descending order; earlier images win ties."""
    order = np.argsort(-some.values, axis=0, kind="stable")[:k]
    values, images, places = (np.take_along_axis(a, order, axis=0) for a in some[:3])
    return Strongest(values, images, places, some.n_W)


def _joined(a: Strongest, b: Strongest) -> Strongest:
    values, images, places = (np.concatenate(both) for both in zip(a[:3], b[:3], strict=True))
    return Strongest(values, images, places, a.n_W)


def _rows_at_a_time(parts: tuple[Layer, ...], X: Any) -> int:
    """Return the number of images per chunk for which the largest A fits into CHUNK_BYTES."""
    largest, A = 1, X
    for part in parts:
        A = jax.eval_shape(lambda part, A: part(A), part, A)
        largest = max(largest, prod(A.shape) * A.dtype.itemsize)
    return int(np.clip(CHUNK_BYTES // largest, 1, MOST_ROWS))


def _cut(seen: Seen, strong: Strongest, images: Any, units: int | Sequence[int]) -> Patches:
    """Crop the strongest patches of a layer out of the images."""
    alive = np.flatnonzero(strong.values[0] > 0)
    n_C = strong.values.shape[1]
    channels = _chosen(alive, n_C, units)
    values, which, flat = (a[:, channels].T for a in strong[:3])
    places = np.stack([flat // strong.n_W, flat % strong.n_W], axis=-1)
    needed, at = np.unique(which, return_inverse=True)
    pixels = as_colours(np.concatenate([np.asarray(images[i : i + 1]) for i in needed]))
    cut = [
        [_patch(pixels[j], seen.field, place) for j, place in zip(*row, strict=True)]
        for row in zip(at.reshape(which.shape), places, strict=True)
    ]
    title, silent = seen.layer.title, n_C - len(alive)
    record = channels, values, which, places, np.array(cut)
    return Patches(seen.l, title, seen.field, n_C, silent, *record)


def _chosen(alive: np.ndarray, n_C: int, units: int | Sequence[int]) -> np.ndarray:
    """Return the listed channels, or the given number of channels spread over those not silent."""
    if isinstance(units, int):
        check_integer("units", units, hint=str(UNITS))
        alive = alive if len(alive) else np.arange(n_C)
        at = np.linspace(0, len(alive) - 1, min(units, len(alive)))
        return alive[at.round().astype(int)]
    wrong = [c for c in units if not 0 <= c < n_C]
    if wrong or not len(units):
        got = ", ".join(map(str, wrong)) or "none"
        raise OptionError("units", f"channels from 0 to {n_C - 1}", got, f"units={min(n_C, UNITS)}")
    return np.asarray(units)


def _patch(image: np.ndarray, field: ReceptiveField, place: np.ndarray) -> np.ndarray:
    """Crop an image (n_H, n_W, 3) to the receptive field of the unit at `place`.

    Pixels beyond the border are nan. A field larger than the image gives the whole image.
    """
    n = min(field.size, *image.shape[:2])
    if n < field.size:
        return image
    cut = np.full((n, n, image.shape[2]), np.nan)
    start = field.offset + field.stride * place
    first, end = np.maximum(start, 0), np.minimum(start + n, image.shape[:2])
    (h, w), (h_end, w_end) = first - start, end - start
    cut[h:h_end, w:w_end] = image[first[0] : end[0], first[1] : end[1]]
    return cut


def _as_floats(images: np.ndarray) -> Any:
    """Return float images (m, n_H, n_W, n_C) as network input; bytes are divided by 255."""
    A = images / np.float32(255) if images.dtype == np.uint8 else images
    return jnp.asarray(A if A.ndim == 4 else A[..., None])
