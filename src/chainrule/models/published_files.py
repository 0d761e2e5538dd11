"""The files of a published network: its tensors and its configuration.

model.safetensors             the tensors; pickles are not read, since they can run any code
config.json                   from transformers or timm: classes, image size, unusual settings
preprocessor_config.json      how images were normalised
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.models.namings import Naming

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
        """The side of the images that it was trained on, or None if the files do not tell."""
        size = self.config.get("image_size") or self._timm.get("input_size", [None])[-1]
        return size if isinstance(size, int) else None

    def normalization(self, naming: Naming, n_C: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and standard deviation of pixels from 0 to 1, for each channel."""
        tensorflow = naming.library == "transformers" and naming.architecture == "mobilenet_v2"
        mean, std = HALVES if tensorflow else IMAGENET
        mean = self.preprocessor.get("image_mean") or self._timm.get("mean") or mean
        std = self.preprocessor.get("image_std") or self._timm.get("std") or std
        pair = np.asarray(mean, np.float32), np.asarray(std, np.float32)
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


def read_files(path: Path) -> Files:
    """Read a safetensors file and its configuration files, or those in a folder."""
    file = path / "model.safetensors" if path.is_dir() else path
    if file.suffix in PICKLES:
        hint = 'safetensors.torch.save_file(model.state_dict(), "model.safetensors"), in PyTorch'
        got = f"a {file.suffix} file, a pickle, which could run any code"
        raise DataError(str(file), "a safetensors file", got, hint)
    if not file.is_file():
        hint = "the path of a file, or a name on the hub, such as timm/resnet18.a1_in1k"
        raise DataError(str(path), "a safetensors file", "no such file", hint)
    return Files(
        _tensors(file),
        _json(file.parent / "config.json"),
        _json(file.parent / "preprocessor_config.json"),
    )


def _tensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(file))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        hint = "downloading it again: it is damaged, or in another format"
        got = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(str(file), "a safetensors file", got, hint) from error


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        hint = "downloading it again, or removing it"
        raise DataError(str(file), "JSON", str(error).rstrip("."), hint) from error
    return content if isinstance(content, dict) else {}
