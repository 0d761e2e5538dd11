"""Tests of chainrule/blocks/attention.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.blocks.attention import (
    additive_attention,
    additive_attention_backward,
    additive_attention_forward,
    look_ahead_mask,
    multi_head_attention,
    multi_head_attention_forward,
    padding_mask,
    positional_encoding,
    scaled_dot_product_attention,
    scaled_dot_product_attention_backward,
    scaled_dot_product_attention_forward,
)
from chainrule.errors import OptionError
from tests.compilations import compilations
from tests.gradients import assert_gradients

LENGTHS = jnp.array([3, 1, 4])
MASKS = {
    "everything": None,
    "padding": padding_mask(LENGTHS, 4),
    "padding and look-ahead": look_ahead_mask(4) & padding_mask(LENGTHS, 4),
    "a query sees nothing": padding_mask(LENGTHS, 4) & (jnp.arange(4) != 1)[:, None, None],
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def plain_softmax(S, mask):
    """Softmax over axis 1 of (T_q, T_k, m): masked places are left out, not only made small."""
    if mask is None:
        return jax.nn.softmax(S, axis=1)
    seen = jnp.broadcast_to(mask, S.shape)
    E = jnp.where(seen, jnp.exp(jnp.where(seen, S, 0)), 0)
    total = E.sum(axis=1, keepdims=True)
    return jnp.where(total > 0, E / jnp.where(total > 0, total, 1), 0)


def plain_attention(Q, K, V, mask=None):
    S = jnp.einsum("idm,jdm->ijm", Q, K) / np.sqrt(Q.shape[1])
    return jnp.einsum("ijm,jdm->idm", plain_softmax(S, mask), V)


def plain_multi_head(X_q, X_kv, Wq, Wk, Wv, Wo, bq, bk, bv, bo, mask=None, heads=2):
    Q, K, V = (
        jnp.einsum("ij,tjm->tim", W, X) + b[None]
        for W, X, b in ((Wq, X_q, bq), (Wk, X_kv, bk), (Wv, X_kv, bv))
    )
    parts = zip(*(jnp.split(x, heads, axis=1) for x in (Q, K, V)), strict=True)
    joined = jnp.concatenate([plain_attention(*part, mask) for part in parts], axis=1)
    return jnp.einsum("ij,tjm->tim", Wo, joined) + bo[None]


def plain_additive(A, s_prev, W1, b1, W2, b2, mask=None, g="relu"):
    T = A.shape[0]
    joined = jnp.concatenate([A, jnp.broadcast_to(s_prev[None], (T, *s_prev.shape))], axis=1)
    h = jnp.tanh(jnp.einsum("ij,tjm->tim", W1, joined) + b1[None])
    z = jnp.einsum("ij,tjm->tim", W2, h) + b2[None]
    energies = jnp.where(z > 0, z, 0) if g == "relu" else z
    weights = plain_softmax(energies.transpose(1, 0, 2), mask)
    return jnp.einsum("itm,tnm->nm", weights, A)


def multi_head_inputs(getkey, T_q=4, T_k=4):
    shapes = [(T_q, 3, 3), (T_k, 5, 3), (4, 3), (4, 5), (6, 5), (2, 6), (4, 1), (4, 1), (6, 1)]
    return [jax.random.normal(getkey(), shape) for shape in [*shapes, (2, 1)]]


def additive_inputs(getkey):
    shapes = [(4, 2, 3), (3, 3), (5, 5), (5, 1), (1, 5), (1, 1)]
    return [jax.random.normal(getkey(), shape) for shape in shapes]


# By hand


def test_an_example_by_hand():
    """Q·K/√d is log 3 and 0, so the weights are 3/4 and 1/4."""
    Q = jnp.array([2 * np.log(3), 0, 0, 0]).reshape(1, 4, 1)
    K = jnp.zeros((2, 4, 1)).at[0, 0].set(1.0)
    V = jnp.array([[[8.0]], [[4.0]]])
    A, cache = scaled_dot_product_attention_forward(Q, K, V)
    np.testing.assert_allclose(cache.weights, [[[0.75], [0.25]]])
    np.testing.assert_allclose(A, [[[7.0]]])

    dQ, dK, dV = scaled_dot_product_attention_backward(jnp.ones((1, 1, 1)), cache)
    np.testing.assert_allclose(dV.ravel(), [0.75, 0.25])
    # dS = weights ⊙ (V − A) = 3/4 · 1, 1/4 · −3
    np.testing.assert_allclose(dK[:, 0, 0], np.array([0.75, -0.75]) * np.log(3))
    np.testing.assert_allclose(dQ.ravel(), [0.75 / 2, 0, 0, 0])


def test_two_heads_by_hand():
    """Each head copies one feature from the step where it finds its own."""
    X = jnp.array([[[1.0], [0.0]], [[0.0], [1.0]]])
    identity, zero = jnp.eye(2), jnp.zeros((2, 1))
    A, cache = multi_head_attention_forward(
        *(X, X, 50 * identity, 50 * identity, identity, identity, zero, zero, zero, zero), heads=2
    )
    # The feature of a query is 1 or 0: it finds the step that has it, or all steps alike.
    np.testing.assert_allclose(cache.weights[0, 0], [[1, 0], [0.5, 0.5]], atol=1e-12)
    np.testing.assert_allclose(cache.weights[0, 1], [[0.5, 0.5], [0, 1]], atol=1e-12)
    np.testing.assert_allclose(A[..., 0], [[1, 0.5], [0.5, 1]])


def test_additive_attention_by_hand():
    """The energies are log 3 and, without relu, −1: relu makes this 0, so α = 3/4, 1/4."""
    A = jnp.array([[[1.0]], [[-1.0]]])
    h, s_prev = np.tanh(1.0), jnp.zeros((1, 1))
    inputs = (A, s_prev, jnp.array([[1.0, 0.0]]), jnp.zeros((1, 1)))
    W2, b2 = jnp.array([[(np.log(3) + 1) / (2 * h)]]), jnp.array([[(np.log(3) - 1) / 2]])
    context, cache = additive_attention_forward(*inputs, W2, b2)
    np.testing.assert_allclose(cache.weights[:, 0], [0.75, 0.25])
    np.testing.assert_allclose(context, [[0.5]])
    dA, _, _, _, dW2, db2 = additive_attention_backward(jnp.ones((1, 1)), cache)
    # dα = ±1 and Σ dα α = 1/2; the second energy is cut off by relu
    np.testing.assert_allclose(db2, [[0.75 * 0.5]])
    np.testing.assert_allclose(dW2, [[0.75 * 0.5 * h]])
    np.testing.assert_allclose(dA[1], [[0.25]])


def test_the_positional_encoding_by_hand():
    P = positional_encoding(50, 4)
    assert P.shape == (50, 4, 1)
    np.testing.assert_array_equal(P[0, :, 0], [0, 1, 0, 1])
    np.testing.assert_allclose(P[3, :, 0], [np.sin(3), np.cos(3), np.sin(0.03), np.cos(0.03)])
    np.testing.assert_allclose(positional_encoding(50, 3)[..., 0], _encoding(50, 3))
    assert positional_encoding(2, 1).shape == (2, 1, 1)


def _encoding(T, d):
    """Compute the encoding number by number."""
    return [
        [(np.cos if i % 2 else np.sin)(t / 10000 ** (2 * (i // 2) / d)) for i in range(d)]
        for t in range(T)
    ]


def test_masks_by_hand():
    np.testing.assert_array_equal(
        padding_mask(jnp.array([0, 2]), 3), [[[False, True], [False, True], [False, False]]]
    )
    np.testing.assert_array_equal(look_ahead_mask(2)[..., 0], [[True, False], [True, True]])
    both = look_ahead_mask(2) & padding_mask(jnp.array([1, 2]), 2)
    np.testing.assert_array_equal(both[..., 0], [[True, False], [True, False]])


# Gradients


@each_mask
def test_gradients(mask, getkey):
    Q, K, V = (jax.random.normal(getkey(), (4, n, 3)) for n in (2, 2, 3))
    assert_gradients(
        lambda *inputs: scaled_dot_product_attention(*inputs, mask),
        lambda *inputs: plain_attention(*inputs, mask),
        *(Q, K, V),
        key=getkey(),
    )


@each_mask
def test_gradients_of_two_heads(mask, getkey):
    assert_gradients(
        lambda *inputs: multi_head_attention(*inputs, mask, heads=2),
        lambda *inputs: plain_multi_head(*inputs, mask),
        *multi_head_inputs(getkey),
        key=getkey(),
    )


def test_gradients_with_fewer_queries_than_keys(getkey):
    assert_gradients(
        lambda *inputs: multi_head_attention(*inputs, heads=2),
        plain_multi_head,
        *multi_head_inputs(getkey, T_q=2),
        key=getkey(),
    )


@pytest.mark.parametrize("g", ["relu", "identity"])
@pytest.mark.parametrize("mask", [None, padding_mask(jnp.array([3, 0, 4]), 4)], ids=["", "mask"])
def test_gradients_of_additive_attention(g, mask, getkey):
    assert_gradients(
        lambda *inputs: additive_attention(*inputs, mask, g=g),
        lambda *inputs: plain_additive(*inputs, mask, g),
        *additive_inputs(getkey),
        key=getkey(),
    )


# Properties

jit_attention = jax.jit(scaled_dot_product_attention)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(4)), seed=st.integers(0, 99))
def test_the_order_of_the_keys_does_not_matter(order, seed):
    random, order = np.random.default_rng(seed), np.array(order)
    Q, K, V = (random.standard_normal((4, 2, 3)) for _ in range(3))
    mask = random.random((4, 4, 3)) < 0.6
    np.testing.assert_allclose(
        jit_attention(Q, K[order], V[order], mask[:, order]),
        jit_attention(Q, K, V, mask),
        atol=1e-12,
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), size=st.floats(0.1, 1e3))
def test_the_output_lies_between_the_visible_values(seed, size):
    random = np.random.default_rng(seed)
    Q, K, V = (size * random.standard_normal((4, 2, 3)) for _ in range(3))
    mask = np.asarray(MASKS["padding"])
    A = np.asarray(jit_attention(Q, K, V, np.broadcast_to(mask, (4, 4, 3))))
    for i, length in enumerate(LENGTHS):
        assert (A[..., i] >= V[:length, :, i].min(axis=0) - 1e-9).all()
        assert (A[..., i] <= V[:length, :, i].max(axis=0) + 1e-9).all()


def test_what_is_hidden_changes_nothing(getkey):
    """Not the outputs, and not the gradients of what is visible; its own gradients are 0."""
    Q, K, V = (jax.random.normal(getkey(), (4, 2, 3)) for _ in range(3))
    padding = (jnp.arange(4)[:, None] >= LENGTHS[None])[:, None]
    mask = MASKS["padding"]
    A, pull = jax.vjp(lambda *x: scaled_dot_product_attention(*x, mask), Q, K, V)
    K, V = jnp.where(padding, 1e3, K), jnp.where(padding, -1e3, V)
    B, pull_again = jax.vjp(lambda *x: scaled_dot_product_attention(*x, mask), Q, K, V)
    np.testing.assert_array_equal(A, B)
    for got, want in zip(pull(A), pull_again(A), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-12)
    for gradient in pull(A)[1:]:
        assert not np.where(padding, gradient, 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_query_that_sees_nothing_is_0(dtype, getkey):
    Q, K, V = (1e4 * jax.random.normal(getkey(), (4, 2, 3), dtype) for _ in range(3))
    nothing = jnp.zeros((1, 1, 1), bool)
    A, pull = jax.vjp(lambda *x: scaled_dot_product_attention(*x, nothing), Q, K, V)
    assert not A.any()
    for gradient in pull(jnp.ones_like(A)):
        assert not gradient.any()


def test_a_causal_output_does_not_depend_on_later_steps(getkey):
    inputs = multi_head_inputs(getkey)
    inputs[0] = inputs[1][:, :3]
    mask = look_ahead_mask(4)
    before = multi_head_attention(*inputs, mask, heads=2)
    inputs[1] = inputs[1].at[2:].set(7.0)
    after = multi_head_attention(*inputs, mask, heads=2)
    np.testing.assert_allclose(before[:2], after[:2], rtol=1e-12)
    assert not np.allclose(before[2:], after[2:])


def test_one_head_is_the_scaled_dot_product_attention(getkey):
    X_q, X_kv, Wq, Wk, Wv, Wo, bq, bk, bv, bo = inputs = multi_head_inputs(getkey)
    Q, K, V = (
        jnp.einsum("ij,tjm->tim", W, X) + b[None]
        for W, X, b in ((Wq, X_q, bq), (Wk, X_kv, bk), (Wv, X_kv, bv))
    )
    A = scaled_dot_product_attention(Q, K, V)
    want = jnp.einsum("ij,tjm->tim", Wo, A) + bo[None]
    np.testing.assert_allclose(multi_head_attention(*inputs, heads=1), want, rtol=1e-11)


def test_a_second_mask_compiles_nothing(getkey):
    inputs, another = multi_head_inputs(getkey), ~MASKS["padding"]
    multi_head_attention(*inputs, MASKS["padding"], heads=2)
    with compilations() as compiled:
        multi_head_attention(*inputs, another, heads=2)
    assert compiled == []


def test_the_energies_of_bahdanau_do_not_depend_on_b2(getkey):
    *inputs, b2 = additive_inputs(getkey)
    one, two = (additive_attention(*inputs, b, g="identity") for b in (b2, b2 + 3))
    np.testing.assert_allclose(one, two, rtol=1e-12)


# Messages


def test_heads_must_divide_d(getkey):
    with pytest.raises(OptionError) as error:
        multi_head_attention(*multi_head_inputs(getkey), heads=3)
    assert str(error.value) == (
        "multi_head_attention(heads=…): expected a number of heads that divides d = 4; got 3.\n"
        "Try 2."
    )


def test_an_unknown_activation_of_the_energies(getkey):
    with pytest.raises(OptionError, match="Try relu"):
        additive_attention(*additive_inputs(getkey), g="rleu")
