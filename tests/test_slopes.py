"""Tests of chainrule/gradcheck.py, through the gradient check that uses it."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.gradcheck import check_parameters, gradient_check, relative_difference
from tests.small_network import X, network, weights

# Rounding and truncation


def test_large_inputs_near_the_minimum_need_the_extrapolation():
    pixels = 255 * jax.random.uniform(jax.random.key(2), (20, 30))
    best = 1e-3 * jax.random.normal(jax.random.key(3), (1, 20))
    P = jax.nn.sigmoid(best @ pixels)

    @jax.jit
    def J(W):
        return jnp.mean(jnp.logaddexp(0.0, W @ pixels) - P * (W @ pixels))

    theta = best + 1e-6
    two_sided = [
        (J(theta.at[0, i].add(1e-5)) - J(theta.at[0, i].add(-1e-5))) / 2e-5 for i in range(20)
    ]
    assert relative_difference(jax.grad(J)(theta)[0], np.array(two_sided)) > 5e-6
    assert gradient_check(J, theta) < 1e-8


def test_correct_gradients_pass_after_training_when_they_are_tiny():
    J, theta = network(g=jax.nn.relu), jax.tree.map(lambda v: v.astype(float), weights())
    with jax.numpy_dtype_promotion("standard"):
        slope = jax.grad(J)
        theta = jax.lax.fori_loop(
            0, 20_000, lambda _, t: jax.tree.map(lambda v, d: v - 0.5 * d, t, slope(t)), theta
        )
        norm = np.sqrt(sum(np.sum(d**2) for d in slope(theta).values()))
    assert norm < 1e-3
    report = check_parameters(J, theta)
    assert report.verdict == "right"
    assert sum(p.checked for p in report.parameters) >= 20


def test_a_parameter_without_influence_passes():
    # A bias before batch norm: its gradient is rounding error, and so is its slope.
    def J(theta):
        Z = theta["W"] @ X + theta["b"]
        Z = (Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)
        return jnp.mean(Z**3)

    theta = {"W": weights()["W1"], "b": weights()["b1"]}
    assert np.linalg.norm(jax.grad(J)(theta)["b"]) > 0
    assert check_parameters(J, theta).verdict == "right"


def test_a_cost_that_casts_down_is_not_right():
    pixels = 255 * jax.random.uniform(jax.random.key(2), (30, 20))

    def J(theta):
        return jnp.mean((pixels @ theta).astype(jnp.float32) ** 2).astype(float)

    report = check_parameters(J, 1e-3 * jax.random.normal(jax.random.key(3), (20, 1)))
    assert report.noise > 1e-10  # enough to explain the difference
    assert report.verdict == "doubtful"


def test_catches_a_wrong_gradient_of_a_huge_parameter():
    @jax.custom_vjp
    def f(theta):
        return (theta / 1e12) ** 3

    f.defvjp(lambda t: (f(t), t), lambda t, d: (4 * d * (t / 1e12) ** 2 / 1e12,))
    assert check_parameters(lambda t: (t / 1e12) ** 3, 1e12).verdict == "right"
    assert check_parameters(f, 1e12).verdict == "wrong"


# Kinks


def near_zero(distance):
    """Return θ with which the first unit of the ReLU network has Z = `distance` for example 1."""
    theta = jax.tree.map(lambda v: v.astype(float), weights())
    Z = theta["W1"][0] @ X[:, 0].astype(float)
    theta["b1"] = theta["b1"].at[0, 0].set(distance - Z)
    theta["W2"] = theta["W2"].at[0, 0].set(5.0)
    return theta


def test_a_kink_within_epsilon_is_dropped_and_counted():
    theta = near_zero(3e-9)
    report = check_parameters(network(g=jax.nn.relu), theta)
    assert report.difference < 1e-7
    assert report.verdict == "right"
    dropped = {p.name: p.dropped for p in report.parameters}
    assert dropped == {"W1": 3, "W2": 0, "b1": 1, "b2": 0}  # the unit's own weights and bias


def test_without_dropping_kinks_a_right_gradient_looks_wrong(monkeypatch):
    monkeypatch.setattr(
        "chainrule.gradcheck.evaluate",
        lambda program, consts, inputs: (
            jax.core.eval_jaxpr(program.jaxpr, consts, *inputs),
            [],
        ),
    )
    assert gradient_check(network(g=jax.nn.relu), near_zero(3e-9)) > 1e-4


def test_a_smaller_step_avoids_a_kink_further_away():
    report = check_parameters(network(g=jax.nn.relu), near_zero(3e-6))
    assert [p.dropped for p in report.parameters] == [0, 0, 0, 0]
    assert report.verdict == "right"


def test_a_parameter_with_kinks_everywhere_is_unchecked():
    def J(theta):
        return jnp.abs(theta["w"]).sum() + theta["b"] ** 2

    report = check_parameters(J, {"w": jnp.zeros(3), "b": 1.0}, nudge=False)
    assert [(p.checked, p.dropped, p.verdict) for p in report.parameters] == [
        (1, 0, "right"),
        (0, 3, "unchecked"),
    ]
    assert report.verdict == "unchecked"
