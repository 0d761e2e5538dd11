"""The files of a published network, and the names that other libraries give to its layers.

    model.safetensors             the tensors; pickles are not read, since they can run any code
    config.json                   from transformers or timm: classes, image size, unusual settings
    preprocessor_config.json      how images were normalised

The names are listed in the order of the layers here:

    torchvision     layer1.0.conv1, layer1.0.bn1; features.2.conv.0.0; timm's ResNets too
    timm            blocks.1.0.conv_pw, blocks.1.0.bn1
    transformers    resnet.encoder.stages.0.layers.0.layer.0.convolution

A convolution and its batch norm form a pair. The layers of a residual block are followed by the
pair of its shortcut; the dense layer comes last.

>>> names = resnet_names("torchvision", (2, 2, 2, 2), 2)
>>> names.pairs[:2], names.dense
([('conv1', 'bn1'), ('layer1.0.conv1', 'layer1.0.bn1')], 'fc')
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from chainrule.errors import DataError
from chainrule.host.reading import COPY, Above0, convert, read_arrays, read_json_file
from chainrule.models.mobilenet import BOTTLENECKS

# The files

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
USUAL = {
    "resnet": {
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
        "hidden_act": "relu",
    },
    "mobilenet_v2": {
        "output_stride": 32,
        "first_layer_is_expansion": True,
        "hidden_act": "relu6",
    },
}
"""Settings of transformers that change the network but are not visible in its tensors."""


class Naming(NamedTuple):
    """A library's naming of an architecture, and the tensor name by which it is recognised."""

    architecture: str
    library: str
    mark: str


@dataclass(frozen=True)
class Files:
    """The tensors by name, and the two configurations, which are empty if a file is missing."""

    tensors: dict[str, np.ndarray]
    config: dict[str, Any]
    preprocessor: dict[str, Any]

    def check(self, source: str, naming: Naming) -> None:
        """Refuse a configuration that defines a different network with the same tensors."""
        if naming.library != "transformers":
            return
        for name, usual in USUAL[naming.architecture].items():
            value = self.config.get(name, usual)
            if value != usual:
                expected = f"{name} = {json.dumps(usual)}, as in the paper"
                hint = "the weights of a network without this change"
                raise DataError(f"{source}, config.json", expected, json.dumps(value), hint)

    def tensorflow_padding(self, naming: Naming) -> bool:
        """Return whether the network pads with zeros as TensorFlow does."""
        tensorflow = naming.library == "transformers" and naming.architecture == "mobilenet_v2"
        return tensorflow and self.config.get("tf_padding", True)

    def eps(self, naming: Naming) -> float:
        """Return ε of batch norm."""
        tensorflow = naming.library == "transformers" and naming.architecture == "mobilenet_v2"
        return self.config.get("layer_norm_eps", 1e-3) if tensorflow else 1e-5

    @property
    def image_size(self) -> int | None:
        """The side of the images in training, or None if the files do not contain it."""
        size = self.config.get("image_size") or (self._timm.get("input_size") or [None])[-1]
        return size if isinstance(size, int) else None

    def normalization(self, naming: Naming, n_C: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and standard deviation of pixels from 0 to 1, for each channel."""
        tensorflow = naming.library == "transformers" and naming.architecture == "mobilenet_v2"
        mean, std = HALVES if tensorflow else IMAGENET
        mean = self.preprocessor.get("image_mean") or self._timm.get("mean") or mean
        std = self.preprocessor.get("image_std") or self._timm.get("std") or std
        pair = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        _check_normalization(*pair)
        if len(pair[0]) == n_C:
            return pair
        return np.full(n_C, pair[0].mean()), np.full(n_C, pair[1].mean())

    def classes(self, n_L: int) -> tuple[str, ...] | None:
        """Return the names of the outputs, or None if the files do not contain them."""
        labels = self.config.get("id2label") or {}
        names = [labels.get(str(i)) for i in range(n_L)] if labels else None
        names = names or self.config.get("label_names") or self._timm.get("label_names")
        if names is None or len(names) != n_L or None in names:
            return None
        unnamed = names == [f"LABEL_{i}" for i in range(n_L)]
        return None if unnamed else tuple(map(str, names))

    @property
    def _timm(self) -> dict[str, Any]:
        return self.config.get("pretrained_cfg") or {}


class TimmConfig(TypedDict, total=False):
    """The settings of timm that are used, in the entry pretrained_cfg of config.json."""

    input_size: list[int] | None
    mean: list[float] | None
    std: list[float] | None
    label_names: list[str] | None


class Config(TypedDict, total=False):
    """The settings in config.json that are used; there are many others."""

    id2label: dict[str, Any] | None
    label_names: list[str] | None
    layer_norm_eps: Above0
    tf_padding: bool
    pretrained_cfg: TimmConfig | None


class PreprocessorConfig(TypedDict, total=False):
    """The settings in preprocessor_config.json that are used."""

    image_mean: list[float] | None
    image_std: list[float] | None


def _check_normalization(mean: np.ndarray, std: np.ndarray) -> None:
    """Refuse a mean and a standard deviation by which pixels cannot be normalised."""
    finite = np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()
    if mean.shape != std.shape or not finite:
        expected = "a mean and a positive standard deviation for each channel"
        got = f"{mean.tolist()} and {std.tolist()}"
        raise DataError("the normalisation of the pixels", expected, got, COPY)


def refuse_pickle(file: Path) -> None:
    """Refuse a PyTorch file, and explain how it is converted to safetensors."""
    if file.suffix.lower() in PICKLES:
        hint = 'safetensors.torch.save_file(model.state_dict(), "model.safetensors"), in PyTorch'
        got = f"a {file.suffix} file, which is a pickle and could run any code"
        raise DataError(str(file), "a safetensors file", got, hint)


def read_files(path: Path) -> Files:
    """Read a safetensors file and its configuration files, or those in a folder."""
    file = path / "model.safetensors" if path.is_dir() else path
    refuse_pickle(file)
    if not file.exists():
        hint = "the path of a file, or a name on the hub, such as timm/resnet18.a1_in1k"
        raise DataError(str(path), "a safetensors file", "no such file", hint)
    hint = "downloading it again: it is damaged, or in another format"
    return Files(
        read_arrays(file, str(file), hint=hint),
        _json(file.parent / "config.json", Config),
        _json(file.parent / "preprocessor_config.json", PreprocessorConfig),
    )


def _json(file: Path, declared: type) -> dict[str, Any]:
    """Return the content of a configuration file, and {} if there is none."""
    if not file.exists():
        return {}
    hint = "downloading it again, or removing it"
    content = read_json_file(file, hint=hint)
    convert(content, declared, str(file), hint=hint)
    return content


# The names of the layers

Pair = tuple[str, str]
"""The names of a convolution and of its batch norm."""


class Names(NamedTuple):
    """The names of every convolution with its batch norm, and of the dense layer."""

    pairs: list[Pair]
    dense: str


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
