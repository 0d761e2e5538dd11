"""Tests of chainrule/models/ensemble.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.errors import OptionError
from chainrule.gradcheck import check_parameters
from chainrule.layers.layer import (
    count_parameters,
    named_arrays,
    penalized_arrays,
    replace_arrays,
    split_parameters,
)
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.ensemble import Ensemble, MemberOutputs
from tests.train.problem import TRAIN, network

X, Y = jnp.asarray(TRAIN.X.T), jnp.asarray(TRAIN.Y.T)


def members(count: int = 3) -> list[DeepNetwork]:
    return [network(seed) for seed in range(count)]


def lines(*slopes: float) -> list[DeepNetwork]:
    """Return networks Z = slope · x."""
    return [DeepNetwork.from_weights([(np.array([[w]]), np.zeros((1, 1)))]) for w in slopes]


# By hand


def test_the_probability_is_the_mean_of_the_probabilities():
    ensemble = Ensemble.of(lines(np.log(3.0), -np.log(3.0), np.log(3.0)), "logistic")
    Z = np.asarray(ensemble(jnp.array([[1.0, 0.0]])))  # 3/4, 1/4, 3/4, and 1/2 three times
    np.testing.assert_allclose(1 / (1 + np.exp(-Z)), [[7 / 12, 1 / 2]])


def test_the_number_is_the_mean_of_the_numbers():
    ensemble = Ensemble.of(lines(1.0, 2.0, 6.0), "squared")
    np.testing.assert_allclose(ensemble(jnp.array([[2.0]])), [[6.0]])


def test_the_outputs_of_the_members_below_their_mean():
    ensemble = Ensemble.of(lines(1.0, 2.0, 6.0), "squared")
    Z = MemberOutputs(ensemble)(jnp.array([[1.0, -1.0]]))
    np.testing.assert_array_equal(Z, [[3, -3], [1, -1], [2, -2], [6, -6]])


# Properties


def test_every_member_is_itself():
    networks = members()
    ensemble = Ensemble.of(networks, "logistic")
    for k, one in enumerate(networks):
        np.testing.assert_allclose(ensemble.outputs(X)[k], one(X), rtol=1e-12)
        for name, array in named_arrays(ensemble).items():
            np.testing.assert_array_equal(array[k], named_arrays(one)[name])
            np.testing.assert_array_equal(named_arrays(ensemble.member(k))[name], array[k])


def test_arrays_are_stacked_and_all_members_count():
    one, ensemble = network(), Ensemble.of(members(), "logistic")
    shapes = {name: array.shape for name, array in named_arrays(ensemble).items()}
    assert shapes == {"W1": (3, 3, 4), "b1": (3, 3, 1), "W2": (3, 1, 3), "b2": (3, 1, 1)}
    assert count_parameters(ensemble) == 3 * count_parameters(one)
    assert [W.shape for W in penalized_arrays(ensemble)] == [(3, 3, 4), (3, 1, 3)]
    assert ensemble.title == "3 × DeepNetwork(4-3-1)"
    assert ensemble.settings == {"members": 3, "cost": "logistic", **one.settings}
    again = replace_arrays(ensemble, named_arrays(ensemble))
    assert jax.tree.structure(again) == jax.tree.structure(ensemble)


def test_its_gradient_is_right():
    theta, rest = split_parameters(Ensemble.of(members(2), "logistic"))

    def J(theta):
        return logistic_cost(eqx.combine(theta, rest)(X), Y)

    assert check_parameters(J, theta, names=("W1", "b1", "W2", "b2")).difference < 1e-7


def test_members_have_their_own_masks_in_training():
    one = DeepNetwork((4, 30, 1), keep_prob=(0.5,), key=jax.random.key(0), dtype=float)
    ensemble = Ensemble.of([one, one], "squared")
    once, after = ensemble.train(X, key=jax.random.key(1))
    alone, _ = one.train(X, key=jax.random.split(jax.random.key(1), 2)[0])
    assert np.abs(np.asarray(once) - np.asarray(alone)).max() > 1e-3
    assert after.title == ensemble.title


# Messages


def test_networks_with_other_layers_are_refused():
    other = DeepNetwork((4, 2, 1), key=jax.random.key(0), dtype=float)
    with pytest.raises(OptionError) as caught:
        Ensemble.of([network(), other], "logistic")
    assert str(caught.value) == (
        "an ensemble: expected networks with the same layers and sizes; got networks that differ."
    )
    with pytest.raises(OptionError, match="got none"):
        Ensemble.of([], "logistic")


def test_an_unknown_cost_is_refused():
    with pytest.raises(OptionError, match=r"Ensemble\(cost=…\): expected one of 3 choices"):
        Ensemble.of(members(), "hinge")
