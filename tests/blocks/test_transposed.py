"""Tests of chainrule/blocks/transposed.py."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.convolution import conv2d, pads_of, size_after
from chainrule.blocks.transposed import (
    transposed,
    transposed_backward,
    transposed_forward,
    transposed_size,
)
from chainrule.errors import ShapeError
from tests.blocks.four_loops import assert_close
from tests.blocks.test_convolution import grey_filter, image, one
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)


def lay_down(A_prev, W, b, s, pads):
    """Compute in NumPy as the notes draw it: add each number times the filter at its position."""
    m, n_H_prev, n_W_prev, n_C_prev = A_prev.shape
    f, n_C = W.shape[0], W.shape[3]
    Z_pad = np.zeros((m, s * (n_H_prev - 1) + f, s * (n_W_prev - 1) + f, n_C))
    for i in range(m):
        for h in range(n_H_prev):
            for w in range(n_W_prev):
                for c in range(n_C_prev):
                    window = (i, slice(s * h, s * h + f), slice(s * w, s * w + f))
                    Z_pad[window] += A_prev[i, h, w, c] * W[:, :, c]
    before, after = pads
    return Z_pad[:, before : Z_pad.shape[1] - after, before : Z_pad.shape[2] - after] + b


def twin(A_prev, W, b=0.0, *, s=1, p=(0, 0)):
    """Compute in plain JAX, one position of the filter after another."""
    m, n_H_prev, n_W_prev, _ = A_prev.shape
    f = W.shape[0]
    Z = jnp.zeros((m, s * (n_H_prev - 1) + f, s * (n_W_prev - 1) + f, W.shape[3]))
    for i in range(f):
        for j in range(f):
            rows = slice(i, i + s * (n_H_prev - 1) + 1, s)
            Z = Z.at[:, rows, j : j + s * (n_W_prev - 1) + 1 : s].add(A_prev @ W[i, j])
    return Z[:, p[0] : Z.shape[1] - p[1], p[0] : Z.shape[2] - p[1]] + b


# By hand


def test_the_example_of_the_notes():
    """2 by 2 becomes 4 by 4: the padding of 1 is cropped above and on the left."""
    W = [[1, 2, 1], [2, 0, 1], [0, 2, 1]]
    Z = transposed(image([[2, 1], [3, 2]]), grey_filter(W), None, s=2, p=(1, 0))
    want = [[0, 4, 0, 1], [10, 7, 6, 3], [0, 7, 0, 2], [6, 3, 4, 2]]
    np.testing.assert_array_equal(one(Z), want)


def test_the_gradient_by_hand():
    Z, cache = transposed_forward(image([[2, 1]]), grey_filter([[1, 2], [3, 4]]), None, s=1)
    np.testing.assert_array_equal(one(Z), [[2, 4 + 1, 2], [6, 8 + 3, 4]])
    dA_prev, dW, db = transposed_backward(image([[1, 0, 0], [0, 1, 0]]), cache)
    np.testing.assert_array_equal(one(dA_prev), [[1 + 4, 3]])
    np.testing.assert_array_equal(dW[:, :, 0, 0], [[2, 0], [1, 2]])
    assert db is None


@pytest.mark.parametrize(
    ("A_prev", "f", "s", "p"),
    [
        ((2, 3, 2, 2), 3, 1, 1),
        ((1, 2, 3, 2), 2, 2, 0),
        ((2, 3, 2, 1), 3, 2, "same"),
        ((1, 2, 2, 2), 4, 2, "same"),
        ((1, 2, 3, 1), 1, 3, 0),  # a stride larger than f: zeros between the numbers
        ((1, 1, 1, 2), 3, 1, (0, 2)),
    ],
    ids=str,
)
def test_matches_the_loops_over_numbers_and_filters(A_prev, f, s, p):
    A_prev, W = rng.standard_normal(A_prev), rng.standard_normal((f, f, A_prev[3], 3))
    b = rng.standard_normal((1, 1, 1, 3))
    Z = jax.jit(partial(transposed, s=s, p=p))(*map(jnp.asarray, (A_prev, W, b)))
    assert_close(Z, lay_down(A_prev, W, b, s, pads_of(p, f)))
    assert Z.shape[1:3] == tuple(transposed_size(n, f, s, p) for n in A_prev.shape[1:3])


# Gradients


@pytest.mark.parametrize(("f", "s", "p"), [(3, 2, (1, 0)), (2, 3, (0, 0))], ids=str)
def test_gradients(f, s, p, getkey):
    shapes = (2, 3, 2, 2), (f, f, 2, 3), (1, 1, 1, 3)
    inputs = [jax.random.normal(getkey(), shape) for shape in shapes]
    assert_gradients(transposed, twin, *inputs, key=getkey(), s=s, p=p)


# Properties


def test_is_the_derivative_of_a_convolution():
    A_prev, W = jnp.asarray(rng.standard_normal((1, 7, 5, 2))), jnp.ones((3, 3, 2, 4))
    W = W + jnp.asarray(rng.standard_normal(W.shape))
    Z, pull = jax.vjp(lambda A_prev: conv2d(A_prev, W, None, s=2, p=1), A_prev)
    (dA_prev,) = pull(Z)
    back = transposed(Z, W.transpose(0, 1, 3, 2), None, s=2, p=1)
    np.testing.assert_allclose(back, dA_prev, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("f", "s", "p"), [(3, 1, 1), (2, 2, 0), (3, 2, 1), (4, 2, "same")])
def test_the_size_is_the_inverse_of_a_convolution(f, s, p):
    for n in range(2, 9):
        assert size_after(transposed_size(n, f, s, p), f, s, p) == n


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    inputs = [jnp.ones(shape, dtype) for shape in ((1, 2, 2, 2), (2, 2, 2, 3), (1, 1, 1, 3))]
    Z, pull = jax.vjp(transposed, *inputs)
    assert {Z.dtype, *(d.dtype for d in pull(Z))} == {jnp.dtype(dtype)}


# Errors


def test_refuses_an_empty_output():
    with pytest.raises(ShapeError) as error:
        transposed(jnp.ones((1, 1, 4, 1)), jnp.ones((3, 3, 1, 1)), None, s=1, p=2)
    assert str(error.value) == (
        "transposed: expected an output of at least 1 by 1; "
        "got s (n − 1) + f − 2p = -1 for images (1, 1, 4, 1).\n"
        "Try a smaller p."
    )


def test_refuses_an_invalid_stride():
    with pytest.raises(ValueError, match="transposed: expected a stride s of 1 or more; got 0"):
        transposed(jnp.ones((1, 2, 2, 1)), jnp.ones((3, 3, 1, 1)), None, s=0)
