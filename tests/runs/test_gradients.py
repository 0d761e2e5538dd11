"""chainrule/runs/gradients.py: a run's gradients are right, and a wrong derivative is found."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.block import as_block
from chainrule.blocks.costs import softmax_cost
from chainrule.blocks.normalization import batch_norm_backward, batch_norm_forward
from chainrule.errors import DataError
from chainrule.host.randomness import key_from_seed
from chainrule.layers.dense import Dense
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork
from chainrule.runs.defaults import COSTS
from chainrule.runs.gradients import check_network, made_up, run_examples
from chainrule.train.examples import Examples

EYE = np.eye(3, dtype=np.float32)
PART = Examples(
    np.random.default_rng(0).standard_normal((12, 2)).astype(np.float32), EYE[np.arange(12) % 3]
)


@jax.custom_vjp
def slightly_wrong(Z):
    """Compute tanh with a wrong derivative, which omits the square."""
    return jnp.tanh(Z)


slightly_wrong.defvjp(
    lambda Z: (jnp.tanh(Z), jnp.tanh(Z)), lambda A, dA: ((dA * (1 - jnp.abs(A))),)
)


def network(activation):
    first, second = (key_from_seed(seed) for seed in (0, 1))
    return Sequential(
        [
            Dense(2, 4, activation=activation, key=first),
            Dense(4, 3, activation=identity, key=second),
        ]
    )


def identity(Z):
    return Z


def test_a_wrong_derivative_is_found():
    assert check_network(network(jnp.tanh), softmax_cost, PART).verdict == "right"
    assert check_network(network(slightly_wrong), softmax_cost, PART).verdict == "wrong"


def test_a_trained_network_passes(run):
    part = run_examples(run, 8)
    report = check_network(run.network, COSTS[run.preprocessor.cost], part, samples=5)
    assert report.verdict == "right"


def test_examples_from_the_runs_own_data(runs):
    part = run_examples(runs["classes"], 8)
    assert part.X.shape == (8, 3)
    assert part.Y.shape == (8, 3)
    scaled = runs["classes"].preprocessor.inputs
    assert np.abs(part.X).max() < 4  # scaled as for the network, not as in the file
    assert np.abs(part.X * scaled.scale + scaled.mean).max() > 10


def test_random_examples_if_the_data_is_missing(run, tmp_path):
    gone = replace(run, recipe=replace(run.recipe, source=str(tmp_path / "gone.npz"), target=None))
    part = run_examples(gone, 8)
    assert part.X.shape[1:] == (run.preprocessor.n_x,)
    assert part.Y.shape[1:] == (run.preprocessor.labels.n_outputs,)
    with pytest.raises(DataError, match="no such file"):
        run_examples(run, 8, str(tmp_path / "gone.npz"))


def test_random_labels_are_valid_labels(runs):
    assert set(made_up(runs["classes"]).Y.sum(axis=1)) == {1}
    assert set(made_up(runs["table"]).Y.ravel()) == {0, 1}
    assert len(set(made_up(runs["numbers"]).Y.ravel())) > 10


def test_batch_norm_and_dropout_are_checked_as_in_training():
    options = {"batch_norm": True, "keep_prob": 0.8, "activation": "tanh"}
    model = DeepNetwork((2, 5, 4, 3), key=jax.random.key(0), **options)
    report = check_network(model, softmax_cost, PART)
    assert report.difference < 1e-7
    names = [parameter.name for parameter in report.parameters]
    assert names == ["W1", "gamma1", "beta1", "W2", "gamma2", "beta2", "W3", "b3"]


def test_a_wrong_derivative_of_batch_norm_is_found(monkeypatch):
    def wrong(dA, cache):
        dZ, *rest = batch_norm_backward(dA, cache)
        return (1.01 * dZ, *rest)

    block = as_block(batch_norm_forward, wrong)
    monkeypatch.setattr("chainrule.layers.batch_norm.batch_norm", block)
    model = DeepNetwork((2, 5, 4, 3), key=jax.random.key(0), batch_norm=True, activation="tanh")
    report = check_network(model, softmax_cost, PART)
    verdicts = {parameter.name: parameter.verdict for parameter in report.parameters}
    assert verdicts["W1"] == verdicts["W2"] == "wrong"
    assert verdicts["W3"] == verdicts["b3"] == "right"
