"""Tests of chainrule/layers/branches.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.blocks.costs import softmax_cost
from chainrule.errors import OptionError, ShapeError
from chainrule.gradcheck import check_parameters
from chainrule.inspection.summary import summarize
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.branches import Branches
from chainrule.layers.conv import Conv2D
from chainrule.layers.dense import Dense
from chainrule.layers.flatten import Flatten
from chainrule.layers.layer import layer_numbers, named_arrays
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGES = jnp.asarray(rng.standard_normal((3, 4, 4, 2)))
X = jnp.asarray(rng.standard_normal((4, 5)))


def conv(n_C, f, **settings):
    return Conv2D(2, n_C, f=f, key=jax.random.key(f), dtype=float, **settings)


def sequence(*layers):
    return Sequential(list(layers))


def test_the_sum_of_two_branches():
    one, other = conv(3, 1), conv(3, 3)
    both = Branches(sequence(one), sequence(other), activation=relu)
    want = jnp.maximum(0, one(IMAGES) + other(IMAGES))
    np.testing.assert_allclose(both(IMAGES), want, rtol=1e-12)
    np.testing.assert_allclose(both.train(IMAGES, key=KEY)[0], want, rtol=1e-12)


def test_the_channels_are_concatenated():
    one, other = conv(3, 1), conv(5, 3)
    both = Branches(sequence(one), sequence(other), join="concatenation")(IMAGES)
    np.testing.assert_array_equal(both, jnp.concatenate([one(IMAGES), other(IMAGES)], axis=3))


def test_the_features_of_columns_are_concatenated():
    """An empty branch passes its input on."""
    dense = Dense(4, 3, key=KEY, dtype=float)
    both = Branches(sequence(dense), sequence(), join="concatenation")(X)
    np.testing.assert_array_equal(both, jnp.concatenate([dense(X), X], axis=0))


def test_training_updates_the_averages_of_both_branches():
    layer = Branches(*(sequence(BatchNorm(2, images=True, dtype=float)) for _ in range(2)))
    A, after = layer.train(IMAGES, key=KEY)
    assert [int(side.layers[0].t) for side in after.branches] == [1, 1]
    assert jax.tree.structure(after) == jax.tree.structure(layer)
    normalized, _ = layer.first.layers[0].train(IMAGES, key=KEY)
    np.testing.assert_allclose(A, 2 * normalized, rtol=1e-12)


def test_the_layers_of_both_branches_are_counted():
    both = Branches(sequence(conv(3, 1)), sequence(conv(3, 3)))
    assert layer_numbers([conv(2, 3), both, conv(2, 1)]) == [1, 3, 4]
    assert {"W1", "W2", "W3", "b3"} <= set(named_arrays(sequence(conv(2, 3), both)))
    assert both.title == "Branches(Conv2D(1×1, 2 -> 3) + Conv2D(3×3, 2 -> 3))"


def network() -> ConvNetwork:
    both = Branches(sequence(conv(3, 1)), sequence(conv(5, 3)), join="concatenation")
    layers = [both, Flatten(), Dense(4 * 4 * 8, 2, key=KEY, dtype=float)]
    return ConvNetwork(layers, name="two", shape=(4, 4, 2), n_L=2)


def test_a_network_with_branches_is_checked_and_described():
    labels = jnp.asarray(np.eye(2)[:, [0, 1, 1]])

    def J(network):
        return softmax_cost(network(IMAGES), labels, None)

    report = check_parameters(J, network())
    assert report.verdict == "right"
    text = summarize(network()).text()
    assert "[first(A[0]), second(A[0])]" in text
    assert network().multiplications == (0, 16 * (1 * 2 * 3 + 9 * 2 * 5), 0, 4 * 4 * 8 * 2)


def test_refuses_outputs_that_do_not_fit():
    with pytest.raises(ShapeError) as error:
        Branches(sequence(conv(3, 1)), sequence(conv(5, 3)))(IMAGES)
    assert str(error.value) == (
        "Branches(Conv2D(1×1, 2 -> 3) + Conv2D(3×3, 2 -> 5)): expected two branches with outputs "
        "of the same shape; got (3, 4, 4, 3) and (3, 4, 4, 5).\n"
        "Try a stride, a padding or a number of channels that makes the shapes equal."
    )
    with pytest.raises(ShapeError, match="except for the number of channels; got"):
        Branches(sequence(conv(3, 1)), sequence(conv(3, 3, s=2)), join="concatenation")(IMAGES)
    with pytest.raises(OptionError, match="did you mean that"):
        Branches(sequence(), sequence(), join="concatenate")
