"""Optax optimisers in `fit` and `minimize`, and the optimisers here in optax chains."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.optim.adam import adam
from chainrule.optim.minimize import minimize
from chainrule.optim.momentum import momentum
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.schedules import exponential_decay, staircase_decay
from chainrule.optim.transforms import clip_by_norm
from chainrule.train.fit import fit
from tests.train.problem import TRAIN, logistic_cost, network

THEIRS = {
    "adamw": optax.adamw(0.05),
    "lion": optax.lion(0.02),
    "nesterov": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "noisy": optax.noisy_sgd(0.1, key=jax.random.key(0)),
    "scheduled": optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(),
        optax.scale_by_learning_rate(optax.cosine_decay_schedule(0.1, 100)),
    ),
    "injected": optax.inject_hyperparams(optax.adam)(learning_rate=0.05),
    "ours in a chain": optax.chain(clip_by_norm(adam(exponential_decay(0.1)), 1.0), optax.scale(1)),
    "ours by label": optax.multi_transform(
        {"W": rmsprop(0.05), "rest": momentum(staircase_decay(0.5, 50))},
        lambda theta: jax.tree.map(lambda p: "W" if jnp.ndim(p) == 2 else "rest", theta),
    ),
    "ours, every second step": optax.MultiSteps(adam(0.1), 2),
}
each = pytest.mark.parametrize("optimizer", THEIRS.values(), ids=THEIRS.keys())


@each
def test_minimize_accepts_it(optimizer):
    target = {"W": np.array([[1.0, -2.0]]), "b": np.array([0.5])}

    def J(theta):
        return sum(((theta[name] - target[name]) ** 2).sum() for name in target)

    start = jax.tree.map(np.zeros_like, target)
    with jax.numpy_dtype_promotion("standard"):  # which optax requires
        _, costs = minimize(J, start, optimizer, 100)
    assert costs[-1] < 0.1 * costs[0]


@pytest.mark.parametrize("name", ["adamw", "noisy", "injected", "ours by label"])
def test_fit_accepts_it(name):
    """One of the labels belongs to no parameter."""
    optimizer = THEIRS[name]
    with jax.numpy_dtype_promotion("standard"):
        costs = fit(network(), optimizer, logistic_cost, TRAIN, epochs=60).history.costs
    assert costs[-1] < 0.75 * costs[0]
