"""Tests of chainrule/blocks/convolution.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.convolution import (
    conv2d,
    conv2d_backward,
    conv2d_forward,
    pads_of,
    size_after,
)
from chainrule.errors import OptionError, ShapeError
from tests.blocks.four_loops import assert_close, conv_backward, conv_forward, there_and_back
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)
EDGE = np.array([[1.0, 0.0, -1.0]] * 3)


def image(rows) -> jax.Array:
    """Return one greyscale image with these rows."""
    return jnp.asarray(rows, float)[None, :, :, None]


def grey_filter(rows) -> jax.Array:
    """Return one filter for greyscale images."""
    return jnp.asarray(rows, float)[:, :, None, None]


def one(Z) -> np.ndarray:
    """Return the rows of one greyscale image."""
    assert Z.shape[0] == Z.shape[3] == 1
    return np.asarray(Z)[0, :, :, 0]


def twin(A_prev, W, b=None, *, s=1, p=(0, 0)):
    """Convolve by a matrix product for each position of the filter, in plain JAX."""
    f = W.shape[0]
    A_pad = jnp.pad(A_prev, ((0, 0), p, p, (0, 0)))
    n_H, n_W = ((n - f) // s + 1 for n in A_pad.shape[1:3])
    Z = sum(
        A_pad[:, i : i + s * (n_H - 1) + 1 : s, j : j + s * (n_W - 1) + 1 : s] @ W[i, j]
        for i in range(f)
        for j in range(f)
    )
    return Z if b is None else Z + b


# By hand


def test_the_vertical_edge_of_the_notes():
    A = [[3, 0, 1, 2, 7, 4], [1, 5, 8, 9, 3, 1], [2, 7, 2, 5, 1, 3]]
    A += [[0, 1, 3, 1, 7, 8], [4, 2, 1, 6, 2, 8], [2, 4, 5, 2, 3, 9]]
    Z = [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    np.testing.assert_array_equal(one(conv2d(image(A), grey_filter(EDGE), None)), Z)


def test_the_stride_of_two_of_the_notes():
    A = [[2, 3, 7, 4, 6, 2, 9], [6, 6, 9, 8, 7, 4, 3], [3, 4, 8, 3, 8, 9, 7], [7, 8, 3, 6, 6, 3, 4]]
    A += [[4, 2, 1, 8, 3, 4, 6], [3, 2, 4, 1, 9, 8, 3], [0, 1, 3, 9, 2, 1, 4]]
    W = [[3, 4, 4], [1, 0, 2], [-1, 0, 3]]
    Z = [[91, 100, 88], [69, 91, 117], [44, 72, 74]]  # not 83 and 127: errata 8
    np.testing.assert_array_equal(one(conv2d(image(A), grey_filter(W), None, s=2)), Z)


def test_the_sizes_of_the_notes():
    """The CNN example: 39×39×3, 37×37×10, 17×17×20, 7×7×40, which are 1960 numbers."""
    assert size_after(39, 3) == 37
    assert size_after(37, 5, s=2) == 17
    assert size_after(17, 5, s=2) == 7
    assert (size_after(6, 3), size_after(6, 3, p=1), size_after(7, 3, s=2)) == (4, 6, 3)
    assert (size_after(6, 3, s=2, p="same"), size_after(6, 4, p="same")) == (3, 6)


def test_an_even_filter_with_same_pads_one_more_after_than_before():
    Z = conv2d(image([[1, 2], [3, 4]]), grey_filter([[1, 10], [100, 1000]]), None, p="same")
    # the zeros are below and on the right: Z = A + 10 right + 100 below + 1000 right below
    np.testing.assert_array_equal(one(Z), [[1 + 20 + 300 + 4000, 2 + 400], [3 + 40, 4]])


def test_a_stride_larger_than_the_filter_skips_pixels():
    A = np.arange(25.0).reshape(5, 5)
    Z, cache = conv2d_forward(image(A), grey_filter([[2.0]]), jnp.full((1, 1, 1, 1), 0.5), s=3)
    np.testing.assert_array_equal(one(Z), 2 * A[::3, ::3] + 0.5)
    dA_prev, dW, db = conv2d_backward(jnp.ones_like(Z), cache)
    seen = np.zeros((5, 5))
    seen[::3, ::3] = 2
    np.testing.assert_array_equal(one(dA_prev), seen)
    np.testing.assert_array_equal(dW.ravel(), A[::3, ::3].sum())
    np.testing.assert_array_equal(db.ravel(), 4.0)


def test_one_by_one_is_a_linear_layer_at_every_pixel():
    A, W, b = (rng.standard_normal(n) for n in ((2, 3, 4, 5), (1, 1, 5, 2), (1, 1, 1, 2)))
    np.testing.assert_allclose(conv2d(*map(jnp.asarray, (A, W, b))), A @ W[0, 0] + b, rtol=1e-12)


# The plain four loops


@pytest.mark.parametrize(
    ("A_prev", "W", "s", "p"),
    [
        ((2, 5, 4, 3), (3, 3, 3, 2), 1, "same"),
        ((2, 5, 4, 3), (2, 2, 3, 2), 1, "same"),
        ((1, 6, 7, 1), (3, 3, 1, 2), 2, (0, 1)),
        ((1, 6, 7, 1), (3, 3, 1, 1), 2, 1),  # the last row of the border is not reached
        ((2, 7, 4, 2), (2, 2, 2, 1), 3, "valid"),  # a stride larger than f; rows are left over
        ((1, 1, 1, 2), (3, 3, 2, 2), 1, "same"),
        ((1, 4, 3, 1), (3, 3, 1, 1), 1, (4, 3)),  # a border wider than the filter
        ((1, 3, 3, 24), (3, 3, 24, 24), 1, 1),  # a wide filter, by products on a CPU
    ],
    ids=str,
)
def test_matches_the_four_loops(A_prev, W, s, p):
    A_prev, W = rng.standard_normal(A_prev), rng.standard_normal(W)
    b, pads = rng.standard_normal((1, 1, 1, W.shape[3])), pads_of(p, W.shape[0])
    want = conv_forward(A_prev, W, b, s, pads)
    dZ = rng.standard_normal(want.shape)
    Z, gradients = there_and_back(conv2d, dZ, A_prev, W, b, s=s, p=p)
    assert_close(Z, want)
    assert tuple(size_after(n, W.shape[0], s, p) for n in A_prev.shape[1:3]) == Z.shape[1:3]
    assert_close(gradients, conv_backward(dZ, A_prev, W, s, pads))


# Gradients


@pytest.mark.parametrize(("f", "s", "p"), [(3, 1, (1, 1)), (2, 2, (0, 1)), (1, 2, (0, 0))], ids=str)
def test_gradients(f, s, p, getkey):
    shapes = (2, 4, 3, 2), (f, f, 2, 3), (1, 1, 1, 3)
    inputs = [jax.random.normal(getkey(), shape) for shape in shapes]
    assert_gradients(conv2d, twin, *inputs, key=getkey(), s=s, p=p)


def test_gradients_without_b_and_with_a_filter_as_large_as_the_image(getkey):
    A_prev, W = jax.random.normal(getkey(), (1, 3, 3, 1)), jax.random.normal(getkey(), (3, 3, 1, 2))
    assert_gradients(lambda *inputs: conv2d(*inputs, None), twin, A_prev, W, key=getkey())


def test_without_b_there_is_no_db():
    Z, cache = conv2d_forward(jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1)), None)
    assert conv2d_backward(Z, cache)[2] is None


# Properties


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    inputs = [jnp.ones(shape, dtype) for shape in ((1, 4, 4, 2), (3, 3, 2, 2), (1, 1, 1, 2))]
    Z, pull = jax.vjp(conv2d, *inputs)
    assert {Z.dtype, *(d.dtype for d in pull(Z))} == {jnp.dtype(dtype)}


def test_a_mirrored_image_under_a_mirrored_filter_is_the_mirrored_output():
    A, W = rng.standard_normal((2, 5, 4, 2)), rng.standard_normal((3, 3, 2, 2))
    Z = conv2d(jnp.asarray(A), jnp.asarray(W), None, p=1)
    mirrored = conv2d(jnp.asarray(A[:, :, ::-1]), jnp.asarray(W[:, ::-1]), None, p=1)
    np.testing.assert_allclose(mirrored[:, :, ::-1], Z, rtol=1e-11, atol=1e-12)


def test_pads():
    assert [pads_of("same", f) for f in (1, 2, 3, 4, 5)] == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
    assert [pads_of(p, 3) for p in ("valid", 0, 2, (0, 3))] == [(0, 0), (0, 0), (2, 2), (0, 3)]


# Errors


@pytest.mark.parametrize("p", ["smae", -1, (0, -1)], ids=str)
def test_refuses_an_invalid_padding(p):
    with pytest.raises(OptionError) as error:
        pads_of(p, 3)
    assert str(error.value) == (
        f'the padding: expected "same", "valid", a number, or (before, after); got {p!r}.\n'
        'Try "same".'
    )


def test_refuses_a_filter_larger_than_the_image():
    with pytest.raises(ShapeError) as error:
        conv2d(jnp.ones((1, 3, 8, 1)), jnp.ones((7, 7, 1, 1)), None, s=2, p=1)
    assert str(error.value) == (
        "conv2d: expected images of at least 5 by 5 for f = 7; got 3 by 8, which gives "
        "an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(3 + 2 − 7)/2⌋ + 1 = 0.\n"
        'Try p="same", a smaller f, or one fewer pooling layer before this layer.'
    )


@pytest.mark.parametrize("s", [0, -2])
def test_refuses_an_invalid_stride(s):
    with pytest.raises(OptionError) as error:
        conv2d(jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1)), None, s=s)
    assert str(error.value) == f"conv2d: expected a stride s of 1 or more; got {s}.\nTry 1."
