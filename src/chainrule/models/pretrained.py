"""Pretrained networks: published weights, from a file or by name.

Notes: "Transfer learning" (course 4, week 2): download weights that somebody trained for weeks.

    ResNet-18, 34, 50     with the names of torchvision, timm or transformers
    MobileNet v2          with the names of the same three, of any width

Only safetensors files are read, never pickles. The names and shapes of the tensors determine the
architecture, the library, the width and the number of classes; the optional `config.json` and
`preprocessor_config.json` in the same folder contain the rest.

    filters           (n_C, n_C_prev, f, f)  →  (f, f, n_C_prev, n_C)
    depthwise         (n_C, 1, f, f)         →  (f, f, n_C)
    batch norm        (n_C,)                 →  (1, 1, 1, n_C);  its ε is 10⁻⁵ here: where the file
                                                has another, the difference is added to the variance

`with_pixel_input` moves the normalisation of the images into the first layer, so that the network
takes pixels from 0 to 1:

    Z = W ∗ (X − mean) / std  =  (W / std) ∗ X − c,    c = Σ W mean / std over the filter

Batch norm follows the first layer, so c is added to its running mean. The results are the same
wherever a filter lies inside the image. At the border they differ, since the zeros of the padding
are now pixels before the normalisation instead of after it.

A network given by name is downloaded with the Hugging Face Hub client; files that were downloaded
before are read from the client's cache. No other module accesses the internet.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import DataError, MissingExtraError, OptionError
from chainrule.host.randomness import key_from_seed
from chainrule.layers.allocation import only_shapes
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.layers.layer import named_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.mobilenet import BOTTLENECKS, HEAD, STEM, divisible
from chainrule.models.pretrained_files import (
    NAMINGS,
    Names,
    Naming,
    mobilenet_v2_names,
    read_files,
    recognise,
    resnet_block,
    resnet_names,
)
from chainrule.models.resnet import BOTTLENECKS as BOTTLENECK_DEPTHS
from chainrule.models.resnet import LARGE
from chainrule.models.zoo import build

# Loading the weights into a network

Tensors = dict[str, np.ndarray]

EPS = 1e-5
SEEN = 1000
"""The number of batches in the running averages: one more batch then has a weight of 0.1."""

IMAGE_SIZE, STEM_OF_RESNETS = 224, 64
WIDTHS = sorted((n / 20 for n in range(1, 61)), key=lambda w: (w != 1, w % 0.25 > 0, w))
"""The widths of MobileNet v2 that are compared with a file, the common ones first."""


@dataclass(frozen=True, eq=False)
class Published:
    """A pretrained network for images normalised as (pixels − mean) / std, with pixels from 0 to 1.

    `mean` and `std` have one number per channel; `classes` are the names of the outputs, or None if
    the files do not contain them; `source` is the file or the name.
    """

    network: ConvNetwork
    mean: np.ndarray
    std: np.ndarray
    classes: tuple[str, ...] | None
    source: str


@dataclass(frozen=True)
class Architecture:
    """The network that the tensors belong to, and the naming that their names follow."""

    naming: Naming
    network: str
    names: Names
    width: float


def load_published(
    source: str | os.PathLike, *, image_size: int | tuple[int, int] | None = None
) -> Published:
    """Load the network from a safetensors file, a folder with such a file, or a name on the hub.

    `image_size` is the size of the input images; by default that of the files, or 224.
    """
    source = os.fspath(source)
    files = read_files(fetch(source) if is_name(source) else Path(source))
    found, tensors = find(source, files.tensors)
    files.check(source, found.naming)
    n_C = _axis(tensors, f"{found.names.pairs[0][0]}.weight", 1) or 3
    size = files.image_size or IMAGE_SIZE if image_size is None else image_size
    shape = (*_size(size), n_C)
    options: dict[str, Any] = {} if found.width == 1 else {"width": found.width}
    if files.tensorflow_padding(found.naming):
        options["padding"] = "tensorflow"
    n_L = _axis(tensors, f"{found.names.dense}.weight", 0) or 1
    make = partial(build, found.network, shape, n_L, key=key_from_seed(0), options=options)
    with only_shapes():
        network = eqx.filter_eval_shape(lambda: make())
    network = fill(network, found, tensors, source, eps=files.eps(found.naming))
    mean, std = files.normalization(found.naming, n_C)
    return Published(network, mean, std, files.classes(n_L), source)


def find(source: str, tensors: Mapping[str, np.ndarray]) -> tuple[Architecture, Tensors]:
    """Identify the network of these tensors; return it and the tensors with prefixes removed."""
    recognised = recognise(tensors)
    if recognised is None:
        libraries = " or ".join(dict.fromkeys(naming.library for naming in NAMINGS))
        expected = f"a ResNet or a MobileNet v2 with the names of {libraries}"
        first = ", ".join(sorted(tensors)[:3])
        got = f"tensors such as {first}" if first else "no tensors"
        raise DataError(source, expected, got, "another file")
    naming, prefix = recognised
    tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    identify = _resnet if naming.architecture == "resnet" else _mobilenet_v2
    return identify(source, naming, tensors), tensors


def fill(
    network: ConvNetwork,
    found: Architecture,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    eps: float = EPS,
) -> ConvNetwork:
    """Return the network with the tensors as its arrays; one error lists all that do not fit."""
    ours, theirs = named_arrays(network), _in_order(found.names)
    required = {
        name: _their_shape(field, array.shape)
        for (field, name), array in zip(theirs, ours.values(), strict=True)
        if name
    }
    _check(source, found, required, tensors)
    arrays = []
    for (field, name), array in zip(theirs, ours.values(), strict=True):
        if not name:
            arrays.append(np.asarray(SEEN, array.dtype))
            continue
        values = _ours(field, tensors[name], array.shape)
        arrays.append(values + np.float32(eps - EPS) if field == "variance" else values)
    return jax.tree.unflatten(jax.tree.structure(network), jax.device_put(arrays))


def _resnet(source: str, naming: Naming, tensors: Mapping[str, np.ndarray]) -> Architecture:
    """Identify a ResNet by its blocks and the number of convolutions in each."""
    first = resnet_block(naming.library, 0, 0)
    last = "layer.2.convolution" if naming.library == "transformers" else "conv3"
    convolutions = 3 if f"{first}{last}.weight" in tensors else 2
    blocks = tuple(_count(tensors, naming.library, stage) for stage in range(4))
    depth = next((d for d in LARGE if (LARGE[d], _convolutions(d)) == (blocks, convolutions)), None)
    if depth is None:
        got = f"stages of {', '.join(map(str, blocks))} blocks of {convolutions} convolutions"
        raise DataError(
            source, "a ResNet of 18, 34 or 50 layers", got, "a file with one of these networks"
        )
    names = resnet_names(naming.library, blocks, convolutions)
    channels = _axis(tensors, f"{names.pairs[0][0]}.weight", 0) or STEM_OF_RESNETS
    return Architecture(naming, f"resnet{depth}", names, channels / STEM_OF_RESNETS)


def _convolutions(depth: int) -> int:
    return 3 if depth in BOTTLENECK_DEPTHS else 2


def _count(tensors: Mapping[str, np.ndarray], library: str, stage: int) -> int:
    block = 0
    while any(name.startswith(resnet_block(library, stage, block)) for name in tensors):
        block += 1
    return block


def _mobilenet_v2(source: str, naming: Naming, tensors: Mapping[str, np.ndarray]) -> Architecture:
    """Identify a MobileNet v2; its width is the first that gives every layer its channels."""
    names = mobilenet_v2_names(naming.library)
    channels = [
        tensors[f"{normalization}.weight"].size
        for _, normalization in names.pairs
        if f"{normalization}.weight" in tensors
    ]
    width = next((w for w in WIDTHS if _channels(w) == channels), 1)
    return Architecture(naming, "mobilenet_v2", names, width)


def _channels(width: float) -> list[int]:
    """Return the output channels of every convolution, from the stem to the last."""
    channels = [divisible(STEM * width)]
    for t, n, blocks, _ in BOTTLENECKS:
        for _ in range(blocks):
            expanded = t * channels[-1]
            channels += [*([expanded] if t > 1 else []), expanded, divisible(n * width)]
    return [*channels, divisible(HEAD * max(1, width))]


def _in_order(names: Names) -> list[tuple[str, str]]:
    """Return (field, tensor name) for each array of a network; t, the batch count, has none."""
    pairs = []
    for convolution, normalization in names.pairs:
        pairs += [("W", f"{convolution}.weight")]
        pairs += [("gamma", f"{normalization}.weight"), ("beta", f"{normalization}.bias")]
        pairs += [("mean", f"{normalization}.running_mean")]
        pairs += [("variance", f"{normalization}.running_var"), ("t", "")]
    return [*pairs, ("W", f"{names.dense}.weight"), ("b", f"{names.dense}.bias")]


def _their_shape(field: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if field != "W":
        return (int(np.prod(shape)),)
    if len(shape) == 4:
        f, _, n_C_prev, n_C = shape
        return n_C, n_C_prev, f, f
    return (shape[2], 1, *shape[:2]) if len(shape) == 3 else shape


def _ours(field: str, tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if field == "W" and len(shape) == 4:
        tensor = tensor.transpose(2, 3, 1, 0)
    elif field == "W" and len(shape) == 3:
        tensor = tensor[:, 0].transpose(1, 2, 0)
    return np.ascontiguousarray(tensor, np.float32).reshape(shape)


def _check(
    source: str,
    found: Architecture,
    required: Mapping[str, tuple[int, ...]],
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Refuse missing, unknown and wrongly shaped tensors, all in one error."""
    counters = {name for name in tensors if name.endswith(".num_batches_tracked")}
    shapes = [
        f"{name} {tensors[name].shape} instead of {shape}"
        for name, shape in required.items()
        if name in tensors and tensors[name].shape != shape
    ]
    values = [
        name
        for name in required.keys() & tensors.keys()
        if not jnp.issubdtype(tensors[name].dtype, jnp.floating)
        or not np.isfinite(tensors[name]).all()
    ]
    wrong = {
        "missing": [name for name in required if name not in tensors],
        "unknown": sorted(tensors.keys() - required.keys() - counters),
        "with a wrong shape": shapes,
        "with values that are not finite numbers": sorted(values),
    }
    problems = [f"{len(names)} {kind}: {_list(names)}" for kind, names in wrong.items() if names]
    if problems:
        expected = f"the tensors of a {found.network} with the names of {found.naming.library}"
        raise DataError(source, expected, "; ".join(problems), "the unmodified published file")


def _axis(tensors: Mapping[str, np.ndarray], name: str, axis: int) -> int | None:
    """Return the size of an axis of this tensor; None if the tensor or the axis is missing."""
    tensor = tensors.get(name)
    return tensor.shape[axis] if tensor is not None and tensor.ndim > axis else None


def _list(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _size(image_size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) != 2 or not all(isinstance(n, int) and n > 0 for n in sides):
        expected = "a number of pixels, or a height and a width"
        raise OptionError("image_size", expected, repr(image_size), "224")
    return sides


# Networks by name

WEIGHTS = "model.safetensors"
BESIDE = ("config.json", "preprocessor_config.json")
"""Optional files with additional information about the weights."""


def is_name(source: str) -> bool:
    """Return whether this is a name such as "timm/resnet18.a1_in1k", and not a file or folder.

    >>> is_name("timm/resnet18.a1_in1k"), is_name("weights/model.safetensors"), is_name("model")
    (True, False, False)
    """
    matches = re.fullmatch(r"[\w-]+/[\w.-]+", source) is not None
    return matches and not source.endswith(".safetensors") and not os.path.exists(source)


def fetch(name: str) -> Path:
    """Download the weights and the files that describe them, and return the file of the weights."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtraError(name, "huggingface_hub", "hub") from error
    try:
        weights = hf_hub_download(name, WEIGHTS)
    except Exception as error:  # any failure: an unknown name, no connection, no permission
        lines = str(error).strip().splitlines() or [type(error).__name__]
        hint = "a local file, or another name, such as timm/resnet18.a1_in1k"
        expected = f"a network on the hub with a file {WEIGHTS}"
        raise DataError(name, expected, lines[0].rstrip("."), hint) from error
    for file in BESIDE:
        try:
            hf_hub_download(name, file)
        except Exception:  # the file is optional
            continue
    return Path(weights)


# Normalisation in the first layer


def with_pixel_input(published: Published) -> ConvNetwork:
    """Return the network for pixels from 0 to 1, without normalisation by `mean` and `std`."""
    network = published.network
    layers = list(network.layers.layers)
    at = next(i for i, layer in enumerate(layers) if isinstance(layer, Conv2D))
    first, second = layers[at], layers[at + 1]
    assert isinstance(first, Conv2D)
    assert isinstance(second, BatchNorm)
    mean, std = (
        jnp.asarray(numbers, first.W.dtype)[None, None, :, None]
        for numbers in (published.mean, published.std)
    )
    W = first.W / std
    c = (W * mean).sum(axis=(0, 1, 2)).reshape(second.mean.shape)
    return eqx.tree_at(
        lambda one: (one.layers.layers[at].W, one.layers.layers[at + 1].mean),
        network,
        (W, second.mean + c),
    )
