"""chainrule/optim/optimizer.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.optim.optimizer import apply_updates, as_array, zeros_like
from tests.compilations import compilations

THETA = {"W": jnp.ones((2, 3)), "b": (jnp.zeros((2, 1)), None)}


def test_updates_are_added_leaf_by_leaf():
    new = apply_updates(THETA, jax.tree.map(lambda p: p + 1, THETA))
    np.testing.assert_array_equal(new["W"], np.full((2, 3), 3.0))
    np.testing.assert_array_equal(new["b"][0], np.ones((2, 1)))
    assert new["b"][1] is None  # a buffer's place stays empty


@pytest.mark.parametrize("number", [0.1, np.float32(0.1), jnp.asarray(0.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hyperparameter_has_the_dtype_of_the_parameters(number, dtype):
    array = as_array(number, {"W": jnp.ones((2, 3), dtype)})
    assert (array.shape, array.dtype) == ((), dtype)
    assert float(array) == pytest.approx(0.1)


def test_zeros_of_the_same_shapes_without_compiling():
    with compilations() as compiled:
        zeros = zeros_like(THETA)
    assert compiled == []
    assert jax.tree.structure(zeros) == jax.tree.structure(THETA)
    for zero, p in zip(jax.tree.leaves(zeros), jax.tree.leaves(THETA), strict=True):
        np.testing.assert_array_equal(zero, np.zeros(p.shape))
        assert zero.dtype == p.dtype


def test_half_precision_keeps_its_dtype_and_a_state_of_float32():
    theta = {"W": jnp.ones(2, jnp.bfloat16)}
    assert as_array(0.999, theta) == np.float32(0.999)  # in bfloat16 it would be 1
    assert zeros_like(theta)["W"].dtype == np.float32
    assert apply_updates(theta, {"W": jnp.ones(2, np.float32)})["W"].dtype == jnp.bfloat16
