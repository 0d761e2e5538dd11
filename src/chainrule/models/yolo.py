"""YOLO: a grid over the picture, and in each cell a vector for every anchor.

Notes: "YOLO algorithm", "Anchor boxes", "Bounding box predictions" (course 4, week 3); "You only
look once" (Redmon and others, 2016), "YOLO9000" (Redmon and Farhadi, 2017).

    small       [3×3 24 /2] → [3×3 48 /2, 3×3 48] → [3×3 96 /2, 3×3 96] → …, doubled until the
                grid is reached
    head        3 units of 3×3 96 → CONV 1×1 A (5 + C)
    Z           (m, n_H, n_W, A (5 + C)), n_H and n_W the sides of the picture / stride

A unit is CONV → BATCH NORM → relu. All is convolution: each cell is looked at in the same way. What
the numbers of a cell say is in `train/detection_labels.py` and `train/detection.py`. Instead of the
small body there may be that of a network of the zoo, up to where the images have the size of the
grid, with weights that others have trained (`with_body`).

>>> yolo((24, 24, 3), 3, anchors=[(0.2, 0.4), (0.4, 0.2)], key=jax.random.key(0)).title
'yolo(24×24×3 -> 3)'
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import jax
import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import OptionError, ShapeError, check_choice
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import GlobalAveragePool
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.mobilenet import mobilenet_v2
from chainrule.models.resnet import resnet
from chainrule.models.units import Units, check_width, scaled, unusual
from chainrule.models.volumes import after
from chainrule.types import Key

Anchors = tuple[tuple[float, float], ...]
"""(b_w, b_h) each, as shares of the picture's width and height."""

STRIDE, STRIDES = 8, (4, 8, 16, 32)
CHANNELS, HEAD, HEAD_UNITS = 24, 96, 3
BODIES = ("small", "resnet18", "mobilenet_v2")


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
    """A detector of n_C classes in pictures (n_H, n_W, n_C_prev), whose sides the stride divides.

    `anchors` are the (b_w, b_h) that a cell's boxes start from, as shares of the picture;
    `blocks/boxes.py: anchor_boxes` finds them. `width` multiplies all channels.
    """
    check_width("yolo", width)
    check_choice("yolo(body=…)", body, BODIES)
    check_choice("yolo(stride=…)", stride, STRIDES)
    anchors, shape = check_anchors("yolo", anchors), tuple(shape)
    _check_sides(shape, stride)
    made = Units(key, initializer, dtype)
    how = {"width": width, "initializer": initializer, "dtype": dtype, "key": next(made.keys)}
    if body == "small":
        layers, n = small(made, shape[2], stride, width)
    else:
        whole = resnet(18, shape, 1, **how) if body == "resnet18" else mobilenet_v2(shape, 1, **how)
        layers, n = body_of(whole, stride)
    for _ in range(HEAD_UNITS):
        n_prev, n = n, scaled(HEAD, width)
        layers += made.normalized(n_prev, n, 3)
    layers += [made.conv(n, len(anchors) * (5 + n_C), 1)]
    options = unusual(body=(body, "small"), stride=(stride, STRIDE), width=(width, 1))
    options = {"anchors": anchors, **options}
    return ConvNetwork(layers, name="yolo", shape=shape, n_L=n_C, options=options)


def small(made: Units, n_C_prev: int, stride: int, width: float) -> tuple[list[Layer], int]:
    """The body from scratch, and its channels: the sides halved, the channels doubled."""
    layers: list[Layer] = []
    n_prev, n = n_C_prev, scaled(CHANNELS, width)
    for stage in range(stride.bit_length() - 1):
        layers += made.normalized(n_prev, n, 3, s=2)
        layers += made.normalized(n, n, 3) if stage else []
        n_prev, n = n, 2 * n
    return layers, n_prev


def body_of(network: ConvNetwork, stride: int) -> tuple[list[Layer], int]:
    """The layers of a network of images up to where it would leave the grid, and its channels."""
    sizes, kept, least = network.shape, [], network.shape[0] // stride
    for layer in takewhile(lambda one: not isinstance(one, GlobalAveragePool), _own(network)):
        behind = after(layer, sizes)
        if behind[0] < least:
            break
        kept, sizes = [*kept, layer], behind
    return kept, sizes[-1]


def with_body(detector: ConvNetwork, network: ConvNetwork) -> ConvNetwork:
    """The detector with what another network has learnt in the layers that both have.

    `network` is of the kind that the detector's `body` says, for images of any size.
    """
    stride = dict(detector.options).get("stride", STRIDE)
    body, _ = body_of(network, stride)
    own = _own(detector)
    if len(body) > len(own) or _form(body) != _form(own[: len(body)]):
        kind = dict(detector.options).get("body", "small")
        expected = f"a {kind} of the detector's width, as its body"
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
    """Those that a detector was made with."""
    return dict(detector.options)["anchors"]


def check_anchors(where: str, anchors: Sequence[Sequence[float]]) -> Anchors:
    """Refuse what is no list of pairs of shares above 0."""
    numbers = np.asarray(anchors, float)
    fits = numbers.ndim == 2 and numbers.shape[1:] == (2,) and len(numbers) > 0
    if not fits or not (np.isfinite(numbers) & (numbers > 0)).all():
        got = f"{numbers.tolist()}"
        expected = "(b_w, b_h) of each anchor, shares of the picture above 0"
        raise OptionError(f"{where}(anchors=…)", expected, got, "[(0.2, 0.3), (0.5, 0.4)]")
    return tuple((float(b_w), float(b_h)) for b_w, b_h in numbers)


def _own(network: ConvNetwork) -> list[Layer]:
    """The layers behind the one that takes the images."""
    return list(network.layers.layers[1:])


def _form(layers: Sequence[Layer]) -> Any:
    return jax.tree.structure(list(layers)), [x.shape for x in jax.tree.leaves(list(layers))]


def _check_sides(shape: Sequence[int], stride: int) -> None:
    n_H, n_W = shape[:2]
    if n_H % stride or n_W % stride:
        near = "x".join(str(max(1, round(n / stride)) * stride) for n in (n_H, n_W))
        expected = f"images whose sides the stride {stride} divides, so that all cells are equal"
        raise ShapeError("yolo", expected, f"{n_H} by {n_W}", f"an image size of {near}")
