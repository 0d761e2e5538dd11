"""chainrule/train/fit.py"""

import os
import signal
from contextlib import nullcontext
from itertools import pairwise

import jax
import numpy as np
import optax
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.data.batches import epoch_order
from chainrule.errors import DataError
from chainrule.layers.dense import Dense
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from tests.compilations import compilations
from tests.layers.running_mean import RunningMean
from tests.layers.test_sequential import Noise
from tests.train.problem import (
    DEV,
    TRAIN,
    assert_same,
    examples,
    network,
    notes_cost,
    notes_forward,
    notes_gradients,
    notes_length,
    notes_step,
    train,
    weights,
)

X, Y = TRAIN.X.T, TRAIN.Y.T


def assert_close(got, want):
    for a, b in zip(weights(got), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


# By hand: given weights train exactly as the equations in NumPy


@pytest.mark.parametrize("sizes", [(4, 1), (4, 3, 1)], ids=["logistic", "deep"])
def test_gradient_descent_on_the_whole_set(sizes):
    rng = np.random.default_rng(3)
    theta = []
    for n_prev, n_l in pairwise(sizes):
        theta += [rng.standard_normal((n_l, n_prev)), rng.standard_normal((n_l, 1))]
    start = DeepNetwork.from_weights(
        list(zip(theta[::2], theta[1::2], strict=True)), activation="tanh"
    )
    done = train(dev=None, start=start, epochs=20)
    for epoch in done.history.epochs:
        assert epoch.cost == pytest.approx(notes_cost(theta, X, Y), rel=1e-12)
        length = notes_length(notes_gradients(theta, X, Y))
        assert epoch.gradient_norm == pytest.approx(length, rel=1e-12)
        theta = notes_step(theta, X, Y, 0.5)
    assert_close(done.network, theta)
    assert [e.epoch for e in done.history.epochs] == list(range(1, 21))
    assert (done.history.stopped, done.history.best_epoch) == ("epochs", None)


def test_mini_batches_use_every_example_once_per_epoch():
    counts = np.arange(1.0, 21.0) / 4
    done = train(Examples(*TRAIN[:2], counts), batch_size=8, epochs=3, seed=7)
    theta = weights(network())
    for epoch in done.history.epochs:
        J, length = [], []
        for rows in epoch_order(20, 8, seed=7, epoch=epoch.epoch - 1):
            rows = np.repeat(rows[rows < 20], (4 * counts[rows[rows < 20]]).astype(int))
            J.append(notes_cost(theta, X[:, rows], Y[:, rows]) * len(rows))
            length.append(notes_length(notes_gradients(theta, X[:, rows], Y[:, rows])))
            theta = notes_step(theta, X[:, rows], Y[:, rows], 0.5)
        assert epoch.cost == pytest.approx(sum(J) / (4 * counts.sum()), rel=1e-10)
        assert epoch.gradient_norm == pytest.approx(length[-1], rel=1e-10)
        assert epoch.dev_cost == pytest.approx(notes_cost(theta, DEV.X.T, DEV.Y.T), rel=1e-10)
        right = (notes_forward(theta, DEV.X.T)[-1] > 0) == (DEV.Y.T > 0.5)
        assert epoch.metric == pytest.approx(right.mean())
    assert done.history.best_epoch == 3
    assert_close(done.network, theta)
    seconds = [0.0, *(epoch.seconds for epoch in done.history.epochs)]
    assert all(before < after for before, after in pairwise(seconds))


def test_the_padding_of_the_last_batch_does_not_count():
    X, Y, _ = full = examples(24, seed=5)  # 24 is a padded size: padding needs one more row
    done = train(full, dev=None, batch_size=16, epochs=1)
    theta = weights(network())
    for rows in epoch_order(24, 16, seed=0, epoch=0):
        theta = notes_step(theta, X[rows[rows < 24]].T, Y[rows[rows < 24]].T, 0.5)
    assert_close(done.network, theta)


# Properties


def test_the_same_seed_gives_the_same_result_bit_for_bit():
    runs = [train(batch_size=8, seed=seed) for seed in (5, 5, 6)]
    assert_same(runs[0].network, runs[1].network)
    assert runs[0].history.costs == runs[1].history.costs != runs[2].history.costs


CHUNKS = {
    "a step at a time": {"fit.FIRST_STEPS": 1, "fit.SECONDS_PER_CALL": 0.0},
    "all at once": {"fit.FIRST_STEPS": 10**6},
    "an epoch at a time": {"fit.FIRST_STEPS": 10**6, "fit.MAX_EPOCHS": 2},
    "a small table": {"fit.FIRST_STEPS": 10**6, "loader.TABLE_ENTRIES": 5 * 8},
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("batch_size", [8, None], ids=["mini-batches", "the whole set"])
def test_the_number_of_steps_per_call_changes_no_bit(monkeypatch, chunks, batch_size):
    if batch_size is None and "loader.TABLE_ENTRIES" in chunks:
        chunks = {
            "fit.FIRST_STEPS": 3,
            "loader.MAX_STEPS": 1,
        }  # without a table these have no effect
    usual = train(batch_size=batch_size, epochs=6)
    for name, value in chunks.items():
        monkeypatch.setattr(f"chainrule.train.{name}", value)
    other = train(batch_size=batch_size, epochs=6)
    assert_same(usual.network, other.network)
    for a, b in zip(usual.history.epochs, other.history.epochs, strict=True):
        assert (a.cost, a.gradient_norm, a.dev_cost, a.metric) == (
            b.cost,
            b.gradient_norm,
            b.dev_cost,
            b.metric,
        )
    assert usual.history.best_epoch == other.history.best_epoch


def test_randomness_depends_on_the_step_and_not_on_the_call(monkeypatch):
    start = Sequential([Noise(), Dense(4, 1, key=jax.random.key(0), dtype=float)])
    usual = train(dev=None, start=start)
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 2)
    assert_same(usual.network, train(dev=None, start=start).network)
    other = train(dev=None, start=start, seed=1).network
    assert not np.allclose(weights(other)[0], weights(usual.network)[0])


def test_a_weight_of_two_equals_repeating_the_example():
    counts = np.ones(20)
    counts[[2, 3, 5, 7]] = 2
    repeated = [np.repeat(part, counts.astype(int), axis=0) for part in TRAIN[:2]]
    one, other = train(Examples(*TRAIN[:2], counts)), train(Examples(*repeated))
    assert_close(one.network, weights(other.network))


@pytest.mark.parametrize("batch_size", [8, None])
def test_an_example_of_weight_0_is_ignored(batch_size):
    counts = np.ones(20)
    counts[:2] = 0
    without = Examples(TRAIN.X[2:], TRAIN.Y[2:])
    assert_same(
        train(Examples(*TRAIN[:2], counts), batch_size=batch_size).network,
        train(without, batch_size=batch_size).network,
    )


def contrary() -> Examples:
    """Return a dev set with one wrong label, whose cost falls unevenly and then rises."""
    X, Y, _ = examples(10, seed=4)
    Y[0] = 1 - Y[0]
    return Examples(X, Y)


def stopping_by_hand(dev_costs: list[float], patience: int) -> tuple[int, int]:
    """Return the best epoch, and the last one, `patience` epochs after the best until then."""
    best = 1
    for epoch, J in enumerate(dev_costs, 1):
        best = epoch if dev_costs[best - 1] > J else best
        if epoch - best == patience:
            break
    return best, epoch


@pytest.mark.parametrize("patience", [1, 2, 4, 1000])
@pytest.mark.parametrize("calls", [{"fit.FIRST_STEPS": 1, "fit.SECONDS_PER_CALL": 0.0}, {}])
def test_patience_stops_at_the_exact_epoch_and_returns_the_best_network(
    monkeypatch, calls, patience
):
    dev_costs = train(dev=contrary(), batch_size=8, epochs=60).history.dev_costs
    for name, value in calls.items():
        monkeypatch.setattr(f"chainrule.train.{name}", value)
    done = train(dev=contrary(), batch_size=8, epochs=60, patience=patience)
    best, last = stopping_by_hand(dev_costs, patience)
    assert best > 1
    assert done.history.stopped == ("patience" if last < 60 else "epochs")
    assert done.history.dev_costs == dev_costs[:last]
    assert done.history.best_epoch == best
    J = notes_cost(weights(done.network), contrary().X.T, contrary().Y.T)
    assert pytest.approx(J) == dev_costs[best - 1]


def test_patience_has_no_effect_without_a_dev_set():
    assert train(dev=None, patience=1, rate=0.0).history.stopped == "epochs"


def test_nothing_is_compiled_twice():
    train(batch_size=8), train()
    with compilations() as compiled:
        train(batch_size=8), train()
        train(batch_size=8, rate=0.1, epochs=9, seed=4, patience=3, start=network(seed=2))
        train(examples(23, seed=8), examples(15, seed=9), batch_size=8)
        train(examples(17, seed=8))
    assert compiled == []


def test_the_given_network_is_not_changed():
    start = network()
    before = [array.copy() for array in weights(start)]
    train(start=start)
    for now, array in zip(weights(start), before, strict=True):
        np.testing.assert_array_equal(now, array)


@pytest.mark.parametrize(
    "theirs",
    [optax.adam(0.1), optax.chain(optax.clip_by_global_norm(1e9), adam(0.1))],
    ids=["optax.adam", "ours in a chain"],
)
def test_takes_any_optimiser_of_optax(theirs):
    with jax.numpy_dtype_promotion("standard"):  # which optax counts on
        got = fit(network(), theirs, logistic_cost, TRAIN, epochs=5)
        ours = fit(network(), adam(0.1), logistic_cost, TRAIN, epochs=5)
    assert_close(got.network, weights(ours.network))


def test_a_buffer_follows_the_batches_and_is_not_a_parameter():
    start = Sequential([RunningMean(4), Dense(4, 1, key=jax.random.key(0), dtype=float)])
    counts = np.arange(1.0, 21.0)
    done = train(Examples(*TRAIN[:2], counts), dev=None, start=start, batch_size=8, epochs=1)
    mean = np.zeros((4, 1))
    for rows in epoch_order(20, 8, seed=0, epoch=0):
        rows = rows[rows < 20]
        mean = 0.9 * mean + 0.1 * (X[:, rows] @ counts[rows] / counts[rows].sum())[:, None]
    after, _ = done.network.layers
    np.testing.assert_allclose(after.mean, mean, rtol=1e-12)
    assert (np.asarray(after.scale) != 1).all()


def test_the_callback_receives_the_share_done(monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 2)
    seen = []
    train(epochs=10, on_progress=lambda history, done: seen.append((len(history.epochs), done)))
    assert seen[:2] == [(0, 0.0), (2, 0.2)]
    assert seen[-1] == (10, 1.0)


def test_ctrl_c_keeps_the_best_network_so_far(monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 2)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    handler = signal.getsignal(signal.SIGINT)

    def ask(history, done):
        if not history.stopped:
            os.kill(os.getpid(), signal.SIGINT)

    done = train(epochs=10**6, on_progress=ask)
    assert done.history.stopped == "interrupted"
    finished = len(done.history.epochs)
    assert 2 <= finished < 20
    assert done.history.best_epoch == finished
    assert_same(done.network, train(epochs=finished).network)
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_in_the_first_epoch_keeps_what_was_learned(monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.interruptible", lambda: nullcontext(lambda: True))
    done = train(batch_size=8)  # three steps an epoch
    assert (done.history.stopped, done.history.best_epoch) == ("interrupted", None)
    rows = epoch_order(20, 8, seed=0, epoch=0)[0]
    rows = rows[rows < 20]
    assert_close(done.network, notes_step(weights(network()), X[:, rows], Y[:, rows], 0.5))


# Error messages


def test_examples_that_do_not_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr("chainrule.host.machine.available_bytes", lambda: 500)
    monkeypatch.setattr("chainrule.train.memory.SMALL", 0)  # trainings as small as this, too
    with pytest.raises(DataError) as error:
        train()
    assert str(error.value) == (
        "training DeepNetwork(4-3-1): expected at most 500 bytes, the free memory; got 1.91 kB.\n"
        "Try smaller batches, a smaller network, or smaller images."
    )
