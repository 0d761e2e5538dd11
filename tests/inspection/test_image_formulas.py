"""chainrule/inspection/formulas.pythe trace of networks on images"""

import jax
import jax.numpy as jnp

from chainrule.blocks.activations import relu
from chainrule.blocks.costs import squared_cost
from chainrule.inspection.formulas import (
    backward_formulas,
    forward_formulas,
    inside,
    one_line,
    places,
)
from chainrule.inspection.trace import show_trace
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.layers.trace import trace

KEY = jax.random.key(0)


def conv(n_C_prev, n_C, activation=relu, **settings):
    return Conv2D(n_C_prev, n_C, key=KEY, activation=activation, **settings)


def norm(n, **settings):
    return BatchNorm(n, images=True, **settings)


def block(shortcut=None):
    last = Conv2D(2, 2, key=KEY, bias=False)
    return Residual(Sequential([conv(2, 2), last, norm(2)]), shortcut)


PARTS = [
    Images((8, 8, 1)),
    conv(1, 2),
    MaxPool(2),
    DepthwiseConv2D(2, key=KEY, activation=relu),
    AveragePool(2),
    ConvTranspose2D(2, 2, key=KEY, bias=False, activation=relu),
    block(),
    block(Projection(2, 2, key=KEY)),
    GlobalAveragePool(),
    Flatten(),
    Dense(2, 1, key=KEY),
]


def test_each_layer_has_one_line():
    assert [one_line(place) for place in places(PARTS)] == [
        "A[0] ← A[0] as images 8×8×1",
        "A[1] = relu(A[0] ∗ W[1] + b[1])",
        "A[1] ← max_pool(A[1])",
        "A[2] = relu(depthwise(A[1], W[2]) + b[2])",
        "A[2] ← average_pool(A[2])",
        "A[3] = relu(transposed(A[2], W[3]))",
        "A[5] = relu(main(A[3]) + A[3])",
        "A[7] = relu(main(A[5]) + shortcut(A[5]))",
        "A[7] ← global_average_pool(A[7])",
        "A[7] ← A[7], a column for each image",
        "Z[8] = W[8] A[7] + b[8]",
    ]


def test_a_convolution_forward_and_backward():
    place = places(PARTS)[1]
    assert list(forward_formulas(place).values()) == [
        "Z[1] = A[0] ∗ W[1] + b[1]",
        "A[1] = relu(Z[1])",
    ]
    assert list(backward_formulas(place).values()) == [
        "dZ[1] = dA[1] ⊙ relu'(Z[1])",
        "dW[1] = Σ A[0] under the filter · dZ[1] over m, h, w",
        "db[1] = Σ dZ[1] over m, h, w",
        "dA[0] = Σ W[1] · dZ[1] over the positions of the filter",
    ]


def test_layers_without_parameters():
    found = places(PARTS)
    images, largest, average, whole, columns = (found[i] for i in (0, 2, 4, 8, 9))
    assert [
        backward_formulas(p)["dA_prev"] for p in (images, largest, average, whole, columns)
    ] == [
        "dA[0] ← dA[0], reshaped like the input",
        "dA[1] ← dA[1] at the maximum of each window, else 0",
        "dA[2] ← dA[2] / 4 at every entry of a window",
        "dA[7] ← dA[7] / (n_H n_W) at every position",
        "dA[7] ← dA[7], reshaped like the input",
    ]
    assert forward_formulas(largest) == {"A": "A[1] ← max_pool(A[1])"}


def test_a_residual_block():
    place = places(PARTS)[6]
    assert [(p.l, p.A_prev, p.A) for p in inside(place)] == [
        (4, "A[3]", "A[4]"),
        (5, "A[4]", "Z[5]"),
        (5, "Z[5]", "main[5]"),
    ]
    assert forward_formulas(place) == {"A": "A[5] = relu(main[5] + A[3])"}
    assert backward_formulas(place) == {
        "dmain": "dmain[5] = dA[5] ⊙ relu'(main[5] + A[3])",
        "dA_prev": "dA[3] = dA[3] of main + dmain[5]",
    }
    *_, last = inside(place)
    assert forward_formulas(last)["A"] == "main[5] = Z_tilde[5]"
    assert backward_formulas(last)["dZ_tilde"] == "dZ_tilde[5] = dmain[5]"
    assert inside(places(PARTS)[1]) == []


def test_a_block_whose_activation_is_no_block_is_not_opened():
    closed = Residual(Sequential([conv(2, 2)]), activation=jnp.tanh)
    [place] = places([closed])
    assert forward_formulas(place) == {"A": "A[1] = tanh(main(A[0]) + A[0])"}
    assert backward_formulas(place) == {"dA_prev": "dA[0] = ∂J/∂A[0]"}


def test_a_projection():
    place = places(PARTS)[7]
    *_, shortcut = inside(place)
    assert one_line(shortcut) == "shortcut[7] = A[5] ∗ W[7s], normalised"
    assert forward_formulas(place) == {"A": "A[7] = relu(main[7] + shortcut[7])"}
    assert backward_formulas(place)["dA_prev"] == "dA[5] = dA[5] of main + dA[5] of shortcut"
    assert forward_formulas(shortcut, training=True) == {
        "Z": "Z[7s] = A[5] ∗ W[7s]",
        "mean": "mean[7s] = (1/(m n_H n_W)) Σ Z[7s]",
        "variance": "variance[7s] = (1/(m n_H n_W)) Σ (Z[7s] − mean[7s])²",
        "Z_norm": "Z_norm[7s] = (Z[7s] − mean[7s]) / √(variance[7s] + ε)",
        "Z_tilde": "Z_tilde[7s] = gamma[7s] ⊙ Z_norm[7s] + beta[7s]",
        "A": "shortcut[7] = Z_tilde[7s]",
    }
    backward = backward_formulas(shortcut)
    assert backward["dnormalization.gamma"] == (
        "dgamma[7s] = Σ dZ_tilde[7s] ⊙ Z_norm[7s] over m, h, w"
    )
    assert backward["dZ"] == "dZ[7s] = dZ_norm[7s] / √(variance[7s] + ε)"
    assert backward["dW"] == "dW[7s] = Σ A[5] under the filter · dZ[7s] over m, h, w"


# The two loops


def filled(layer, *arrays):
    """Return a layer with the given arrays."""
    return jax.tree.unflatten(jax.tree.structure(layer), [jnp.asarray(a) for a in arrays])


def test_forward_and_backward_by_hand():
    """A 1 by 1 filter of 2 in a block: A[1] = relu(2 X + X) = 3 X where X > 0; the largest is 9."""
    doubled = filled(Conv2D(1, 1, f=1, key=KEY), [[[[2.0]]]], [[[[0.0]]]])
    dense = filled(Dense(1, 1, key=KEY), [[10.0]], [[0.0]])
    chain = Residual(Sequential([doubled]))
    network = Sequential([Images((2, 2, 1)), chain, MaxPool(2), Flatten(), dense])
    X, Y = jnp.array([[1.0], [2.0], [3.0], [-4.0]]), jnp.array([[88.0]])
    text = show_trace(trace(network, X, Y, squared_cost), max_values=4)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[1:] == [
        "Forward",
        "A[0] = X (4, 1) 1 2 3 -4",
        "layer 0, Images(2×2×1)",
        "A[0] ← A[0] as images 2×2×1 (1, 2, 2, 1) 1 2 3 -4",
        "kept for backward: nothing",
        "layer 1, Conv2D(1×1, 1 -> 1)",
        "Z[1] = A[0] ∗ W[1] + b[1] (1, 2, 2, 1) 2 4 6 -8",
        "main[1] = Z[1] (1, 2, 2, 1) 2 4 6 -8",
        "kept for backward: A[0], W[1]",
        "layer 1, Residual(Conv2D(1×1, 1 -> 1) … + identity)",
        "A[1] = relu(main[1] + A[0]) (1, 2, 2, 1) 3 6 9 0",
        "kept for backward: A[1]",
        "layer 1, MaxPool(2×2, s=2, p=0)",
        "A[1] ← max_pool(A[1]) (1, 1, 1, 1) 9",
        "kept for backward: largest[1]",
        "layer 1, Flatten",
        "A[1] ← A[1], a column for each image (1, 1) 9",
        "kept for backward: nothing",
        "layer 2, Dense(1 -> 1)",
        "Z[2] = W[2] A[1] + b[2] (1, 1) 90",
        "kept for backward: A[1], W[2]",
        "Cost",
        "J(Z[2], Y) = 4",
        "Backward",
        "dV is ∂J/∂V; J is the mean over the examples, so 1/m enters in dZ[2] only",
        "layer 2, Dense(1 -> 1)",
        "dZ[2] = ∂J/∂Z[2] (1, 1) 4",
        "dW[2] = dZ[2] A[1]ᵀ (1, 1) 36",
        "db[2] = Σ dZ[2] over m (1, 1) 4",
        "dA[1] = W[2]ᵀ dZ[2] (1, 1) 40",
        "layer 1, Flatten",
        "dA[1] ← dA[1], reshaped like the input (1, 1, 1, 1) 40",
        "layer 1, MaxPool(2×2, s=2, p=0)",
        "dA[1] ← dA[1] at the maximum of each window, else 0 (1, 2, 2, 1) 0 0 40 0",
        "layer 1, Residual(Conv2D(1×1, 1 -> 1) … + identity)",
        "dmain[1] = dA[1] ⊙ relu'(main[1] + A[0]) (1, 2, 2, 1) 0 0 40 0",
        "dA[0] = dA[0] of main + dmain[1] (1, 2, 2, 1) 0 0 120 0",
        "layer 1, Conv2D(1×1, 1 -> 1)",
        "dZ[1] = dmain[1] (1, 2, 2, 1) 0 0 40 0",
        "dW[1] = Σ A[0] under the filter · dZ[1] over m, h, w (1, 1, 1, 1) 120",
        "db[1] = Σ dZ[1] over m, h, w (1, 1, 1, 1) 40",
        "dA[0] = Σ W[1] · dZ[1] over the positions of the filter (1, 2, 2, 1) 0 0 80 0",
        "layer 0, Images(2×2×1)",
        "dA[0] ← dA[0], reshaped like the input (4, 1) 0 0 120 0",
    ]


def test_the_gradients_of_a_block_are_shown_at_its_layers():
    network = Sequential([block(Projection(2, 2, key=KEY)), GlobalAveragePool(), Flatten()])
    images, Y = jnp.ones((1, 2, 2, 2), jnp.float32), jnp.ones((2, 1), jnp.float32)
    text = show_trace(trace(network, images, Y, squared_cost))
    assert "dW[2s] = Σ A[0] under the filter" in text
    assert "dgamma[2s] = Σ dZ_tilde[2s] ⊙ Z_norm[2s] over m, h, w" in text
    assert "kept for backward: A[0], W[2s], Z[2s]" in text
    assert "main.layers" not in text
