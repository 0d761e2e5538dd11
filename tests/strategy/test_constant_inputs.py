"""Inputs with the same value in nearly all training examples."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.runs.prepare import preprocess_sets
from chainrule.strategy.data_checks import constant_inputs

RNG = np.random.default_rng(0)
Y = np.arange(300) % 2


def found_in(X):
    return constant_inputs(preprocess_sets({"train": Dataset("made", X, Y)}, Labels.learn(Y), None))


@pytest.mark.filterwarnings("ignore:.*no pixel is above 1")
def test_black_images_are_found():
    X = np.zeros((300, 8, 8), np.uint8)
    X[0, 0, 0] = 1
    found = found_in(X)
    assert found is not None
    assert (found.name, found.size, found.found) == ("constant inputs", 1.0, True)
    assert found.words == (
        "at least 99 % of the training examples have the same value in 64 of 64 inputs: "
        "were the values read with the right scale?"
    )


def test_images_with_a_black_border_are_no_finding():
    X = np.zeros((300, 8, 8), np.uint8)
    X[:, 1:7, 1:7] = RNG.integers(0, 256, (300, 6, 6))
    assert found_in(X) is None


def test_columns_are_named():
    table = pd.DataFrame(RNG.standard_normal((300, 3)), columns=["a", "b", "c"])
    assert found_in(table) is None
    table["b"] = np.where(np.arange(300) < 2, 5.0, 7.0)
    found = found_in(table)
    assert found is not None
    assert found.words.endswith("in 1 of 3 inputs: 'b'")
    assert found.cures


def test_rare_categories_are_no_finding():
    table = pd.DataFrame({"a": RNG.standard_normal(300), "kind": ["x"] * 298 + ["y"] * 2})
    assert found_in(table) is None


def test_few_examples_are_no_evidence():
    labels = Labels.learn(Y[:10])
    part = Dataset("made", np.zeros((10, 4)) + np.arange(10)[:, None] * [0, 0, 0, 1], Y[:10])
    with pytest.warns(UserWarning, match="constant in the training set"):
        data = preprocess_sets({"train": part}, labels, None)
    assert constant_inputs(data) is None
