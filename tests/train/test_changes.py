"""chainrule/train/changes.py: a model is changed while it trains."""

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.data.batches import epoch_order
from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.schedules import exponential_decay
from chainrule.train.changes import Change
from chainrule.train.fit import fit
from chainrule.train.history import History
from chainrule.train.step import make_penalty
from tests.compilations import compilations
from tests.train.problem import DEV, TRAIN, assert_same, network, train, weights
from tests.train.test_penalty import notes_step_with

M = len(TRAIN.X)


def changing(change, after: int):
    """Return a callback that requests this change after a number of epochs."""

    def on_progress(history, share):
        return change if len(history.epochs) == after and not history.changes else None

    return on_progress


@pytest.fixture(autouse=True)
def a_step_at_a_time(monkeypatch):
    """Call the callback after each epoch."""
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)


def penalty(l2: float):
    return make_penalty(l2, 0.0, M, always=True)


# By hand


@pytest.mark.parametrize("after", [0, 2, 4])
def test_two_trainings_one_after_the_other(after):
    change = Change(learning_rate=0.1, l2=4.0)
    done = train(dev=None, epochs=5, penalty=penalty(1.0), on_progress=changing(change, after))
    theta = network()
    if after:
        theta = train(dev=None, epochs=after, penalty=penalty(1.0)).network
    second = train(dev=None, start=theta, rate=0.1, epochs=5 - after, penalty=penalty(4.0))
    assert_same(done.network, second.network)
    assert done.history.changes == [
        {"epoch": after + 1, "change": {"learning_rate": 0.1, "l2": 4.0}}
    ]


def test_a_change_waits_for_the_end_of_the_epoch():
    asked = []

    def in_the_middle(history, share):
        asked.append(share)
        return Change(learning_rate=0.1) if len(asked) == 3 else None  # after step 2 of 3

    done = train(dev=None, epochs=2, batch_size=8, on_progress=in_the_middle)
    theta = weights(network())
    for epoch, rate in enumerate((0.5, 0.1)):
        for rows in epoch_order(M, 8, seed=0, epoch=epoch):
            rows = rows[rows < M]
            theta = notes_step_with(theta, TRAIN.X[rows].T, TRAIN.Y[rows].T, rate)
    for a, b in zip(weights(done.network), theta, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
    assert done.history.changes == [{"epoch": 2, "change": {"learning_rate": 0.1}}]


def test_changes_are_in_chronological_order_in_the_history():
    done = train(epochs=3, penalty=penalty(0.0), on_progress=changing(Change(l2=2.0), 1))
    lines = done.history.lines()
    assert [("change" in line, line["epoch"]) for line in lines] == [
        (False, 1),
        (True, 2),
        (False, 2),
        (False, 3),
    ]
    assert History.from_lines(lines).lines() == lines


# Properties


def test_two_requests_are_combined_and_the_later_value_counts():
    asks = iter([None, Change(learning_rate=0.3, l2=1.0), Change(learning_rate=0.1), *[None] * 9])
    done = train(
        dev=None, epochs=3, batch_size=8, penalty=penalty(0.0), on_progress=lambda *_: next(asks)
    )
    assert done.history.changes == [{"epoch": 2, "change": {"learning_rate": 0.1, "l2": 1.0}}]


def test_a_change_compiles_nothing():
    train(epochs=2, penalty=penalty(0.0))
    with compilations() as compiled:
        change = Change(learning_rate=0.1, l2=4.0)
        train(epochs=4, penalty=penalty(0.0), on_progress=changing(change, 2))
    assert compiled == []


def test_a_decaying_rate_keeps_decaying_after_a_change():
    optimizer = adam(exponential_decay(0.1, 0.5))
    change = Change(learning_rate=0.04)
    done = fit(
        network(), optimizer, logistic_cost, TRAIN, DEV, epochs=3, on_progress=changing(change, 2)
    )
    assert float(done.state.learning_rate(done.state.t - 1)) == pytest.approx(0.04 * 0.5**2)


def test_a_change_after_the_last_epoch_changes_nothing():
    done = train(epochs=2, on_progress=changing(Change(learning_rate=0.1), 2))
    assert done.history.changes == []
    assert_same(done.network, train(epochs=2).network)


def test_a_step_that_is_not_finite_after_a_change_is_found_by_its_number():
    def spoilt(history, share):
        return Change(l2=1e300) if len(history.epochs) == 2 and not history.changes else None

    with pytest.raises(ArithmeticError, match="training step 3,"):
        train(dev=None, epochs=9, penalty=penalty(0.0), on_progress=spoilt)


def test_it_keeps_dtypes(float32_world):
    change = Change(learning_rate=0.1, l2=2.0)
    state = adam(0.1).init([np.ones(2, np.float32)])
    numbers = jax.tree.map(np.float32, make_penalty(1.0, 1.0, 4))
    after, after_penalty = change.applied(state, numbers)
    kinds = [leaf.dtype for leaf in jax.tree.leaves((after, after_penalty))]
    assert kinds == [leaf.dtype for leaf in jax.tree.leaves((state, numbers))]


# Error messages


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            Change(learning_rate=0),
            "learning_rate: expected a number greater than 0; got 0.\nTry 0.001.",
        ),
        (
            Change(learning_rate=np.nan),
            "learning_rate: expected a number greater than 0; got nan.\nTry 0.001.",
        ),
        (Change(l2=-1), "l2: expected a number of at least 0; got -1.\nTry 0.1."),
        (
            Change(l1=0.1),
            "a change of l1: expected a training run with l1; got none.\n"
            "Try starting the training with a value of l1, however small.",
        ),
    ],
    ids=str,
)
def test_invalid_changes_are_refused(change, words):
    with pytest.raises(OptionError) as error:
        train(penalty=penalty(0.0), on_progress=changing(change, 1))
    assert str(error.value) == words


def test_a_lambda_is_refused_in_a_training_without_one():
    with pytest.raises(
        OptionError, match="a change of l2: expected a training run with l2; got none"
    ):
        train(on_progress=changing(Change(l2=1.0), 1))
