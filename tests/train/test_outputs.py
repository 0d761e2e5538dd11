"""chainrule/train/outputs.py"""

import jax
import numpy as np
import pytest

from chainrule.blocks.activations import sigmoid, softmax
from chainrule.blocks.costs import logistic_cost, softmax_cost
from chainrule.errors import DataError
from chainrule.host.randomness import key_from_seed
from chainrule.models.deep_network import DeepNetwork
from chainrule.train import outputs
from chainrule.train.metrics import accuracy
from chainrule.train.outputs import network_outputs, probabilities, score
from tests.compilations import compilations

NETWORK = DeepNetwork((3, 4, 2), key=key_from_seed(0))
X = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
pytestmark = pytest.mark.usefixtures("float32_world")


def f32(values) -> np.ndarray:
    """Return rows as the network takes them."""
    return np.array(values, np.float32)


def test_probabilities_by_hand():
    Z = f32([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(probabilities(Z, "softmax"), [[0.25, 0.75]], rtol=1e-7)
    np.testing.assert_allclose(probabilities(Z, "logistic"), [[0.5, 0.75]], rtol=1e-7)
    assert probabilities(Z, "squared").tolist() == Z.tolist()


@pytest.mark.parametrize(("cost", "activation"), [("logistic", sigmoid), ("softmax", softmax)])
def test_probabilities_equal_the_activations(cost, activation):
    Z = f32(np.random.default_rng(0).normal(0, 20, (50, 3)))
    with jax.enable_x64(True):
        A = activation(jax.device_put(Z.T.astype(np.float64)))
        np.testing.assert_allclose(probabilities(Z, cost).T, A, rtol=1e-12)
    with compilations() as compiled:
        probabilities(Z[:7], cost)
    assert compiled == []


def test_probabilities_near_0_are_not_0():
    assert 0 < probabilities(f32([[-200.0]]), "logistic")[0, 0] < 1e-80


def test_score_by_hand():
    Z, Y = f32([[0.0], [0.0]]), f32([[1.0], [0.0]])
    assert score(Z, Y, None, logistic_cost, accuracy) == pytest.approx((np.log(2), 0.5))
    assert score(Z, Y, np.array([1, 3]), logistic_cost, accuracy)[1] == pytest.approx(0.75)


@pytest.mark.parametrize("chunk", [32, 40, 49])
def test_chunks_give_the_same_outputs_as_all_rows_at_once(monkeypatch, chunk):
    at_once = network_outputs(NETWORK, X)
    monkeypatch.setattr(outputs, "CHUNK", chunk)
    np.testing.assert_allclose(network_outputs(NETWORK, X), at_once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [[0], [7, 3], range(33), range(49, 16, -1)])
def test_a_row_does_not_depend_on_the_other_rows(rows):
    alone = network_outputs(NETWORK, X[list(rows)])
    np.testing.assert_allclose(alone, network_outputs(NETWORK, X)[list(rows)], rtol=1e-5, atol=1e-6)


def test_no_rows():
    assert network_outputs(NETWORK, X[:0]).shape == (0, 2)


def test_few_rows_share_a_program():
    network_outputs(NETWORK, X[:32])
    with compilations() as compiled:
        for m in range(1, 33):
            network_outputs(NETWORK, X[:m])
    assert compiled == []


def test_padding_does_not_count():
    Z = np.random.default_rng(1).standard_normal((9, 2)).astype(np.float32)
    Y = np.eye(2, dtype=np.float32)[np.arange(9) % 2]
    twice = score(np.tile(Z, (2, 1)), np.tile(Y, (2, 1)), None, softmax_cost, accuracy)
    assert score(Z, Y, None, softmax_cost, accuracy) == pytest.approx(twice, rel=1e-6)


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-140, 2.0**126])
def test_the_scale_of_the_weights_does_not_matter(scale):
    Z, Y = np.array([[1.0], [-2.0], [3.0]], np.float32), np.ones((3, 1), np.float32)
    weights = np.array([1.0, 2.0, 3.0])
    J, right = score(Z, Y, weights * scale, logistic_cost, accuracy)
    assert (J, right) == score(Z, Y, weights, logistic_cost, accuracy)
    assert right == pytest.approx(2 / 3)


def test_outputs_that_are_not_finite_are_refused_and_counted():
    network = DeepNetwork((4, 3, 2), key=key_from_seed(0))
    X = np.full((3, 4), 1e30, np.float32)
    X[1] = 0
    huge = jax.tree.map(lambda x: np.full_like(x, 1e30) if x.shape[-1] > 1 else x, network)
    with pytest.raises(DataError, match="got nan or infinity for 2 of 3 examples"):
        network_outputs(huge, X)
    assert not np.isfinite(network_outputs(huge, X, finite=False)).all()
