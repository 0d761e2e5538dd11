"""chainrule/train/outputs.py: a network prepared for fast predictions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.models.deep_network import DeepNetwork
from chainrule.models.zoo import build
from chainrule.train.outputs import predictor

KEY = jax.random.key(0)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("options", [{}, {"precision": "bfloat16"}], ids=["float32", "bfloat16"])
def test_a_network_of_images(options):
    network = build("convnet", (8, 8, 1), 3, key=KEY, options={"width": 0.25, **options})
    images = np.random.default_rng(0).standard_normal((4, 8, 8, 1)).astype(np.float32)
    predict, want = predictor(network, 4), np.asarray(network(jnp.asarray(images)))
    np.testing.assert_allclose(predict(jnp.asarray(images)), want, rtol=1e-4, atol=1e-5)
    columns = jnp.asarray(images.reshape(4, -1).T)
    np.testing.assert_allclose(predict(columns), want, rtol=1e-4, atol=1e-5)


def test_a_network_of_columns_is_only_compiled():
    network = DeepNetwork((3, 4, 2), key=KEY, dtype=float)
    X = jnp.ones((3, 5))
    np.testing.assert_allclose(predictor(network, 5)(X), network(X), rtol=1e-12)
