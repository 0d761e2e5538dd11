"""chainrule/inspection/formulas.py, table.py and class_names.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, leaky_relu, softmax
from chainrule.errors import DataError
from chainrule.inspection.class_names import classes_of, codes, short
from chainrule.inspection.formulas import (
    array_names,
    backward_formulas,
    forward_formulas,
)
from chainrule.inspection.table import aligned
from chainrule.layers.dense import Dense
from chainrule.layers.layer import layer_numbers
from chainrule.layers.sequential import Sequential
from tests.inspection.layers import Half, Scale


def dense(activation) -> Dense:
    return Dense(3, 2, key=jax.random.key(0), activation=activation)


def test_numbers_count_layers_with_weights_only():
    assert layer_numbers([Half(), dense(identity), Half(), Scale(), Half()]) == [0, 1, 1, 2, 2]


def test_a_layer_of_the_notes():
    assert list(forward_formulas(dense(leaky_relu), 2).values()) == [
        "Z[2] = W[2] A[1] + b[2]",
        "A[2] = leaky_relu(Z[2])",
    ]
    assert list(backward_formulas(dense(leaky_relu), 2).values()) == [
        "dZ[2] = dA[2] ⊙ leaky_relu'(Z[2])",
        "dW[2] = dZ[2] A[1]ᵀ",
        "db[2] = Σ dZ[2] over m",
        "dA[1] = W[2]ᵀ dZ[2]",
    ]


@pytest.mark.parametrize(
    ("activation", "forward", "backward"),
    [
        (identity, "A[1] = Z[1]", "dZ[1] = dA[1]"),
        (softmax, "A[1] = softmax(Z[1])", "dZ[1] = A[1] ⊙ (dA[1] − Σ dA[1] ⊙ A[1])"),
    ],
)
def test_activations_that_are_not_element_by_element(activation, forward, backward):
    assert forward_formulas(dense(activation), 1)["A"] == forward
    assert backward_formulas(dense(activation), 1)["dZ"] == backward


def test_an_activation_that_is_no_block_stays_closed():
    assert forward_formulas(dense(jnp.tanh), 1) == {"A": "A[1] = tanh(W[1] A[0] + b[1])"}
    assert backward_formulas(dense(jnp.tanh), 1) == {"dA_prev": "dA[0] = ∂J/∂A[0]"}


def test_another_layer_is_said_by_its_name():
    assert forward_formulas(Scale(), 2) == {"A": "A[2] = Scale(A[1])"}
    assert forward_formulas(Half(), 2) == {"A": "A[2] ← Half(A[2])"}
    assert backward_formulas(Half(), 2) == {"dA_prev": "dA[2] ← ∂J/∂A[2]"}


def test_arrays_have_the_names_of_their_fields():
    assert array_names(dense(identity)) == ["W", "b"]
    assert array_names(Sequential([Scale()])) == ["layers.0.gamma", "layers.0.seen"]


def test_columns_stand_below_one_another():
    assert aligned([["l", "cache"], ["12", "7"]], right=[1]) == ["l   cache", "12      7"]


def test_labels_in_order_and_by_place():
    assert classes_of(["b", "a", "b"]) == ["a", "b"]
    assert classes_of([2, 1], np.array([True])) == [1, 2]
    assert classes_of(np.array([3, "a", 1], object)) == [1, 3, "a"]
    assert codes(np.array(["b", "a"]), ["a", "b"]).tolist() == [1, 0]
    assert codes([], ["a", "b"]).shape == (0,)


def test_a_long_label_keeps_its_ends():
    assert short("exactly nineteen ch") == "exactly nineteen ch"
    assert short("a long name, number 10") == "a long na…number 10"
    assert short("two\nlines") == "two lines"


def test_words_about_a_stranger():
    with pytest.raises(DataError) as error:
        codes(["cat", "fox"], ["cat", "dog"])
    assert str(error.value) == (
        "picture of the classes: expected labels among the 2 classes; got 'fox'.\n"
        "Try the classes that the model was trained with."
    )
