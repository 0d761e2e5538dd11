"""Tests of chainrule/blocks/gru.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.gru import RESETS, gru, gru_cell, gru_cell_backward, gru_cell_forward
from chainrule.errors import OptionError
from tests.blocks.recurrent_of_torch import assert_equals_torch
from tests.blocks.sequences import LENGTHS, N_A, N_X, M, T, run_steps
from tests.compilations import compilations
from tests.gradients import assert_gradients

EACH_RESET = pytest.mark.parametrize("reset", RESETS)
EACH_DIRECTION = pytest.mark.parametrize("reverse", [False, True])


def plain_cell(x, c_prev, W, b, *, reset="before"):
    def product(i, state):  # of the rows of gate i
        rows = slice(i * N_A, (i + 1) * N_A)
        return W[rows, :N_A] @ state + W[rows, N_A:] @ x + b[rows]

    update = jax.nn.sigmoid(product(0, c_prev))
    if reset == "none":
        candidate = jnp.tanh(product(len(W) // N_A - 1, c_prev))
    else:
        r = jax.nn.sigmoid(product(1, c_prev))
        h = W[2 * N_A :, :N_A] @ c_prev + b[3 * N_A :] if reset == "after" else None
        z = product(2, r * c_prev) if h is None else product(2, 0 * c_prev) + r * h
        candidate = jnp.tanh(z)
    return update * candidate + (1 - update) * c_prev


def plain_gru(X, c0, W, b, lengths=None, *, reset="before", reverse=False):
    def cell(x, c):
        return [plain_cell(x, c, W, b, reset=reset)]

    return run_steps(cell, X, [c0], lengths, reverse)[0]


@pytest.fixture
def inputs(getkey, reset):
    """W has the rows of two gates without reset, and b has one more block if it comes after."""
    gates, blocks = {"before": (3, 3), "after": (3, 4), "none": (2, 2)}[reset]
    shapes = [(T, N_X, M), (N_A, M), (gates * N_A, N_A + N_X), (blocks * N_A, 1)]
    return tuple(jax.random.normal(getkey(), shape) for shape in shapes)


# By hand


def test_a_step_by_hand():
    """Γu = Γr = ½: c is the mean of c̃ and c_prev."""
    x, c_prev = jnp.array([[2.0]]), jnp.array([[4.0]])
    W, b = jnp.array([[0.0, 0.0], [0.0, 0.0], [1.0, -1.0]]), jnp.zeros((3, 1))
    c, cache = gru_cell_forward(x, c_prev, W, b)
    np.testing.assert_array_equal(c, [[2.0]])  # c̃ = tanh(½ · 4 − 2) = 0
    dx, dc_prev, dW, db = gru_cell_backward(jnp.array([[1.0]]), cache)
    np.testing.assert_array_equal(db, [[-1.0], [0.5], [0.5]])  # (0 − 4)/4, ½ · 4 /4, and Γu
    np.testing.assert_array_equal(dx, [[-0.5]])
    np.testing.assert_array_equal(dc_prev, [[0.75]])  # 1 − Γu and Γu Γr
    np.testing.assert_array_equal(dW, [[-4.0, -2.0], [2.0, 1.0], [1.0, 1.0]])


def test_after_and_before_differ_by_where_the_product_is_reset():
    """c̃ = tanh(W_cc (r ⊙ c)) and tanh(r ⊙ (W_cc c)), with r = (1, 0) and W_cc a permutation."""
    c_prev, W = jnp.array([[0.3], [0.5]]), jnp.zeros((6, 3)).at[4, 1].set(1).at[5, 0].set(1)
    b = jnp.array([[100.0], [100.0], [100.0], [-100.0], [0.0], [0.0]])
    before = gru_cell(jnp.ones((1, 1)), c_prev, W, b)
    after = gru_cell(jnp.ones((1, 1)), c_prev, W, jnp.concatenate([b, b[4:]]), reset="after")
    np.testing.assert_allclose(before, [[0.0], [np.tanh(0.3)]], atol=1e-15)
    np.testing.assert_allclose(after, [[np.tanh(0.5)], [0.0]], atol=1e-15)


# Gradients


@EACH_RESET
def test_gradients_of_a_step(getkey, inputs, reset):
    X, *others = inputs
    assert_gradients(gru_cell, plain_cell, X[0], *others, key=getkey(), reset=reset)


@EACH_RESET
@pytest.mark.parametrize(
    ("lengths", "reverse"), [(None, False), (LENGTHS, False), (None, True), (LENGTHS, True)]
)
def test_gradients(getkey, inputs, lengths, reverse, reset):
    settings = {"reset": reset, "reverse": reverse}
    assert_gradients(
        lambda *args: gru(*args, lengths, **settings),
        lambda *args: plain_gru(*args, lengths, **settings),
        *inputs,
        key=getkey(),
    )


# Properties


@EACH_RESET
@EACH_DIRECTION
def test_what_lies_beyond_the_lengths_changes_nothing(inputs, reset, reverse):
    X, *others = inputs
    beyond = (np.arange(T)[:, None] >= LENGTHS[None])[:, None]

    def gradients(X):
        settings = {"reset": reset, "reverse": reverse}
        C, pull = jax.vjp(lambda *args: gru(*args, LENGTHS, **settings), X, *others)
        return C, pull(jnp.where(beyond, jnp.nan, 1.0) * jnp.ones_like(C))

    C, (dX, *d_others) = gradients(jnp.where(beyond, jnp.nan, X))
    expected, (_, *d_expected) = gradients(X)
    np.testing.assert_array_equal(C, expected)
    assert (np.where(beyond, C, 0) == 0).all()
    assert (np.where(beyond, dX, 0) == 0).all()
    for got, want in zip(d_others, d_expected, strict=True):
        np.testing.assert_array_equal(got, want)
        assert np.isfinite(got).all()


@EACH_RESET
def test_one_step_is_the_cell(inputs, reset):
    X, *others = inputs
    want = gru_cell(X[0], *others, reset=reset)
    for reverse in (False, True):
        C = gru(X[:1], *others, reset=reset, reverse=reverse)
        np.testing.assert_allclose(C[0], want, rtol=1e-12)


@pytest.mark.parametrize("reset", ["none"])
def test_without_reset_the_rows_of_its_gate_have_no_effect(getkey, inputs):
    X, c0, W, b = inputs
    unused = jax.random.normal(getkey(), (N_A, N_A + N_X + 1))
    all_W = jnp.concatenate([W[:N_A], unused[:, 1:], W[N_A:]])
    all_b = jnp.concatenate([b[:N_A], unused[:, :1], b[N_A:]])
    for block, x in ((gru, X), (gru_cell, X[0])):
        C, pull = jax.vjp(lambda *args, f=block: f(*args, reset="none"), x, c0, all_W, all_b)
        expected, want_pull = jax.vjp(lambda *args, f=block: f(*args, reset="none"), x, c0, W, b)
        np.testing.assert_array_equal(C, expected)
        *_, dW, db = pull(jnp.ones_like(C))
        *_, want_dW, want_db = want_pull(jnp.ones_like(C))
        for d, want in ((dW, want_dW), (db, want_db)):
            np.testing.assert_array_equal(jnp.concatenate([d[:N_A], d[2 * N_A :]]), want)
            assert (np.asarray(d[N_A : 2 * N_A]) == 0).all()


@pytest.mark.parametrize("reset", ["before"])
def test_a_second_call_outside_of_jit_compiles_nothing(inputs, reset):
    others = [x + 1 for x in inputs]
    gru(*inputs, LENGTHS, reset=reset)
    with compilations() as compiled:
        gru(*others, LENGTHS, reset=reset)
    assert compiled == []


# The numbers of PyTorch


def test_equals_pytorch():
    assert_equals_torch("gru", lambda *args, **other: gru(*args, reset="after", **other), ["a0"])


# Messages


@pytest.mark.parametrize("reset", ["before"])
def test_refuses_another_reset(inputs, reset):
    X, *others = inputs
    with pytest.raises(OptionError, match=r"gru\(reset=…\).*'befor'"):
        gru(X, *others, reset="befor")
    with pytest.raises(OptionError, match=r"gru_cell\(reset=…\).*'befor'"):
        gru_cell(X[0], *others, reset="befor")
