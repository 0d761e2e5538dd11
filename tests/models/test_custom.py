"""Tests of chainrule/models/custom.py: a network that is spelled out as a list of layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, relu, tanh
from chainrule.errors import ChainruleError
from chainrule.layers.layer import count_parameters, named_arrays
from chainrule.models.custom import custom_network, read_layers, with_outputs
from chainrule.models.zoo import build, rebuild

KEY = jax.random.key(0)
SIGNS = "conv 8 4x4 same, relu, max_pool 8, conv 16 2x2 same, relu, max_pool 4, flatten, dense 6"
"""The network of the course's assignment on hand signs (course 4, week 1)."""


def network(layers, shape=(16, 16, 3), n_L=6):
    return custom_network(shape, n_L, layers=layers, key=KEY)


def test_the_network_of_the_assignment():
    signs = network(SIGNS, (64, 64, 3))
    assert [part.title for part in signs.parts()] == [
        *("Images(64×64×3)", "Conv2D(4×4, 3 -> 8)", "MaxPool(8×8, s=8, p=valid)"),
        *("Conv2D(2×2, 8 -> 16)", "MaxPool(4×4, s=4, p=valid)", "Flatten", "Dense(64 -> 6)"),
    ]
    assert count_parameters(signs) == 4 * 4 * 3 * 8 + 8 + 2 * 2 * 8 * 16 + 16 + 64 * 6 + 6
    parts = [signs.parts()[i].activation for i in (1, 3, 6)]
    assert parts == [relu, relu, identity]
    assert signs(jnp.zeros((5, 64, 64, 3), jnp.float32)).shape == (6, 5)


def test_every_kind_of_layer():
    layers = (
        "space_to_depth 2, conv 8 3 stride 2 valid, batch_norm, relu, dropout 0.5, "
        "depthwise 3x3 pad 1, leaky_relu, average_pool 2 stride 1 same, global_average_pool, "
        "flatten, dense 5, tanh, batch_norm, dense 6"
    )
    titles = [part.title for part in network(layers).parts()[1:]]
    assert titles == [
        *("SpaceToDepth(2×2)", "Conv2D(3×3, 12 -> 8, s=2, p=valid)", "BatchNorm(8)"),
        *("Dropout(0.5)", "DepthwiseConv2D(3×3, 8, p=1)", "AveragePool(2×2)"),
        *("GlobalAveragePool", "Flatten", "Dense(8 -> 5)", "BatchNorm(5)", "Dense(5 -> 6)"),
    ]
    parts = network(layers).parts()
    assert parts[2].b is None  # which batch norm would cancel
    assert parts[3].activation is relu
    assert parts[9].activation is tanh
    assert parts[9].b is not None


def test_the_initialisation_suits_the_activations():
    """He is √2 times as large as Xavier for a square W."""
    he, xavier = (
        float(np.std(network(f"flatten, dense 192, {g}, dense 6", (8, 8, 3)).parts()[2].W))
        for g in ("relu", "tanh")
    )
    assert he / xavier == pytest.approx(2**0.5, rel=1e-3)


def test_it_is_rebuilt_from_its_settings():
    signs = build("custom", (64, 64, 3), 6, key=KEY, options={"layers": SIGNS.replace(", ", ",  ")})
    assert signs.settings == {
        **{"network": "custom", "shape": [64, 64, 3], "n_L": 6},
        "layers": SIGNS,
    }
    again = rebuild(signs.settings, key=KEY)
    pairs = zip(named_arrays(signs).values(), named_arrays(again).values(), strict=True)
    assert all(bool((a == b).all()) for a, b in pairs)


def test_another_number_of_outputs():
    assert with_outputs(SIGNS, 3) == SIGNS.replace("dense 6", "dense 3")
    assert [item.kind for item in read_layers("Flatten,dense 6")] == ["flatten", "dense"]


WRONG = {
    "conv 8 3x3, relu, max_pol 2, flatten, dense 6": (
        "layer 3: expected the name of a layer; got 'max_pol'.\nTry max_pool (did you mean that?)"
    ),
    "conv 8 3x3, , flatten, dense 6": "layer 2: expected the name of a layer; got ''.",
    "conv 8, flatten, dense 6": (
        "layer 1 (conv 8): expected the side of a window of at least 1; got nothing.\n"
        "Try conv 8 3x3 same stride 2."
    ),
    "flatten, dense 8, conv 8 3x3, dense 6": (
        "layer 3 (conv 8 3x3): expected images; got flattened images, one vector for each.\n"
        "Try moving this layer before flatten."
    ),
    "conv 8 3x4, flatten, dense 6": (
        "layer 1 (conv 8 3x4): expected a square of F by F, such as 3x3; got '3x4'."
    ),
    "conv 8 3x3 sane, flatten, dense 6": (
        "layer 1 (conv 8 3x3 sane): expected same, valid, pad P or stride S; got 'sane'."
    ),
    "conv 8 3x3 stride, flatten, dense 6": (
        "layer 1 (conv 8 3x3 stride): expected a whole number of at least 1 after 'stride'; "
        "got nothing."
    ),
    "max_pool 2, relu, flatten, dense 6": (
        "layer 2 (relu): expected an activation after conv, depthwise, dense or batch_norm; got "
        "an activation after max_pool.\nTry moving relu, or leaving it out."
    ),
    "conv 4 3x3, dense 6": (
        "layer 2 (dense 6): expected flattened images, one vector for each; got images.\n"
        "Try flatten, dense 6."
    ),
    "flatten, dense 6, softmax": (
        "layer 3: expected the name of a layer; got 'softmax'.\n"
        "Try leaving it out, since the last activation is part of the cost."
    ),
    "flatten, dense 6, sigmoid": (
        "layer 3 (sigmoid): expected dense N as the last layer; got sigmoid.\n"
        "Try leaving out sigmoid, which is part of the cost."
    ),
    "flatten, dense 5": (
        "layer 2 (dense 5): expected 6 units, as many as the network has outputs; got 5.\n"
        "Try dense 6."
    ),
    "max_pool 8, max_pool 4, flatten, dense 6": (
        "layer 2 (max_pool 4): expected images of at least 4 by 4; got 2 by 2, the output size of "
        "the layers before it.\nTry larger images, fewer pooling layers before it, or same padding."
    ),
    "space_to_depth 3, flatten, dense 6": (
        "layer 1 (space_to_depth 3): expected images whose sides are multiples of 3; got 16 by 16."
    ),
    "dropout 1.5, flatten, dense 6": (
        "layer 1 (dropout 1.5): expected a probability above 0, and at most 1; got '1.5'."
    ),
    "flatten 3, dense 6": (
        "layer 1 (flatten 3): expected the end of the layer, or a comma; got '3'."
    ),
}


@pytest.mark.parametrize("layers", WRONG)
def test_each_message_names_the_position_of_the_layer(layers):
    with pytest.raises(ChainruleError) as error:
        network(layers)
    assert str(error.value).startswith(WRONG[layers])
