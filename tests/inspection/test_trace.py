"""chainrule/inspection/trace.py"""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import leaky_relu, softmax, tanh
from chainrule.blocks.costs import softmax_cost, squared_cost
from chainrule.inspection.trace import show_trace, trace_to_dict
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.sequential import Sequential
from chainrule.layers.trace import trace
from chainrule.models.deep_network import DeepNetwork
from tests.inspection.layers import Half, Scale

W1, b1 = jnp.array([[1.0, 0.0], [0.0, -1.0]]), jnp.array([[0.5], [0.0]])
W2, b2 = jnp.array([[2.0, 1.0]]), jnp.array([[0.0]])
X, Y = jnp.array([[1.0, 2.0], [3.0, -1.0]]), jnp.array([[2.0, 5.0]])


@pytest.fixture
def by_hand():
    """Z[1] = [1.5 2.5; −3 1], Z[2] = [3 6], J = ((3 − 2)² + (6 − 5)²)/2 = 1, dZ[2] = [1 1]."""
    return trace(DeepNetwork.from_weights([(W1, b1), (W2, b2)]), X, Y, squared_cost)


def test_forward_and_backward_by_hand(by_hand):
    assert show_trace(by_hand, max_values=4) == (
        "                                 shape   values                 min  mean  max\n"
        "Forward\n"
        "    A[0] = X                     (2, 2)       1    2   3  -1\n"
        "  layer 1, Dense(2 -> 2)\n"
        "    Z[1] = W[1] A[0] + b[1]      (2, 2)     1.5  2.5  -3   1\n"
        "    A[1] = relu(Z[1])            (2, 2)     1.5  2.5   0   1\n"
        "    kept for backward: A[0], W[1], A[1]\n"
        "  layer 2, Dense(2 -> 1)\n"
        "    Z[2] = W[2] A[1] + b[2]      (1, 2)       3    6\n"
        "    kept for backward: A[1], W[2]\n"
        "Cost\n"
        "    J(Z[2], Y) = 1\n"
        "Backward\n"
        "    dV is ∂J/∂V; J is the mean over the examples, so 1/m enters in dZ[2] only\n"
        "  layer 2, Dense(2 -> 1)\n"
        "    dZ[2] = ∂J/∂Z[2]             (1, 2)       1    1\n"
        "    dW[2] = dZ[2] A[1]ᵀ          (1, 2)       4    1\n"
        "    db[2] = Σ dZ[2] over m       (1, 1)       2\n"
        "    dA[1] = W[2]ᵀ dZ[2]          (2, 2)       2    2   1   1\n"
        "  layer 1, Dense(2 -> 2)\n"
        "    dZ[1] = dA[1] ⊙ relu'(Z[1])  (2, 2)       2    2   0   1\n"
        "    dW[1] = dZ[1] A[0]ᵀ          (2, 2)       6    4   2  -1\n"
        "    db[1] = Σ dZ[1] over m       (2, 1)       4    1\n"
        "    dA[0] = W[1]ᵀ dZ[1]          (2, 2)       2    2   0  -1"
    )


@pytest.fixture
def normalised():
    """Z[1] = [1 3], so Z_norm = [−1 1] but for ε; what dropout keeps is twice as large."""
    start = DeepNetwork(
        (1, 1, 1), batch_norm=True, keep_prob=0.5, key=jax.random.key(0), dtype=float
    )
    network = jax.tree.map(jnp.ones_like, start)
    return eqx.tree_at(lambda n: n.parts()[2].keep_prob, network, jnp.array(0.5))


def test_training_with_batch_norm_and_dropout(normalised):
    made = trace(normalised, jnp.array([[1.0, 3.0]]), Y, squared_cost, key=jax.random.key(0))
    text = show_trace(made, digits=3)
    output = [" ".join(line.split()) for line in text.splitlines()]
    forward, backward = output[: output.index("Backward")], output[output.index("Backward") :]
    assert forward[3:9] == [
        "layer 1, Dense(1 -> 1)",
        "Z[1] = W[1] A[0] (1, 2) 1 3",
        "kept for backward: A[0], W[1]",
        "layer 1, BatchNorm(1)",
        "mean[1] = (1/m) Σ Z[1] (1, 1) 2",
        "variance[1] = (1/m) Σ (Z[1] − mean[1])² (1, 1) 1",
    ]
    assert "Z_norm[1] = (Z[1] − mean[1]) / √(variance[1] + ε) (1, 2) -1 1" in forward
    assert "layer 1, Dropout(0.5)" in forward
    kept = "Z[1], example[1], shifted_mean[1], inverse_deviation[1], gamma[1], share[1], A[1]"
    assert f"kept for backward: {kept}" in forward
    assert "kept for backward: D[1], scale[1]" in forward
    made_once = [line.split(" ")[0] for line in backward if " = " in line]
    assert made_once.count("dZ[1]") == made_once.count("dZ[2]") == 1


def test_prediction_with_batch_norm_and_dropout(normalised):
    text = show_trace(trace(normalised, jnp.array([[1.0, 3.0]]), Y, squared_cost))
    assert "mean[1], running average " in text
    assert "A[1] ← A[1], no dropout " in text
    assert "kept for backward: nothing" in text
    output = trace_to_dict(trace(normalised, jnp.array([[1.0, 3.0]]), Y, squared_cost))
    assert [q["name"] for q in output["forward"][1]["quantities"]][:2] == ["mean[1]", "variance[1]"]


def test_an_activation_that_keeps_a_Z_of_its_own(getkey):
    norm = BatchNorm(2, activation=leaky_relu, dtype=float)
    parts = [Dense(2, 2, key=getkey(), dtype=float), norm]
    text = show_trace(trace(Sequential(parts), X, X, squared_cost, key=getkey()))
    assert "share[1], Z_tilde[1], slope[1]\n" in text


def lines(text: str, start: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip().startswith(start)]


def test_a_larger_array_shows_its_beginning_and_its_spread(by_hand):
    (line,) = lines(show_trace(by_hand, max_values=2), "Z[1]")
    assert line[-6:] == ["1.5", "2.5", "…", "-3", "0.5", "2.5"]


def test_digits(getkey):
    made = trace(DeepNetwork((2, 1), key=getkey()), X.astype("f4"), Y.astype("f4"), squared_cost)
    assert f"= {float(made.J):.7g}\n" in show_trace(made, digits=7)
    assert f"= {float(made.J):.2g}\n" in show_trace(made, digits=2)


def test_json_holds_all_quantities(by_hand):
    output = json.loads(json.dumps(trace_to_dict(by_hand), allow_nan=False))
    assert output["J"] == 1.0
    assert output["X"]["values"] == X.tolist()
    assert output["forward"][0]["cached"] == ["A[0]", "W[1]", "A[1]"]
    last_first = [step["layer"] for step in output["backward"]]
    assert last_first == [2, 1]
    gradients = {q["name"]: q["values"] for step in output["backward"] for q in step["quantities"]}
    for name, value in zip(["dW[1]", "db[1]", "dW[2]", "db[2]"], by_hand.gradients(), strict=True):
        np.testing.assert_array_equal(gradients[name], value)
    assert output["backward"][0]["quantities"][1]["formula"] == "dW[2] = dZ[2] A[1]ᵀ"


def test_json_holds_the_spread_of_large_arrays(getkey):
    wide = jax.random.normal(getkey(), (2, 33), jnp.float32)
    network = DeepNetwork((2, 1), key=getkey())
    output = trace_to_dict(trace(network, wide, wide[:1], squared_cost))["X"]
    assert output == {
        "name": "A[0]",
        "formula": "A[0] = X",
        "shape": [2, 33],
        "min": float(wide.min()),
        "mean": pytest.approx(float(wide.mean()), rel=1e-5),
        "max": float(wide.max()),
    }


def test_json_writes_numbers_that_are_not_finite_as_text(by_hand):
    by_hand.J = jnp.array(jnp.nan)
    by_hand.layers[0].forward["Z"] = jnp.array([[jnp.inf, -jnp.inf]])
    output = json.loads(json.dumps(trace_to_dict(by_hand), allow_nan=False))
    assert output["J"] == "nan"
    assert output["forward"][0]["quantities"][0]["values"] == [["inf", "-inf"]]


def test_layers_of_any_kind(getkey):
    parts = [
        Half(),
        Dense(2, 2, key=getkey(), activation=jnp.tanh, dtype=np.float64),
        Scale(2),
        Dense(2, 2, key=getkey(), activation=tanh, dtype=np.float64),
    ]
    made = trace(Sequential(parts), X, jnp.eye(2), softmax_cost)
    output = trace_to_dict(made)
    assert [[q["formula"] for q in step["quantities"]] for step in output["forward"]] == [
        ["A[0] ← Half(A[0])"],
        ["A[1] = tanh(W[1] A[0] + b[1])"],
        ["A[2] = Scale(A[1])"],
        ["Z[3] = W[3] A[2] + b[3]", "A[3] = tanh(Z[3])"],
    ]
    assert [[q["name"] for q in step["quantities"]] for step in output["backward"]] == [
        ["dA[3]", "dZ[3]", "dW[3]", "db[3]", "dA[2]"],
        ["dgamma[2]", "dA[1]"],
        ["dW[1]", "db[1]", "dA[0]"],
        ["dA[0]"],
    ]
    assert output["convention"].endswith("1/m enters in dA[3] only")
    text = show_trace(made)
    assert f"J(A[3], Y) = {float(made.J):.4g}" in text
    assert "kept for backward: the residuals of JAX, " in text


@pytest.mark.parametrize(
    ("activation", "cached"),
    [(leaky_relu, "A[0], W[1], Z[1], slope[1]"), (softmax, "A[0], W[1], A[1]")],
)
def test_each_activation_keeps_what_its_slope_needs(activation, cached, getkey):
    layer = Dense(2, 2, key=getkey(), activation=activation, dtype=np.float64)
    assert f"kept for backward: {cached}\n" in show_trace(trace(layer, X, X, squared_cost))
