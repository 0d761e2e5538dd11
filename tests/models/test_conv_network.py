"""Tests of chainrule/models/conv_network.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.layer import named_arrays
from chainrule.models.conv_network import ConvNetwork

KEY = jax.random.key(0)
SHAPE = (4, 4, 1)


def network(precision="float32", dtype=np.float32, first=()):
    layers = [
        *first,
        Conv2D(1, 2, key=KEY, bias=False, dtype=dtype),
        BatchNorm(2, activation=relu, images=True, dtype=dtype),
        Flatten(),
        Dropout(0.8, dtype=dtype),
        Dense(32, 3, key=KEY, dtype=dtype),
    ]
    return ConvNetwork(layers, name="small", shape=SHAPE, n_L=3, precision=precision)


def images(m=5):
    return jax.random.uniform(jax.random.key(1), (m, *SHAPE), jnp.float32)


@pytest.mark.usefixtures("float32_world")
def test_columns_bytes_and_images_give_the_same_result():
    pixels = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    A, made = pixels / np.float32(255), network()
    Z = made(jnp.asarray(A))
    assert Z.shape == (3, 5)
    np.testing.assert_allclose(made(jnp.asarray(A.reshape(5, -1).T)), Z, rtol=1e-6)
    np.testing.assert_allclose(made(jnp.asarray(pixels)), Z, rtol=1e-5, atol=1e-6)


def test_title_and_settings():
    made = network("bfloat16")
    assert made.title == "small(4×4×1 -> 3)"
    assert made.settings == {
        "network": "small",
        "shape": [4, 4, 1],
        "n_L": 3,
        "precision": "bfloat16",
    }
    assert network().changed(options={"width": 2}).settings["width"] == 2
    assert "precision" not in network().settings


def test_a_first_layer_is_inserted_after_the_images():
    made = network().changed(first=[Augment("mirror")], options={"augment": "mirror"})
    kinds = [type(part) for part in made.parts()[:3]]
    assert kinds == [Images, Augment, Conv2D]
    assert named_arrays(made).keys() - named_arrays(network()).keys() == {"mirror0"}


# bfloat16


@eqx.filter_jit
def prediction_and_training(made, A):
    return made(A), made.train(A, key=KEY)


@pytest.mark.usefixtures("float32_world")
def test_bfloat16_is_close_and_the_state_stays_float32():
    (Z, (Z_train, after)), (exact, (exact_train, exact_after)) = (
        prediction_and_training(network(precision, first=[Augment("mirror")]), images())
        for precision in ("bfloat16", "float32")
    )
    assert Z.dtype == Z_train.dtype == jnp.float32
    assert not np.array_equal(Z, exact)  # it is rounded
    for got, want in ((Z, exact), (Z_train, exact_train)):
        np.testing.assert_allclose(got, want, atol=0.02 * np.abs(want).max())
    assert jax.tree.structure(after) == jax.tree.structure(
        network("bfloat16", first=[Augment("mirror")])
    )
    arrays, before = named_arrays(after), named_arrays(exact_after)
    for name, array in arrays.items():
        assert array.dtype == before[name].dtype
        if name.startswith(("W", "b", "gamma")):  # θ is not rounded
            np.testing.assert_array_equal(array, before[name])
    np.testing.assert_allclose(arrays["variance1"], before["variance1"], rtol=0.02)
    assert arrays["t1"] == 1


@pytest.mark.usefixtures("float32_world")
def test_gradients_in_bfloat16_are_float32_and_close():
    def J(made):
        return jnp.sum(made(images()) ** 2)

    low, exact = (eqx.filter_grad(J)(network(p)) for p in ("bfloat16", "float32"))
    for got, want in zip(jax.tree.leaves(low), jax.tree.leaves(exact), strict=True):
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, want, atol=0.03 * np.abs(want).max())


@pytest.mark.usefixtures("float32_world")
def test_batch_norm_of_bfloat16_computes_its_statistics_in_float32():
    norm = BatchNorm(1, images=True)
    A = (100 + jax.random.normal(KEY, (16, 4, 4, 1), jnp.float32)).astype(jnp.bfloat16)
    out, after = norm.train(A, key=KEY)
    assert out.dtype == jnp.bfloat16
    assert after.mean.dtype == after.variance.dtype == jnp.float32
    exact = np.asarray(A, np.float64)  # the rounded numbers themselves, but exact sums
    np.testing.assert_allclose(after.mean.item(), exact.mean(), rtol=1e-6)
    np.testing.assert_allclose(after.variance.item(), exact.var(), rtol=1e-4)


# Errors


def test_refuses_an_unknown_precision():
    with pytest.raises(OptionError, match="Try bfloat16"):
        network("bfloat")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_refuses_images_of_another_size(precision):
    with pytest.raises(ShapeError) as error:
        network(precision)(jnp.ones((5, 6, 6, 1), jnp.float32))
    assert str(error.value) == (
        "layer 0, Images(4×4×1): expected images (m, 4, 4, 1), or columns (16, m); "
        "got (5, 6, 6, 1).\nTry an image size of 4x4."
    )
