"""YOLO: a grid over the image, with a vector for every anchor in each cell.

Notes: "YOLO algorithm", "Anchor boxes", "Bounding box predictions" (course 4, week 3); "You only
look once" (Redmon and others, 2016), "YOLO9000" (Redmon and Farhadi, 2017).

    small       [3×3 24 /2] → [3×3 48 /2, 3×3 48] → [3×3 96 /2, 3×3 96] → …, with twice as many
                channels each time, until the feature map has the size of the grid (/2 is a
                stride of 2)
    head        3 units of 3×3 96 → CONV 1×1 A (5 + C)
    Z           (m, n_H, n_W, A (5 + C)), n_H and n_W the sides of the image / stride

A unit is CONV → BATCH NORM → relu. The network is fully convolutional, so all cells are computed in
the same way. `vision/detection/cost.py` and `vision/detection/boxes.py` define the numbers of a
cell. The small backbone can be replaced by that of a network of the zoo, up to the layer whose
output has the size of the grid, with pretrained weights (`with_body`).

>>> yolo((24, 24, 3), 3, anchors=[(0.2, 0.4), (0.4, 0.2)], key=jax.random.key(0)).title
'yolo(24×24×3 -> 3)'
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import jax
import numpy as np
from numpy.typing import DTypeLike

from chainrule.choices import BACKBONES, STRIDES
from chainrule.errors import OptionError, ShapeError, check_choice
from chainrule.layers.allocation import check_size_first
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import GlobalAveragePool
from chainrule.models.conv_network import ConvNetwork, after
from chainrule.models.mobilenet import mobilenet_v2
from chainrule.models.resnet import resnet
from chainrule.models.units import Units, check_width, non_defaults, scaled
from chainrule.types import Key

Anchors = tuple[tuple[float, float], ...]
"""The (b_w, b_h) of each anchor, as shares of the image's width and height."""

STRIDE = 8
CHANNELS, HEAD, HEAD_UNITS = 24, 96, 3


@check_size_first
def yolo(
    shape: Sequence[int],
    n_C: int,
    *,
    anchors: Sequence[Sequence[float]],
    key: Key,
    body: str = "small",
    stride: int = STRIDE,
    width: float = 1,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build a detector of n_C classes for images (n_H, n_W, n_C_prev).

    The sides of the images must be multiples of `stride`.

    `anchors` are the (b_w, b_h) relative to which boxes are predicted, as shares of the image;
    `blocks/boxes.py: anchor_boxes` finds them. `width` multiplies all numbers of channels.
    """
    check_width("yolo", width)
    check_choice("yolo(body=…)", body, BACKBONES)
    check_choice("yolo(stride=…)", stride, STRIDES)
    anchors, shape = check_anchors("yolo", anchors), tuple(shape)
    _check_sides(shape, stride)
    make = Units(key, initializer, dtype)
    settings = {"width": width, "initializer": initializer, "dtype": dtype, "key": next(make.keys)}
    if body == "small":
        layers, n = small(make, shape[2], stride, width)
    else:
        if body == "resnet18":
            network = resnet(18, shape, 1, **settings)
        else:
            network = mobilenet_v2(shape, 1, **settings)
        layers, n = body_of(network, stride)
    for _ in range(HEAD_UNITS):
        n_prev, n = n, scaled(HEAD, width)
        layers += make.normalized(n_prev, n, 3)
    layers += [make.conv(n, len(anchors) * (5 + n_C), 1)]
    options = non_defaults(body=(body, "small"), stride=(stride, STRIDE), width=(width, 1))
    options = {"anchors": anchors, **options}
    return ConvNetwork(layers, name="yolo", shape=shape, n_L=n_C, options=options)


def small(make: Units, n_C_prev: int, stride: int, width: float) -> tuple[list[Layer], int]:
    """Build the small backbone, which halves the sides and doubles the channels in each stage.

    Its layers and its number of output channels are returned.
    """
    layers: list[Layer] = []
    n_prev, n = n_C_prev, scaled(CHANNELS, width)
    for stage in range(stride.bit_length() - 1):
        layers += make.normalized(n_prev, n, 3, s=2)
        layers += make.normalized(n, n, 3) if stage else []
        n_prev, n = n, 2 * n
    return layers, n_prev


def body_of(network: ConvNetwork, stride: int) -> tuple[list[Layer], int]:
    """Return the layers of a network up to the one whose output has the size of the grid.

    The second value is the number of channels of this output.
    """
    sizes, layers, n_H = network.shape, [], network.shape[0] // stride
    own = _own_layers(network)
    for layer in takewhile(lambda layer: not isinstance(layer, GlobalAveragePool), own):
        sizes_after = after(layer, sizes)
        if sizes_after[0] < n_H:
            break
        layers, sizes = [*layers, layer], sizes_after
    return layers, sizes[-1]


def with_body(detector: ConvNetwork, network: ConvNetwork) -> ConvNetwork:
    """Return the detector with the weights of another network in its backbone.

    `network` has the architecture named by the detector's `body`, for images of any size.
    """
    stride = dict(detector.options).get("stride", STRIDE)
    body, _ = body_of(network, stride)
    own = _own_layers(detector)
    if len(body) > len(own) or _structure(body) != _structure(own[: len(body)]):
        kind = dict(detector.options).get("body", "small")
        expected = f"a {kind} network of the detector's width"
        hint = f"yolo(…, body={network.name!r}), of the same width"
        raise ShapeError("with_body(network)", expected, network.title, hint)
    return ConvNetwork(
        [*body, *own[len(body) :]],
        name=detector.name,
        shape=detector.shape,
        n_L=detector.n_L,
        options=dict(detector.options),
        precision=detector.precision,
    )


def anchors_of(detector: ConvNetwork) -> Anchors:
    """Return the anchors of a detector."""
    return dict(detector.options)["anchors"]


def check_anchors(where: str, anchors: Sequence[Sequence[float]]) -> Anchors:
    """Refuse anchors that are not pairs of a width and a height greater than 0."""
    numbers = np.asarray(anchors, float)
    are_pairs = numbers.ndim == 2 and numbers.shape[1:] == (2,) and len(numbers) > 0
    if not are_pairs or not (np.isfinite(numbers) & (numbers > 0)).all():
        got = f"{numbers.tolist()}"
        expected = "(b_w, b_h) of each anchor, as shares of the image greater than 0"
        raise OptionError(f"{where}(anchors=…)", expected, got, "[(0.2, 0.3), (0.5, 0.4)]")
    return tuple((float(b_w), float(b_h)) for b_w, b_h in numbers)


def _own_layers(network: ConvNetwork) -> list[Layer]:
    """Return the layers after the Images layer."""
    return list(network.layers.layers[1:])


def _structure(layers: Sequence[Layer]) -> Any:
    return jax.tree.structure(list(layers)), [x.shape for x in jax.tree.leaves(list(layers))]


def _check_sides(shape: Sequence[int], stride: int) -> None:
    n_H, n_W = shape[:2]
    if n_H % stride or n_W % stride:
        near = "x".join(str(max(1, round(n / stride)) * stride) for n in (n_H, n_W))
        expected = f"images whose sides are multiples of the stride {stride}"
        raise ShapeError("yolo", expected, f"{n_H} by {n_W}", f"an image size of {near}")
