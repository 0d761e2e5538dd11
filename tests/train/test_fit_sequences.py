"""chainrule/train/fit.py: sequences of different lengths, in buckets, with an output per step."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from chainrule.blocks.costs import logistic_cost
from chainrule.data.sequences import Inputs, Sequences, buckets_of
from chainrule.errors import DataError, NotFiniteError, ShapeError
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.layers.steps import Steps
from chainrule.layers.trace import trace
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.epochs import Rows
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.loader import BucketOrder, InBuckets, supply_of
from chainrule.train.many import Candidate, fit_many
from chainrule.train.outputs import network_outputs
from chainrule.train.step import Batch, columns, counted
from tests.train.problem import assert_same

rng = np.random.default_rng(0)
LENGTHS = rng.permutation(np.repeat([3, 4, 11, 12], 10))
X = Sequences.of([rng.standard_normal((T, 2)) + i % 2 for i, T in enumerate(LENGTHS)])
Y = (np.arange(40) % 2)[:, None].astype(float)
TRAIN, DEV = Examples(X[:32], Y[:32]), Examples(X[32:], Y[32:])


class MeanOfSteps(Layer):
    """The mean of the real steps."""

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Steps) -> Array:
        real = A_prev.real.astype(A_prev.values.dtype)[:, None]
        return (A_prev.values * real).sum(axis=0) / jnp.maximum(real.sum(axis=0), 1)


class EveryStep(Layer):
    """W applied to every step."""

    W: Array

    def __call__(self, A_prev: Steps) -> Array:
        return jnp.einsum("cn,tnm->tcm", self.W, A_prev.values)


def network() -> Sequential:
    return Sequential([MeanOfSteps(), Dense(2, 1, key=jax.random.key(0), dtype=float)])


def train(train=TRAIN, dev=DEV, *, epochs=3, cost=logistic_cost, **options):
    start = options.pop("start", None) or network()
    return fit(
        start, gradient_descent(0.5), cost, train, dev, epochs=epochs, batch_size=8, **options
    )


def total_cost(Z, Y, weights):
    """The mean over the real steps of (Z_0 − Y)²."""
    real = (Y >= 0).astype(Z.dtype) * weights
    return (real * (Z[:, 0] - Y.astype(Z.dtype)) ** 2).sum() / real.sum()


def test_training_uses_buckets_and_learns():
    done = train(epochs=20)
    weighted = TRAIN._replace(weights=np.ones(32))
    assert isinstance(supply_of(weighted, 8, 100, 0), InBuckets)
    assert done.history.costs[-1] < 0.6 * done.history.costs[0]
    assert done.history.epochs[-1].metric > 0.8


def test_padding_changes_nothing():
    """More padding, and anything in it, gives the same outputs and the same whole-batch step."""
    wide = Sequences(np.pad(X.values, ((0, 0), (0, 5), (0, 0)), constant_values=7.0), X.lengths)
    one, other = (
        fit(network(), gradient_descent(0.5), logistic_cost, Examples(x, Y), epochs=2)
        for x in (X, wide)
    )
    for a, b in zip(jax.tree.leaves(one.network), jax.tree.leaves(other.network), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    Z = network_outputs(one.network, X)
    np.testing.assert_allclose(Z[:7], network_outputs(one.network, X[:7]), rtol=1e-12)


def test_an_epoch_uses_every_example_once():
    buckets = buckets_of(X, fewest=8)
    order = BucketOrder(buckets, 8, seed=3)
    seen, kinds = [], []
    for step in range(order.steps_per_epoch):
        k, _ = order.bucket(step)
        places = order.table(step, 1)[0]
        seen += buckets[k][places[places < len(buckets[k])]].tolist()
        kinds.append(k)
    assert sorted(seen) == list(range(40))
    assert kinds != sorted(kinds)  # the buckets take turns


def test_the_order_depends_on_seed_and_epoch_alone():
    buckets = buckets_of(X, fewest=8)
    one, other = BucketOrder(buckets, 8, seed=3), BucketOrder(buckets, 8, seed=3)
    S = one.steps_per_epoch
    one.prepare(0, 3 * S)
    assert one.table(2 * S, 1)[0].tolist() == other.table(2 * S, 1)[0].tolist()
    assert one.bucket(2 * S) == other.bucket(2 * S)
    tables = {str(one.table(e * S, S)[:S].tolist()) for e in range(3)}
    assert len(tables) == 3


def test_a_resumed_training_gives_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.train.fit.FIRST_STEPS", 1)
    monkeypatch.setattr("chainrule.train.fit.SECONDS_PER_CALL", 0.0)
    whole = train()

    class Stop(Exception):
        pass

    def stop(history, share):
        if share > 0.5:
            raise Stop

    with pytest.raises(Stop):
        train(checkpoints=Checkpoints(tmp_path, every=0), on_progress=stop)
    resumed = train(checkpoints=Checkpoints(tmp_path, every=0))
    assert_same(whole.network, resumed.network)
    assert whole.history.costs == resumed.history.costs


def test_many_candidates_train_on_sequences():
    alone = fit(network(), gradient_descent(0.5), logistic_cost, TRAIN, DEV, epochs=2)
    [one, _] = fit_many(
        [Candidate(network(), gradient_descent(rate)) for rate in (0.5, 0.1)],
        logistic_cost,
        TRAIN,
        DEV,
        epochs=2,
    )
    for a, b in zip(jax.tree.leaves(alone.network), jax.tree.leaves(one.network), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def labels_of_steps() -> np.ndarray:
    return np.where(X.real(), np.arange(40)[:, None] % 2, -1)


def test_costs_of_an_epoch_count_real_steps():
    """With a learning rate of almost 0, the cost of the epoch is that of the whole set."""
    W = np.ones((2, 2))
    part = Examples(X, labels_of_steps())
    done = fit(EveryStep(W), gradient_descent(1e-12), total_cost, part, epochs=1, batch_size=8)
    Z = np.einsum("cn,mtn->mtc", W, X.values)[..., 0]
    by_hand = ((Z - part.Y) ** 2)[X.real()].mean()
    assert done.history.costs[0] == pytest.approx(by_hand, rel=1e-9)


def test_counted_is_the_number_of_real_steps():
    weights = jnp.array([[1.0, 2.0]])
    batch = Batch(jnp.zeros((3, 1, 2)), jnp.array([[0, 1], [1, -1], [-1, -1]], np.int32), weights)
    assert counted(batch) == 1 + 1 + 2
    assert counted(batch._replace(Y=jnp.zeros((1, 2)))) == 3


def test_outputs_of_every_step_come_in_rows():
    layer = EveryStep(jax.random.normal(jax.random.key(0), (3, 2), float))
    Z = network_outputs(layer, X)
    assert Z.shape == (40, 12, 3)
    np.testing.assert_allclose(Z[5, 1], layer.W @ X.values[5, 1], rtol=1e-12)


def test_several_inputs_become_a_tuple_of_steps():
    rows = Rows(Inputs((X, X[::-1])), Y, np.ones(40))
    first, second = rows.batch(np.arange(4)).X
    assert first.values.shape == second.values.shape == (12, 2, 4)
    np.testing.assert_array_equal(first.values[:, :, 1], X.values[1])
    np.testing.assert_array_equal(second.lengths, X.lengths[::-1][:4])


def test_a_trace_has_the_gradients_of_training():
    batch = Batch(columns(X), Y.T, np.ones((1, 40)))
    steps = trace(network(), *batch[:2], logistic_cost, batch.weights)

    def J(W):
        A = MeanOfSteps()(batch.X)
        return logistic_cost(W @ A + network().layers[1].b, batch.Y, batch.weights)

    np.testing.assert_allclose(steps.gradients()[0], jax.grad(J)(network().layers[1].W), rtol=1e-10)
    assert steps.layers[0].backward["dA_prev"].shape == batch.X.values.shape


def words(call) -> str:
    with pytest.raises((ShapeError, DataError, NotFiniteError)) as caught:
        call()
    return str(caught.value)


def test_messages():
    bad = Sequences(X.values, np.full(40, 13))
    assert words(lambda: train(Examples(bad, Y))) == (
        "the training set, the lengths: expected numbers from 0 to T = 12; got 13 to 13.\n"
        "Try the number of real steps of each sequence."
    )
    bad = Sequences(X.values, X.lengths / 2)
    assert words(lambda: train(Examples(bad, Y))) == (
        "the training set, the lengths: expected (40,) whole numbers; got float64 (40,).\n"
        "Try lengths.ravel()."
    )
    step = EveryStep(jnp.ones((2, 2)))
    assert words(lambda: train(Examples(X, Y), None, start=step, cost=total_cost)) == (
        "the training set, Y: expected (40, 12) whole numbers, a label for each step; got float64 "
        "(40, 1).\nTry -1 for steps that are not real."
    )
    high = Examples(X, 2 * labels_of_steps())
    assert words(lambda: train(high, None, start=step, cost=total_cost)) == (
        "the training set, Y: expected labels from -1 to 1; got -2 to 2.\n"
        "Try a network with as many outputs as labels."
    )


def test_a_number_that_is_not_finite_is_found_in_the_input():
    values = X.values.copy()
    values[3, 1, 0] = np.nan
    text = words(lambda: train(Examples(Sequences(values, X.lengths), Y), None))
    assert "the input A[0] = X: expected finite numbers" in text
