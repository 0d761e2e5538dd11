"""Tests of chainrule/layers/flatten.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError, ShapeError
from chainrule.layers.flatten import Flatten, Images, SpaceToDepth

IMAGES = np.random.default_rng(0).standard_normal((5, 2, 3, 2))


def test_images_to_columns_and_back():
    columns = Flatten()(jnp.asarray(IMAGES))
    np.testing.assert_array_equal(columns, IMAGES.reshape(5, 12).T)
    np.testing.assert_array_equal(Images((2, 3, 2))(columns), IMAGES)


def test_images_are_unchanged():
    np.testing.assert_array_equal(Images((2, 3, 2))(jnp.asarray(IMAGES)), IMAGES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_are_pixels(dtype):
    pixels = jnp.array([[[[0], [51]], [[102], [255]]]], jnp.uint8)
    for X in (pixels, pixels.reshape(1, 4).T):
        A = Images((2, 2, 1), dtype=dtype)(X)
        assert A.dtype == dtype
        np.testing.assert_allclose(A[0, :, :, 0], [[0, 0.2], [0.4, 1]], rtol=1e-6)


@pytest.mark.usefixtures("float32_world")
def test_floats_keep_their_dtype():
    for dtype in (jnp.float32, jnp.bfloat16):
        assert Images((2, 3, 2))(jnp.ones((12, 5), dtype)).dtype == dtype


def test_no_parameters_and_a_title():
    assert jax.tree.leaves([Flatten(), Images((28, 28, 1))]) == []
    assert (Flatten().title, Images((28, 28, 1)).title) == ("Flatten", "Images(28×28×1)")


# Errors


def test_refuses_arrays_that_are_not_images():
    with pytest.raises(ShapeError) as error:
        Flatten()(jnp.ones((2, 3, 2)))
    assert str(error.value) == (
        "Flatten: expected (m, n_H, n_W, n_C), images with their channels last; got (2, 3, 2).\n"
        "Try images[None], if this is one image."
    )


def test_refuses_images_of_another_size():
    with pytest.raises(ShapeError) as error:
        Images((28, 28, 1))(jnp.ones((5, 32, 32, 3)))
    assert str(error.value) == (
        "Images(28×28×1): expected images (m, 28, 28, 1), or columns (784, m); "
        "got (5, 32, 32, 3).\n"
        "Try an image size of 28x28."
    )
    with pytest.raises(ShapeError) as error:
        Images((28, 28, 1))(jnp.ones((5, 784)))
    assert str(error.value) == (
        "Images(28×28×1): expected (784, m), one column per example; got (5, 784).\n"
        "Try the transpose: it has 784 rows."
    )


def test_space_to_depth_refuses_what_does_not_fit():
    with pytest.raises(ShapeError) as error:
        SpaceToDepth(2)(jnp.ones((5, 7, 8, 3)))
    assert str(error.value) == (
        "SpaceToDepth(2×2): expected images whose sides are multiples of 2; got 7 by 8.\n"
        "Try an image size of 6x8, or a Padded layer around the network."
    )
    with pytest.raises(OptionError) as error:
        SpaceToDepth(0)
    assert str(error.value) == (
        "SpaceToDepth(f=…): expected a whole number of at least 1; got 0.\nTry 2."
    )
