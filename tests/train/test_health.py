"""chainrule/train/health.pyhow `fit` goes back to the step before"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import squared_cost
from chainrule.data.batches import epoch_order
from chainrule.errors import NotFiniteError
from chainrule.layers.layer import named_arrays
from chainrule.models.deep_network import DeepNetwork
from chainrule.train.examples import Examples
from chainrule.train.health import explain_not_finite
from chainrule.train.step import Batch
from tests.train.problem import TRAIN, assert_same, network, notes_forward, train, weights

X, Y = TRAIN.X.T, TRAIN.Y.T
LENGTH = "norm of the gradient ‖dθ‖"


def message(**options) -> str:
    """Return the error message of `fit`, which must raise."""
    with pytest.raises(NotFiniteError) as error:
        train(dev=None, **options)
    return str(error.value)


def log_of_Z(Z, Y, weights):
    """Return a cost that is nan where Z < 0."""
    return jnp.log(Z).mean()


def root_of_nothing(Z, Y, weights):
    """Return a finite value with an infinite derivative."""
    return jnp.sqrt(Z - jax.lax.stop_gradient(Z)).mean() + 1.0


def steep(Z, Y, weights):
    """Return a cost with a finite gradient whose square overflows."""
    return (1e200 * Z).mean()


def root(Z):
    """An activation with an infinite derivative at 0, as a plain function without a formula."""
    return jnp.sqrt(jnp.abs(Z))


# Error messages: the quantity, the layer, the step, the cause


def test_a_cost_that_is_not_finite_is_named():
    assert message(cost=log_of_Z) == (
        "training step 1, the cost J: expected finite numbers; got nan or infinity.\n"
        "Try labels and weights that are finite, or a smaller learning rate."
    )


def test_an_infinite_derivative_of_the_cost_is_named():
    assert message(cost=root_of_nothing) == (
        "training step 1, the derivative of the cost: expected finite numbers; "
        "got nan or infinity.\n"
        "Try a different cost: the derivative of this one is not finite at this value."
    )


def test_a_gradient_norm_that_overflows_is_named():
    assert message(cost=steep) == (
        "training step 1, the norm of the gradient ‖dθ‖: expected finite numbers; "
        "got nan or infinity (exploding).\n"
        "Try a smaller learning rate, clip_norm, or smaller initial weights."
    )


def test_an_infinite_gradient_inside_while_the_cost_is_finite():
    start = DeepNetwork.from_weights(
        [(np.zeros((3, 4)), np.zeros((3, 1))), (np.ones((1, 3)), np.zeros((1, 1)))],
        activation=root,
    )
    assert message(start=start).startswith(
        "training step 1, dW[1] of layer 1, Dense(4 -> 3): expected finite numbers"
    )


@pytest.mark.parametrize("batch_size", [8, None])
def test_an_infinity_in_the_input(batch_size):
    X = TRAIN.X.copy()
    X[3, 2] = np.inf
    text = message(train=Examples(X, TRAIN.Y), batch_size=batch_size)
    assert "the input A[0] = X: expected finite numbers" in text
    assert "Try checking the input: it contains nan, infinity or a far too large number." in text


def test_an_update_that_is_too_large():
    assert message(rate=np.inf) == (
        "training step 1, the updated W1: expected finite numbers; "
        "got nan or infinity (learning rate too high).\n"
        "Try a smaller learning rate: the update itself is too large."
    )


def test_activations_that_have_grown_too_large():
    large = (np.full((1, 3), 1e308), np.zeros((1, 1)))
    model = DeepNetwork.from_weights([(np.ones((3, 4)), np.zeros((3, 1))), large])
    batch = Batch(jnp.full((4, 2), 100.0), jnp.ones((1, 2)), jnp.ones((1, 2)))
    assert str(explain_not_finite(model, model, batch, squared_cost, step=4)) == (
        "training step 4, Z[2] of layer 2, Dense(3 -> 1): expected finite numbers; "
        "got nan or infinity (exploding).\n"
        "Try a smaller learning rate, or inputs scaled to mean 0 and variance 1: "
        "the activations have grown too large."
    )


def test_an_error_is_raised_even_if_the_repeated_step_is_finite():
    batch = Batch(jnp.asarray(X), jnp.asarray(Y), jnp.ones((1, 20)))
    error = explain_not_finite(network(), network(), batch, squared_cost, step=9)
    assert error.where == "training step 9, the updated parameters"


# Going back


def diverges(rows_of_step) -> int:
    """Return the first step at which squared-cost training in NumPy is not finite."""
    theta = weights(network())
    for step, rows in enumerate(rows_of_step, 1):
        A0, A1, Z = notes_forward(theta, X[:, rows])
        J, dZ2 = np.mean((Z - Y[:, rows]) ** 2), 2 * (Z - Y[:, rows]) / len(rows)
        dZ1 = theta[2].T @ dZ2 * (1 - A1**2)
        gradients = [dZ1 @ A0.T, dZ1.sum(1)[:, None], dZ2 @ A1.T, dZ2.sum(1)[:, None]]
        if not np.isfinite(J + np.sqrt(sum((d**2).sum() for d in gradients))):
            return step
        theta = [p - 10.0 * d for p, d in zip(theta, gradients, strict=True)]
    raise AssertionError("it does not diverge")


@pytest.mark.parametrize("first_steps", [1, 8, 1000])
@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("rate_of_copies", [1e-9, 1e18], ids=["one copy", "a copy a call"])
def test_the_exact_step_is_named_wherever_it_is(
    monkeypatch, batch_size, first_steps, rate_of_copies
):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", first_steps)
    monkeypatch.setattr("chainrule.train.fit.COPY_BYTES_PER_SECOND", rate_of_copies)
    size = batch_size or 20
    orders = (epoch_order(20, size, seed=0, epoch=epoch) for epoch in range(1000))
    with np.errstate(over="ignore"):
        step = diverges(rows[rows < 20] for order in orders for rows in order)
    assert step > 20
    start = network()
    before = named_arrays(start)
    text = message(rate=10.0, cost=squared_cost, batch_size=batch_size, epochs=1000, start=start)
    where = text.split(":")[0]
    assert where in [f"training step {step}, the {what}" for what in ("cost J", LENGTH)]
    assert_same(list(before.values()), start)  # the given network can be trained again


def test_all_epochs_before_the_bad_step_are_recorded(monkeypatch):
    seen = []
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 8)
    message(
        rate=10.0,
        cost=squared_cost,
        epochs=1000,
        on_progress=lambda history, done: seen.append(list(history.costs)),
    )
    assert len(seen) > 1
    assert np.isfinite(seen[-1]).all()
