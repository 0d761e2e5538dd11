"""Tests of chainrule/layers/face_embedding.py."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.layers.face_embedding import UnitLength


def test_columns_of_length_one():
    A = UnitLength()(jnp.array([[3.0, 0.0, -1.0], [4.0, 0.0, 0.0]]))
    np.testing.assert_allclose(A, [[0.6, 0.0, -1.0], [0.8, 0.0, 0.0]], rtol=1e-15)


def test_refuses_images():
    with pytest.raises(ShapeError) as error:
        UnitLength()(jnp.ones((2, 3, 3, 1)))
    assert str(error.value) == (
        "UnitLength: expected (n, m), one column per example; got (2, 3, 3, 1).\n"
        "Try a Flatten before it."
    )
