"""Networks that others have trained: their weights from a file, or by name.

Notes: "Transfer learning" (course 4, week 2): download weights that somebody trained for weeks.

    ResNet-18, 34, 50     in the namings of torchvision, timm and transformers
    MobileNet v2          in the same three, of any width

A file of safetensors is read, never a pickle. The names and shapes of its tensors say which
architecture it is, in whose naming, how wide and for how many classes; `config.json` and
`preprocessor_config.json` beside it say the rest, where they are there.

    filters           (n_C, n_C_prev, f, f)  →  (f, f, n_C_prev, n_C)
    depthwise         (n_C, 1, f, f)         →  (f, f, n_C)
    batch norm        (n_C,)                 →  (1, 1, 1, n_C);  its ε is 10⁻⁵ here: where the file
                                                has another, the difference is added to the variance
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.errors import DataError, OptionError
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import named_arrays
from chainrule.models import hub
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.mobilenet import BOTTLENECKS, HEAD, STEM, divisible
from chainrule.models.namings import (
    NAMINGS,
    Names,
    Naming,
    mobilenet_v2_names,
    recognise,
    resnet_block,
    resnet_names,
)
from chainrule.models.published_files import read_files
from chainrule.models.resnet import BOTTLENECKS as BOTTLENECK_DEPTHS
from chainrule.models.resnet import LARGE
from chainrule.models.zoo import build
from chainrule.randomness import key_from_seed

Tensors = dict[str, np.ndarray]

EPS = 1e-5
SEEN = 1000
"""Batches behind the running averages: from so many on, another moves them by a tenth."""

IMAGE_SIZE, STEM_OF_RESNETS = 224, 64
WIDTHS = sorted((n / 20 for n in range(1, 61)), key=lambda w: (w != 1, w % 0.25 > 0, w))
"""Those that are tried, the usual ones first."""


@dataclass(frozen=True, eq=False)
class Published:
    """A network with its weights. It takes images of pixels from 0 to 1, less `mean`, over `std`.

    `mean` and `std` have a number for each channel; `classes` are the names of the outputs, where
    the files tell them; `source` is the file, or the name.
    """

    network: ConvNetwork
    mean: np.ndarray
    std: np.ndarray
    classes: tuple[str, ...] | None
    source: str


@dataclass(frozen=True)
class Found:
    """What the tensors are: their naming, and the network that they belong to."""

    naming: Naming
    network: str
    names: Names
    width: float


def load_published(
    source: str | os.PathLike, *, image_size: int | tuple[int, int] | None = None
) -> Published:
    """The network in a file of safetensors, in a folder with one, or of a name on the hub.

    `image_size` is that of the images it will take; without it that of the file, or 224.
    """
    source = os.fspath(source)
    files = read_files(hub.fetch(source) if hub.is_name(source) else Path(source))
    found, tensors = find(source, files.tensors)
    files.check(source, found.naming)
    n_C = _axis(tensors, f"{found.names.pairs[0][0]}.weight", 1) or 3
    size = files.image_size or IMAGE_SIZE if image_size is None else image_size
    shape = (*_size(size), n_C)
    options: dict[str, Any] = {} if found.width == 1 else {"width": found.width}
    if files.tensorflow_padding(found.naming):
        options["padding"] = "tensorflow"
    n_L = _axis(tensors, f"{found.names.dense}.weight", 0) or 1
    start = {"initializer": zeros, **options}
    network = build(found.network, shape, n_L, key=key_from_seed(0), options=start)
    network = filled(network, found, tensors, source, eps=files.eps(found.naming))
    mean, std = files.normalization(found.naming, n_C)
    return Published(network, mean, std, files.classes(n_L), source)


def find(source: str, tensors: Mapping[str, np.ndarray]) -> tuple[Found, Tensors]:
    """Which network these tensors are; they lose what a wrapper has put before their names."""
    recognised = recognise(tensors)
    if recognised is None:
        libraries = " or ".join(dict.fromkeys(naming.library for naming in NAMINGS))
        expected = f"a ResNet or a MobileNet v2 in the names of {libraries}"
        first = ", ".join(sorted(tensors)[:3]) or "none"
        raise DataError(source, expected, f"tensors such as {first}", "another file")
    naming, prefix = recognised
    tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    tell = _resnet if naming.architecture == "resnet" else _mobilenet_v2
    return tell(source, naming, tensors), tensors


def filled(
    network: ConvNetwork,
    found: Found,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    eps: float = EPS,
) -> ConvNetwork:
    """The network with the tensors as its arrays; all that does not fit is said in one error."""
    ours, theirs = named_arrays(network), _in_order(found.names)
    wanted = {
        name: _their_shape(field, array.shape)
        for (field, name), array in zip(theirs, ours.values(), strict=True)
        if name
    }
    _check(source, found, wanted, tensors)
    arrays = []
    for (field, name), array in zip(theirs, ours.values(), strict=True):
        if not name:
            arrays.append(np.asarray(SEEN, array.dtype))
            continue
        values = _ours(field, tensors[name], array.shape)
        arrays.append(values + np.float32(eps - EPS) if field == "variance" else values)
    return jax.tree.unflatten(jax.tree.structure(network), jax.device_put(arrays))


def _resnet(source: str, naming: Naming, tensors: Mapping[str, np.ndarray]) -> Found:
    """By its blocks, and by how many convolutions each has."""
    first = resnet_block(naming.library, 0, 0)
    last = "layer.2.convolution" if naming.library == "transformers" else "conv3"
    convolutions = 3 if f"{first}{last}.weight" in tensors else 2
    blocks = tuple(_count(tensors, naming.library, stage) for stage in range(4))
    depth = next((d for d in LARGE if (LARGE[d], _convolutions(d)) == (blocks, convolutions)), None)
    if depth is None:
        got = f"stages of {', '.join(map(str, blocks))} blocks of {convolutions} convolutions"
        raise DataError(source, "a ResNet of 18, 34 or 50 layers", got, "a file of one of these")
    names = resnet_names(naming.library, blocks, convolutions)
    channels = _axis(tensors, f"{names.pairs[0][0]}.weight", 0) or STEM_OF_RESNETS
    return Found(naming, f"resnet{depth}", names, channels / STEM_OF_RESNETS)


def _convolutions(depth: int) -> int:
    return 3 if depth in BOTTLENECK_DEPTHS else 2


def _count(tensors: Mapping[str, np.ndarray], library: str, stage: int) -> int:
    block = 0
    while any(name.startswith(resnet_block(library, stage, block)) for name in tensors):
        block += 1
    return block


def _mobilenet_v2(source: str, naming: Naming, tensors: Mapping[str, np.ndarray]) -> Found:
    """Its width is the first that gives the channels of the stem, the stages and the last."""
    names = mobilenet_v2_names(naming.library)
    channels = [
        tensors[f"{normalization}.weight"].size
        for _, normalization in names.pairs
        if f"{normalization}.weight" in tensors
    ]
    width = next((w for w in WIDTHS if _channels(w) == channels), 1)
    return Found(naming, "mobilenet_v2", names, width)


def _channels(width: float) -> list[int]:
    """Of every convolution, from the stem to the last."""
    found = [divisible(STEM * width)]
    for t, n, blocks, _ in BOTTLENECKS:
        for _ in range(blocks):
            expanded = t * found[-1]
            found += [*([expanded] if t > 1 else []), expanded, divisible(n * width)]
    return [*found, divisible(HEAD * max(1, width))]


def _in_order(names: Names) -> list[tuple[str, str]]:
    """(field, the tensor's name) of each of our arrays; t, the batches seen, has no tensor."""
    found = []
    for convolution, normalization in names.pairs:
        found += [("W", f"{convolution}.weight")]
        found += [("gamma", f"{normalization}.weight"), ("beta", f"{normalization}.bias")]
        found += [("mean", f"{normalization}.running_mean")]
        found += [("variance", f"{normalization}.running_var"), ("t", "")]
    return [*found, ("W", f"{names.dense}.weight"), ("b", f"{names.dense}.bias")]


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
    found: Found,
    wanted: Mapping[str, tuple[int, ...]],
    tensors: Mapping[str, np.ndarray],
) -> None:
    """All that is missing, unknown or of another shape, in one error."""
    counters = {name for name in tensors if name.endswith(".num_batches_tracked")}
    shapes = [
        f"{name} {tensors[name].shape} where {shape} is asked"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    wrong = {
        "missing": [name for name in wanted if name not in tensors],
        "unknown": sorted(tensors.keys() - wanted.keys() - counters),
        "of another shape": shapes,
    }
    said = [f"{len(names)} {kind}: {_listed(names)}" for kind, names in wrong.items() if names]
    if said:
        expected = f"the tensors of a {found.network} as {found.naming.library} names them"
        raise DataError(source, expected, "; ".join(said), "the file of the network as it is")


def _axis(tensors: Mapping[str, np.ndarray], name: str, axis: int) -> int | None:
    """The size of an axis of this tensor; None where it, or its axis, is missing."""
    tensor = tensors.get(name)
    return tensor.shape[axis] if tensor is not None and tensor.ndim > axis else None


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _size(image_size: int | tuple[int, int]) -> tuple[int, int]:
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) != 2 or not all(isinstance(n, int) and n > 0 for n in sides):
        raise OptionError("image_size", "a number of pixels, or two", repr(image_size), "224")
    return sides
