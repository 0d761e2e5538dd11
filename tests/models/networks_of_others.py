"""State dictionaries of other libraries, written by hand from their documented modules.

Each function walks through the network as its library builds it, and adds the tensors of a
convolution and its batch norm under that library's names: nothing here is asked of ours.
"""

import json

import numpy as np
from safetensors.numpy import save_file

STAGES = (64, 128, 256, 512)
EXPANSIONS, BLOCKS = (1, 6, 6, 6, 6, 6, 6), (1, 2, 3, 4, 3, 3, 1)
CHANNELS = {1: (32, 16, 24, 32, 64, 96, 160, 320), 0.35: (16, 8, 8, 16, 24, 32, 56, 112)}
"""The channels of the stem and the stages of MobileNet v2, by width."""


class Tensors(dict):
    """A collection of tensors by name, each with different random numbers."""

    def __init__(self, seed=0):
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def normal(self, name, *shape, size=0.05):
        self[name] = (size * self.rng.standard_normal(shape)).astype(np.float32)

    def convolution(self, conv, norm, n_C, n_C_prev, f):
        """Add filters (n_C, n_C_prev, f, f), and γ, β and the running averages of n_C channels."""
        self.normal(f"{conv}.weight", n_C, n_C_prev, f, f, size=(2 / (n_C_prev * f * f)) ** 0.5)
        self.normal(f"{norm}.bias", n_C, size=0.1)
        self.normal(f"{norm}.running_mean", n_C, size=0.1)
        for name in ("weight", "running_var"):
            self[f"{norm}.{name}"] = self.rng.uniform(0.5, 1.5, n_C).astype(np.float32)
        self[f"{norm}.num_batches_tracked"] = np.asarray(7, np.int64)

    def dense(self, place, n_L, n):
        self.normal(f"{place}.weight", n_L, n)
        self.normal(f"{place}.bias", n_L)


def resnet18_of_torchvision(n_L=3, n_C=3, prefix=""):
    """Return the tensors of a ResNet-18 of torchvision, which has the same names in timm."""
    found = Tensors()
    found.convolution(f"{prefix}conv1", f"{prefix}bn1", 64, n_C, 7)
    before = 64
    for stage, n in enumerate(STAGES, 1):
        for block in range(2):
            place = f"{prefix}layer{stage}.{block}."
            found.convolution(f"{place}conv1", f"{place}bn1", n, before, 3)
            found.convolution(f"{place}conv2", f"{place}bn2", n, n, 3)
            if before != n:
                found.convolution(f"{place}downsample.0", f"{place}downsample.1", n, before, 1)
            before = n
    found.dense(f"{prefix}fc", n_L, before)
    return found


def resnet18_of_transformers(n_L=3):
    """Return the tensors of a ResNet-18 of transformers: embedder, encoder stages, classifier."""
    found = Tensors()

    def add(place, *sizes):
        found.convolution(f"{place}.convolution", f"{place}.normalization", *sizes)

    add("resnet.embedder.embedder", 64, 3, 7)
    before = 64
    for stage, n in enumerate(STAGES):
        for block in range(2):
            place = f"resnet.encoder.stages.{stage}.layers.{block}"
            if before != n:
                add(f"{place}.shortcut", n, before, 1)
            add(f"{place}.layer.0", n, before, 3)
            add(f"{place}.layer.1", n, n, 3)
            before = n
    found.dense("classifier.1", n_L, before)
    return found


def mobilenet_v2(library, n_L=3, width=1):
    """Return the tensors of a MobileNet v2 with the names of one of the three libraries."""
    names = {"torchvision": torchvision_name, "timm": timm_name, "transformers": transformers_name}
    found, name = Tensors(), names[library]
    before, *stages = CHANNELS[width]
    found.convolution(*name(0, "", "stem", 1), before, 3, 3)
    i = 1
    for stage, (t, n, blocks) in enumerate(zip(EXPANSIONS, stages, BLOCKS, strict=True)):
        for block in range(blocks):
            place, inner = f"{stage}.{block}", t * before
            if t > 1:
                found.convolution(*name(i, place, "expand", t), inner, before, 1)
            found.convolution(*name(i, place, "depthwise", t), inner, 1, 3)
            found.convolution(*name(i, place, "reduce", t), n, inner, 1)
            before, i = n, i + 1
    found.convolution(*name(i, "", "head", 1), 1280, before, 1)
    found.dense("classifier.1" if library == "torchvision" else "classifier", n_L, 1280)
    return found


def torchvision_name(i, place, kind, t):
    if kind in ("stem", "head"):
        return f"features.{i}.0", f"features.{i}.1"
    place = f"features.{i}.conv"
    if kind == "reduce":
        return (f"{place}.2", f"{place}.3") if t > 1 else (f"{place}.1", f"{place}.2")
    k = 1 if kind == "depthwise" and t > 1 else 0
    return f"{place}.{k}.0", f"{place}.{k}.1"


def timm_name(i, place, kind, t):
    if kind in ("stem", "head"):
        return f"conv_{kind}", {"stem": "bn1", "head": "bn2"}[kind]
    place = f"blocks.{place}"
    if t == 1:  # a depthwise separable pair
        return {
            "depthwise": (f"{place}.conv_dw", f"{place}.bn1"),
            "reduce": (f"{place}.conv_pw", f"{place}.bn2"),
        }[kind]
    return {
        "expand": (f"{place}.conv_pw", f"{place}.bn1"),
        "depthwise": (f"{place}.conv_dw", f"{place}.bn2"),
        "reduce": (f"{place}.conv_pwl", f"{place}.bn3"),
    }[kind]


def transformers_name(i, place, kind, t):
    """Return the name in transformers, where the first block is part of the stem."""
    layer = {"expand": "expand_1x1", "depthwise": "conv_3x3", "reduce": "reduce_1x1"}
    if kind == "stem":
        place = "conv_stem.first_conv"
    elif kind == "head":
        place = "conv_1x1"
    else:
        place = f"conv_stem.{layer[kind]}" if i == 1 else f"layer.{i - 2}.{layer[kind]}"
    return f"mobilenet_v2.{place}.convolution", f"mobilenet_v2.{place}.normalization"


def saved(folder, tensors, config=None, preprocessor=None):
    """Save these files as a library does, and return the folder."""
    folder.mkdir(exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors")
    for name, content in (("config", config), ("preprocessor_config", preprocessor)):
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content))
    return folder
