"""chainrule/cli/messages.py: what is said of the plan."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.cli import messages
from chainrule.data.labels import Labels
from chainrule.runs.prepare import prepare_data, prepare_network
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from tests.train.pictures import SMALL, pictures


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """What is said of a small network of images with more options."""
    recipe = Recipe(pictures(tmp_path_factory.mktemp("plan"), m=40), test="none", **SMALL)
    data = prepare_data(recipe)
    return lambda **said: messages.format_plan(prepare_network(replace(recipe, **said), data))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("standard", "mean 0 and variance 1 on the training set"),
        (
            "robust",
            "median 0 and interquartile range 1 on the training set, clipped smoothly at ±3",
        ),
        (
            "piecewise",
            "robust scaling, and piecewise-linear encoding in up to 4 quantile bins: 2 numbers "
            "made 6 inputs",
        ),
    ],
)
def test_normalisation_of_columns(kind, words):
    X = np.stack([np.arange(130.0), np.arange(130) % 2], axis=1)
    y = np.arange(130) / 4
    preprocessor = Preprocessor.learn(X, y[:, None], Labels.learn(y), kind)
    assert messages.normalization(preprocessor) == words


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ({}, "the initialisation of convnet for relu"),
        ({"activation": "tanh"}, "the initialisation of convnet for tanh"),
        ({"init": "lecun"}, "lecun"),
    ],
)
def test_first_weights_of_a_network_of_images(plan, said, start):
    assert f"\ninitial weights: {start}\n" in plan(**said)


def test_what_a_network_of_images_is_regularised_by(plan):
    said = plan(batch_norm=True, keep_prob=0.8, augment="mirror")
    messages = "data augmentation (mirror), dropout with keep_prob 0.8, batch norm"
    assert said.endswith(f"\nregularisation: {messages}")
    assert "regularisation" not in plan()
