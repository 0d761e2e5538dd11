"""chainrule/runs/recipe.py"""

import json

import pytest

from chainrule.errors import OptionError
from chainrule.runs.defaults import OptimizerSettings
from chainrule.runs.recipe import Recipe

FULL = Recipe(
    "cats.h5",
    target="cat",
    image_size=(64, 64),
    hidden=(20, 7),
    optimizer="gradient_descent",
    learning_rate=0.01,
    decay="exponential",
    decay_rate=0.9,
    clip_norm=1.0,
    batch_size=0,
    l2=0.7,
    l1=0.1,
    keep_prob=(0.8, 1.0),
    batch_norm=True,
    epochs=10,
    early_stopping=False,
    seed=3,
)


@pytest.mark.parametrize("recipe", [Recipe("iris"), FULL], ids=["short", "full"])
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_automatic_normalisation_is_that_of_a_recipe_without_the_option():
    assert Recipe("iris", normalize="auto") == Recipe("iris")


def test_the_optimiser_of_a_recipe():
    recipe = Recipe("iris", optimizer="momentum", learning_rate=0.3, beta=0.8, clip_norm=2.0)
    assert recipe.descent == OptimizerSettings("momentum", 0.3, beta=0.8, clip_norm=2.0)
    assert Recipe("iris", decay="staircase", decay_epochs=3).descent == OptimizerSettings(
        decay="staircase", decay_epochs=3
    )


# ---- error messages

WRONG = {
    ("hidden", (64, -3)): ("--hidden: expected a whole number of at least 1; got -3.\nTry 64,32."),
    ("optimizer", "adm"): (
        "--optimizer: expected one of 4 choices; got 'adm'.\n"
        "Try adam (did you mean that?); the choices are adam, momentum, rmsprop, gradient_descent."
    ),
    ("task", "regresion"): (
        "--task: expected one of 2 choices; got 'regresion'.\n"
        "Try regression (did you mean that?); the choices are classification, regression."
    ),
    ("normalize", "mean"): (
        "--normalize: expected one of 6 choices; got 'mean'.\n"
        "Try one of auto, standard, robust, piecewise, pixels, none."
    ),
    ("epochs", 0): "--epochs: expected a whole number of at least 1; got 0.\nTry 100.",
    ("batch_size", -1): ("--batch-size: expected a whole number of at least 0; got -1.\nTry 64."),
    ("seed", -1): "--seed: expected a whole number of at least 0; got -1.\nTry 0.",
    ("learning_rate", float("inf")): (
        "--learning-rate: expected a number greater than 0; got inf.\nTry 0.001."
    ),
    ("l2", -1): "--l2: expected a number of at least 0; got -1.\nTry 0.1.",
    ("l1", float("nan")): "--l1: expected a number of at least 0; got nan.\nTry 0.1.",
    ("keep_prob", (0.5,)): (
        "--keep-prob: expected one number, or 2, one for each hidden layer; got 1: [0.5].\n"
        "Try 2 numbers, with 1 for a layer that keeps all units."
    ),
    ("decay", "linear"): (
        "--decay: expected the name of a decay method, or an explicit schedule in the form "
        "EPOCH:RATE,EPOCH:RATE; got 'linear'.\n"
        "Try cosine (did you mean that?); the choices are inverse_time, exponential, square_root, "
        "staircase, cosine."
    ),
}


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_invalid_options_are_refused(name, value):
    with pytest.raises(OptionError) as error:
        Recipe("iris", **{name: value})
    assert str(error.value) == WRONG[name, value]


def test_an_unknown_entry_is_refused():
    with pytest.raises(OptionError) as error:
        Recipe.from_dict({"source": "iris", "learning-rate": 0.1})
    assert str(error.value).startswith(
        "the recipe: expected the name of an option; got 'learning-rate'.\n"
        "Try learning_rate (did you mean that?)"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", 64),
        ("epochs", "10"),
        ("early_stopping", "no"),
        ("target", 3),
        ("batch_norm", 1),
        ("l2", "1"),
        ("keep_prob", "0.8"),
    ],
)
def test_an_entry_of_the_wrong_type_is_refused(name, value):
    with pytest.raises(OptionError, match=f"the recipe, {name}: expected .*; got {value!r}"):
        Recipe.from_dict({"source": "iris", name: value})
