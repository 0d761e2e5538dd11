"""Tests of chainrule/blocks/shape.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.shape import (
    image_to_vector,
    image_to_vector_backward,
    image_to_vector_forward,
    space_to_depth,
    space_to_depth_backward,
    space_to_depth_forward,
    vector_to_image,
)
from chainrule.errors import ShapeError
from tests.gradients import assert_gradients

# One row of two pixels: R G B of the first, R G B of the second.
TWO_PIXELS = jnp.array([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]])


def plain_vector(image, *, planes):
    columns = [i.transpose(2, 0, 1).ravel() if planes else i.ravel() for i in image]
    return jnp.stack(columns, axis=1)


# By hand


def test_order_pixel_by_pixel():
    np.testing.assert_array_equal(image_to_vector(TWO_PIXELS).ravel(), [1, 2, 3, 10, 20, 30])


def test_order_plane_by_plane_as_in_the_notes():
    """The order is all red values, then all green values, then all blue values."""
    X = image_to_vector(TWO_PIXELS, planes=True)
    assert X.shape == (6, 1)
    np.testing.assert_array_equal(X.ravel(), [1, 10, 2, 20, 3, 30])


def test_the_gradient_returns_to_its_pixel():
    _, cache = image_to_vector_forward(TWO_PIXELS, planes=True)
    dX = jnp.array([[1.0], [10.0], [2.0], [20.0], [3.0], [30.0]])
    np.testing.assert_array_equal(image_to_vector_backward(dX, cache), TWO_PIXELS)


def test_matches_numpy_in_the_notes():
    """The result is train_x_orig.reshape(m, -1).T, and a single image gives one column."""
    images = jnp.arange(120.0).reshape(2, 4, 5, 3)
    X = image_to_vector(images)
    np.testing.assert_array_equal(X, images.reshape(2, -1).T)
    np.testing.assert_array_equal(image_to_vector(images[1]), X[:, 1:])


# Gradients


@pytest.mark.parametrize("planes", [False, True])
def test_gradients(getkey, planes):
    images = jax.random.normal(getkey(), (2, 3, 2, 4))
    assert_gradients(image_to_vector, plain_vector, images, key=getkey(), planes=planes)


def test_gradient_of_one_image():
    weights = jnp.arange(6.0).reshape(6, 1)
    d_image = jax.grad(lambda i: (weights * image_to_vector(i, planes=True)).sum())(TWO_PIXELS)
    np.testing.assert_array_equal(d_image, [[[0, 2, 4], [1, 3, 5]]])


@pytest.mark.parametrize("planes", [False, True])
def test_each_is_the_derivative_of_the_other(planes):
    images, back = jnp.arange(48.0).reshape(2, 2, 4, 3), dict(n_H=2, n_W=4, n_C=3, planes=planes)
    X, pull = jax.vjp(lambda i: image_to_vector(i, planes=planes), images)
    restored, pull_back = jax.vjp(lambda X: vector_to_image(X, **back), X)
    np.testing.assert_array_equal(restored, images)
    np.testing.assert_array_equal(pull(X)[0], images)
    np.testing.assert_array_equal(pull_back(images)[0], X)


# Properties


@pytest.mark.usefixtures("float32_world")
def test_float32_is_kept():
    assert image_to_vector(jnp.zeros((2, 3, 3, 1))).dtype == jnp.float32


# Space to depth


def plain_space_to_depth(A_prev, *, f):
    corners = [A_prev[:, i::f, j::f] for i in range(f) for j in range(f)]
    return jnp.concatenate(corners, axis=3)


def test_space_to_depth_by_hand():
    """The channels of a pixel are those of its square, row by row."""
    A_prev = jnp.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]).reshape(1, 2, 4, 1)
    A = space_to_depth(A_prev, f=2)
    assert A.shape == (1, 1, 2, 4)
    np.testing.assert_array_equal(A[0, 0], [[1, 2, 5, 6], [3, 4, 7, 8]])
    _, cache = space_to_depth_forward(A_prev, f=2)
    np.testing.assert_array_equal(space_to_depth_backward(A, cache), A_prev)


@pytest.mark.parametrize("f", [1, 2, 3])
def test_gradients_of_space_to_depth(getkey, f):
    images = jax.random.normal(getkey(), (2, 6, 12, 3))
    assert_gradients(space_to_depth, plain_space_to_depth, images, key=getkey(), f=f)


def test_space_to_depth_refuses_sides_that_f_does_not_divide():
    with pytest.raises(ShapeError) as error:
        space_to_depth(jnp.ones((1, 5, 8, 3)), f=2)
    assert str(error.value) == (
        "space_to_depth: expected images whose sides are multiples of 2; got 5 by 8.\n"
        "Try an image size of 4x8, or a Padded layer around the network."
    )
