"""The notes' mini-batches in chainrule/train/fit.py: full ones, and a short last one."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import squared_cost
from chainrule.data.batches import random_mini_batches
from chainrule.errors import RunError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.many import Candidate, fit_many

rng = np.random.default_rng(0)
M, SIZE, EPOCHS, RATE = 9, 4, 3, 0.05
TRAIN = Examples(rng.standard_normal((M, 2)), rng.standard_normal((M, 1)))
START = DeepNetwork.from_weights([([[0.3, -0.2]], [[0.1]])])


def by_hand() -> list[np.ndarray]:
    """Gradient descent on Σ (w x + b − y)² / m of each of the notes' mini-batches."""
    W, b = np.array([[0.3, -0.2]]), np.array([[0.1]])
    for epoch in range(EPOCHS):
        for rows in random_mini_batches(M, SIZE, seed=7, epoch=epoch):
            X, Y = TRAIN.X[rows].T, TRAIN.Y[rows].T
            dZ = 2 * (W @ X + b - Y) / len(rows)
            W, b = W - RATE * dZ @ X.T, b - RATE * dZ.sum(axis=1, keepdims=True)
    return [W, b]


def trained(short_last_batch: bool, **options):
    settings = {"epochs": EPOCHS, "batch_size": SIZE, "metric": squared_cost, "seed": 7}
    settings |= {"short_last_batch": short_last_batch, **options}
    return fit(START, gradient_descent(RATE), squared_cost, TRAIN, **settings)


def arrays(network):
    layer = network.layers.layers[0]
    return [layer.W, layer.b]


def test_fit_uses_the_mini_batches_of_the_notes():
    for got, want in zip(arrays(trained(True).network), by_hand(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)
    assert not np.allclose(arrays(trained(False).network)[0], by_hand()[0])


def test_candidates_that_are_trained_together_use_them_too():
    dev = Examples(TRAIN.X[:5], TRAIN.Y[:5])
    candidates = [Candidate(START, gradient_descent(RATE))] * 2
    settings = {"epochs": EPOCHS, "batch_size": SIZE, "metric": squared_cost, "seed": 7}
    one, _ = fit_many(candidates, squared_cost, TRAIN, dev, short_last_batch=True, **settings)
    alone = fit(
        START, gradient_descent(RATE), squared_cost, TRAIN, dev, short_last_batch=True, **settings
    )
    np.testing.assert_allclose(one.history.costs, alone.history.costs, rtol=1e-10)
    np.testing.assert_allclose(arrays(one.network)[0], arrays(alone.network)[0], rtol=1e-10)


def test_a_recipe_passes_the_option_on():
    arguments = prepare(Recipe("iris", hidden=(), short_last_batch=True)).fit_arguments()
    assert arguments["short_last_batch"] is True
    assert prepare(Recipe("iris", hidden=())).fit_arguments()["short_last_batch"] is False


@pytest.mark.parametrize("before", [False, True])
def test_training_does_not_continue_with_batches_of_another_kind(tmp_path, before):
    checkpoints = Checkpoints(tmp_path, every=0)
    trained(before, checkpoints=checkpoints)
    with pytest.raises(
        RunError, match=r"short last batch = 1; got no short last batch|different sampl"
    ):
        trained(not before, checkpoints=checkpoints, epochs=EPOCHS + 1)
    continued = trained(before, checkpoints=checkpoints, epochs=EPOCHS + 1)
    whole = trained(before, epochs=EPOCHS + 1)
    assert jnp.array_equal(arrays(continued.network)[0], arrays(whole.network)[0])
