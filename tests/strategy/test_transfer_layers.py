"""chainrule/strategy/transfer_layers.py"""

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import softmax_cost
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import named_arrays
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.optim.transforms import layerwise
from chainrule.strategy.transfer_layers import (
    activations,
    cut,
    joined,
    new_head,
    parameters_of_last,
    rates,
)
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs

KEY = jax.random.key(0)
KINDS = {"plain": {}, "batch norm and dropout": {"batch_norm": True, "keep_prob": 0.5}}
rng = np.random.default_rng(0)
X = rng.standard_normal((20, 4))
TRAIN = Examples(X, np.eye(3)[(X[:, 0] > 0) + (X[:, 1] > 0).astype(int)])


def base(**options) -> DeepNetwork:
    """Return a network 4-5-3-2 after a few training batches."""
    network = DeepNetwork((4, 5, 3, 2), key=KEY, dtype=float, **options)
    for _ in range(3):
        _, network = network.train(jax.numpy.asarray(X.T), key=KEY)
    return network


def headed(**options) -> DeepNetwork:
    """Return the base with a new head of 3 outputs, in float64."""
    network = new_head(base(**options), 3, key=KEY)
    return jax.tree.map(lambda x: x.astype(float) if x.dtype == np.float32 else x, network)


def test_parameters_of_the_last_layers_by_hand():
    network = headed()
    assert parameters_of_last(network, 1) == 3 * 3 + 3
    assert parameters_of_last(network, 2) == 3 * 3 + 3 + 5 * 3 + 3
    assert parameters_of_last(network, 3) == 3 * 3 + 3 + 5 * 3 + 3 + 4 * 5 + 5


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_new_head_keeps_all_other_layers(options):
    network, old = new_head(base(**options), 3, key=KEY), base(**options)
    assert network.sizes == (4, 5, 3, 3)
    assert network.settings == old.settings | {"sizes": network.sizes}
    for name, array in named_arrays(old).items():
        if name not in ("W3", "b3"):
            np.testing.assert_array_equal(named_arrays(network)[name], array)


def test_a_new_head_may_have_another_dropout():
    network = new_head(base(keep_prob=0.5), 3, keep_prob=0.8, key=KEY)
    kept = [float(part.keep_prob) for part in network.parts() if isinstance(part, Dropout)]
    assert kept == pytest.approx([0.8, 0.8])
    assert new_head(base(), 3, keep_prob=0.8, key=KEY).settings["keep_prob"] == (0.8, 0.8)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_network_cut_and_joined_predicts_the_same(options, k):
    network = headed(**options)
    frozen, head = cut(network, k)
    whole = joined(frozen, head)
    assert jax.tree.structure(whole) == jax.tree.structure(network)
    np.testing.assert_array_equal(network_outputs(whole, X), network_outputs(network, X))
    dense = [part for part in head.parts() if not isinstance(part, Dropout) and part.numbered]
    assert len(dense) == k


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_activations_of_frozen_layers_are_in_prediction_mode(options):
    network = headed(**options)
    frozen, head = cut(network, 1)
    dev = Examples(X[:7], TRAIN.Y[:7], np.ones(7))
    A = activations(frozen, {"train": TRAIN, "dev": dev})
    assert A["train"].X.shape == (20, 3)
    np.testing.assert_array_equal(A["dev"].weights, dev.weights)
    outputs = network_outputs(head, A["dev"].X)
    np.testing.assert_allclose(outputs, network_outputs(network, dev.X), rtol=1e-12)


def test_dropout_after_the_last_frozen_layer_belongs_to_the_head():
    frozen, head = cut(headed(**KINDS["batch norm and dropout"]), 1)
    assert not isinstance(frozen.layers[-1], Dropout)
    assert isinstance(head.parts()[0], Dropout)


def test_a_head_that_begins_with_dropout_trains_and_its_signal_is_measured():
    frozen, head = cut(headed(**KINDS["batch norm and dropout"]), 1)
    train = activations(frozen, {"train": TRAIN})["train"]
    fitted = fit(head, adam(0.1), softmax_cost, train, epochs=3, signals=True)
    assert len(fitted.history.signals[-1]["signal"]) == 1
    whole = joined(frozen, fitted.network)
    before, after = named_arrays(headed(**KINDS["batch norm and dropout"])), named_arrays(whole)
    moved = {name for name in after if not np.array_equal(before[name], after[name])}
    assert moved == {"W3", "b3"}


def test_a_rate_of_0_freezes_a_layer():
    """Training the head on stored activations equals training the whole with a rate of 0 below."""
    network = headed()
    frozen, head = cut(network, 1)
    train = activations(frozen, {"train": TRAIN})["train"]
    short = fit(head, adam(0.1), softmax_cost, train, epochs=5, batch_size=8)
    held = layerwise(adam(0.1), rates(network, 0.0))
    long = fit(network, held, softmax_cost, TRAIN, epochs=5, batch_size=8)
    together = named_arrays(joined(frozen, short.network))
    for name, array in named_arrays(long.network).items():
        np.testing.assert_allclose(array, together[name], rtol=1e-9)


def test_only_the_last_layer_has_a_rate_of_1():
    network = headed(**KINDS["batch norm and dropout"])
    factors = {name: float(r) for name, r in named_arrays(rates(network, 0.25)).items()}
    assert {name for name, r in factors.items() if r == 1} == {"W3", "b3"}
    assert set(factors.values()) == {0.25, 1.0}
