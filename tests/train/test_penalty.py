"""chainrule/train/step.py: which parameters are penalised, and by how much."""

import jax
import numpy as np
import pytest

from chainrule.data.batches import epoch_order
from chainrule.errors import OptionError
from chainrule.layers.layer import named_arrays
from chainrule.models.deep_network import DeepNetwork
from chainrule.train.examples import Examples
from chainrule.train.step import Penalty, make_penalty, penalty_cost
from tests.train.problem import (
    TRAIN,
    assert_same,
    network,
    notes_cost,
    notes_gradients,
    train,
    weights,
)

X, Y, M = TRAIN.X.T, TRAIN.Y.T, len(TRAIN.X)


def notes_step_with(theta, X, Y, rate, *, l2=0.0, l1=0.0):
    """Take a step with dW = (from backpropagation) + (λ/m) W + (λ1/m) sign(W), m: the whole set."""
    gradients = notes_gradients(theta, X, Y)
    for i in range(0, len(theta), 2):  # W1, W2; b1, b2 are not penalised
        gradients[i] = gradients[i] + l2 / M * theta[i] + l1 / M * np.sign(theta[i])
    return [p - rate * d for p, d in zip(theta, gradients, strict=True)]


def assert_close(model, theta):
    for a, b in zip(weights(model), theta, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


# By hand


def test_the_penalty_of_two_weights():
    model = DeepNetwork.from_weights([([[3.0, -4.0]], [[5.0]])])
    assert float(penalty_cost(model, Penalty(2.0, None, 10))) == pytest.approx(2.5)  # 2/20 · 25
    assert float(penalty_cost(model, Penalty(2.0, 1.0, 10))) == pytest.approx(2.5 + 0.7)


@pytest.mark.parametrize(("l2", "l1"), [(3.0, 0.0), (0.0, 3.0), (3.0, 3.0)], ids=str)
def test_steps_match_the_equations_of_the_notes(l2, l1):
    done = train(dev=None, epochs=5, penalty=make_penalty(l2, l1, M))
    theta = weights(network())
    for epoch in done.history.epochs:
        assert epoch.cost == pytest.approx(notes_cost(theta, X, Y), rel=1e-12)  # without it
        theta = notes_step_with(theta, X, Y, 0.5, l2=l2, l1=l1)
    assert_close(done.network, theta)


def test_m_is_the_size_of_the_training_set_and_not_of_the_batch():
    done = train(dev=None, epochs=2, batch_size=8, penalty=make_penalty(3.0, 0.0, M))
    theta = weights(network())
    for epoch in range(2):
        for rows in epoch_order(M, 8, seed=0, epoch=epoch):
            rows = rows[rows < M]
            theta = notes_step_with(theta, X[:, rows], Y[:, rows], 0.5, l2=3.0)
    assert_close(done.network, theta)


def test_weight_decay():
    """W = (1 − αλ/m) W − α dW: without data to learn from, the weights shrink by that factor."""
    silent = Examples(np.zeros((M, 4)), np.full((M, 1), 0.5))
    start = DeepNetwork.from_weights([([[1.0, -2.0, 3.0, 0.5]], [[0.0]])])
    done = train(silent, None, start=start, epochs=3, penalty=make_penalty(4.0, 0.0, M))
    shrunk = (1 - 0.5 * 4.0 / M) ** 3
    np.testing.assert_allclose(weights(done.network)[0], shrunk * weights(start)[0])


# Properties


def test_b_gamma_and_beta_are_not_penalised():
    start = DeepNetwork(
        (4, 3, 1), batch_norm=True, keep_prob=0.8, key=jax.random.key(0), dtype=float
    )
    slope = jax.grad(lambda model: penalty_cost(model, Penalty(1.0, 1.0, M)), allow_int=True)(start)
    penalised = {name for name, d in named_arrays(slope).items() if np.asarray(d).any()}
    assert penalised == {"W1", "W2"}


def test_a_lambda_of_0_is_no_penalty_bit_for_bit():
    plain = train(dev=None)
    zero = train(dev=None, penalty=make_penalty(0.0, 0.0, M, always=True))
    assert_same(plain.network, zero.network)
    assert plain.history.costs == zero.history.costs


def test_l1_leaves_more_weights_near_0_than_l2():
    small = []
    for l2, l1 in ((2.0, 0.0), (0.0, 2.0)):
        done = train(dev=None, epochs=300, penalty=make_penalty(l2, l1, M))
        small.append(sum((np.abs(W) < 0.05).sum() for W in weights(done.network)[::2]))
    assert small[1] > small[0]


def test_no_penalty_without_a_lambda():
    assert make_penalty(0.0, 0.0, M) is None
    assert make_penalty(0.0, 0.0, M, always=True) == (0.0, None, M)
    assert make_penalty(0.1, 0.2, M) == (0.1, 0.2, M)


# Error messages


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [("l2", -1, "-1"), ("l1", np.inf, "inf"), ("l2", "1", "'1'"), ("l1", True, "True")],
)
def test_an_invalid_lambda_is_refused(name, value, got):
    with pytest.raises(OptionError) as error:
        make_penalty(**{"l2": 0.0, "l1": 0.0, name: value}, m=M)
    assert str(error.value) == f"{name}: expected a number of at least 0; got {got}.\nTry 0.1."
