"""chainrule/runs/networks.py: images as scikit-learn has them."""

import numpy as np
import pytest

from chainrule.errors import OptionError, ShapeError
from chainrule.runs.networks import check_image_shape, resolve_image_shape, rows_of


def test_images_become_rows_and_bytes_are_divided_by_255():
    X = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    rows, shape = rows_of(X)
    assert shape == (3, 4, 3)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, X.reshape(2, -1) / 255, rtol=1e-6)


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
