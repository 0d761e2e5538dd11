"""Tests of chainrule/gradcheck.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.gradcheck import pattern

THETA = jnp.array([0.3, -0.2, 0.9, 2.0])


def test_an_example_by_hand():
    # A ReLU of Z = [0.3, -0.2] and the larger of two numbers: which pieces are these?
    def J(theta):
        return jnp.maximum(theta[:2], 0.0).sum() + jnp.max(theta[2:])

    relu, larger = pattern(J)(THETA)
    np.testing.assert_array_equal(relu, [1.0, 0.0])  # the first passes, the second does not
    np.testing.assert_array_equal(larger, [0.0, 1.0])  # the second wins


@jax.custom_vjp
def hand_written_relu(Z):
    return jnp.maximum(Z, 0.0)


hand_written_relu.defvjp(lambda Z: (jnp.maximum(Z, 0.0), Z), lambda Z, dA: (dA * (Z > 0),))


def pool(x, start, choose):
    return jax.lax.reduce_window(x, start, choose, (2,), (1,), "VALID").sum()


def branches(x):
    return jax.lax.cond(x.sum() > 0, lambda x: jnp.abs(x).sum(), lambda x: x[0], x)


def loop(x):
    return jax.lax.scan(lambda total, x: (total + jnp.abs(x), None), 0.0, x)[0]


# Each decides something about the second number of THETA, -0.2, as it passes `at`.
KINKS = {
    "relu": (lambda x: jax.nn.relu(x).sum(), 0.0),
    "relu by hand": (lambda x: hand_written_relu(x).sum(), 0.0),
    "relu by where": (lambda x: jnp.where(x > 0, x, 0.0).sum(), 0.0),
    "leaky relu": (lambda x: jnp.maximum(0.01 * x, x).sum(), 0.0),
    "leaky relu of jax": (lambda x: jax.nn.leaky_relu(x).sum(), 0.0),
    "absolute": (lambda x: jnp.abs(x).sum(), 0.0),
    "sign": (lambda x: (jnp.sign(x) * x).sum(), 0.0),
    "hinge": (lambda x: jnp.maximum(0.0, 1 - x).sum(), 1.0),
    "clip": (lambda x: jnp.clip(x, -0.1, 0.1).sum(), -0.1),
    "clamp": (lambda x: jax.lax.clamp(jnp.array(-0.1), x, jnp.array(0.1)).sum(), -0.1),
    "largest": (jnp.max, 2.0),
    "smallest": (jnp.min, 0.3),
    "where the largest is": (lambda x: x[jnp.argmax(x)], 2.0),
    "sort": (lambda x: jnp.sort(x)[0], 0.9),
    "top k": (lambda x: jax.lax.top_k(x, 1)[0].sum(), 2.0),
    "running maximum": (lambda x: jax.lax.cummax(x).sum(), 0.3),
    "median": (jnp.median, 0.9),
    "running minimum": (lambda x: jax.lax.cummin(x[::-1]).sum(), 0.9),
    "pool": (lambda x: pool(x, -jnp.inf, jax.lax.max), 0.9),
    "pool of the smallest": (lambda x: pool(x, jnp.inf, jax.lax.min), 0.9),
    "remainder": (lambda x: jnp.mod(x, 1.0).sum(), 0.0),
    "floor": (lambda x: (x * jnp.floor(x)).sum(), 0.0),
    "cast": (lambda x: (x * x.astype(int).astype(float)).sum(), 1.0),
    "jit": (jax.jit(lambda x: jnp.abs(x).sum()), 0.0),
    "checkpoint": (jax.checkpoint(lambda x: jnp.abs(x).sum()), 0.0),
    "vmap": (lambda x: jax.vmap(jnp.abs)(x).sum(), 0.0),
    "inside a branch": (branches, 0.0),
    "which branch": (branches, -3.2),
    "inside a loop": (loop, 0.0),
}


@pytest.mark.parametrize(("J", "at"), KINKS.values(), ids=KINKS.keys())
def test_sees_the_kink_and_only_the_kink(J, at):
    decisions = jax.jit(pattern(J))

    def same(a, b):
        pairs = zip(decisions(THETA.at[1].set(a)), decisions(THETA.at[1].set(b)), strict=True)
        return all(np.array_equal(x, y) for x, y in pairs)

    assert not same(at - 1e-9, at + 1e-9)
    assert same(at + 1e-9, at + 1e-3)
    assert same(at - 1e-9, at - 1e-3)


SMOOTH = {
    "powers": lambda x: jnp.sum(x**3),
    "a network of tanh": lambda x: jnp.tanh(jnp.outer(x, x) @ x).sum(),
    "a softmax without its shift": lambda x: jnp.log(jnp.exp(x).sum()),
    "a norm": jnp.linalg.norm,
}


@pytest.mark.parametrize("J", SMOOTH.values(), ids=SMOOTH.keys())
def test_a_smooth_cost_has_no_decisions(J):
    assert pattern(J)(THETA) == []


def test_a_tie_is_a_separate_piece():
    def decide(theta):
        return pattern(lambda theta: jnp.maximum(theta, 0.0).sum())(theta)[0].tolist()

    assert decide(jnp.array([-1.0, 0.0, 1.0])) == [0.0, 1.0, 3.0]  # 2 shared by two, 3 alone


def test_theta_may_be_any_pytree():
    theta = {"W": jnp.ones((1, 2)), "b": 1.0}
    [side] = pattern(lambda theta: jnp.abs(theta["W"].sum() - 3 * theta["b"]))(theta)
    assert side == -1


def test_decisions_in_a_while_loop_are_not_seen():
    def J(theta):
        return jax.lax.while_loop(lambda x: x < 10, lambda x: jnp.abs(x) + 1, theta)

    assert pattern(J)(jnp.array(0.5)) == []


@pytest.mark.usefixtures("float32_world")
def test_decisions_in_float32():
    [side] = pattern(lambda theta: jnp.abs(theta).sum())(jnp.array([-1.0, 2.0]))
    assert side.dtype == jnp.float32
    np.testing.assert_array_equal(side, [-1.0, 2.0])
