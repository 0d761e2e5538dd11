"""Tests of chainrule/layers/pool.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.layers.conv import Conv2D
from chainrule.layers.layer import count_parameters, layer_numbers
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.sequential import Sequential

A = jnp.arange(16.0).reshape(1, 4, 4, 1)
KEY = jax.random.key(0)


def test_by_hand():
    np.testing.assert_array_equal(MaxPool(2)(A)[0, :, :, 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(AveragePool(2)(A)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(GlobalAveragePool()(A), [[[[7.5]]]])
    np.testing.assert_array_equal(MaxPool(3, s=1)(A)[0, :, :, 0], [[10, 11], [14, 15]])


def test_an_explicit_stride_of_one():
    assert [MaxPool(3).s, MaxPool(3, s=1).s, AveragePool(2).s, AveragePool(2, s=1).s] == [
        3,
        1,
        2,
        1,
    ]
    assert MaxPool(3, s=2, p="same")(A).shape == (1, 2, 2, 1)


def test_conv1_and_pool1_are_layer_1():
    parts = [Conv2D(1, 2, key=KEY), MaxPool(2), Conv2D(2, 2, key=KEY), GlobalAveragePool()]
    assert layer_numbers(parts) == [1, 1, 2, 2]
    assert [count_parameters(pool) for pool in (MaxPool(2), AveragePool(2))] == [0, 0]


def test_titles():
    assert MaxPool(2).title == "MaxPool(2×2, s=2, p=0)"
    assert AveragePool(3, s=1, p="same").title == "AveragePool(3×3)"
    assert GlobalAveragePool().title == "GlobalAveragePool"


# Errors


def test_the_error_for_a_large_pool_names_the_layer():
    network = Sequential([Conv2D(1, 2, key=KEY), MaxPool(8), AveragePool(2)])
    with pytest.raises(ShapeError) as error:
        jax.eval_shape(network, jnp.ones((1, 8, 8, 1), jnp.float32))
    assert str(error.value) == (
        "layer 1, AveragePool(2×2, s=2, p=0): expected images of at least 2 by 2 for f = 2; "
        "got 1 by 1, which gives "
        "an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(1 + 0 − 2)/2⌋ + 1 = 0.\n"
        'Try p="same", a smaller f, or one fewer pooling layer before this layer.'
    )


@pytest.mark.parametrize("pool", [MaxPool(2), AveragePool(2), GlobalAveragePool()], ids=str)
def test_refuses_arrays_that_are_not_images(pool):
    with pytest.raises(ShapeError) as error:
        pool(jnp.ones((4, 5)))
    assert str(error.value) == (
        f"{pool.title}: expected (m, n_H, n_W, n_C), images with their channels last; got (4, 5).\n"
        "Try Images((n_H, n_W, n_C)) as the first layer: these are columns."
    )
