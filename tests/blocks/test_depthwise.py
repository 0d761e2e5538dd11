"""Tests of chainrule/blocks/depthwise.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.convolution import pads_of
from chainrule.blocks.depthwise import depthwise, depthwise_backward, depthwise_forward
from chainrule.errors import ShapeError
from tests.blocks.four_loops import assert_close, conv_backward, conv_forward, there_and_back
from tests.blocks.test_convolution import EDGE, image
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)


def plain(A_prev, W, b=0.0, *, s=1, p=0):
    """Convolve by a sum over the positions of the filter, in plain JAX."""
    f = W.shape[0]
    A_pad = jnp.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
    n_H, n_W = ((n - f) // s + 1 for n in A_pad.shape[1:3])
    places = [(i, j) for i in range(f) for j in range(f)]
    rows, columns = s * (n_H - 1) + 1, s * (n_W - 1) + 1
    return b + sum(
        A_pad[:, i : i + rows : s, j : j + columns : s] * W[i, j][None, None, None]
        for i, j in places
    )


# By hand


def test_each_channel_has_its_own_filter():
    A = jnp.concatenate([image(np.eye(4)), image(np.full((4, 4), 2.0))], axis=3)
    W = jnp.stack([jnp.asarray(EDGE), jnp.ones((3, 3))], axis=2)
    Z = depthwise(A, W, jnp.array([0.5, -1.0]).reshape(1, 1, 1, 2))
    np.testing.assert_array_equal(Z[0, :, :, 0], [[0.5, 1.5], [-0.5, 0.5]])
    np.testing.assert_array_equal(Z[0, :, :, 1], [[17.0, 17.0], [17.0, 17.0]])


# The plain four loops, one channel after another


@pytest.mark.parametrize(
    ("A_prev", "f", "s", "p"),
    [
        ((2, 5, 4, 3), 3, 1, "same"),
        ((2, 4, 5, 3), 2, 1, "same"),
        ((1, 6, 7, 2), 3, 2, 1),
        ((2, 5, 5, 2), 2, 3, (0, 1)),  # a stride larger than f
        ((1, 3, 3, 2), 1, 1, 0),
        ((1, 5, 4, 1), 3, 1, 1),  # one channel: a convolution
        ((1, 4, 3, 2), 3, 1, (4, 3)),  # a border wider than the filter
    ],
    ids=str,
)
def test_matches_the_four_loops(A_prev, f, s, p):
    n_C, pads = A_prev[3], pads_of(p, f)
    A_prev, W = rng.standard_normal(A_prev), rng.standard_normal((f, f, n_C))
    b = rng.standard_normal((1, 1, 1, n_C))
    alone = [(A_prev[..., [c]], W[:, :, None, [c]]) for c in range(n_C)]
    want = [conv_forward(*one, b[..., [c]], s, pads) for c, one in enumerate(alone)]
    dZ = rng.standard_normal((*want[0].shape[:3], n_C))
    Z, (dA_prev, dW, db) = there_and_back(depthwise, dZ, A_prev, W, b, s=s, p=p)
    assert_close(Z, np.concatenate(want, axis=3))
    for c, one in enumerate(alone):
        got = dA_prev[..., c : c + 1], dW[:, :, None, c : c + 1], db[..., c : c + 1]
        assert_close(got, conv_backward(dZ[..., [c]], *one, s, pads))


# Gradients


@pytest.mark.parametrize(("s", "p"), [(1, 1), (2, 0)])
def test_gradients(s, p, getkey):
    shapes = (2, 4, 3, 2), (2, 2, 2), (1, 1, 1, 2)
    inputs = [jax.random.normal(getkey(), shape) for shape in shapes]
    assert_gradients(depthwise, plain, *inputs, key=getkey(), s=s, p=p)


def test_without_b_there_is_no_db():
    Z, cache = depthwise_forward(jnp.ones((1, 3, 3, 2)), jnp.ones((2, 2, 2)), None)
    np.testing.assert_array_equal(Z, np.full((1, 2, 2, 2), 4.0))
    assert depthwise_backward(Z, cache)[2] is None


# Properties


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    inputs = [jnp.ones(shape, dtype) for shape in ((1, 4, 4, 2), (3, 3, 2), (1, 1, 1, 2))]
    Z, pull = jax.vjp(depthwise, *inputs)
    assert {Z.dtype, *(d.dtype for d in pull(Z))} == {jnp.dtype(dtype)}


# Errors


def test_refuses_a_filter_larger_than_the_image():
    with pytest.raises(ShapeError) as error:
        depthwise(jnp.ones((1, 2, 2, 3)), jnp.ones((3, 3, 3)), None)
    assert str(error.value) == (
        "depthwise: expected images of at least 3 by 3 for f = 3; got 2 by 2, which gives "
        "an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(2 + 0 − 3)/1⌋ + 1 = 0.\n"
        'Try p="same", a smaller f, or one fewer pooling layer before this layer.'
    )
