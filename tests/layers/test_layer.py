"""Tests of chainrule/layers/layer.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from chainrule.blocks.costs import squared_cost
from chainrule.layers.attention import Embedding, MultiHeadAttention
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import (
    Layer,
    count_parameters,
    layer_numbers,
    named_arrays,
    penalized_arrays,
    replace_arrays,
    split_parameters,
)
from chainrule.layers.sequential import Sequential
from chainrule.layers.trace import trace
from chainrule.optim.adam import adam
from tests.layers.running_mean import RunningMean

KEY = jax.random.key(0)


class Double(Layer):
    """A layer without a layer number."""

    def __call__(self, A_prev):
        return 2 * A_prev


def model():
    """Build two layers with weights, one of which has a buffer, and one without either."""
    return Sequential([RunningMean(3), Double(), Dense(3, 2, key=KEY, dtype=float)])


def test_training_is_prediction_by_default():
    layer, A_prev = Double(), jnp.ones((3, 4))
    A, after = layer.train(A_prev, key=KEY)
    np.testing.assert_array_equal(A, layer(A_prev))
    assert after is layer
    assert layer.parts() == (layer,)
    assert layer.title == "Double"


def test_a_layer_must_define_call():
    with pytest.raises(TypeError, match="abstract"):
        Layer()


def test_arrays_have_the_notes_names_and_only_layers_with_weights_count():
    arrays = named_arrays(model())
    assert {name: array.shape for name, array in arrays.items()} == {
        "scale1": (3, 1),
        "mean1": (3, 1),
        "W2": (2, 3),
        "b2": (2, 1),
    }


def test_nested_layers_are_counted_consecutively():
    arrays = named_arrays(Sequential([Dense(2, 2, key=KEY), model(), Dense(2, 2, key=KEY)]))
    assert list(arrays) == ["W1", "b1", "scale2", "mean2", "W3", "b3", "W4", "b4"]


class Several(Layer):
    """A layer with a list of arrays, and a dict of arrays that is a buffer."""

    Ws: list[Array]
    means: dict[str, Array]
    buffers = ("means",)

    def __call__(self, A_prev):
        for W in self.Ws:
            A_prev = W @ A_prev
        return A_prev


def test_a_field_may_contain_several_arrays():
    several = Several([jnp.eye(2), 2 * jnp.eye(2)], {"first": jnp.zeros(2)})
    network = Sequential([Dense(3, 2, key=KEY), several])
    names = ["W1", "b1", "Ws2[0]", "Ws2[1]", "means2['first']"]
    assert list(named_arrays(network)) == names
    theta, rest = split_parameters(network)
    assert list(named_arrays(theta)) == names[:-1]
    assert list(named_arrays(rest)) == names[-1:]
    backward = trace(several, jnp.ones((2, 1)), jnp.ones((2, 1)), squared_cost).layers[0].backward
    assert list(backward) == ["dA", "dWs[0]", "dWs[1]", "dA_prev"]


def test_parameters_and_buffers_can_be_split_and_combined():
    theta, rest = split_parameters(model())
    assert list(named_arrays(theta)) == ["scale1", "W2", "b2"]
    assert list(named_arrays(rest)) == ["mean1"]
    combined = eqx.combine(theta, rest)
    for got, want in zip(jax.tree.leaves(combined), jax.tree.leaves(model()), strict=True):
        np.testing.assert_array_equal(got, want)


def deep():
    """Build a model with all kinds of uncounted layers, one of them twice after the same layer."""
    return Sequential(
        [
            BatchNorm(3),
            Dense(3, 4, key=KEY, bias=False),
            BatchNorm(4),
            Dropout(0.5),
            Dropout(0.8),
            Dense(4, 2, key=KEY),
        ]
    )


def test_batch_norm_and_dropout_belong_to_the_layer_before_them():
    averages = ["mean", "variance", "t"]
    assert list(named_arrays(deep())) == [
        *["gamma0", "beta0", *(f"{name}0" for name in averages)],
        *["W1", "gamma1", "beta1", *(f"{name}1" for name in averages)],
        *["keep_prob1", "keep_prob1.2", "W2", "b2"],
    ]
    assert layer_numbers(deep().parts()) == [0, 1, 1, 1, 1, 2]


def test_both_halves_of_a_partitioned_model_have_names():
    both = [set(named_arrays(half)) for half in split_parameters(deep())]
    assert both[0] | both[1] == set(named_arrays(deep()))
    assert not both[0] & both[1]


def test_a_container_counts_as_its_layers():
    assert layer_numbers([Sequential([Dense(2, 2, key=KEY)] * 3), Dense(2, 2, key=KEY)]) == [3, 4]


def test_only_the_fields_whose_names_begin_with_W_are_penalised():
    assert [W.shape for W in penalized_arrays(deep())] == [(4, 3), (2, 4)]
    assert [W.shape for W in penalized_arrays(split_parameters(deep())[0])] == [(4, 3), (2, 4)]
    assert penalized_arrays(RunningMean(3)) == []
    attention = MultiHeadAttention(4, heads=2, key=KEY)
    matrices = [attention.Wq, attention.Wk, attention.Wv, attention.Wo]
    assert all(a is b for a, b in zip(penalized_arrays(attention), matrices, strict=True))
    assert penalized_arrays(Embedding(5, 4, key=KEY)) == []


def test_arrays_are_replaced_by_name():
    arrays = {name: np.asarray(x) + 1 for name, x in named_arrays(deep()).items()}
    replaced = replace_arrays(deep(), dict(reversed(arrays.items())))
    assert jax.tree.structure(replaced) == jax.tree.structure(deep())
    for name, array in named_arrays(replaced).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_single_layer_can_be_split():
    theta, rest = split_parameters(RunningMean(3))
    assert (theta.mean, rest.scale) == (None, None)


def test_buffers_are_not_counted():
    assert count_parameters(model()) == 3 + 2 * 3 + 2
    assert count_parameters(Double()) == 0


def test_an_optimiser_sees_parameters_only():
    state = adam(0.1).init(split_parameters(model())[0])
    assert sorted(leaf.shape for leaf in jax.tree.leaves(state.V)) == [(2, 1), (2, 3), (3, 1)]


def test_only_training_changes_a_buffer():
    layer, A_prev = RunningMean(3), jnp.full((3, 4), 2.0)
    layer(A_prev)
    np.testing.assert_array_equal(layer.mean, np.zeros((3, 1)))
    _, after = layer.train(A_prev, key=KEY, weights=jnp.ones((1, 4)))
    np.testing.assert_allclose(after.mean, np.full((3, 1), 0.2))
