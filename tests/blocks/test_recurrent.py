"""Tests of chainrule/blocks/recurrent.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.recurrent import (
    last_step,
    rnn,
    rnn_backward,
    rnn_cell,
    rnn_cell_backward,
    rnn_cell_forward,
    rnn_forward,
)
from chainrule.errors import OptionError
from tests.blocks.recurrent_of_torch import assert_equals_torch
from tests.blocks.sequences import LENGTHS, N_A, N_X, M, T, run_steps
from tests.compilations import compilations
from tests.gradients import assert_gradients


def plain_cell(x, a_prev, W, b, *, g="tanh"):
    z = W[:, N_A:] @ x + W[:, :N_A] @ a_prev + b
    return jnp.tanh(z) if g == "tanh" else jnp.where(z > 0, z, 0)


def plain_rnn(X, a0, W, b, lengths=None, *, g="tanh", reverse=False):
    return run_steps(lambda x, a: [plain_cell(x, a, W, b, g=g)], X, [a0], lengths, reverse)[0]


@pytest.fixture
def inputs(getkey):
    shapes = {"X": (T, N_X, M), "a0": (N_A, M), "W": (N_A, N_A + N_X), "b": (N_A, 1)}
    return tuple(jax.random.normal(getkey(), shape) for shape in shapes.values())


# By hand


def test_a_step_by_hand():
    x, a_prev = jnp.array([[2.0, 1.0]]), jnp.array([[1.0, -4.0]])  # two examples
    W, b = jnp.array([[0.5, 1.0]]), jnp.array([[0.5]])
    a, cache = rnn_cell_forward(x, a_prev, W, b, g="relu")
    np.testing.assert_array_equal(a, [[3.0, 0.0]])  # 0.5 + 2 + 0.5, and max(0, −0.5)
    dx, da_prev, dW, db = rnn_cell_backward(jnp.array([[10.0, 100.0]]), cache)
    np.testing.assert_array_equal(dx, [[10.0, 0.0]])
    np.testing.assert_array_equal(da_prev, [[5.0, 0.0]])
    np.testing.assert_array_equal(dW, [[10.0, 20.0]])
    np.testing.assert_array_equal(db, [[10.0]])


def test_backpropagation_through_time_by_hand():
    X, a0 = jnp.array([1.0, 2.0, 3.0])[:, None, None], jnp.array([[4.0]])
    W, b = jnp.array([[0.5, 1.0]]), jnp.zeros((1, 1))
    A, cache = rnn_forward(X, a0, W, b, g="relu")
    np.testing.assert_array_equal(A.ravel(), [3.0, 3.5, 4.75])
    dX, da0, dW, db = rnn_backward(jnp.array([0.0, 0.0, 1.0])[:, None, None], cache)
    np.testing.assert_array_equal(dX.ravel(), [0.25, 0.5, 1.0])
    np.testing.assert_array_equal(da0, [[0.125]])
    np.testing.assert_array_equal(dW, [[0.25 * 4 + 0.5 * 3 + 3.5, 0.25 * 1 + 0.5 * 2 + 3]])
    np.testing.assert_array_equal(db, [[1.75]])


def test_the_last_step_by_hand():
    A = jnp.arange(6.0).reshape(2, 1, 3)
    a, pull = jax.vjp(lambda A: last_step(A, jnp.array([1, 2, 0])), A)
    np.testing.assert_array_equal(a, [[0.0, 4.0, 0.0]])
    (dA,) = pull(jnp.array([[10.0, 20.0, 30.0]]))
    np.testing.assert_array_equal(dA, [[[10.0, 0.0, 0.0]], [[0.0, 20.0, 0.0]]])


# Gradients


@pytest.mark.parametrize("g", ["tanh", "relu"])
def test_gradients_of_a_step(getkey, inputs, g):
    X, a0, W, b = inputs
    assert_gradients(rnn_cell, plain_cell, X[0], a0, W, b, key=getkey(), g=g)


@pytest.mark.parametrize("g", ["tanh", "relu"])
@pytest.mark.parametrize(
    ("lengths", "reverse"), [(None, False), (LENGTHS, False), (None, True), (LENGTHS, True)]
)
def test_gradients(getkey, inputs, lengths, reverse, g):
    settings = {"g": g, "reverse": reverse}
    assert_gradients(
        lambda *args: rnn(*args, lengths, **settings),
        lambda *args: plain_rnn(*args, lengths, **settings),
        *inputs,
        key=getkey(),
    )


# Properties


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_lengths_have_any_whole_dtype(inputs, dtype):
    A = rnn(*inputs, LENGTHS.astype(dtype))
    np.testing.assert_array_equal(A, rnn(*inputs, LENGTHS))
    np.testing.assert_array_equal(last_step(A, LENGTHS.astype(dtype)), last_step(A, LENGTHS))


def test_many_steps_with_lengths_of_few_bits():
    X, zeros = jnp.ones((300, 1, 2)), jnp.zeros((1, 2))
    W, b = jnp.array([[0.0, 1.0]]), jnp.zeros((1, 1))
    A = rnn(X, zeros, W, b, jnp.array([200, 255], jnp.uint8), g="relu")
    np.testing.assert_array_equal(A.sum(axis=0), [[200.0, 255.0]])


@pytest.mark.parametrize("reverse", [False, True])
def test_what_lies_beyond_the_lengths_changes_nothing(inputs, reverse):
    X, *others = inputs
    beyond = (np.arange(T)[:, None] >= LENGTHS[None])[:, None]

    def gradients(X):
        A, pull = jax.vjp(lambda *args: rnn(*args, LENGTHS, reverse=reverse), X, *others)
        return A, pull(jnp.where(beyond, jnp.nan, 1.0) * jnp.ones_like(A))

    A, (dX, *d_others) = gradients(jnp.where(beyond, jnp.nan, X))
    expected, (_, *d_expected) = gradients(X)
    np.testing.assert_array_equal(A, expected)
    assert (np.where(beyond, A, 0) == 0).all()
    assert (np.where(beyond, dX, 0) == 0).all()
    for got, want in zip(d_others, d_expected, strict=True):
        np.testing.assert_array_equal(got, want)
        assert np.isfinite(got).all()


def test_reverse_starts_at_the_last_real_step(inputs):
    X, a0, W, b = inputs
    A = rnn(X, a0, W, b, LENGTHS, reverse=True)
    for i, length in enumerate(LENGTHS):
        if length:
            one = X[:length, :, i : i + 1]
            want = rnn(one[::-1], a0[:, i : i + 1], W, b)[::-1]
            np.testing.assert_allclose(A[:length, :, i : i + 1], want, rtol=1e-12)


def test_one_step_is_the_cell(inputs):
    X, a0, W, b = inputs
    want = rnn_cell(X[0], a0, W, b)
    for reverse in (False, True):
        A = rnn(X[:1], a0, W, b, reverse=reverse)
        np.testing.assert_allclose(A[0], want, rtol=1e-12)


def test_a_second_call_outside_of_jit_compiles_nothing(inputs):
    others = [x + 1 for x in inputs]
    rnn(*inputs, LENGTHS), rnn(*inputs)
    with compilations() as compiled:
        rnn(*others, LENGTHS), rnn(*others)
    assert compiled == []


# Messages


def test_refuses_another_activation(inputs):
    X, *others = inputs
    with pytest.raises(OptionError, match=r"rnn\(g=…\).*'tan'"):
        rnn(X, *others, g="tan")
    with pytest.raises(OptionError, match=r"rnn_cell\(g=…\).*'tan'"):
        rnn_cell(X[0], *others, g="tan")


# The numbers of PyTorch


@pytest.mark.parametrize(("kind", "g"), [("rnn", "tanh"), ("rnn_relu", "relu")])
def test_equals_pytorch(kind, g):
    assert_equals_torch(kind, lambda *args, **settings: rnn(*args, g=g, **settings), ["a0"])
