"""Tests of chainrule/models/pretrained.py, with files of other libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import DataError, OptionError
from chainrule.layers.layer import count_parameters, named_arrays
from chainrule.models.conv_network import call_layer
from chainrule.models.pretrained import EPS, load_published
from tests.models.networks_of_others import (
    Tensors,
    mobilenet_v2,
    resnet18_of_torchvision,
    resnet18_of_transformers,
    saved,
)

pytestmark = pytest.mark.usefixtures("float32_world")
LIBRARIES = ("torchvision", "timm", "transformers")
SAME_EPS = {"layer_norm_eps": 1e-5}


def loaded(folder, tensors, *files, **how):
    return load_published(saved(folder, tensors, *files), **how)


def convolved(A, W, s, p):
    """Convolve as PyTorch defines it: A (m, n_C_prev, n_H, n_W), W (n_C, n_C_prev, f, f)."""
    f = W.shape[-1]
    A = np.pad(A, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(A, (f, f), (2, 3))[:, :, ::s, ::s]
    return np.einsum("mcijhw,nchw->mnij", windows, W, optimize=True)


def normalized(A, tensors, name):
    def channel(x):
        return tensors[f"{name}.{x}"].astype(np.float64)[:, None, None]

    Z_norm = (A - channel("running_mean")) / np.sqrt(channel("running_var") + 1e-5)
    return channel("weight") * Z_norm + channel("bias")


def relu(A):
    return np.maximum(A, 0)


def resnet18_by_hand(tensors, A):
    """Compute torchvision's ResNet-18 in NumPy and float64."""

    def unit(A, conv, norm, s, p):
        return normalized(convolved(A, tensors[f"{conv}.weight"], s, p), tensors, norm)

    A = relu(unit(A.astype(np.float64), "conv1", "bn1", 2, 3))
    A = np.pad(A, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    A = np.lib.stride_tricks.sliding_window_view(A, (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))
    for stage in range(1, 5):
        for block in range(2):
            at, s = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
            main = relu(unit(A, f"{at}conv1", f"{at}bn1", s, 1))
            main = unit(main, f"{at}conv2", f"{at}bn2", 1, 1)
            if f"{at}downsample.0.weight" in tensors:
                A = unit(A, f"{at}downsample.0", f"{at}downsample.1", s, 0)
            A = relu(main + A)
    return tensors["fc.weight"] @ A.mean((2, 3)).T + tensors["fc.bias"][:, None]


def test_a_resnet18_computes_what_torchvision_documents(tmp_path):
    tensors = resnet18_of_torchvision()
    found = loaded(tmp_path, tensors, image_size=32)
    X = np.random.default_rng(1).standard_normal((2, 32, 32, 3)).astype(np.float32)
    Z = jax.jit(call_layer)(found.network, jnp.asarray(X))
    np.testing.assert_allclose(Z, resnet18_by_hand(tensors, X.transpose(0, 3, 1, 2)), atol=1e-4)
    assert found.network.title == "resnet18(32×32×3 -> 3)"
    assert count_parameters(found.network) == 11_689_512 - 997 * 513


def assert_same(one, other):
    one, other = named_arrays(one), named_arrays(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, err_msg=name)


def test_a_resnet18_is_the_same_in_two_namings(tmp_path):
    theirs = resnet18_of_torchvision(n_L=5)
    others = resnet18_of_transformers(n_L=5)  # its shortcuts come first: not in the same order
    for name in theirs:
        place, _, field = name.rpartition(".")
        *outer, last = place.split(".")
        if place == "fc":
            other = f"classifier.1.{field}"
        elif not outer:
            other = f"resnet.embedder.embedder.{part(last)}.{field}"
        else:
            stage, block, *_ = outer
            inner = "shortcut" if "downsample" in place else f"layer.{int(last[-1]) - 1}"
            kind = {"0": "convolution", "1": "normalization"}.get(last, part(last))
            place = f"resnet.encoder.stages.{int(stage[-1]) - 1}.layers.{block}.{inner}"
            other = f"{place}.{kind}.{field}"
        assert others[other].shape == theirs[name].shape
        others[other] = theirs[name]
    assert len(others) == len(theirs)
    ours = [loaded(tmp_path / str(i), t).network for i, t in enumerate((theirs, others))]
    assert_same(*ours)


def part(name):
    return "convolution" if name.startswith("conv") else "normalization"


@pytest.mark.parametrize("width", [1, 0.35])
def test_a_mobilenet_is_the_same_in_three_namings(tmp_path, width):
    found = [
        loaded(tmp_path / library, mobilenet_v2(library, width=width), SAME_EPS).network
        for library in LIBRARIES
    ]
    counts = {1: 3_504_872 - 997 * 1281, 0.35: 1_677_128 - 997 * 1281}
    assert [one.name for one in found] == ["mobilenet_v2"] * 3
    assert count_parameters(found[0]) == counts[width]
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
    assert dict(found[0].options) == ({} if width == 1 else {"width": 0.35})
    assert dict(found[2].options)["padding"] == "tensorflow"


def test_every_tensor_is_in_its_place(tmp_path):
    tensors = mobilenet_v2("timm")
    first, norm, depthwise, *_ = loaded(tmp_path, tensors).network.parts()[1:]
    np.testing.assert_array_equal(first.W[2, 0, 1], tensors["conv_stem.weight"][:, 1, 2, 0])
    np.testing.assert_array_equal(
        depthwise.W[0, 2], tensors["blocks.0.0.conv_dw.weight"][:, 0, 0, 2]
    )
    fields = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    for ours, theirs in fields.items():
        np.testing.assert_array_equal(getattr(norm, ours)[0, 0, 0], tensors[f"bn1.{theirs}"])
    assert norm.t == 1000  # as after many batches: the next one has a weight of 0.1


def test_another_epsilon_is_added_to_the_variance(tmp_path):
    tensors = mobilenet_v2("transformers", width=0.35)
    name = "mobilenet_v2.conv_stem.first_conv.normalization.running_var"
    for eps, config in [(1e-3, {}), (0.5, {"layer_norm_eps": 0.5})]:
        norm = loaded(tmp_path, tensors, config).network.parts()[2]
        np.testing.assert_allclose(norm.variance[0, 0, 0], tensors[name] + eps - EPS, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.float64])
def test_tensors_of_another_precision_become_float32(tmp_path, dtype):
    tensors = mobilenet_v2("timm", width=0.35)
    bias = tensors["classifier.bias"].astype(dtype)
    tensors |= {name: x.astype(dtype) for name, x in tensors.items() if x.dtype == np.float32}
    b = loaded(tmp_path, tensors).network.parts()[-1].b
    assert b.dtype == np.float32
    np.testing.assert_array_equal(b[:, 0], bias.astype(np.float32))


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_prefixes_of_wrappers_are_removed(tmp_path, prefix):
    tensors = {prefix + name: x for name, x in resnet18_of_torchvision().items()}
    bare = loaded(tmp_path / "bare", resnet18_of_torchvision()).network
    assert_same(loaded(tmp_path / "wrapped", tensors).network, bare)


def test_the_size_and_the_channels_of_the_images(tmp_path):
    grey = saved(tmp_path, resnet18_of_torchvision(n_C=1))
    assert load_published(grey).network.shape == (224, 224, 1)
    assert load_published(grey, image_size=(64, 48)).network.shape == (64, 48, 1)
    assert load_published(grey / "model.safetensors", image_size=32).network.n_L == 3
    with pytest.raises(OptionError) as error:
        load_published(grey, image_size=(32, 0))
    assert str(error.value) == (
        "image_size: expected a number of pixels, or a height and a width; got (32, 0).\nTry 224."
    )


# Errors


def words(folder, tensors):
    source = saved(folder, tensors)
    with pytest.raises(DataError) as error:
        load_published(source)
    return str(error.value).replace(str(source), "FOLDER")


def test_refuses_tensors_of_another_network(tmp_path):
    tensors = Tensors()
    tensors.dense("encoder", 2, 2)
    assert words(tmp_path, tensors) == (
        "FOLDER: expected a ResNet or a MobileNet v2 with the names of torchvision or transformers "
        "or timm; got tensors such as encoder.bias, encoder.weight.\nTry another file."
    )


def test_refuses_a_resnet_of_another_depth(tmp_path):
    tensors = resnet18_of_torchvision()
    tensors.convolution("layer3.2.conv1", "layer3.2.bn1", 256, 256, 3)
    assert words(tmp_path, tensors) == (
        "FOLDER: expected a ResNet of 18, 34 or 50 layers; got stages of 2, 2, 3, 2 blocks of 2 "
        "convolutions.\nTry a file with one of these networks."
    )


def test_one_error_lists_all_problems(tmp_path):
    tensors = resnet18_of_torchvision()
    del tensors["bn1.running_var"]
    for i in range(6):
        tensors.normal(f"layer1.0.attention{i}.weight", 2)
    tensors.normal("layer1.0.conv2.weight", 64, 64, 1, 1)
    assert words(tmp_path, tensors) == (
        "FOLDER: expected the tensors of a resnet18 with the names of torchvision; got 1 missing: "
        "bn1.running_var; 6 unknown: layer1.0.attention0.weight, layer1.0.attention1.weight, "
        "layer1.0.attention2.weight, layer1.0.attention3.weight and 2 more; 1 with a wrong shape: "
        "layer1.0.conv2.weight (64, 64, 1, 1) instead of (64, 64, 3, 3).\n"
        "Try the unmodified published file."
    )


@pytest.mark.parametrize("name", ["fc.weight", "fc.bias", "conv1.weight"])
def test_refuses_a_missing_tensor(tmp_path, name):
    tensors = resnet18_of_torchvision()
    del tensors[name]
    assert f"1 missing: {name}" in words(tmp_path, tensors)


@pytest.mark.parametrize("name", ["fc.weight", "conv1.weight", "conv_stem.weight", "bn1.weight"])
def test_refuses_a_tensor_with_missing_axes(tmp_path, name):
    tensors = mobilenet_v2("timm") if name == "conv_stem.weight" else resnet18_of_torchvision()
    tensors[name] = np.array(1, np.float32)
    assert f"{name} () instead of (" in words(tmp_path, tensors)


def test_refuses_sizes_that_no_width_has(tmp_path):
    tensors = mobilenet_v2("timm")
    tensors.convolution("blocks.6.0.conv_pwl", "blocks.6.0.bn3", 321, 960, 1)
    assert "blocks.6.0.bn3.weight (321,) instead of (320,)" in words(tmp_path, tensors)
