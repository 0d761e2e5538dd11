"""Tests of chainrule/blocks/lstm.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.lstm import lstm, lstm_cell, lstm_cell_backward, lstm_cell_forward
from tests.blocks.recurrent_of_torch import assert_equals_torch
from tests.blocks.sequences import LENGTHS, N_A, N_X, M, T, run_steps
from tests.compilations import compilations
from tests.gradients import assert_gradients

EACH_DIRECTION = pytest.mark.parametrize("reverse", [False, True])


def plain_cell(x, a_prev, c_prev, W, b):
    u, f, o, z = jnp.split(W[:, :N_A] @ a_prev + W[:, N_A:] @ x + b, 4)
    c = jax.nn.sigmoid(u) * jnp.tanh(z) + jax.nn.sigmoid(f) * c_prev
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def plain_lstm(X, a0, c0, W, b, lengths=None, *, reverse=False):
    return run_steps(lambda *args: plain_cell(*args, W, b), X, [a0, c0], lengths, reverse)


@pytest.fixture
def inputs(getkey):
    shapes = [(T, N_X, M), (N_A, M), (N_A, M), (4 * N_A, N_A + N_X), (4 * N_A, 1)]
    return tuple(jax.random.normal(getkey(), shape) for shape in shapes)


# By hand


def test_a_step_by_hand():
    """The gates are open or closed: c = 1 · c̃ + 1 · c_prev in the first example."""
    x, a_prev, c_prev = jnp.array([[1.0, -1.0]]), jnp.zeros((1, 2)), jnp.array([[3.0, 3.0]])
    W = jnp.array([[0.0, 100.0], [0.0, 100.0], [0.0, 0.0], [0.0, 0.0]])
    b = jnp.array([[0.0], [0.0], [0.0], [1.0]])
    (a, c), cache = lstm_cell_forward(x, a_prev, c_prev, W, b)
    kept, lost = np.tanh(1) + 3, 0.0
    np.testing.assert_allclose(c, [[kept, lost]], atol=1e-15)
    np.testing.assert_allclose(a, [[0.5 * np.tanh(kept), 0.0]], atol=1e-15)  # Γo = σ(0)
    dx, da_prev, dc_prev, dW, db = lstm_cell_backward((jnp.zeros((1, 2)), jnp.ones((1, 2))), cache)
    np.testing.assert_allclose(dc_prev, [[1.0, 0.0]], atol=1e-15)  # Γf
    slope = 1 - np.tanh(1) ** 2  # of c̃, where Γu is 1
    np.testing.assert_allclose(db, [[0.0], [0.0], [0.0], [slope]], atol=1e-15)
    np.testing.assert_allclose(dW, [[0, 0], [0, 0], [0, 0], [0, slope]], atol=1e-15)
    assert (np.abs(dx) < 1e-15).all()
    assert (np.abs(da_prev) < 1e-15).all()


def test_the_memory_adds_up():
    W, b = jnp.zeros((4, 2)), jnp.array([[50.0], [50.0], [50.0], [1.0]])
    zero = jnp.zeros((1, 2))
    A, C = lstm(jnp.ones((3, 1, 2)), zero, zero, W, b, jnp.array([3, 1]))
    steps = np.tanh(1) * np.array([[1, 1], [2, 0], [3, 0]])
    np.testing.assert_allclose(C[:, 0], steps, rtol=1e-12)
    np.testing.assert_allclose(A[:, 0], np.tanh(steps), rtol=1e-12)


# Gradients


def test_gradients_of_a_step(getkey, inputs):
    X, *others = inputs
    stacked = [lambda *args, f=f: jnp.stack(f(*args)) for f in (lstm_cell, plain_cell)]
    assert_gradients(*stacked, X[0], *others, key=getkey())


@EACH_DIRECTION
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(getkey, inputs, lengths, reverse):
    """Those of A and of C, each with a random weight."""
    assert_gradients(
        lambda *args: jnp.stack(lstm(*args, lengths, reverse=reverse)),
        lambda *args: jnp.stack(plain_lstm(*args, lengths, reverse=reverse)),
        *inputs,
        key=getkey(),
    )


# Properties


@EACH_DIRECTION
def test_what_lies_beyond_the_lengths_changes_nothing(inputs, reverse):
    X, *others = inputs
    beyond = (np.arange(T)[:, None] >= LENGTHS[None])[:, None]

    def gradients(X):
        A, pull = jax.vjp(
            lambda *args: jnp.stack(lstm(*args, LENGTHS, reverse=reverse)), X, *others
        )
        return A, pull(jnp.where(beyond[None], jnp.nan, 1.0) * jnp.ones_like(A))

    A, (dX, *d_others) = gradients(jnp.where(beyond, jnp.nan, X))
    expected, (_, *d_expected) = gradients(X)
    np.testing.assert_array_equal(A, expected)
    assert (np.where(beyond[None], A, 0) == 0).all()
    assert (np.where(beyond, dX, 0) == 0).all()
    for got, want in zip(d_others, d_expected, strict=True):
        np.testing.assert_array_equal(got, want)
        assert np.isfinite(got).all()


@EACH_DIRECTION
def test_one_step_is_the_cell(inputs, reverse):
    X, *others = inputs
    A, C = lstm(X[:1], *others, reverse=reverse)
    a, c = lstm_cell(X[0], *others)
    np.testing.assert_allclose(A[0], a, rtol=1e-12)
    np.testing.assert_allclose(C[0], c, rtol=1e-12)


def test_a_second_call_outside_of_jit_compiles_nothing(inputs):
    others = [x + 1 for x in inputs]
    lstm(*inputs, LENGTHS)
    with compilations() as compiled:
        lstm(*others, LENGTHS)
    assert compiled == []


# The numbers of PyTorch


def test_equals_pytorch():
    assert_equals_torch("lstm", lambda *args, **settings: lstm(*args, **settings)[0], ["a0", "c0"])
