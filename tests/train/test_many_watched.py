"""chainrule/train/many.py: callbacks, interruptions, and invalid arguments."""

import os
import signal

import jax
import numpy as np
import pytest

from chainrule.data.batches import epoch_order
from chainrule.errors import ChainruleError, DataError, OptionError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.schedules import inverse_time_decay
from chainrule.train.examples import Examples
from chainrule.train.many import Candidate
from tests.train.candidates import alone, assert_close, descents, train
from tests.train.problem import DEV, TRAIN, network, notes_step, weights

X, Y = TRAIN.X.T, TRAIN.Y.T


def test_the_callback_receives_the_share_done():
    seen = []
    train(halve_at=(2,), on_progress=lambda histories, done: seen.append((len(histories), done)))
    assert seen[-1] == (3, 1.0)
    assert all(count == 3 and 0 <= done <= 1 for count, done in seen)


def slow(monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr("chainrule.train.many.SECONDS_PER_CALL", 0.01)


def test_ctrl_c_keeps_the_best_networks_so_far(monkeypatch):
    slow(monkeypatch)
    handler, asked = signal.getsignal(signal.SIGINT), []

    def ask(histories, done):
        if not asked and min(len(history.epochs) for history in histories) >= 2:
            asked.append(os.kill(os.getpid(), signal.SIGINT))

    for one, start in zip(train(epochs=10**5, on_progress=ask), descents(), strict=True):
        finished = len(one.history.epochs)
        assert one.history.stopped == "interrupted"
        assert 2 <= finished < 10**5
        best = alone(start, epochs=one.history.best_epoch)
        # the faster the machine, the more epochs there are by then, and rounding grows with them
        assert_close(one.network, best.network, rtol=1e-6, atol=1e-8)
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_in_the_first_epoch_keeps_what_was_learned(monkeypatch):
    class SetAfterAStep:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 2  # by the scheduler, before the first step, and after it

    monkeypatch.setattr("chainrule.train.many.Event", SetAfterAStep)
    monkeypatch.setattr("chainrule.train.many_steps.FIRST_STEPS", 1)
    done = train(descents((0.5,)), batch_size=8)[0]
    assert (done.history.stopped, done.history.best_epoch) == ("interrupted", None)
    rows = epoch_order(20, 8, seed=0, epoch=0)[0]
    rows = rows[rows < 20]
    theta = notes_step(weights(network()), X[:, rows], Y[:, rows], 0.5)
    for a, b in zip(weights(done.network), theta, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_an_error_in_the_callback_ends_the_training(monkeypatch):
    slow(monkeypatch)

    def on_progress(histories, done):
        raise ArithmeticError("enough")

    with pytest.raises(ArithmeticError, match="enough"):
        train(epochs=10**6, on_progress=on_progress)


# Error messages

other_size = Candidate(DeepNetwork((4, 2, 1), key=jax.random.key(0), dtype=float), adam())
decaying = Candidate(network(), gradient_descent(inverse_time_decay(0.1, 1.0)))
WRONG = {
    "nobody": ([], {}, "fit_many: expected at least one candidate; got none."),
    "another network": (
        [Candidate(network(), adam()), other_size],
        {},
        "candidate 1, its network: expected the first candidate's kind, DeepNetwork(4-3-1); got a "
        "different one.\nTry a separate fit_many for each kind.",
    ),
    "another optimiser": (
        [*descents((0.1,)), Candidate(network(), adam())],
        {},
        "candidate 1: expected the first candidate's update rule; got a different one.\nTry "
        "optimisers of chainrule.optim, or a separate fit_many for each kind.",
    ),
    "another schedule": (
        [*descents((0.1,)), decaying],
        {},
        "candidate 1, its optimiser: expected the first candidate's learning rate schedule, or "
        "none; got a different one.\nTry a separate fit_many for each kind.",
    ),
    "epochs": (
        None,
        {"epochs": 0},
        "fit_many(epochs=…): expected a whole number of at least 1; got 0",
    ),
    "no batch": (
        None,
        {"batch_size": True},
        "fit_many(batch_size=…): expected a whole number of at",
    ),
    "a rung": (None, {"halve_at": (0.5,)}, "fit_many(halve_at=…): expected a whole number of at"),
    "rungs": (
        None,
        {"halve_at": (3, 2)},
        "fit_many(halve_at=…): expected increasing epochs, all below 6; got [3, 2].\nTry "
        "halving_epochs(epochs, len(candidates)).",
    ),
    "a late rung": (None, {"halve_at": (6,)}, "expected increasing epochs, all below 6; got [6]"),
}


@pytest.mark.parametrize(("candidates", "options", "words"), WRONG.values(), ids=WRONG.keys())
def test_invalid_arguments_are_refused(candidates, options, words):
    with pytest.raises(OptionError) as error:
        train(candidates, **options)
    assert words in str(error.value)


def test_candidates_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 1500)
    with pytest.raises(DataError, match="fewer candidates, a smaller network") as error:
        train()
    assert str(error.value).startswith(
        "training many candidates: expected at most 1.50 kB, the free memory"
    )


def test_examples_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ChainruleError, match="the dev set, Y: expected"):
        train(dev=Examples(DEV.X, DEV.Y[:3]))
