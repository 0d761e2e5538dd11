"""chainrule/train/recipe.py"""

import json

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.recipe import Recipe

FULL = Recipe(
    "cats.h5",
    target="cat",
    image_size=(64, 64),
    hidden=(20, 7),
    optimizer="gradient_descent",
    learning_rate=0.01,
    batch_size=0,
    epochs=10,
    early_stopping=False,
    seed=3,
)


@pytest.mark.parametrize("recipe", [Recipe("iris"), FULL], ids=["short", "full"])
def test_through_json_and_back(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("recipe", "optimizer"),
    [
        (Recipe("iris"), adam(0.002)),
        (Recipe("iris", optimizer="gradient_descent"), gradient_descent(0.1)),
        (FULL, gradient_descent(0.01)),
    ],
    ids=["adam", "gradient descent", "said"],
)
def test_the_optimiser(recipe, optimizer):
    theta, slope = [np.zeros(2)], [np.array([1.0, -2.0])]
    ours, same = (
        o.update(slope, o.init(theta), theta)[0] for o in (recipe.make_optimizer(), optimizer)
    )
    np.testing.assert_array_equal(ours[0], same[0])


# ---- words

WRONG = {
    ("hidden", (64, -3)): (
        "--hidden: expected whole numbers from 1 on; got -3.\n"
        "Try units per hidden layer, such as 64,32."
    ),
    ("optimizer", "adm"): (
        "--optimizer: expected one of 4 choices; got 'adm'.\n"
        "Try adam (did you mean that?); the choices are adam, momentum, rmsprop, gradient_descent."
    ),
    ("task", "regresion"): (
        "--task: expected one of 2 choices; got 'regresion'.\n"
        "Try regression (did you mean that?); the choices are classification, regression."
    ),
    ("normalize", "mean"): (
        "--normalize: expected one of 3 choices; got 'mean'.\nTry one of standard, pixels, none."
    ),
    ("epochs", 0): "--epochs: expected whole numbers from 1 on; got 0.\nTry 100.",
    ("batch_size", -1): (
        "--batch-size: expected whole numbers from 0 on; got -1.\nTry 64, or all."
    ),
    ("seed", -1): "--seed: expected whole numbers from 0 on; got -1.\nTry 0.",
    ("learning_rate", float("inf")): (
        "--learning-rate: expected a number above 0; got inf.\nTry 0.001."
    ),
}


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_what_means_nothing_is_refused(name, value):
    with pytest.raises(OptionError) as error:
        Recipe("iris", **{name: value})
    assert str(error.value) == WRONG[name, value]


def test_an_entry_that_no_recipe_has():
    with pytest.raises(OptionError) as error:
        Recipe.from_dict({"source": "iris", "learning-rate": 0.1})
    assert str(error.value).startswith(
        "the recipe: expected entries that a recipe has; got 'learning-rate'.\n"
        "Try learning_rate (did you mean that?)"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", 64), ("epochs", "10"), ("early_stopping", "no"), ("target", 3)]
)
def test_an_entry_of_another_kind(name, value):
    with pytest.raises(OptionError, match=f"the recipe, {name}: expected .*; got {value!r}"):
        Recipe.from_dict({"source": "iris", name: value})
