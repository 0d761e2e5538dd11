"""Networks of torchvision, timm and transformers beside ours with the same weights.

`python -m benchmarks.published` builds their PyTorch modules with weights at random, lets them see
random images so that batch norm has averages, saves them as each library saves its own, and reads
the files with `load_published`. Nothing is fetched. Of the same images

    float32    the logits are to differ by 10⁻⁴ at most, which is what rounding does
    float64    by far less, as they are the same functions: ε of the file that is not ours is added
               to variances in float32, which leaves 10⁻⁶
"""

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import torch
from safetensors.torch import save_file

from chainrule.formatting import aligned
from chainrule.layers.layer import Layer, count_parameters
from chainrule.models.conv_network import call_layer
from chainrule.models.pretrained import load_published

MOST = {"float32": 1e-4, "float64": 1e-5}
IMAGES, SIZE, CLASSES = 4, 96, 1000

Module = torch.nn.Module


class Case(NamedTuple):
    """A library's network, how it is made and how that library saves it."""

    library: str
    name: str
    make: Callable[[], Module]
    save: Callable[[Module, Path], object]


class Row(NamedTuple):
    """What came out: the largest logit of theirs, and the largest differences from ours."""

    library: str
    name: str
    ours: str
    parameters: int
    logit: float
    float32: float
    float64: float


def cases() -> list[Case]:
    """Every network that is compared."""
    return [*_torchvision(), *_timm(), *_transformers()]


def _torchvision() -> list[Case]:
    _declare_operators()
    models = importlib.import_module("torchvision.models")

    def case(name: str, **how) -> Case:
        return Case("torchvision", _said(name, how), lambda: getattr(models, name)(**how), _save)

    names = ("resnet18", "resnet34", "resnet50", "mobilenet_v2")
    return [*map(case, names), case("mobilenet_v2", width_mult=0.75)]


def _timm() -> list[Case]:
    timm = importlib.import_module("timm")

    def save(module: Module, folder: Path) -> None:
        timm.models.save_for_hf(module, folder, safe_serialization=True)

    def case(name: str) -> Case:
        return Case("timm", name, lambda: timm.create_model(name), save)

    names = ("resnet18", "resnet34", "resnet50", "mobilenetv2_100", "mobilenetv2_050")
    return [*map(case, names), case("mobilenetv2_140")]


def _transformers() -> list[Case]:
    library = importlib.import_module("transformers")

    def case(name: str, said: str, **how) -> Case:
        def make() -> Module:
            config = getattr(library, f"{name}Config")(num_labels=CLASSES, **how)
            return getattr(library, f"{name}ForImageClassification")(config)

        return Case("transformers", said, make, lambda module, path: module.save_pretrained(path))

    basic = {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]}
    narrow = {"depth_multiplier": 0.35, "tf_padding": False}
    return [
        case("ResNet", "resnet-18", depths=[2, 2, 2, 2], **basic),
        case("ResNet", "resnet-34", depths=[3, 4, 6, 3], **basic),
        case("ResNet", "resnet-50"),
        case("MobileNetV2", "mobilenet_v2"),
        case("MobileNetV2", _said("mobilenet_v2", narrow), **narrow),
    ]


def _said(name: str, how: dict[str, object]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in how.items())])


def _save(module: Module, folder: Path) -> None:
    save_file(module.state_dict(), folder / "model.safetensors")


def _declare_operators() -> None:
    """Two names that torchvision looks for when it is imported and its own build is another's.

    Its networks use neither: they are of boxes, and in a build for CUDA beside a torch for the CPU.
    """
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    OPERATORS.append(library)


OPERATORS: list[torch.library.Library] = []
"""Kept, since their names go when it goes."""


def compare(case: Case, seed: int = 0) -> Row:
    """Their logits and ours, of the same images."""
    torch.manual_seed(seed)
    module = case.make()
    images = torch.randn(IMAGES, 3, SIZE, SIZE)
    _randomize(module, images)
    with tempfile.TemporaryDirectory() as folder:
        case.save(module, Path(folder))
        network = load_published(folder, image_size=SIZE).network
    logits, differences = [], []
    for dtype in MOST:
        with torch.no_grad():
            said = module.to(getattr(torch, dtype))(images.to(getattr(torch, dtype)))
        logits.append(getattr(said, "logits", said).numpy().T)
        with jax.enable_x64(dtype == "float64"):
            X = images.numpy().transpose(0, 2, 3, 1).astype(dtype)
            Z = jax.jit(call_layer)(_in(dtype, network), X)
            differences.append(float(np.abs(np.asarray(Z) - logits[-1]).max()))
    parameters, logit = count_parameters(network), float(np.abs(logits[0]).max())
    return Row(case.library, case.name, network.name, parameters, logit, *differences)


def _in(dtype: str, network: Layer) -> Layer:
    """The network with its arrays in this precision."""
    return jax.tree.map(lambda x: x.astype(dtype) if x.dtype.kind == "f" else x, network)


def _randomize(module: Module, images: torch.Tensor) -> None:
    """γ and β about as large as trained ones, running averages of the images; then for use."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.1, 0.7)
            torch.nn.init.normal_(layer.bias, std=0.1)
            layer.momentum = None  # the plain average
    module.train()
    with torch.no_grad():
        module(images)
    module.eval()


def table(rows: list[Row]) -> str:
    """A line for each network."""
    head = ["library", "network", "ours", "parameters", "largest logit", *MOST]
    cells = [
        [*row[:3], f"{row.parameters:,}", f"{row.logit:.2f}", *(f"{d:.1e}" for d in row[5:])]
        for row in rows
    ]
    return "\n".join(aligned([head, *cells], right=[3, 4, 5, 6]))


def main() -> int:
    """The table; 1 where a difference is too large."""
    rows = [compare(case) for case in cases()]
    print(table(rows), end="\n\n")
    right = True
    for dtype, most in MOST.items():
        worst = max(getattr(row, dtype) for row in rows)
        right = right and worst <= most
        print(f"The largest difference in {dtype} is {worst:.1e}; {most:g} is allowed.")
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
