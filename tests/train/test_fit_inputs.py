"""chainrule/train/fit.py: containers and dtypes of examples, and invalid options."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.errors import DataError, OptionError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from tests.train.problem import DEV, TRAIN, assert_same, network, train, weights

COUNTS = 1.0 + np.arange(20) % 3

HOLDERS = {
    "lists": np.ndarray.tolist,
    "data frames": pd.DataFrame,
    "arrays of JAX": jnp.asarray,
    "column by column": np.asfortranarray,
    "every second row": lambda part: np.repeat(part, 2, axis=0)[::2],
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS.keys())
def test_rows_in_any_container(hold):
    held = Examples(hold(TRAIN.X), hold(TRAIN.Y), COUNTS.tolist())
    usual = train(Examples(*TRAIN[:2], COUNTS), batch_size=8)
    assert_same(train(held, batch_size=8).network, usual.network)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_labels_of_any_dtype_and_weights_between_whole_numbers(dtype):
    counts = COUNTS / 4  # as whole numbers they would be 0
    got = train(Examples(TRAIN.X, TRAIN.Y.astype(dtype), counts))
    assert_same(got.network, train(Examples(*TRAIN[:2], counts)).network)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, jnp.bfloat16])
def test_the_network_decides_the_dtype(dtype):
    start = DeepNetwork((4, 3, 1), key=jax.random.key(0), dtype=dtype)
    with jax.numpy_dtype_promotion("standard"):
        done = fit(start, adam(0.1), logistic_cost, TRAIN, DEV, epochs=20)
    assert {leaf.dtype for leaf in jax.tree.leaves(done.network)} == {np.dtype(dtype)}
    assert done.history.costs[-1] < 0.8 * done.history.costs[0]


@pytest.mark.parametrize("scale", [2.0**-1060, 2.0**-140, 2.0**1000])
def test_the_scale_of_the_weights_does_not_matter(scale):
    small, usual = (
        train(Examples(*TRAIN[:2], COUNTS * factor), batch_size=8) for factor in (scale, 1.0)
    )
    assert_same(small.network, usual.network)
    assert small.history.costs == usual.history.costs


def test_a_weight_too_small_to_matter_is_dropped():
    tiny = np.where(np.arange(20) < 5, 1e-320, 1.0)
    got = train(Examples(*TRAIN[:2], tiny), batch_size=2)
    without = train(Examples(TRAIN.X[5:], TRAIN.Y[5:]), batch_size=2)
    assert_same(got.network, without.network)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_invalid_weights_are_refused(bad):
    with pytest.raises(DataError, match="weights: expected finite numbers of at least 0"):
        train(Examples(*TRAIN[:2], np.where(np.arange(20) == 3, bad, 1.0)))


@pytest.mark.parametrize("name", ["X", "Y"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_dev_set_that_is_not_finite_is_refused(name, bad):
    """A dev cost of nan is never an improvement: patience would stop training silently."""
    part = getattr(DEV, name).copy()
    part[3, 0] = bad
    with pytest.raises(DataError) as error:
        train(dev=DEV._replace(**{name: part}))
    assert str(error.value) == (
        f"the dev set, {name}: expected finite numbers; got nan or infinity in 1 of 10 rows.\n"
        "Try leaving those rows out."
    )


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_invalid_options_are_refused(name, value):
    with pytest.raises(OptionError) as error:
        train(**{name: value})
    assert str(error.value) == (
        f"fit({name}=…): expected a whole number of at least 1; got {value}.\nTry {name}=10."
    )


def test_patience_may_exceed_the_epochs():
    assert train(patience=2**40).history.stopped == "epochs"


def test_an_optimiser_may_keep_a_key():
    theirs = optax.chain(optax.add_noise(0.0, 0.55, key=jax.random.key(0)), gradient_descent(0.5))
    with jax.numpy_dtype_promotion("standard"):  # which optax counts on
        got = fit(network(), theirs, logistic_cost, TRAIN, epochs=5)
    for a, b in zip(weights(got.network), weights(train(dev=None).network), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_batch_norm_and_batches_of_one():
    model = DeepNetwork((4, 3, 1), batch_norm=True, key=jax.random.key(0), dtype=float)
    with pytest.raises(OptionError) as error:
        train(start=model, batch_size=1)
    assert str(error.value) == (
        "batch_size: expected at least 2 examples per step with batch norm; got 1.\n"
        "Try batch_size=64, or training without it."
    )


def test_checkpoints_may_be_given_as_a_folder(tmp_path):
    train(epochs=2, checkpoints=str(tmp_path / "there"))
