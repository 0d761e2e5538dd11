"""Tests of chainrule/gradcheck.py."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import NotFiniteError, OptionError, ShapeError
from chainrule.gradcheck import check_parameters, gradient_check, relative_difference
from tests.small_network import X, Y, linear_with, network, plain_backward, weights

# By hand


def test_the_relative_difference_by_hand():
    # ‖(3, 4) − (0, 0)‖ / (5 + 0) = 1;   ‖(3, 4) − (6, 8)‖ / (5 + 10) = 1/3
    assert relative_difference(np.array([3.0, 4.0]), np.zeros(2)) == 1
    assert relative_difference({"w": np.array([3.0])}, {"w": np.array([3.0])}) == 0
    assert relative_difference([3.0, 4.0], [6.0, 8.0]) == pytest.approx(1 / 3)
    assert relative_difference([0.0], [0.0]) == 0
    assert relative_difference([np.nan], [1.0]) == 1


def test_the_example_of_the_notes():
    # J = θ³ at 1, ε = 0.01: the slope is 3.0001 and the derivative 3. Ours has no ε² error.
    report = check_parameters(lambda theta: theta**3, 1.0, epsilon=0.01)
    assert report.cost == 1
    assert report.difference < 1e-12
    assert [(p.name, p.shape, p.checked) for p in report.parameters] == [("θ", (), 1)]


# Right gradients


@jax.custom_vjp
def relu_by_hand(Z):
    return jnp.maximum(Z, 0.0)


relu_by_hand.defvjp(lambda Z: (jnp.maximum(Z, 0.0), Z), lambda Z, dA: (dA * (Z > 0),))

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "relu": relu_by_hand,
    "relu of jax": jax.nn.relu,
    "absolute": jnp.abs,
    "max over pairs": lambda Z: jnp.tile(Z.reshape(2, 2, 6).max(axis=1), (2, 1)),
}


@pytest.mark.parametrize("g", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
def test_passes_a_right_gradient(g):
    report = check_parameters(network(g=g), weights())
    assert report.difference < 1e-7
    assert report.verdict == "right"
    assert [p.name for p in report.parameters] == ["W1", "W2", "b1", "b2"]


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("g", [jnp.tanh, relu_by_hand])
def test_runs_in_float64_when_called_from_a_float32_world(g):
    theta = jax.tree.map(lambda v: v.astype(jnp.float32), weights())
    difference = gradient_check(network(g=g), theta)
    assert isinstance(difference, float)
    assert difference < 1e-7
    assert not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]


class Unit(eqx.Module):
    w: jax.Array
    scale: float
    steps: int
    g: object = eqx.field(static=True)


THETAS = {
    "a number": (lambda t: t**2 - 10 * t + 25, 0.5),
    "a whole number": (lambda t: t**2 - 10 * t + 25, 3),
    "an array": (lambda t: jnp.sum(t**3), np.arange(4.0)),
    "half precision": (lambda t: jnp.sum(t**3), jnp.arange(4, dtype=jnp.bfloat16)),
    "a list": (lambda t: jnp.sum(t[0]) * t[1], [np.ones((2, 3)), 2.0]),
    "nothing in it": (lambda t: jnp.sum(t[0]) + t[1] ** 2, [np.ones((0, 3)), 2.0]),
    "a module": (
        lambda u: u.g(u.w).sum() * u.scale**u.steps,
        Unit(jnp.arange(3.0), 2.0, 3, jnp.sin),
    ),
}


@pytest.mark.parametrize(("J", "theta"), THETAS.values(), ids=THETAS.keys())
def test_theta_may_be_any_pytree(J, theta):
    assert gradient_check(J, theta) < 1e-7
    assert check_parameters(J, theta).verdict == "right"


def test_names_of_a_module_are_its_fields():
    report = check_parameters(lambda u: u.w.sum() * u.scale, Unit(jnp.ones(2), 2.0, 3, None))
    assert [p.name for p in report.parameters] == ["w", "scale"]


# Wrong gradients


WRONG = {
    "swaps two rows": lambda dA, dW, db: (dA, dW[::-1], db),
    "forgets a factor": lambda dA, dW, db: (dA, dW / 3, db),
    "averages the bias": lambda dA, dW, db: (dA, dW, db / 6),
    "flips a sign": lambda dA, dW, db: (-dA, dW, db),
    "is a little off": lambda dA, dW, db: (dA, 1.01 * dW, db),
    "gives nan": lambda dA, dW, db: (dA, dW * jnp.nan, db),
}


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("mistake", WRONG.values(), ids=WRONG.keys())
def test_catches_a_wrong_gradient(mistake):
    wrong = linear_with(lambda dZ, A_prev, W: mistake(*plain_backward(dZ, A_prev, W)))
    report = check_parameters(network(wrong), weights())
    assert report.difference > 1e-3
    assert report.verdict == "wrong"


def test_catches_a_wrong_tiny_gradient():
    wrong = linear_with(lambda dZ, A_prev, W: (W.T @ dZ, 1.1 * dZ @ A_prev.T, dZ.sum(1)[:, None]))
    J = network(wrong)
    report = check_parameters(lambda theta: 1e-5 * J(theta) + 1.0, weights())
    assert report.verdict == "wrong"


@pytest.mark.parametrize(
    "slope",
    [lambda Z, dA: dA * (Z < 0), lambda Z, dA: dA, lambda Z, dA: jnp.where(Z > 0, dA, 0.01 * dA)],
    ids=["on the wrong side", "everywhere", "leaks"],
)
def test_catches_a_wrong_slope_of_relu(slope):
    @jax.custom_vjp
    def relu(Z):
        return jnp.maximum(Z, 0.0)

    relu.defvjp(lambda Z: (jnp.maximum(Z, 0.0), Z), lambda Z, dA: (slope(Z, dA),))
    assert gradient_check(network(g=relu), weights()) > 1e-3


def test_one_wrong_bias_among_large_weights_decides_the_verdict():
    wrong = linear_with(lambda dZ, A_prev, W: (W.T @ dZ, dZ @ A_prev.T, 0 * dZ.sum(1)[:, None]))

    def J(theta):
        return jnp.sum(1e4 * theta["W"] ** 2) + jnp.sum(wrong(X, theta["W"], theta["b"]))

    report = check_parameters(J, {"W": weights()["W1"], "b": weights()["b1"]})
    assert [p.verdict for p in report.parameters] == ["right", "wrong"]
    assert report.verdict == "wrong"


def test_nudges_zeros_that_hide_a_mistake():
    wrong = linear_with(lambda dZ, A_prev, W: (-W.T @ dZ, dZ @ A_prev.T, dZ.sum(1)[:, None]))

    def J(theta):
        A = jnp.tanh(wrong(X, theta["W1"], theta["b1"]))
        return jnp.mean((wrong(A, theta["W2"], theta["b2"]) - Y) ** 2)

    zeros = jax.tree.map(jnp.zeros_like, weights())
    assert check_parameters(J, zeros, nudge=False).verdict == "right"
    assert check_parameters(J, zeros).verdict == "wrong"


# What it reports


def test_a_large_parameter_is_sampled_and_the_sample_is_seeded():
    theta = {"W": jnp.linspace(-1.0, 1.0, 999).reshape(9, 111), "b": jnp.ones(5)}

    def J(theta):
        return jnp.sum(jnp.sin(theta["W"])) + jnp.sum(theta["b"])

    first, same = (check_parameters(J, theta, samples=50) for _ in range(2))
    other = check_parameters(J, theta, samples=50, key=jax.random.key(5))
    assert [p.checked for p in first.parameters] == [50, 5]
    assert first == same
    assert first != other


def test_the_report_is_plain_data():
    report = check_parameters(network(), weights(), names=["W[1]", "W[2]", "b[1]", "b[2]"])
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["verdict"] == "right"
    assert plain["epsilon"] == 1e-5
    assert 0 < plain["noise"] < 1e-15
    first = plain["parameters"][0]
    assert 0 < first.pop("difference") < 1e-7
    words = {"name": "W[1]", "shape": [4, 3], "checked": 12, "dropped": 0, "verdict": "right"}
    assert first == words


@pytest.mark.parametrize(
    ("size", "verdict"), [(1e-9, "right"), (1e-5, "doubtful"), (1e-2, "wrong")]
)
def test_the_thresholds_of_the_notes(size, verdict):
    @jax.custom_vjp
    def f(theta):
        return jnp.sum(theta**2)

    f.defvjp(lambda t: (f(t), t), lambda t, d: (2 * t * d * (1 + 2 * size),))
    report = check_parameters(f, jnp.arange(1.0, 4.0))
    assert report.verdict == verdict
    if size > 1e-7:
        assert report.difference == pytest.approx(size, rel=0.02)


# Errors


def message(error, J, theta, **options):
    with pytest.raises(error) as caught:
        check_parameters(J, theta, **options)
    return str(caught.value)


def test_refuses_a_cost_that_is_not_one_number():
    assert message(ShapeError, lambda t: t**2, jnp.ones(3)) == (
        "J: expected one number, of shape (); got (3,).\nTry a sum or a mean over its axes."
    )
    assert message(ShapeError, lambda t: (t, t), 1.0).startswith(
        "J: expected one number, of shape (); got 2 outputs."
    )


def test_refuses_a_cost_that_is_not_float64():
    assert message(OptionError, lambda t: t.astype(jnp.float32), 1.0) == (
        "J: expected a cost in float64, as θ is; got float32.\n"
        "Try removing the casts from J, so that its dtype follows that of θ."
    )


def test_refuses_a_cost_that_is_not_finite():
    assert message(NotFiniteError, jnp.log, -1.0) == (
        "J(θ): expected a finite cost; got nan.\nTry a θ where J is defined."
    )


def test_refuses_a_theta_without_floats():
    assert message(OptionError, lambda t: 1.0, {"n": jnp.arange(3)}) == (
        "θ: expected a number or arrays of floating-point numbers; got none.\n"
        "Try jnp.asarray(θ, float)."
    )


def test_refuses_a_wrong_number_of_names():
    assert message(OptionError, network(), weights(), names=["W1"]) == (
        "names: expected 4 names, one for each of W1, W2, b1, b2; got 1.\n"
        "Try listing them in the order of jax.tree.leaves(θ)."
    )


@pytest.mark.parametrize("option", ["samples", "epsilon"])
def test_refuses_invalid_options(option):
    assert message(OptionError, network(), weights(), **{option: 0}) == (
        f"{option}: expected a number greater than 0; got 0.\nTry leaving it out."
    )


def test_refuses_kinks_everywhere():
    def J(theta):  # a kink at each multiple of 1e-9 around
        return jnp.abs(theta - jnp.linspace(0.999_999, 1.000_001, 2001)).mean()

    with pytest.raises(OptionError) as caught:
        gradient_check(J, 1.0)
    assert str(caught.value) == (
        "θ: expected an entry along which J has no kink within 2ε; got a kink at each of 1.\n"
        "Try fewer examples, or check_parameters with a smaller epsilon."
    )
