"""The names of the image networks, and the functions that build them.

    lenet, convnet                            small images (models/lenet.py)
    resnet20, resnet32, resnet44, resnet56    small images (models/resnet.py)
    resnet18, resnet34, resnet50              images such as those of ImageNet
    plain20, …, plain34                       ResNets without shortcuts
    mobilenet_v1, mobilenet_v2                few multiplications (models/mobilenet.py)
    embedding, embedding_resnet20             vectors of length one, no classes
                                              (models/face_embedding.py)
    custom                                    the layers that the option `layers` lists
                                              (models/custom.py)
    yolo, unet                                outputs are images: cells of a grid (models/yolo.py),
                                              or a class for every pixel (models/unet.py)

>>> build("lenet", (28, 28, 1), 10, key=jax.random.key(0)).title
'lenet(28×28×1 -> 10)'
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from chainrule.choices import CUSTOM, PRECISIONS
from chainrule.errors import OptionError, ShapeError, check_choice, did_you_mean
from chainrule.layers.allocation import check_size_first
from chainrule.layers.augment import Augment
from chainrule.models.conv_network import ConvNetwork, Shape
from chainrule.models.custom import custom_network
from chainrule.models.face_embedding import embedding, embedding_resnet
from chainrule.models.lenet import convnet, lenet, small_network
from chainrule.models.mobilenet import mobilenet_v1, mobilenet_v2
from chainrule.models.resnet import BOTTLENECKS, LARGE, SMALL, resnet
from chainrule.models.unet import unet
from chainrule.models.yolo import yolo
from chainrule.types import Key

RESIDUAL = {f"resnet{depth}": partial(resnet, depth) for depth in (*LARGE, *SMALL)}
PLAIN = {
    f"plain{depth}": partial(resnet, depth, plain=True)
    for depth in (*LARGE, *SMALL)
    if depth not in BOTTLENECKS
}
NETWORKS: dict[str, Callable[..., ConvNetwork]] = {
    "lenet": lenet,
    "convnet": convnet,
    **RESIDUAL,
    **PLAIN,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
}
"""Networks for classification and regression, called with the image shape, n_L and a key."""

EMBEDDINGS: dict[str, Callable[..., ConvNetwork]] = {
    "embedding": embedding,
    "embedding_resnet20": partial(embedding_resnet, 20),
}
"""Networks whose outputs are embeddings, which are compared by their distances."""

OF_IMAGES: dict[str, Callable[..., ConvNetwork]] = {"yolo": yolo, "unet": unet}
"""Networks whose outputs are images; `chainrule detect` and `chainrule segment` train them."""

ALL = NETWORKS | EMBEDDINGS | OF_IMAGES | {CUSTOM: custom_network}

PASSED_ON = {
    "lenet": small_network,
    "convnet": small_network,
    "embedding_resnet20": ALL["resnet20"],
}
"""The function to which a network passes its further options."""

ALWAYS = ("augment", "precision")
"""Options that every network has."""

FIXED = {"shape", "n_L", "n_C", "key", "plain", "dtype", "name", "convolutions", "hidden"}


@check_size_first
def build(
    name: str,
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    options: Mapping[str, Any] | None = None,
) -> ConvNetwork:
    """Build the network with this name for images (n_H, n_W, n_C) and n_L outputs.

    `options` are those of its function (`options_of` lists them), and for every network `augment`,
    a string (see `data/augmentation.py`), and `precision`, "float32" or "bfloat16".
    """
    check_choice("the network", name, ALL)
    shape, options = check_shape(name, shape), dict(options or {})
    for option in options:
        if option not in options_of(name):
            expected = f"one of its {len(options_of(name))} options"
            hint = did_you_mean(option, options_of(name))
            raise OptionError(f"the network {name}", expected, repr(option), hint)
    augment, precision = options.pop("augment", "none"), options.pop("precision", PRECISIONS[0])
    network = ALL[name](shape, n_L, key=key, **options)
    return network.changed(
        first=() if augment == "none" else (Augment(augment),),
        options={"augment": augment} if augment != "none" else {},
        precision=precision,
    )


def rebuild(settings: Mapping[str, Any], *, key: Key) -> ConvNetwork:
    """Build a network from its settings (`ConvNetwork.settings`), with newly initialised arrays."""
    options = {k: v for k, v in settings.items() if k not in ("network", "shape", "n_L")}
    return build(settings["network"], settings["shape"], settings["n_L"], key=key, options=options)


def options_of(name: str) -> list[str]:
    """Return the names of a network's options.

    >>> options_of("mobilenet_v1")
    ['augment', 'initializer', 'precision', 'width']
    """
    functions = [ALL[name], *([PASSED_ON[name]] if name in PASSED_ON else [])]
    own = {option for function in functions for option in signature(function).parameters}
    return sorted((own | set(ALWAYS)) - FIXED - {"options"})


def check_shape(name: str, shape: Sequence[int]) -> Shape:
    """Refuse a shape that is not three whole numbers above 0."""
    numbers = [n for n in shape if isinstance(n, int | np.integer) and n > 0]
    if len(numbers) != 3 or len(shape) != 3:
        hint = (
            "(28, 28, 1) for greyscale images of 28 by 28, (224, 224, 3) for larger colour images"
        )
        expected = "the shape (n_H, n_W, n_C) of one image"
        raise ShapeError(f"the network {name}", expected, str(tuple(shape)), hint)
    n_H, n_W, n_C = map(int, shape)
    return n_H, n_W, n_C
