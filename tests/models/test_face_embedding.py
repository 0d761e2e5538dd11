"""Tests of chainrule/models/face_embedding.py."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.layers.layer import count_parameters, named_arrays, replace_arrays
from chainrule.models.zoo import EMBEDDINGS, NETWORKS, build, options_of, rebuild

KEY = jax.random.key(0)


def test_the_number_of_parameters_matches_the_table():
    network = build("embedding", (35, 35, 1), 64, key=KEY)
    filters = 9 * (1 * 32 + 32 * 64 + 64 * 64 + 64 * 128)
    norms = 2 * (32 + 64 + 64 + 128)
    assert count_parameters(network) == filters + norms + (2 * 2 * 128 + 1) * 64


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("embedding", {"width": 0.125, "keep_prob": 0.5, "augment": "crop=1"}),
        ("embedding_resnet20", {"width": 0.25, "zero_gamma": True}),
    ],
)
@pytest.mark.usefixtures("float32_world")
def test_length_one_and_rebuilt_from_its_settings(name, options):
    network = build(name, (9, 7, 1), 5, key=KEY, options=options)
    X = jnp.asarray(np.random.default_rng(0).random((4, 9, 7, 1)), jnp.float32)
    Z = network(X)
    assert Z.shape == (5, 4)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=0), np.ones(4), rtol=1e-6)
    settings = json.loads(json.dumps(network.settings))
    assert settings == {"network": name, "shape": [9, 7, 1], "n_L": 5, **options}
    rebuilt = replace_arrays(rebuild(settings, key=jax.random.key(1)), named_arrays(network))
    np.testing.assert_array_equal(rebuilt(X), Z)


def test_embeddings_are_not_classification_networks():
    assert not NETWORKS.keys() & EMBEDDINGS.keys()
    assert options_of("embedding_resnet20") == [
        *("augment", "initializer", "mirrored", "precision", "width", "zero_gamma"),
    ]
