"""chainrule/runs/networks.py: images as scikit-learn has them."""

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.runs.networks import (
    check_image_shape,
    learn_pixel_scale,
    resolve_image_shape,
    rows_of,
    scaled_pixels,
)

PIXELS = np.array([[0, 7, 199, 255]] * 2)


def test_images_become_rows():
    X = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    rows, shape = rows_of(X)
    assert shape == (3, 4, 3)
    np.testing.assert_array_equal(rows, X.reshape(2, -1))


@pytest.mark.parametrize("trained", ["uint8", "int64", "uint16", "float32", "float64"])
@pytest.mark.parametrize("asked", ["uint8", "int64", "uint16", "float32", "float64"])
def test_the_scale_belongs_to_the_model(trained, asked):
    scale = learn_pixel_scale(PIXELS, np.dtype(trained))
    X = PIXELS.astype(asked)
    expected = PIXELS.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(scaled_pixels(X, scale, "X", X.dtype), expected)


@pytest.mark.parametrize("asked", ["uint8", "int64", "uint16", "float32"])
def test_a_model_trained_on_fractions_divides_pixels(asked):
    fractions = PIXELS / 255
    scale = learn_pixel_scale(fractions, fractions.dtype)
    assert scale == "fractions"
    X = PIXELS.astype(asked)
    found = scaled_pixels(X, scale, "X", X.dtype)
    np.testing.assert_array_equal(found, fractions.astype(np.float32))
    kept = scaled_pixels(fractions, 255.0, "X", fractions.dtype)
    np.testing.assert_array_equal(kept, fractions.astype(np.float32))


@pytest.mark.parametrize("asked", ["uint8", "int64", "float64"])
def test_other_numbers_are_not_divided(asked):
    digits = np.array([[0, 5, 16]])
    for learned_from in (digits.astype(float), digits.astype(int)):
        scale = learn_pixel_scale(learned_from, learned_from.dtype)
        assert scale == "as given"
        X = digits.astype(asked)
        np.testing.assert_array_equal(scaled_pixels(X, scale, "X", X.dtype), digits)
    standardised = digits - 5.0
    assert learn_pixel_scale(standardised, standardised.dtype) == "as given"


def test_black_and_white_pixels():
    binary = np.array([[0, 1, 1]])
    scale = learn_pixel_scale(binary, binary.dtype)
    for asked in ("uint8", "int64", "float32"):
        X = binary.astype(asked)
        np.testing.assert_array_equal(scaled_pixels(X, scale, "X", X.dtype), binary)
    white = (255 * binary).astype(np.uint8)
    np.testing.assert_array_equal(scaled_pixels(white, scale, "X", white.dtype), binary)


@pytest.mark.parametrize("scale", [255.0, "fractions", "binary"])
def test_pixels_of_another_range_are_refused(scale):
    X = np.array([[0, 40_000]])
    with pytest.raises(DataError, match=r"X: expected pixels from 0 to 255, .*; got values up to"):
        scaled_pixels(X, scale, "X", X.dtype)


def test_models_of_earlier_versions_divide_bytes_only():
    X = np.array([[0, 51, 255]])
    np.testing.assert_array_equal(scaled_pixels(X, None, "X", X.dtype), X)
    as_bytes = scaled_pixels(X.astype(np.uint8), None, "X", np.dtype(np.uint8))
    np.testing.assert_allclose(as_bytes, X / 255)


def test_the_range_of_16_bits_follows_from_the_largest_value():
    X = np.array([[0, 1000, 4000]], np.uint16)
    scale = learn_pixel_scale(X, X.dtype)
    assert scale == 4095
    for asked in ("uint16", "int64", "float64"):
        found = scaled_pixels(X.astype(asked), scale, "X", np.dtype(asked))
        np.testing.assert_array_equal(found, X.astype(np.float32) / np.float32(4095))


def test_rows_are_not_changed():
    X = np.ones((2, 9))
    assert rows_of(X)[0] is X
    assert rows_of([[1, 2]]) == ([[1, 2]], None)


def test_the_shape_of_an_image():
    assert resolve_image_shape(None, None, 64) == (8, 8, 1)
    assert resolve_image_shape(None, (4, 16), 64) == (4, 16, 1)
    assert resolve_image_shape((2, 8, 4), (4, 16), 64) == (2, 8, 4)


@pytest.mark.parametrize(
    ("said", "n_x", "error", "words"),
    [
        (None, 30, OptionError, "image_shape: expected the height and width .*; got rows of 30"),
        ((64,), 64, OptionError, "image_shape: expected .n_H, n_W. or .*; got .64,."),
        ((8, 9), 64, ShapeError, "X: expected 72 numbers per row, 8×9; got 64"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(said, n_x, error, words):
    with pytest.raises(error, match=words):
        resolve_image_shape(said, None, n_x)


def test_images_of_another_shape_are_refused():
    for shape, learned in ((None, (8, 8)), ((8, 8), (8, 8, 1)), ((8, 8, 1), (8, 8))):
        check_image_shape(shape, learned)
    with pytest.raises(ShapeError, match="X: expected images of 8×8×3; got images of 3×8×8"):
        check_image_shape((3, 8, 8), (8, 8, 3))
