"""Tests of chainrule/layers/recurrent.py."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import softmax_cost
from chainrule.blocks.gru import gru
from chainrule.blocks.lstm import lstm
from chainrule.blocks.recurrent import rnn
from chainrule.errors import OptionError, ShapeError
from chainrule.gradcheck import gradient_check
from chainrule.layers.allocation import only_shapes
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.initializers import zeros
from chainrule.layers.layer import named_arrays, penalized_arrays
from chainrule.layers.recurrent import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    EachStep,
    MaxOfSteps,
    MeanOfSteps,
)
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import Steps

KEY = jax.random.key(0)
T, N_X, N_A, M = 4, 3, 2, 5
X = jnp.asarray(np.random.default_rng(0).standard_normal((T, N_X, M)))
LENGTHS = jnp.array([4, 2, 0, 1, 3])
STEPS = Steps(X, LENGTHS)
ZERO = jnp.zeros((N_A, M))


def make(kind, **settings):
    return kind(N_X, N_A, key=KEY, dtype=float, **settings)


EACH_KIND = pytest.mark.parametrize("kind", [RNN, LSTM, GRU])


# What the layers compute


def test_they_are_the_blocks():
    layer = make(RNN, g="relu", reverse=True)
    want = rnn(X, ZERO, layer.W, layer.b, LENGTHS, g="relu", reverse=True)
    np.testing.assert_array_equal(layer(STEPS).values, want)
    layer = make(LSTM)
    np.testing.assert_array_equal(layer(X), lstm(X, ZERO, ZERO, layer.W, layer.b)[0])
    for reset, rows, blocks in (("before", 3, 3), ("after", 3, 4), ("none", 2, 2)):
        layer = make(GRU, reset=reset)
        assert (layer.W.shape, layer.b.shape) == ((rows * N_A, N_A + N_X), (blocks * N_A, 1))
        np.testing.assert_array_equal(layer(X), gru(X, ZERO, layer.W, layer.b, reset=reset))


@EACH_KIND
def test_the_result_has_the_form_of_the_input(kind):
    layer = make(kind)
    assert isinstance(layer(X), jax.Array)
    A = layer(STEPS)
    np.testing.assert_array_equal(A.lengths, LENGTHS)
    assert (np.where(STEPS.real[:, None], 0, A.values) == 0).all()
    whole = layer(Steps(X))
    assert whole.lengths is None
    np.testing.assert_allclose(whole.values, layer(X), rtol=1e-12)


@EACH_KIND
@pytest.mark.parametrize("reverse", [False, True])
def test_last_is_the_activation_after_the_last_step(kind, reverse):
    """It is that of each sequence alone, and 0 for the empty one."""
    layer, all_steps = make(kind, last=True, reverse=reverse), make(kind, reverse=reverse)
    last = layer(STEPS)
    assert last.shape == (N_A, M)
    for i, length in enumerate(LENGTHS):
        want = np.zeros(N_A)
        if length:
            alone = all_steps(X[:length, :, i : i + 1])
            want = alone[0 if reverse else -1, :, 0]
        np.testing.assert_allclose(last[:, i], want, rtol=1e-12)
    np.testing.assert_array_equal(layer(X), all_steps(X)[0 if reverse else -1])


def test_a_bidirectional_layer_sees_both_sides():
    layer = Bidirectional(make(GRU), GRU(N_X, 1, reverse=True, key=KEY, dtype=float))
    A = layer(STEPS)
    assert A.values.shape == (T, N_A + 1, M)
    np.testing.assert_array_equal(A.lengths, LENGTHS)
    forward, backward = layer.forward(STEPS).values, layer.backward(STEPS).values
    np.testing.assert_array_equal(A.values, jnp.concatenate([forward, backward], axis=1))
    after, _ = layer.train(STEPS, key=KEY)
    np.testing.assert_array_equal(after.values, A.values)


def test_a_bidirectional_layer_returns_the_last_of_each_direction():
    layer = Bidirectional(make(LSTM, last=True), make(LSTM, last=True, reverse=True))
    want = [make(LSTM, last=True)(STEPS), make(LSTM, reverse=True)(STEPS).values[0]]
    np.testing.assert_array_equal(layer(STEPS), jnp.concatenate(want))


def test_a_layer_at_each_step():
    dense = Dense(N_X, 2, key=KEY, dtype=float)
    A = EachStep(dense)(STEPS)
    for t in range(T):
        want = jnp.where(t < LENGTHS[None], dense(X[t]), 0)
        np.testing.assert_allclose(A.values[t], want, rtol=1e-12)
    np.testing.assert_allclose(EachStep(dense)(X)[1], dense(X[1]), rtol=1e-12)


def test_training_at_each_step_keeps_the_state_and_the_weights():
    """Only the real steps of examples with weight count in the mean of batch norm."""
    weights = jnp.array([[1.0, 2.0, 1.0, 0.0, 1.0]])
    _, after = EachStep(BatchNorm(N_X, dtype=float)).train(STEPS, key=KEY, weights=weights)
    shares = np.where(STEPS.real, weights, 0)
    want = (np.asarray(X) * shares[:, None]).sum(axis=(0, 2)) / shares.sum()
    np.testing.assert_allclose(after.layer.mean[:, 0], want, rtol=1e-12)
    _, after = EachStep(BatchNorm(N_X, dtype=float)).train(STEPS, key=KEY)
    real = np.broadcast_to(STEPS.real[:, None], X.shape)
    want = [np.asarray(X)[:, i][real[:, i]].mean() for i in range(N_X)]
    np.testing.assert_allclose(after.layer.mean[:, 0], want, rtol=1e-12)
    _, after = EachStep(BatchNorm(N_X, dtype=float)).train(X, key=KEY, weights=weights)
    want = (np.asarray(X) * np.asarray(weights)).sum(axis=(0, 2)) / (T * weights.sum())
    np.testing.assert_allclose(after.layer.mean[:, 0], want, rtol=1e-12)


def test_dropout_at_each_step_is_only_in_training():
    layer = EachStep(Dropout(0.5, dtype=float))
    np.testing.assert_array_equal(layer(X), X)
    A, _ = layer.train(X, key=KEY)
    assert set(np.unique(np.asarray(A / X).round(9))) == {0.0, 2.0}
    assert len({tuple(np.asarray(step != 0).ravel()) for step in A}) > 1  # steps differ


def test_the_mean_and_the_largest_of_the_real_steps():
    values = np.asarray(X)
    for layer, of in ((MeanOfSteps(), np.mean), (MaxOfSteps(), np.max)):
        A = layer(STEPS)
        for i, length in enumerate(LENGTHS):
            want = of(values[:length, :, i], axis=0) if length else np.zeros(N_X)
            np.testing.assert_allclose(A[:, i], want, rtol=1e-12)
        np.testing.assert_allclose(layer(X), of(values, axis=0), rtol=1e-12)


def test_a_deep_network_of_many_to_one():
    layers = [make(LSTM), GRU(N_A, 3, last=True, key=KEY, dtype=float)]
    network = Sequential([*layers, Dense(3, 2, key=KEY, dtype=float)])
    want = network.layers[2](layers[1](layers[0](STEPS)))
    np.testing.assert_array_equal(network(STEPS), want)
    assert list(named_arrays(network)) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [W.shape for W in penalized_arrays(network)] == [(8, 5), (9, 5), (2, 3)]


def test_gradient_check_of_a_network():
    """The derivative of a deep, bidirectional network of all kinds, by the slope of its cost."""
    forward, backward = make(RNN), make(LSTM, reverse=True)
    top = GRU(2 * N_A, 2, last=True, key=KEY, dtype=float)
    network = Sequential([Bidirectional(forward, backward), top])
    Y = jnp.asarray(np.eye(2)[[0, 1, 1, 0, 1]].T)
    assert gradient_check(lambda network: softmax_cost(network(STEPS), Y), network) < 1e-7


# The parameters


def test_initial_parameters():
    layer = LSTM(6, 4, key=KEY, dtype=float)
    np.testing.assert_array_equal(layer.b.ravel(), [0.0] * 4 + [1.0] * 4 + [0.0] * 8)
    for W in np.split(np.asarray(layer.W), 4):
        np.testing.assert_allclose(W[:, :4] @ W[:, :4].T, np.eye(4), atol=1e-12)
    gates = np.split(np.asarray(GRU(400, 100, key=KEY).W[:, 100:]), 3)
    np.testing.assert_allclose([gate.var() for gate in gates], 2 / 500, rtol=0.05)  # xavier
    assert len({gate.tobytes() for gate in gates}) == 3
    assert (GRU(6, 4, key=KEY, initializer=zeros).W[:, 4:] == 0).all()
    assert (GRU(6, 4, key=KEY, reset="after").b == 0).all()
    assert RNN(6, 4, key=KEY).W.dtype == GRU(6, 4, key=KEY).b.dtype == jnp.float32


@EACH_KIND
def test_shapes_can_be_planned_without_weights(kind):
    with only_shapes():
        planned = jax.eval_shape(lambda: kind(N_X, N_A, key=KEY))
    made = kind(N_X, N_A, key=KEY)
    assert jax.tree.map(jnp.shape, made) == jax.tree.map(jnp.shape, planned)


@EACH_KIND
def test_a_pickled_layer_is_no_second_program(kind):
    layer = make(kind, last=True)
    again = pickle.loads(pickle.dumps(layer))
    assert jax.tree.structure(again) == jax.tree.structure(layer)
    np.testing.assert_array_equal(again(STEPS), layer(STEPS))


# Titles and messages


def test_titles():
    assert make(RNN).title == "RNN(3 -> 2)"
    assert make(RNN, g="relu").title == "RNN(3 -> 2, relu)"
    assert LSTM(12, 64, key=KEY).title == "LSTM(12 -> 64)"
    assert make(GRU).title == "GRU(3 -> 2)"
    assert make(GRU, reset="after", reverse=True).title == "GRU(3 -> 2, reset after, reverse)"
    assert make(GRU, reset="none").title == "GRU(3 -> 2, simplified)"
    both = Bidirectional(make(LSTM), make(LSTM, reverse=True))
    assert both.title == "Bidirectional(LSTM(3 -> 2))"
    assert EachStep(Dense(64, 10, key=KEY)).title == "EachStep(Dense(64 -> 10))"


@EACH_KIND
def test_refuses_other_features(kind):
    with pytest.raises(ShapeError) as error:
        make(kind)(X.transpose(2, 0, 1))
    assert str(error.value) == (
        f"{kind.__name__}(3 -> 2): expected (T, 3, m), steps with one column per example; "
        "got (5, 4, 3).\nTry X.transpose(1, 2, 0), if the examples come first."
    )


def test_the_error_of_a_layer_inside_names_both():
    both = Bidirectional(make(LSTM), make(GRU, reverse=True))
    network = Sequential([EachStep(Dense(4, 3, key=KEY)), both])
    with pytest.raises(ShapeError, match=r"layer 1, EachStep\(Dense\(4 -> 3\)\), Dense\(4 -> 3\):"):
        network(X)
    with pytest.raises(ShapeError, match=r"^Bidirectional\(LSTM\(3 -> 2\)\), LSTM\(3 -> 2\):"):
        both(X[:, :1])


def test_refuses_what_is_not_steps():
    for layer in (MeanOfSteps(), EachStep(Dense(3, 2, key=KEY, dtype=float))):
        with pytest.raises(ShapeError, match=r"steps \(T, n, m\); got \(3, 5\)"):
            layer(X[0])


def test_refuses_settings_that_do_not_exist():
    with pytest.raises(OptionError, match=r"RNN\(g=…\)"):
        make(RNN, g="sigmoid")
    with pytest.raises(OptionError, match=r"GRU\(reset=…\)"):
        make(GRU, reset="middle")
    with pytest.raises(OptionError, match=r"LSTM\(n_a=…\): expected a whole number of at least 1"):
        LSTM(3, 0, key=KEY)


def test_refuses_directions_that_do_not_fit():
    with pytest.raises(OptionError, match=r"a second one with reverse=True; got GRU\(3 -> 2\) and"):
        Bidirectional(make(GRU), make(GRU))
    with pytest.raises(OptionError, match="a first layer that runs forward"):
        Bidirectional(make(GRU, reverse=True), make(GRU, reverse=True))
    halves = Bidirectional(make(GRU, last=True), make(GRU, reverse=True))
    with pytest.raises(ShapeError, match="both return all steps, or both the last"):
        halves(X)
