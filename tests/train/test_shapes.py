"""chainrule/train/examples.py"""

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.errors import ShapeError
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.examples import Examples, outputs_like
from chainrule.train.fit import fit

X, Y, WEIGHTS = np.ones((6, 4)), np.ones((6, 1)), np.ones(6)


def network(*sizes):
    return DeepNetwork(sizes, key=jax.random.key(0), dtype=float)


def words(*sizes, train=(X, Y, WEIGHTS), dev=None):
    """Return the error message of `fit`, after checking that nothing was compiled."""
    dev = None if dev is None else Examples(*dev)
    with pytest.raises(ShapeError) as error, jax.log_compiles(False):
        fit(network(*sizes), gradient_descent(0.1), logistic_cost, Examples(*train), dev, epochs=1)
    return str(error.value)


def test_counts_the_outputs_from_shapes_alone():
    assert outputs_like(network(4, 3, 2), X).shape == (2, len(X))


def test_the_error_names_the_layer_that_the_rows_do_not_fit():
    assert words(5, 3, 1) == (
        "layer 1, Dense(5 -> 3): expected (5, m), one column per example; got (4, 6) "
        "from the rows X (6, 4).\n"
        "Try a first layer of 4 inputs, or X.T if the examples are its columns."
    )


def test_targets_that_differ_from_the_outputs_are_refused():
    assert words(4, 3, 2) == (
        "the training set, Y: expected (6, 2), one column for each output of DeepNetwork(4-3-2); "
        "got (6, 1).\n"
        "Try a network with 1 output, or one-hot rows for 2 classes."
    )


@pytest.mark.parametrize(
    ("Y", "hint"),
    [(np.ones(6), "Y.reshape(-1, 1)"), (np.ones((5, 1)), "a row of Y for each row of X")],
)
def test_targets_that_are_not_rows_are_refused(Y, hint):
    text = words(4, 1, train=(X, Y, None))
    assert text.startswith(
        f"the training set, Y: expected (6, n_L), one row per example; got {Y.shape}"
    )
    assert text.endswith(f"Try {hint}.")


def test_weights_that_are_a_column_are_refused():
    assert words(4, 1, train=(X, Y, np.ones((6, 1)))) == (
        "the training set, weights: expected (6,), one number per example; got (6, 1).\n"
        "Try weights.ravel()."
    )


def test_an_empty_set_is_refused():
    assert words(4, 1, dev=(X[:0], Y[:0])) == (
        "the dev set: expected at least one example; got X (0, 4).\n"
        "Try checking how its rows were selected."
    )


def test_the_dev_set_is_checked_too():
    assert words(4, 1, dev=(X, np.ones((6, 3)))).startswith("the dev set, Y: expected (6, 1)")
