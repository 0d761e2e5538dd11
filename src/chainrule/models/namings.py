"""The names of a network's layers in other libraries, in the order of the layers here.

    torchvision     layer1.0.conv1, layer1.0.bn1; features.2.conv.0.0; timm's ResNets too
    timm            blocks.1.0.conv_pw, blocks.1.0.bn1
    transformers    resnet.encoder.stages.0.layers.0.layer.0.convolution

A convolution and its batch norm form a pair. The layers of a residual block are followed by the
pair of its shortcut; the dense layer comes last.

>>> names = resnet_names("torchvision", (2, 2, 2, 2), 2)
>>> names.pairs[:2], names.dense
([('conv1', 'bn1'), ('layer1.0.conv1', 'layer1.0.bn1')], 'fc')
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chainrule.models.mobilenet import BOTTLENECKS

Pair = tuple[str, str]
"""The names of a convolution and of its batch norm."""


class Names(NamedTuple):
    """The names of every convolution with its batch norm, and of the dense layer."""

    pairs: list[Pair]
    dense: str


class Naming(NamedTuple):
    """A library's naming of an architecture, and the tensor name by which it is recognised."""

    architecture: str
    library: str
    mark: str


NAMINGS = (
    Naming("resnet", "torchvision", "layer1.0.conv1.weight"),
    Naming("resnet", "transformers", "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight"),
    Naming("mobilenet_v2", "torchvision", "features.1.conv.0.0.weight"),
    Naming("mobilenet_v2", "timm", "blocks.0.0.conv_dw.weight"),
    Naming("mobilenet_v2", "transformers", "mobilenet_v2.conv_stem.conv_3x3.convolution.weight"),
)
PREFIXES = ("", "module.", "model.")
"""Prefixes that wrappers put before every name."""

TRANSFORMERS = ("convolution", "normalization")


def recognise(names: Iterable[str]) -> tuple[Naming, str] | None:
    """Return the naming of these tensors and the prefix of every name; None if none matches."""
    names = set(names)
    for prefix in PREFIXES:
        for naming in NAMINGS:
            if prefix + naming.mark in names:
                return naming, prefix
    return None


def resnet_names(library: str, blocks: Sequence[int], convolutions: int) -> Names:
    """Return the names in a ResNet, given the number of blocks per stage and their convolutions."""
    if library == "transformers":
        stem, head = "resnet.embedder.embedder", "classifier.1"
    else:
        stem, head = "", "fc"
    pairs = [_both(stem) if stem else ("conv1", "bn1")]
    for stage, count in enumerate(blocks):
        for block in range(count):
            place = resnet_block(library, stage, block)
            for k in range(convolutions):
                inner = f"{place}layer.{k}" if stem else ""
                pairs += [_both(inner) if stem else (f"{place}conv{k + 1}", f"{place}bn{k + 1}")]
            if block == 0 and (stage > 0 or convolutions == 3):
                shortcut = (f"{place}downsample.0", f"{place}downsample.1")
                pairs += [_both(f"{place}shortcut") if stem else shortcut]
    return Names(pairs, head)


def resnet_block(library: str, stage: int, block: int) -> str:
    """Return the prefix of all names in a block; stage and block are counted from 0."""
    if library == "transformers":
        return f"resnet.encoder.stages.{stage}.layers.{block}."
    return f"layer{stage + 1}.{block}."


def mobilenet_v2_names(library: str) -> Names:
    """Return the names in a MobileNet version 2 of any width."""
    pairs, head = {
        "torchvision": (_torchvision_mobilenet, "classifier.1"),
        "timm": (_timm_mobilenet, "classifier"),
        "transformers": (_transformers_mobilenet, "classifier"),
    }[library]
    return Names(list(pairs()), head)


def _torchvision_mobilenet() -> Iterator[Pair]:
    yield "features.0.0", "features.0.1"
    for i, (_, t) in enumerate(_blocks(), 1):
        place = f"features.{i}.conv."
        expanding = range(2 if t > 1 else 1)  # the expansion and the depthwise convolution
        yield from ((f"{place}{k}.0", f"{place}{k}.1") for k in expanding)
        yield f"{place}{len(expanding)}", f"{place}{len(expanding) + 1}"
    last = len(list(_blocks())) + 1
    yield f"features.{last}.0", f"features.{last}.1"


def _timm_mobilenet() -> Iterator[Pair]:
    yield "conv_stem", "bn1"
    for place, t in _blocks():
        names = ("conv_pw", "conv_dw", "conv_pwl") if t > 1 else ("conv_dw", "conv_pw")
        yield from (
            (f"blocks.{place}.{name}", f"blocks.{place}.bn{k}") for k, name in _count(names)
        )
    yield "conv_head", "bn2"


def _transformers_mobilenet() -> Iterator[Pair]:
    stem = "mobilenet_v2.conv_stem."
    yield from (_both(stem + name) for name in ("first_conv", "conv_3x3", "reduce_1x1"))
    for i in range(len(list(_blocks())) - 1):
        for name in ("expand_1x1", "conv_3x3", "reduce_1x1"):
            yield _both(f"mobilenet_v2.layer.{i}.{name}")
    yield _both("mobilenet_v2.conv_1x1")


def _blocks() -> Iterator[tuple[str, int]]:
    """Yield stage and block of each bottleneck, such as "1.0", and its expansion t."""
    for stage, (t, _, count, _) in enumerate(BOTTLENECKS):
        yield from ((f"{stage}.{block}", t) for block in range(count))


def _both(place: str) -> Pair:
    convolution, normalization = TRANSFORMERS
    return f"{place}.{convolution}", f"{place}.{normalization}"


def _count(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    return enumerate(names, 1)
