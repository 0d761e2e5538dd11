"""Tests of chainrule/models/pretrained.py."""

import jax
import numpy as np
import pytest

from chainrule.models.pretrained import Published, with_pixel_input
from chainrule.models.zoo import build

pytestmark = pytest.mark.usefixtures("float32_world")


def test_it_accepts_pixels_from_0_to_1():
    network = build("resnet18", (24, 24, 3), 10, key=jax.random.key(0), options={"width": 0.125})
    mean, std = np.array([0.4, 0.5, 0.3], np.float32), np.array([0.2, 0.3, 0.25], np.float32)
    X = np.random.default_rng(0).random((2, 24, 24, 3), np.float32)

    def stem(network, X):
        X = jax.numpy.asarray(X)
        _, convolution, normalization, *_ = network.layers.layers
        return np.asarray(normalization(convolution(X)))[:, 2:-2, 2:-2]  # filters inside the image

    A = stem(with_pixel_input(Published(network, mean, std, None, "here")), X)
    np.testing.assert_allclose(A, stem(network, (X - mean) / std), atol=1e-4)
    assert not np.allclose(A, stem(network, X), atol=0.1)
