"""chainrule/train/epochs.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.host.randomness import key_from_seed
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.epochs import (
    MAX_EPOCHS,
    Rows,
    begin,
    is_finite,
    keep_copy,
    run_steps,
    to_device,
)
from chainrule.train.metrics import accuracy
from tests.compilations import compilations
from tests.layers.running_mean import RunningMean
from tests.train.problem import DEV, TRAIN, assert_same, network, notes_step, train, weights

X, Y = TRAIN.X.T, TRAIN.Y.T
OPTIMIZER = gradient_descent(0.5)


def on_device(examples, room: int) -> Rows:
    """Return the examples followed by `room` rows of weight 0, as `fit` places them."""
    padded = [np.pad(part, [(0, room), (0, 0)]) for part in examples[:2]]
    counts = np.pad(np.ones(len(examples.X)), (0, room))
    return Rows(*map(jnp.asarray, (*padded, counts)))


def run(progress, n, *, steps_per_epoch=1, patience=1000):
    """Run the program that `fit` runs for the whole set, with the same shapes."""
    numbers = (np.int32(number) for number in (n, steps_per_epoch, patience))
    return run_steps(
        progress,
        on_device(TRAIN, 4),
        on_device(DEV, 6),
        None,
        *numbers,
        key_from_seed(0),
        cost=logistic_cost,
        metric=accuracy,
        update=OPTIMIZER.update,
    )


# The rows


def test_rows_become_columns_and_images_stay_images():
    batch = on_device(TRAIN, 4).batch()
    np.testing.assert_array_equal(batch.X[:, :20], X)
    np.testing.assert_array_equal(batch.Y[:, :20], Y)
    np.testing.assert_array_equal(batch.weights, [[1.0] * 20 + [0.0] * 4])
    images = Rows(jnp.zeros((5, 3, 2, 1)), jnp.zeros((5, 1)), jnp.ones(5))
    assert images.batch(jnp.array([0, 1])).X.shape == (2, 3, 2, 1)


def test_a_batch_is_the_rows_it_names():
    batch = on_device(TRAIN, 4).batch(jnp.array([7, 0, 20]))
    np.testing.assert_array_equal(batch.X[:, :2], X[:, [7, 0]])
    np.testing.assert_array_equal(batch.weights, [[1.0, 1.0, 0.0]])


# Before the first step


def test_begin_compiles_nothing_and_the_copy_on_the_device_shares_no_memory():
    start, optimizer = network(), adam(0.1)
    with compilations() as compiled:
        first = begin(start, optimizer.init)
        progress, room = to_device(first), to_device(first)
    assert compiled == []
    theta = weights(start)
    run(keep_copy(progress, room), 3)  # writes into the buffers of the copy
    run(progress, 3)  # and into those of the first
    for before, after in zip(theta, weights(start), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_state_of_an_optimiser_holds_no_buffer():
    first = to_device(begin(RunningMean(4), adam(0.1).init))
    assert first.state.V.mean is None
    assert first.state.V.scale.shape == (4, 1)


def test_a_copy_outlives_the_original():
    old_copy = to_device(begin(network(), OPTIMIZER.init))
    first, _ = run(to_device(begin(network(), OPTIMIZER.init)), 3)
    copy = keep_copy(first, old_copy)
    theta = weights(first.network)
    run(first, 1)
    for got, want in zip(weights(copy.network), theta, strict=True):
        np.testing.assert_array_equal(got, want)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(old_copy.network))


# The steps


def test_steps_and_epochs_are_counted_and_reported_from_the_first_row():
    progress = to_device(begin(network(), OPTIMIZER.init))
    progress, records = run(progress, 5, steps_per_epoch=2)
    assert (int(progress.step), bool(progress.finite)) == (5, True)
    for record in records:
        assert record.shape == (MAX_EPOCHS,)
        assert np.isfinite(record[:2]).all()  # the third epoch is half done
        assert np.isnan(record[2:]).all()
    progress, records = run(progress, 2, steps_per_epoch=2)
    assert int(progress.step) == 7
    assert np.isfinite(records.cost).sum() == 1


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_two_calls_are_one(cut):
    whole = to_device(begin(network(), OPTIMIZER.init))
    whole, records = run(whole, 6, steps_per_epoch=3)
    parts = to_device(begin(network(), OPTIMIZER.init))
    parts, first = run(parts, cut, steps_per_epoch=3)
    parts, second = run(parts, 6 - cut, steps_per_epoch=3)
    assert_same(whole, parts)
    both = [np.concatenate([a, b]) for a, b in zip(first, second, strict=True)]
    for want, got in zip(records, both, strict=True):
        np.testing.assert_array_equal(got[np.isfinite(got)], want[:2])


def test_no_step_at_all_changes_nothing():
    progress, room = (to_device(begin(network(), OPTIMIZER.init)) for _ in range(2))
    old_copy = keep_copy(progress, room)
    progress, _ = run(progress, 0)
    assert_same(progress, old_copy)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found(dtype, bad):
    large = jnp.full((3, 4), -1e38, dtype)
    assert jax.jit(is_finite)([large, jnp.arange(3), jnp.zeros(2, dtype)])
    assert not jax.jit(is_finite)([large, jnp.arange(3), jnp.array([0.0, bad], dtype)])


def test_stops_after_the_first_step_that_is_not_finite():
    progress = to_device(begin(network(), gradient_descent(np.inf).init))
    progress, _ = run(progress, 100)
    assert not progress.finite
    assert int(progress.step) == 2  # the first step made the weights infinite, the second the cost
    assert not np.isfinite(weights(progress.network)[0]).all()


def test_an_update_that_is_not_finite_is_seen_at_the_end_of_the_call():
    progress = to_device(begin(network(), gradient_descent(np.inf).init))
    progress, _ = run(progress, 1)
    assert (int(progress.step), bool(progress.finite)) == (1, False)


def test_stops_where_patience_ends():
    progress = to_device(begin(network(), gradient_descent(-1.0).init))  # gradient ascent
    progress, _ = run(progress, 100, steps_per_epoch=2, patience=3)
    assert int(progress.best_epoch) == 1
    assert int(progress.step) == 2 * (1 + 3)


def test_fit_runs_these_steps():
    train()
    progress = to_device(begin(network(), OPTIMIZER.init))
    with compilations() as compiled:
        progress, _ = run(progress, 5)
    assert compiled == []
    assert_same(progress.network, train().network)


def test_the_first_step_by_hand():
    progress = to_device(begin(network(), OPTIMIZER.init))
    progress, _ = run(progress, 1)
    want = notes_step(weights(network()), X, Y, 0.5)
    for got, expected in zip(weights(progress.network), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)
