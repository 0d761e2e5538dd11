"""chainrule/inspection/formulas.py, formatting.py and inspection/plots.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, leaky_relu, softmax, tanh
from chainrule.errors import DataError
from chainrule.formatting import aligned
from chainrule.inspection.formulas import (
    Place,
    array_names,
    backward_formulas,
    forward_formulas,
    one_line,
    places,
)
from chainrule.inspection.plots import classes_of, codes, short
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.layer import layer_numbers
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork
from tests.inspection.layers import Half, Scale


def dense(activation) -> Dense:
    return Dense(3, 2, key=jax.random.key(0), activation=activation)


def test_numbers_count_layers_with_weights_only():
    assert layer_numbers([Half(), dense(identity), Half(), Scale(), Half()]) == [0, 1, 1, 2, 2]


def place(layer, l: int) -> Place:
    """Return the place of layer l with the input A[l − 1]."""
    return Place(layer, l, f"A[{l - 1}]", f"A[{l}]")


def test_a_layer_of_the_notes():
    second = place(dense(leaky_relu), 2)
    assert list(forward_formulas(second).values()) == [
        "Z[2] = W[2] A[1] + b[2]",
        "A[2] = leaky_relu(Z[2])",
    ]
    assert list(backward_formulas(second).values()) == [
        "dZ[2] = dA[2] ⊙ leaky_relu'(Z[2])",
        "dW[2] = dZ[2] A[1]ᵀ",
        "db[2] = Σ dZ[2] over m",
        "dA[1] = W[2]ᵀ dZ[2]",
    ]
    assert one_line(second) == "A[2] = leaky_relu(W[2] A[1] + b[2])"


@pytest.mark.parametrize(
    ("activation", "forward", "backward"),
    [
        (identity, "A[1] = Z[1]", "dZ[1] = dA[1]"),
        (softmax, "A[1] = softmax(Z[1])", "dZ[1] = A[1] ⊙ (dA[1] − Σ dA[1] ⊙ A[1])"),
    ],
)
def test_activations_that_are_not_element_by_element(activation, forward, backward):
    assert forward_formulas(place(dense(activation), 1))["A"] == forward
    assert backward_formulas(place(dense(activation), 1))["dZ"] == backward


def test_an_activation_that_is_no_block_is_not_opened():
    closed = place(dense(jnp.tanh), 1)
    assert forward_formulas(closed) == {"A": "A[1] = tanh(W[1] A[0] + b[1])"}
    assert backward_formulas(closed) == {"dA_prev": "dA[0] = ∂J/∂A[0]"}
    closed = place(BatchNorm(2, activation=jnp.tanh), 1)
    assert forward_formulas(closed) == {"A": "A[1] = tanh(gamma[1] ⊙ Z_norm[1] + beta[1])"}


def test_an_unknown_layer_is_written_by_its_name():
    _, scale, half = places([dense(tanh), Scale(), Half()])
    assert forward_formulas(scale) == {"A": "A[2] = Scale(A[1])"}
    assert forward_formulas(half) == {"A": "A[2] ← Half(A[2])"}
    assert backward_formulas(half) == {"dA_prev": "dA[2] ← ∂J/∂A[2]"}


DEEP = DeepNetwork((4, 3, 2), batch_norm=True, keep_prob=0.8, key=jax.random.key(0))


def test_names_of_inputs_and_outputs():
    assert [(p.l, p.A_prev, p.A) for p in places(DEEP.parts())] == [
        (1, "A[0]", "Z[1]"),
        (1, "Z[1]", "A[1]"),
        (1, "A[1]", "A[1]"),
        (2, "A[1]", "Z[2]"),
    ]


def test_batch_norm_as_the_notes_write_it():
    linear, norm, _, _ = places(DEEP.parts())
    assert [one_line(linear), one_line(norm)] == [
        "Z[1] = W[1] A[0]",
        "A[1] = relu(gamma[1] ⊙ Z_norm[1] + beta[1])",
    ]
    assert list(forward_formulas(linear).values()) == ["Z[1] = W[1] A[0]"]
    assert list(forward_formulas(norm, training=True).values()) == [
        "mean[1] = (1/m) Σ Z[1]",
        "variance[1] = (1/m) Σ (Z[1] − mean[1])²",
        "Z_norm[1] = (Z[1] − mean[1]) / √(variance[1] + ε)",
        "Z_tilde[1] = gamma[1] ⊙ Z_norm[1] + beta[1]",
        "A[1] = relu(Z_tilde[1])",
    ]
    assert list(forward_formulas(norm).values())[:2] == [
        "mean[1], running average",
        "variance[1], running average",
    ]
    assert list(backward_formulas(norm, training=True).values()) == [
        "dZ_tilde[1] = dA[1] ⊙ relu'(Z_tilde[1])",
        "dgamma[1] = Σ dZ_tilde[1] ⊙ Z_norm[1] over m",
        "dbeta[1] = Σ dZ_tilde[1] over m",
        "dZ_norm[1] = gamma[1] ⊙ dZ_tilde[1]",
        "dZ[1] = ∂J/∂Z[1], also through mean and variance",
    ]
    assert backward_formulas(norm)["dA_prev"] == "dZ[1] = dZ_norm[1] / √(variance[1] + ε)"
    assert "dZ" not in backward_formulas(linear)  # batch norm has made it


def test_dropout_as_the_notes_write_it():
    _, _, drop, last = places(DEEP.parts())
    assert one_line(drop) == "A[1] ← A[1] ⊙ D[1] / 0.8 in training"
    assert list(forward_formulas(drop, training=True).values()) == [
        "D[1] = 1 with probability keep_prob[1]",
        "A[1] ← A[1] ⊙ D[1] / keep_prob[1]",
    ]
    assert backward_formulas(drop, training=True) == {
        "dA_prev": "dA[1] ← dA[1] ⊙ D[1] / keep_prob[1]"
    }
    assert forward_formulas(drop) == {"A": "A[1] ← A[1], no dropout"}
    assert backward_formulas(drop) == {"dA_prev": "dA[1] ← dA[1]"}
    assert one_line(last) == "Z[2] = W[2] A[1] + b[2]"


def test_arrays_have_the_names_of_their_fields():
    assert array_names(dense(identity)) == ["W", "b"]
    assert array_names(Sequential([Scale()])) == ["layers.0.gamma", "layers.0.seen"]


def test_columns_are_aligned():
    assert aligned([["l", "cache"], ["12", "7"]], right=[1]) == ["l   cache", "12      7"]


def test_labels_are_sorted_and_indexed():
    assert classes_of(["b", "a", "b"]) == ["a", "b"]
    assert classes_of([2, 1], np.array([True])) == [1, 2]
    assert classes_of(np.array([3, "a", 1], object)) == [1, 3, "a"]
    assert codes(np.array(["b", "a"]), ["a", "b"]).tolist() == [1, 0]
    assert codes([], ["a", "b"]).shape == (0,)


def test_a_long_label_keeps_its_ends():
    assert short("exactly nineteen ch") == "exactly nineteen ch"
    assert short("a long name, number 10") == "a long na…number 10"
    assert short("two\nlines") == "two lines"


def test_an_unknown_label_is_refused():
    with pytest.raises(DataError) as error:
        codes(["cat", "fox"], ["cat", "dog"])
    assert str(error.value) == (
        "plot of the classes: expected labels that are among the 2 classes; got 'fox'.\n"
        "Try passing the classes that the model was trained with."
    )
