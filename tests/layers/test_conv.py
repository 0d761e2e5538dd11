"""Tests of chainrule/layers/conv.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu, tanh
from chainrule.blocks.conv1d import conv1d
from chainrule.blocks.convolution import conv2d, size_after
from chainrule.blocks.depthwise import depthwise
from chainrule.blocks.transposed import transposed
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.conv import Conv1D, Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.initializers import he, xavier
from chainrule.layers.layer import count_parameters, named_arrays, penalized_arrays
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import Steps

KEY = jax.random.key(0)
IMAGES = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 4, 3)))
SETTINGS = {"key": KEY, "activation": tanh, "initializer": xavier, "dtype": float}


def test_by_hand():
    layer = Conv2D(1, 1, f=2, p=0, key=KEY, activation=relu, dtype=float)
    arrays = [jnp.array([[1.0, 0.0], [0.0, -1.0]])[:, :, None, None], jnp.full((1, 1, 1, 1), 0.5)]
    layer = jax.tree.unflatten(jax.tree.structure(layer), arrays)
    image = jnp.array([[1.0, 2.0, 3.0], [4.0, 0.0, 5.0]])[None, :, :, None]
    np.testing.assert_array_equal(layer(image)[0, :, :, 0], [[1.5, 0.0]])  # Z is 1.5 and −2.5


@pytest.mark.parametrize(
    ("layer", "block", "shape"),
    [
        (Conv2D(3, 2, f=3, s=2, **SETTINGS), conv2d, (3, 3, 3, 2)),
        (DepthwiseConv2D(3, f=2, **SETTINGS), depthwise, (2, 2, 3)),
        (ConvTranspose2D(3, 2, f=3, s=2, p=(1, 0), **SETTINGS), transposed, (3, 3, 3, 2)),
    ],
    ids=lambda x: getattr(x, "title", None),
)
def test_the_formula_and_the_initial_parameters(layer, block, shape):
    np.testing.assert_array_equal(layer.W, xavier(KEY, shape, float))
    np.testing.assert_array_equal(layer.b, np.zeros((1, 1, 1, shape[-1])))
    Z = block(IMAGES, layer.W, layer.b, s=layer.s, p=layer.p)
    np.testing.assert_allclose(layer(IMAGES), np.tanh(Z))


def test_without_bias_there_is_no_b():
    for layer in (Conv2D(3, 2, key=KEY, bias=False), DepthwiseConv2D(3, key=KEY, bias=False)):
        assert layer.b is None
    assert ConvTranspose2D(3, 2, key=KEY, bias=False).b is None


def test_the_number_of_parameters_in_the_notes():
    """Ten filters of 3 by 3 by 3 have 280 parameters, however large the image."""
    layer = Conv2D(3, 10, f=3, key=KEY)
    assert count_parameters(layer) == 280
    assert {array.dtype for array in named_arrays(layer).values()} == {np.dtype(np.float32)}
    assert [W.shape for W in penalized_arrays(layer)] == [(3, 3, 3, 10)]
    assert count_parameters(DepthwiseConv2D(8, key=KEY)) == 80


def test_the_cnn_example_of_the_notes():
    sizes = [(3, 10, 3, 1), (10, 20, 5, 2), (20, 40, 5, 2)]
    layers = [Conv2D(a, b, f=f, s=s, p=0, key=KEY) for a, b, f, s in sizes]
    n = jax.ShapeDtypeStruct((1, 39, 39, 3), np.float32)
    found = []
    for layer in layers:
        n = jax.eval_shape(layer, n)
        found.append(n.shape[1:])
    assert found == [(37, 37, 10), (17, 17, 20), (7, 7, 40)]
    assert np.prod(found[-1]) == 1960


def test_he_uses_the_fan_in():
    W = np.asarray(he(KEY, (3, 3, 64, 32)), float)
    assert W.var() == pytest.approx(2 / (9 * 64), rel=0.05)
    assert np.asarray(he(KEY, (3, 3, 4096)), float).var() == pytest.approx(2 / 9, rel=0.05)


def test_titles():
    assert Conv2D(3, 8, key=KEY).title == "Conv2D(3×3, 3 -> 8)"
    assert Conv2D(3, 8, f=5, s=2, p=0, key=KEY).title == "Conv2D(5×5, 3 -> 8, s=2, p=0)"
    assert DepthwiseConv2D(8, p=(0, 1), key=KEY).title == "DepthwiseConv2D(3×3, 8, p=(0, 1))"
    assert ConvTranspose2D(8, 4, key=KEY).title == "ConvTranspose2D(2×2, 8 -> 4, s=2, p=0)"


# Errors


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((5, 3, 32, 32), "jnp.moveaxis(images, 1, -1): the channels come first"),
        ((32, 32, 3), "images[None], if this is one image"),
        ((3072, 5), "Images((n_H, n_W, n_C)) as the first layer: these are columns"),
        ((5, 32, 32, 1), "checking the layer before it: its output should have 3 channels"),
        ((5,), "checking the layer before it: its output should have 3 channels"),
    ],
)
@pytest.mark.parametrize(
    "layer",
    [Conv2D(3, 8, key=KEY), DepthwiseConv2D(3, key=KEY), ConvTranspose2D(3, 8, key=KEY)],
    ids=lambda layer: layer.title,
)
def test_refuses_arrays_that_are_not_images(layer, shape, hint):
    with pytest.raises(ShapeError) as error:
        layer(jnp.ones(shape))
    assert str(error.value) == (
        f"{layer.title}: expected (m, n_H, n_W, 3), images with their channels last; got {shape}.\n"
        f"Try {hint}."
    )


def test_refuses_greyscale_images_without_a_channel_axis():
    with pytest.raises(ShapeError) as error:
        Conv2D(1, 8, key=KEY)(jnp.ones((5, 28, 28)))
    assert str(error.value).endswith(
        "images[..., None]: greyscale images need an axis for their one channel."
    )


def test_the_error_for_a_large_filter_names_the_layer():
    network = Sequential(
        [Conv2D(1, 2, key=KEY), MaxPool(4), Conv2D(2, 2, key=KEY), Conv2D(2, 4, f=5, p=0, key=KEY)]
    )
    with pytest.raises(ShapeError) as error:
        jax.eval_shape(network, jnp.ones((1, 8, 8, 1), jnp.float32))
    assert str(error.value) == (
        "layer 3, Conv2D(5×5, 2 -> 4, p=0): expected images of at least 5 by 5 for f = 5; "
        "got 2 by 2, which gives "
        "an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(2 + 0 − 5)/1⌋ + 1 = -2.\n"
        'Try p="same", a smaller f, or one fewer pooling layer before this layer.'
    )
    assert size_after(2, 5) == -2


def test_refuses_invalid_padding_and_stride():
    with pytest.raises(OptionError) as error:
        Conv2D(3, 2, p="smae", key=KEY)(IMAGES)
    assert str(error.value) == (
        'Conv2D(3×3, 3 -> 2, p=smae): expected "same", "valid", a number, or (before, after); '
        "got 'smae'.\n"
        'Try "same".'
    )
    with pytest.raises(OptionError) as error:
        ConvTranspose2D(3, 2, s=0, key=KEY)(IMAGES)
    assert str(error.value).startswith("ConvTranspose2D(2×2, 3 -> 2, s=0, p=0): expected a stride")


# Over time

STEPS = jnp.asarray(np.random.default_rng(1).standard_normal((7, 3, 4)))
LENGTHS = jnp.array([7, 4, 1, 0])
LAYERS_OVER_TIME = [
    Conv1D(3, 2, f=3, **SETTINGS),
    Conv1D(3, 2, f=3, s=2, p=(2, 0), **SETTINGS),
    Conv1D(3, 2, f=3, p="valid", **SETTINGS),
]
each_layer = pytest.mark.parametrize("layer", LAYERS_OVER_TIME, ids=lambda layer: layer.title)


def test_the_parameters_of_a_convolution_over_time():
    layer = Conv1D(3, 2, f=5, **SETTINGS)
    np.testing.assert_array_equal(layer.W, xavier(KEY, (1, 5, 3, 2), float)[0])
    np.testing.assert_array_equal(layer.b, np.zeros((2, 1)))
    Z = conv1d(STEPS, layer.W, layer.b, p="same")
    np.testing.assert_allclose(layer(STEPS), np.tanh(Z))
    assert [W.shape for W in penalized_arrays(layer)] == [(5, 3, 2)]
    assert Conv1D(3, 2, key=KEY, bias=False).b is None


@each_layer
def test_a_padded_sequence_is_convolved_as_it_is_alone(layer):
    layer = jax.tree.unflatten(jax.tree.structure(layer), [layer.W, layer.b + 1])
    A = layer(Steps(STEPS, LENGTHS))
    assert layer(Steps(STEPS)).lengths is None
    for i, length in enumerate(LENGTHS.tolist()):
        after = int(A.lengths[i])
        assert not A.values[after:, :, i].any()
        if length == 0 or (layer.p == "valid" and length < 3):
            assert after == 0
            continue
        alone = layer(STEPS[:length, :, i : i + 1])
        assert len(alone) == after
        np.testing.assert_allclose(A.values[:after, :, i : i + 1], alone, rtol=1e-12)


def test_messages_of_a_convolution_over_time():
    assert Conv1D(16, 32, f=5, s=2, key=KEY).title == "Conv1D(5, 16 -> 32, s=2)"
    with pytest.raises(ShapeError, match=r"Conv1D\(3, 3 -> 2\): expected \(T, 3, m\)"):
        LAYERS_OVER_TIME[0](STEPS.transpose(2, 0, 1))
    with pytest.raises(ShapeError, match=r"Conv1D\(3, 3 -> 2, p=valid\): expected sequences of"):
        LAYERS_OVER_TIME[2](STEPS[:2])
