"""chainrule/train/health.py: the size of activations and gradients in each layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.epochs import Rows, begin, to_device
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.health import due, measure
from chainrule.train.step import Penalty
from tests.train.problem import (
    DEV,
    TRAIN,
    assert_same,
    network,
    notes_forward,
    notes_gradients,
    weights,
)
from tests.train.problem import train as trained

KEY = jax.random.key(0)


def signal(model, *, rate=0.5, penalty=None, part=TRAIN):
    """Measure the signal of a model before its first step."""
    optimizer = gradient_descent(rate)
    progress = to_device(begin(model, optimizer.init, has_dev=False))
    rows = Rows(*jax.device_put((part.X, part.Y, np.ones(len(part.X)))))
    functions = {"cost": logistic_cost, "update": optimizer.update}
    return measure(progress, rows, len(part.X), penalty, KEY, 0, **functions)


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_every_number_matches_the_notes_equations():
    model = network()
    theta = weights(model)
    X, Y = TRAIN.X.T, TRAIN.Y.T
    _, A1, Z2 = notes_forward(theta, X)
    dW1, _, dW2, _ = notes_gradients(theta, X, Y)
    dZ2 = (1 / (1 + np.exp(-Z2)) - Y) / 20
    first, second = signal(model)
    expected = {
        "A": rms(A1),
        "dA": rms(theta[2].T @ dZ2),
        "W": np.linalg.norm(theta[0]),
        "dW": np.linalg.norm(dW1),
        "update": 0.5 * np.linalg.norm(dW1) / np.linalg.norm(theta[0]),
        "saturated": (np.abs(A1) > 0.99).mean(),
    }
    assert first == pytest.approx(expected, rel=1e-12)
    assert second["A"] == pytest.approx(rms(Z2))
    assert second["dW"] == pytest.approx(np.linalg.norm(dW2))
    assert second["dA"] == pytest.approx(rms(dZ2))
    assert "saturated" not in second
    assert "dead" not in second


def test_the_update_includes_the_penalty_and_dW_does_not():
    model = network()
    W1 = weights(model)[0]
    dW1 = notes_gradients(weights(model), TRAIN.X.T, TRAIN.Y.T)[0]
    first, _ = signal(model, penalty=jax.device_put(Penalty(np.float64(3), None, np.float64(20))))
    step = 0.5 * np.linalg.norm(dW1 + 3 / 20 * W1) / np.linalg.norm(W1)
    assert first["update"] == pytest.approx(step, rel=1e-12)
    assert first["dW"] == pytest.approx(np.linalg.norm(dW1), rel=1e-12)


def test_a_dead_unit_is_0_for_every_example():
    W1, b1 = np.ones((4, 4)), np.array([[-100.0], [-100.0], [-100.0], [0.0]])
    model = DeepNetwork.from_weights([(W1, b1), (np.ones((1, 4)), np.zeros((1, 1)))])
    assert signal(model)[0]["dead"] == 0.75


def test_saturated_values():
    far = [(np.full((3, 4), 1e3), np.zeros((3, 1))), (np.ones((1, 3)), np.zeros((1, 1)))]
    for g in ("sigmoid", "tanh"):
        assert signal(DeepNetwork.from_weights(far, activation=g))[0]["saturated"] == 1
    near = [(np.full((3, 4), 1e-3), np.zeros((3, 1))), (np.ones((1, 3)), np.zeros((1, 1)))]
    for g in ("sigmoid", "tanh"):
        assert signal(DeepNetwork.from_weights(near, activation=g))[0]["saturated"] == 0


def test_weights_of_zero_have_no_infinite_update():
    zeros = [(np.zeros((3, 4)), np.zeros((3, 1))), (np.zeros((1, 3)), np.zeros((1, 1)))]
    found = signal(DeepNetwork.from_weights(zeros, activation="tanh"))
    assert all(np.isfinite(list(layer.values())).all() for layer in found)


def test_layers_are_counted_as_in_the_notes():
    options = {"keep_prob": 0.8, "batch_norm": True, "key": KEY, "dtype": float}
    found = signal(DeepNetwork((4, 3, 2, 1), **options))
    assert len(found) == 3
    assert found[0].keys() == {"A", "dA", "W", "dW", "update", "dead"}
    assert found[2].keys() == {"A", "dA", "W", "dW", "update"}


# During a training


def test_when_it_is_measured():
    done = trained(epochs=11, signals=True)
    assert [line["epoch"] for line in done.history.signals] == [0, 1, 2, 4, 8, 11]
    assert all(len(line["signal"]) == 2 for line in done.history.signals)


@pytest.mark.parametrize("batch_size", [8, None])
def test_measuring_changes_no_bit_of_the_training(batch_size):
    one, other = (trained(epochs=9, batch_size=batch_size, signals=s) for s in (True, False))
    assert_same(one.network, other.network)
    assert_same(one.state, other.state)


def test_the_signal_is_that_of_the_network_at_that_epoch():
    done = trained(epochs=4, signals=True)
    repeated = trained(epochs=2, dev=None)
    for then, now in zip(done.history.signals[2]["signal"], signal(repeated.network), strict=True):
        assert then == pytest.approx(now, rel=1e-9)


def test_it_is_measured_after_powers_of_two():
    assert [epoch for epoch in range(40) if due(epoch)] == [0, 1, 2, 4, 8, 16, 32]


def test_it_is_measured_when_patience_ends_training():
    wrong = Examples(DEV.X, 1 - DEV.Y)  # the better the network, the smaller the gradients
    done = fit(
        network(), adam(0.5), logistic_cost, TRAIN, wrong, epochs=50, patience=3, signals=True
    )
    assert done.history.stopped == "patience"
    assert done.history.signals[-1]["epoch"] == len(done.history.epochs)
    assert jnp.isfinite(done.history.signals[-1]["signal"][0]["update"])
