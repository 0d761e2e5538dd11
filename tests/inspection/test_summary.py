"""chainrule/inspection/summary.py"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import tanh
from chainrule.errors import OptionError, ShapeError
from chainrule.inspection.summary import summarize
from chainrule.layers.dense import Dense
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork
from tests.inspection.layers import Flatten, Half, Scale

KEY = jax.random.key(0)
NETWORK = DeepNetwork((3, 4, 2), key=KEY)


def dense(n_prev: int, n_l: int) -> Dense:
    return Dense(n_prev, n_l, key=KEY, activation=tanh, dtype=np.float64)


def test_the_whole_table():
    assert summarize(NETWORK, cost_name="softmax").text() == (
        "DeepNetwork(3-4-2)\n"
        "26 parameters, 104 bytes\n"
        "36 bytes of cache for one example: A[0] … A[L], kept for backward\n"
        "\n"
        "l  formula                        W[l]    b[l]    A[l]    parameters     cache\n"
        "──────────────────────────────────────────────────────────────────────────────\n"
        "0  A[0] = X                                       (3, m)              12 bytes\n"
        "1  A[1] = relu(W[1] A[0] + b[1])  (4, 3)  (4, 1)  (4, m)          16  16 bytes\n"
        "2  Z[2] = W[2] A[1] + b[2]        (2, 4)  (2, 1)  (2, m)          10   8 bytes\n"
        "   A[2] = softmax(Z[2])\n"
        "──────────────────────────────────────────────────────────────────────────────\n"
        "   total                                                          26  36 bytes"
    )


def test_a_narrow_table_loses_its_cache_column_first():
    summary = summarize(NETWORK, m=1000)
    lines = summary.text().splitlines()
    *_, head, _, layer, _, _, _, totals = summary.text(width=len(lines[4]) - 1).splitlines()
    assert head == lines[4].removesuffix("cache").rstrip()
    assert layer.split() == ["0", "A[0]", "=", "X", "(3,", "1000)"]
    assert totals.split() == ["total", "26"]


def test_a_table_that_is_too_wide_becomes_paragraphs():
    summary = summarize(NETWORK, m=1000)
    assert summary.text(width=200) == summary.text()
    assert summary.text(width=60) == (
        "DeepNetwork(3-4-2)\n"
        "26 parameters, 104 bytes\n"
        "36.00 kB of cache for 1,000 examples: A[0] … A[L], kept for backward\n"
        "\n"
        "0  A[0] = X\n"
        "   A (3, 1000)\n"
        "   12.00 kB of cache\n"
        "1  A[1] = relu(W[1] A[0] + b[1])\n"
        "   W (4, 3)  b (4, 1)  A (4, 1000)\n"
        "   16 parameters, 16.00 kB of cache\n"
        "2  Z[2] = W[2] A[1] + b[2]\n"
        "   W (2, 4)  b (2, 1)  A (2, 1000)\n"
        "   10 parameters, 8.00 kB of cache"
    )


def test_batch_norm_and_dropout():
    network = DeepNetwork((3, 4, 2), batch_norm=True, keep_prob=0.8, key=KEY)
    summary = summarize(network, cost_name="softmax")
    lines = summary.text().splitlines()[4:]
    assert [" ".join(line.split()) for line in lines if "─" not in line] == [
        "l formula arrays A[l] parameters cache",
        "0 A[0] = X (3, m) 12 bytes",
        "1 Z[1] = W[1] A[0] W (4, 3) (4, m) 12 16 bytes",
        "1 A[1] = relu(gamma[1] ⊙ Z_norm[1] + beta[1]) gamma, beta (4, 1) (4, m) 8 16 bytes",
        "1 A[1] ← A[1] ⊙ D[1] / 0.8 in training (4, m) 16 bytes",
        "2 Z[2] = W[2] A[1] + b[2] W (2, 4) b (2, 1) (2, m) 10 8 bytes",
        "A[2] = softmax(Z[2])",
        "total 30 68 bytes",
    ]
    assert (
        "1  A[1] = relu(gamma[1] ⊙ Z_norm[1] + beta[1])\n"
        "   gamma, beta (4, 1)  A (4, m)\n"
        "   not learned: mean, variance (4, 1)  t\n"
        "   8 parameters, 16 bytes of cache\n"
    ) in summary.text(width=60)


@pytest.mark.parametrize(
    ("cost_name", "last"),
    [
        ("logistic", "A[2] = sigmoid(Z[2])"),
        ("softmax", "A[2] = softmax(Z[2])"),
        ("squared", "A[2] = Z[2]"),
        ("absolute", "A[2] = Z[2]"),
    ],
)
def test_the_last_activation_belongs_to_the_cost(cost_name, last):
    formulas = summarize(NETWORK, cost_name=cost_name).layers[-1].formulas
    assert formulas == ("Z[2] = W[2] A[1] + b[2]", last)


def test_after_a_last_activation_the_cost_applies_its_own():
    summary = summarize(Sequential([dense(3, 1)]), cost_name="logistic")
    assert summary.layers[-1].formulas == ("A[1] = tanh(W[1] A[0] + b[1])", "Ŷ = sigmoid(A[1])")


def test_any_layers_by_the_names_of_their_arrays():
    summary = summarize(Sequential([Half(), dense(3, 4), Scale(4), Half()]), m=5)
    assert [layer.number for layer in summary.layers] == [0, 0, 1, 2, 2]
    assert summary.layers[3].arrays == {"gamma": (4, 1)}
    assert summary.layers[3].remembered == {"seen": (4, 1)}
    assert summary.layers[3].A == (4, 5)
    assert summary.layers[3].parameters == 4  # without arrays that are not learned
    assert (summary.parameters, summary.parameter_bytes) == (20, 160)
    assert summary.cache_bytes == 8 * 5 * (3 + 3 + 4 + 4 + 4)
    assert "gamma (4, 1)" in summary.text()  # three kinds of arrays have one column
    assert "A[2] ← Half(A[2])" in summary.text()


def test_images_carry_m_first():
    network = Sequential([Flatten(), dense(12, 4)])
    shapes = [layer.A for layer in summarize(network, example=(2, 2, 3)).layers]
    assert shapes == [("m", 2, 2, 3), (12, "m"), (4, "m")]
    assert summarize(network, m=7, example=(2, 2, 3)).layers[0].A == (7, 2, 2, 3)


def test_shapes_are_those_of_the_numbers():
    m, A = 6, jnp.ones((3, 6), np.float32)
    rows = summarize(NETWORK, m=m).layers
    for layer, row in zip(NETWORK.parts(), rows[1:], strict=True):
        A = layer(A)
        assert (row.A, row.cache_bytes) == (A.shape, A.nbytes)


def test_goes_through_json():
    data = json.loads(json.dumps(summarize(NETWORK, cost_name="softmax").to_dict()))
    assert data["parameters"] == 26
    assert data["layers"][1] == {
        "number": 1,
        "title": "Dense(3 -> 4)",
        "formulas": ["A[1] = relu(W[1] A[0] + b[1])"],
        "arrays": {"W": [4, 3], "b": [4, 1]},
        "remembered": {},
        "A": [4, "m"],
        "parameters": 16,
        "cache_bytes": 16,
        "products": 12,
        "block": "",
    }


@pytest.mark.parametrize("network", [Sequential([Half()]), Sequential([Scale(3)])])
def test_an_unknown_number_of_inputs_is_refused(network):
    with pytest.raises(ShapeError) as error:
        summarize(network)
    assert str(error.value) == (
        "summarize(Sequential): expected a first layer with W (n_l, n_x), which gives the number "
        "of inputs; "
        "got no W.\n"
        "Try example=(n_x,), or example=(n_H, n_W, n_C) for images."
    )
    assert summarize(network, example=(3,)).layers[-1].A == (3, "m")


def test_an_error_names_the_layer_that_does_not_fit():
    with pytest.raises(ShapeError, match=r"^layer 2, Dense\(5 -> 2\): expected \(5, m\)"):
        summarize(Sequential([dense(3, 4), Half(), dense(5, 2)]))


def test_an_unknown_cost_is_refused():
    with pytest.raises(OptionError, match="Try softmax"):
        summarize(NETWORK, cost_name="softmx")
