"""More than forty wrong networks, options and search spaces: each gives one error message.

It has the one form, names the layer or the option that is wrong, and says what to try; nothing is
compiled or written before it comes.
"""

import re

import jax
import numpy as np
import pytest

from chainrule.blocks.costs import softmax_cost
from chainrule.errors import ChainruleError
from chainrule.estimators import NetworkClassifier
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.sequential import Sequential
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.runs.recipe import Recipe
from chainrule.search.space import Space
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from tests.cli.command import chainrule
from tests.compilations import compilations

KEY = jax.random.key(0)
X, Y = np.zeros((6, 4), np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
FORM = re.compile(r"[^\n]+: expected [^\n]+; got [^\n]+\.\nTry [^\n]+\.")


def dense(n_prev, n_l, **options):
    return Dense(n_prev, n_l, key=KEY, **options)


def network(sizes, **options):
    return DeepNetwork(sizes, key=KEY, **options)


def train(model, X=X, Y=Y, **options):
    return fit(model, adam(0.01), softmax_cost, Examples(X, Y), epochs=1, **options)


def layers(*parts):
    """Train these layers on the six examples."""
    return lambda: train(Sequential(parts))


def recipe(**options):
    return lambda: Recipe.from_dict({"source": "iris", **options})


def classifier(**options):
    return lambda: NetworkClassifier(**options).fit(X, Y.argmax(axis=1))


def space(*lines):
    return lambda: Space.parse(lines)


W, b = np.zeros((5, 4)), np.zeros((5, 1))

WRONG = {
    # shapes: the layer that does not fit
    "layer 2, Dense(6 -> 3)": layers(dense(4, 5), dense(6, 3)),
    "layer 3, Dense(2 -> 3)": layers(dense(4, 5), dense(5, 7), dense(2, 3)),
    "layer 1, Dense(7 -> 3)": layers(dense(7, 3)),
    "layer 1, BatchNorm(6)": layers(dense(4, 5, bias=False), BatchNorm(6), dense(5, 3)),
    "layer 2, BatchNorm(3)": layers(dense(4, 5), Dropout(0.5), dense(5, 2), BatchNorm(3)),
    "layer 1, BatchNorm(5)": layers(dense(4, 5), BatchNorm(5, images=True), dense(5, 3)),
    "layer 3, from_weights": lambda: DeepNetwork.from_weights([(W, b), (W.T, W[:4, :1]), (W.T, b)]),
    "layer 1, from_weights": lambda: DeepNetwork.from_weights([(W, b.ravel())]),
    "the training set, Y: expected (6, 2)": lambda: train(network((4, 5, 2))),
    "layer 1, Dense(4 -> 5)": lambda: train(network((4, 5, 3)), X.T, Y[:4]),
    "the training set, Y: expected (6, n_L)": lambda: train(network((4, 3)), X, Y[:, 0]),
    "the training set: expected at least one": lambda: train(network((4, 3)), X[:0], Y[:0]),
    # networks
    "DeepNetwork: expected sizes": lambda: network((4,)),
    "got (4, 0, 3)": lambda: network((4, 0, 3)),
    "got (4, 2.5, 3)": lambda: network((4, 2.5, 3)),
    "DeepNetwork(activation=…)": lambda: network((4, 3), activation="rel"),
    "DeepNetwork(initializer=…)": lambda: network((4, 3), initializer="hee"),
    "DeepNetwork(keep_prob=…): expected a keep_prob": lambda: network((4, 5, 3), keep_prob=1.5),
    "DeepNetwork(keep_prob=…): expected one": lambda: network((4, 5, 3), keep_prob=(0.5, 0.5)),
    "Dropout: expected": lambda: Dropout(0.0),
    # recipes, from the command line and from Python
    "--hidden": recipe(hidden=(64, 0)),
    "--activation": recipe(activation="swish"),
    "--optimizer": recipe(optimizer="adamw"),
    "--learning-rate": recipe(learning_rate=-0.1),
    "--beta: expected a number": recipe(optimizer="momentum", beta=1.0),
    "--beta: expected an optimiser": recipe(optimizer="gradient_descent", beta=0.9),
    "--decay: expected the name of a decay method, or an exp": recipe(decay="cosin"),
    "--decay: expected EPOCH:RATE": recipe(decay="20:0.1,10:0.01"),
    "--decay-rate: expected a --decay": recipe(decay_rate=0.9),
    "--decay-epochs: expected a --decay": recipe(decay_epochs=5),
    "--clip-norm": recipe(clip_norm=0.0),
    "--l2": recipe(l2=-1.0),
    "--l1": recipe(l1=float("nan")),
    "--keep-prob: expected a number greater than 0 and at most 1": recipe(keep_prob=0.0),
    "--keep-prob: expected one": recipe(hidden=(8,), keep_prob=(0.5, 0.5)),
    "--batch-size": recipe(batch_size=-1),
    "--epochs": recipe(epochs=0),
    "the recipe: expected": recipe(keep_probability=0.5),
    "the recipe, batch_norm": recipe(batch_norm="yes"),
    # estimators
    "hidden: expected": classifier(hidden=(8, -1)),
    "keep_prob: expected": classifier(keep_prob=2.0),
    "batch_norm: expected": classifier(batch_norm="always"),
    "l2: expected": classifier(l2="much"),
    "decay: expected": classifier(decay="linear"),
    "clip_norm: expected": classifier(clip_norm=-1),
    # spaces
    "the space, learning_rate": space("learning_rate=log(0, 1)"),
    "the space, beta": space("beta=one_minus_log(0.9, 1)"),
    "the space, units3": space("units3=integers(8, 128) if layer >= 3"),
    "the space, batch_size": space("batch_size=choices()"),
    "the space, l2,": space("l2=logarithmic(1e-4, 1)"),
}


@pytest.mark.parametrize("named", WRONG)
def test_one_error_names_the_layer_or_the_option(named):
    with pytest.raises(ChainruleError) as error:
        WRONG[named]()
    message = str(error.value)
    assert FORM.fullmatch(message), message
    assert named in message


def test_a_wrong_shape_is_refused_before_compilation():
    with compilations() as compiled, pytest.raises(ChainruleError):
        train(network((4, 5, 2)))
    assert not compiled


COMMANDS = [
    ("train", "iris", "--keep-prob", "0.8,0.8,0.8"),
    ("train", "iris", "--decay", "cosin"),
    ("tune", "iris", "--search", "learning_rate=log(0, 1)"),
    ("tune", "iris", "--search", "lerning_rate=log(0.1, 1)"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_command_line_exits_with_2_and_leaves_no_files(tmp_path, words):
    result = chainrule(tmp_path, *words)
    assert result.code == 2
    assert FORM.fullmatch(result.err.strip()), result.err
    assert list(tmp_path.iterdir()) == []
