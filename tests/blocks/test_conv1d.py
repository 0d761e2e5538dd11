"""Tests of chainrule/blocks/conv1d.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.blocks.conv1d import conv1d, conv1d_backward, conv1d_forward
from chainrule.blocks.convolution import conv2d, pads_of
from chainrule.errors import OptionError, ShapeError
from tests.gradients import assert_gradients


def plain_conv1d(X, W, b, s=1, p=0):
    """Step by step."""
    f = W.shape[0]
    X_pad = jnp.pad(X, (pads_of(p, f), (0, 0), (0, 0)))
    places = range(0, X_pad.shape[0] - f + 1, s)
    return jnp.stack([jnp.einsum("inm,inc->cm", X_pad[t : t + f], W) for t in places]) + b[None]


def test_an_example_by_hand():
    X = jnp.array([1.0, 2.0, 4.0, 8.0]).reshape(4, 1, 1)
    W, b = jnp.array([1.0, 10.0]).reshape(2, 1, 1), jnp.array([[0.5]])
    Z, cache = conv1d_forward(X, W, b, p=(1, 0))
    np.testing.assert_array_equal(Z.ravel(), [10.5, 21.5, 42.5, 84.5])
    dX, dW, db = conv1d_backward(jnp.array([1.0, 0.0, 0.0, 2.0]).reshape(4, 1, 1), cache)
    np.testing.assert_array_equal(dX.ravel(), [10, 0, 2, 20])
    np.testing.assert_array_equal(dW.ravel(), [0 + 2 * 4, 1 + 2 * 8])
    np.testing.assert_array_equal(db, [[3.0]])


@pytest.mark.parametrize(("s", "p"), [(1, "same"), (1, (2, 0)), (3, 0), (2, (1, 2))])
def test_gradients(s, p, getkey):
    X, W, b = (jax.random.normal(getkey(), shape) for shape in ((7, 2, 3), (3, 2, 4), (4, 1)))
    assert_gradients(conv1d, plain_conv1d, X, W, b, key=getkey(), s=s, p=p)


def test_without_b_there_is_no_db(getkey):
    X, W = jax.random.normal(getkey(), (7, 2, 3)), jax.random.normal(getkey(), (3, 2, 4))
    Z, cache = conv1d_forward(X, W, None)
    np.testing.assert_allclose(Z, plain_conv1d(X, W, jnp.zeros((4, 1))), rtol=1e-12, atol=1e-12)
    assert conv1d_backward(Z, cache)[2] is None


def test_it_is_a_convolution_of_an_image_of_one_row(getkey):
    X, W = jax.random.normal(getkey(), (7, 2, 3)), jax.random.normal(getkey(), (3, 2, 4))
    image = X.transpose(2, 0, 1)[:, None]  # (m, 1, T, n_x)
    filters = jnp.zeros((3, 3, 2, 4)).at[1].set(W)
    Z = conv2d(image, filters, None, p="same")[:, 0].transpose(1, 2, 0)
    np.testing.assert_allclose(conv1d(X, W, None, p="same"), Z, rtol=1e-11, atol=1e-12)


jit_causal = jax.jit(lambda X, W: conv1d(X, W, None, p=(2, 0)))


@settings(max_examples=30, deadline=None)
@given(t=st.integers(0, 6), seed=st.integers(0, 99))
def test_a_causal_output_depends_on_no_later_step(t, seed):
    random = np.random.default_rng(seed)
    X, W = random.standard_normal((7, 2, 3)), random.standard_normal((3, 2, 4))
    changed = X.copy()
    changed[t] += 1
    differs = (np.asarray(jit_causal(X, W)) != jit_causal(changed, W)).any(axis=(1, 2))
    np.testing.assert_array_equal(differs, [t <= u <= t + 2 for u in range(7)])


def test_messages(getkey):
    X, W = jax.random.normal(getkey(), (2, 2, 3)), jax.random.normal(getkey(), (3, 2, 4))
    with pytest.raises(ShapeError) as error:
        conv1d(X, W, None)
    assert str(error.value) == (
        "conv1d: expected sequences of at least 3 steps for f = 3; got 2.\n"
        'Try p="same", or a smaller f.'
    )
    with pytest.raises(OptionError, match="conv1d: expected a stride s of 1 or more; got 0"):
        conv1d(X, W, None, s=0, p="same")
    with pytest.raises(OptionError, match="the padding: expected"):
        conv1d(X, W, None, p="causal")
