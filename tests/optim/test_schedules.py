"""Tests of chainrule/optim/schedules.py."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.minimize import minimize
from chainrule.optim.momentum import momentum
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.schedules import (
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    piecewise_constant,
    square_root_decay,
    staircase_decay,
)
from tests.compilations import compilations
from tests.optim.first_steps import assert_same_path, thetas, thetas_by_equations

T = np.arange(12)
EACH = {
    "inverse time": (inverse_time_decay(0.2, 1.0, 2), 0.2 / (1 + T // 2)),
    "exponential": (exponential_decay(0.2, 0.95, 2), 0.2 * 0.95 ** (T // 2)),
    "square root": (square_root_decay(0.2, 0.5, 2), 0.1 / np.sqrt(T // 2 + 1)),
    "staircase": (staircase_decay(0.2, 3, 0.1, 2), np.repeat([0.2, 0.02], 6)),
    "by hand": (
        piecewise_constant([(0, 0.2), (2, 0.3), (3, 0.01)], 2),
        np.repeat([0.2, 0.3, 0.01], [4, 2, 6]),
    ),
    "cosine": (cosine_decay(0.2, 11), 0.1 * (1 + np.cos(np.pi * T / 11))),
    "cosine with a warm-up": (
        cosine_decay(0.2, 11, 3),
        0.1 * np.minimum(1, (T + 1) / 4) * (1 + np.cos(np.pi * T / 11)),
    ),
}
each = pytest.mark.parametrize(("schedule", "alphas"), EACH.values(), ids=EACH.keys())


def test_the_notes_table():
    """α0 = 0.2 and a decay rate of 1 give 0.1, 0.067, 0.05, 0.04 in their epochs 1 to 4."""
    decay = inverse_time_decay(0.2, decay_rate=1.0)
    by_hand = [0.2, 0.1, 0.2 / 3, 0.05, 0.04]
    np.testing.assert_allclose([decay(t) for t in range(5)], by_hand, rtol=1e-12)


def test_the_defaults():
    assert float(exponential_decay(0.2)(1)) == pytest.approx(0.19)
    assert float(square_root_decay(0.2)(3)) == pytest.approx(0.1)
    assert float(staircase_decay(0.2, every=10)(10)) == pytest.approx(0.1)
    assert float(inverse_time_decay(0.2, 0)(1000)) == 0.2


def test_a_cosine_over_four_steps_by_hand():
    """Half of it is done after two of four steps; the warm-up of one step halves the first."""
    alphas = [0.2, 0.1 + 0.1 / np.sqrt(2), 0.1, 0.1 - 0.1 / np.sqrt(2), 0.0, 0.0]
    np.testing.assert_allclose([cosine_decay(0.2, 4)(t) for t in range(6)], alphas, atol=1e-15)
    assert float(cosine_decay(0.2, 4, warm_up=1)(0)) == 0.1


@each
def test_by_hand(schedule, alphas):
    np.testing.assert_allclose(schedule(T), alphas, rtol=1e-12)
    np.testing.assert_allclose([schedule(int(t)) for t in T], alphas, rtol=1e-12)


@each
@pytest.mark.usefixtures("float32_world")
def test_with_default_jax_settings(schedule, alphas):
    state = gradient_descent(schedule).init(jnp.zeros(2, jnp.float32))
    got = state.learning_rate(T)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, alphas, rtol=1e-6, atol=1e-7)
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {np.dtype("f4"), np.dtype("i4")}


def test_epochs_are_exact_after_many_steps():
    """In float32 a quotient such as 16777219/3 would be rounded to the next whole number."""
    decay = staircase_decay(1.0, every=5592406, steps_per_epoch=3)
    assert [float(decay(16777218 + i)) for i in (-1, 0, 1)] == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("epoch", [2**20, 10**6, 10**10, 10**20])
def test_a_very_late_epoch(epoch):
    """The first step of such an epoch does not fit in 32 bits."""
    for decay in (
        staircase_decay(0.5, every=epoch, steps_per_epoch=2**12),
        piecewise_constant([(0, 0.5), (epoch, 0.1)], steps_per_epoch=5000),
    ):
        decay = adam(decay).init(np.zeros(2)).learning_rate
        assert [float(decay(t)) for t in (0, 1, 10**6)] == [0.5, 0.5, 0.5]


# In optimisers


@each
def test_first_steps_match_the_equations(schedule, alphas):
    path = thetas_by_equations(lambda t, d, *unused: (-alphas[t - 1] * d, *unused))
    assert_same_path(thetas(gradient_descent(schedule)), path)


def test_first_steps_match_optax():
    """α0 is an eighth, which is exact in float32, the dtype of optax's schedules."""
    theirs = optax.exponential_decay(0.125, transition_steps=2, decay_rate=0.5, staircase=True)
    ours = exponential_decay(0.125, 0.5, steps_per_epoch=2)
    assert_same_path(thetas(adam(ours)), thetas(optax.adam(theirs)))
    average = optax.chain(optax.ema(0.9, debias=False), optax.scale_by_learning_rate(theirs))
    assert_same_path(thetas(momentum(ours)), thetas(average))
    root = optax.rmsprop(theirs, decay=0.9, eps=1e-8, eps_in_sqrt=False)
    assert_same_path(thetas(rmsprop(ours)), thetas(root))


@each
def test_optax_accepts_it(schedule, alphas):
    assert_same_path(thetas(optax.sgd(schedule)), thetas(gradient_descent(schedule)))


@each
def test_other_numbers_do_not_recompile(schedule, alphas):
    theta, gradients = jnp.zeros(2), jnp.ones(2)
    optimizer = adam(schedule)
    update = jax.jit(optimizer.update)
    _, state = update(gradients, optimizer.init(theta))
    other = jax.tree.map(lambda number: 1 + number, schedule)
    with compilations() as compiled:
        update(gradients, adam(other).init(theta))
        update(gradients, state)
    assert compiled == []


def test_integers_and_floats_share_a_program():
    minimize(lambda w: w**2, 1.0, gradient_descent(inverse_time_decay(0.1, 0.5)), 3)
    with compilations() as compiled:
        for rate, decay in [(1, 1), (np.float32(0.1), 0), (0.5, np.int64(2))]:
            state = gradient_descent(inverse_time_decay(rate, decay)).init(np.zeros(()))
            assert {leaf.dtype for leaf in state.learning_rate[:2]} == {np.dtype(float)}
    assert compiled == []


def test_many_decays_at_once():
    def path(decay_rate, every):
        schedule = staircase_decay(0.1, every, decay_rate)
        return minimize(lambda w: (w - 5) ** 2, 0.0, gradient_descent(schedule), 20)[0]

    factors, everies = [0.5, 0.9], [3, 10]
    one_by_one = [path(*numbers) for numbers in zip(factors, everies, strict=True)]
    at_once = jax.vmap(path)(jnp.array(factors), jnp.array(everies))
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-12)


@each
@pytest.mark.parametrize("travel", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_survives_a_copy_and_a_pickle(schedule, alphas, travel):
    copy = travel(schedule)
    assert type(copy) is type(schedule)
    np.testing.assert_array_equal(copy(T), schedule(T))


# Errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: inverse_time_decay(-0.1, 1.0),
            "inverse_time_decay(learning_rate=…): "
            "expected a number greater than 0; got -0.1.\nTry 0.1.",
        ),
        (
            lambda: inverse_time_decay(0.1, -1),
            "inverse_time_decay(decay_rate=…): "
            "expected a number greater than 0; got -1.\nTry 0.95.",
        ),
        (
            lambda: exponential_decay(0.1, 0),
            "exponential_decay(decay_rate=…): expected a number greater than 0; got 0.\nTry 0.95.",
        ),
        (
            lambda: exponential_decay("fast"),
            "exponential_decay(learning_rate=…): "
            "expected a number greater than 0; got 'fast'.\nTry 0.1.",
        ),
        (
            lambda: square_root_decay(0.1, np.nan),
            "square_root_decay(decay_rate=…): "
            "expected a number greater than 0; got nan.\nTry 0.95.",
        ),
        (
            lambda: staircase_decay(0.1, 0),
            "staircase_decay(every=…): expected a whole number of at least 1; got 0.\nTry 10.",
        ),
        (
            lambda: staircase_decay(0.1, 2.5),
            "staircase_decay(every=…): expected a whole number of at least 1; got 2.5.\nTry 10.",
        ),
        (
            lambda: staircase_decay(0.1, 10, factor=np.inf),
            "staircase_decay(factor=…): expected a number greater than 0; got inf.\nTry 0.5.",
        ),
        (
            lambda: exponential_decay(0.1, steps_per_epoch=0),
            "exponential_decay(steps_per_epoch=…): expected a whole number of at least 1; got 0.\n"
            "Try 1.",
        ),
        (
            lambda: cosine_decay(0.1, 0),
            "cosine_decay(steps=…): expected a whole number of at least 1; got 0.\nTry 2000.",
        ),
        (
            lambda: cosine_decay(0.1, 10, -1),
            "cosine_decay(warm_up=…): expected a whole number of at least 0; got -1.\nTry 100.",
        ),
        (
            lambda: piecewise_constant([]),
            "piecewise_constant(rates=…): expected pairs (epoch, α); got [].\n"
            "Try [(0, 0.1), (10, 0.01)].",
        ),
        (
            lambda: piecewise_constant([(0, 0.1), (1.5, 0.2)]),
            "piecewise_constant(rates=…): expected pairs (epoch, α); got [(0, 0.1), (1.5, 0.2)].\n"
            "Try [(0, 0.1), (10, 0.01)].",
        ),
        (
            lambda: piecewise_constant(0.1),
            "piecewise_constant(rates=…): expected pairs (epoch, α); got 0.1.\n"
            "Try [(0, 0.1), (10, 0.01)].",
        ),
        (
            lambda: piecewise_constant([(0, 0.1), (5, 0.2), (5, 0.3)]),
            "piecewise_constant(rates=…): expected increasing epochs that start at 0; "
            "got 0, 5, 5.\nTry [(0, 0.1), (10, 0.01)].",
        ),
        (
            lambda: piecewise_constant([(1, 0.1)]),
            "piecewise_constant(rates=…): expected increasing epochs that start at 0; got 1.\n"
            "Try [(0, 0.1), (10, 0.01)].",
        ),
        (
            lambda: piecewise_constant([(0, 0.1), (3, -1)]),
            "piecewise_constant(rates=…): expected a number greater than 0; got -1.\nTry 0.1.",
        ),
        (
            lambda: adam(lambda t: 0.1 / t).init(np.zeros(2)),
            "learning_rate: expected a number, an array or a schedule such as "
            "exponential_decay(0.1, 0.95); got another function.\n"
            "Try optax.chain(gradient_descent(1.0), optax.scale_by_schedule(…)) to use a function.",
        ),
    ],
)
def test_refuses_invalid_schedules(make, message):
    with pytest.raises(OptionError) as error:
        make()
    assert str(error.value) == message
