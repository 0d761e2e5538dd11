"""chainrule/runs/recipe.py: the options of a network for images."""

import json

import pytest

from chainrule.errors import OptionError
from chainrule.runs.recipe import Recipe, augments


def test_a_recipe_with_a_network_survives_json():
    said = {"width": 0.5, "augment": "mirror,crop=4", "precision": "bfloat16"}
    recipe = Recipe("photos", network="resnet20", **said)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.is_named
    assert recipe.layers == ()
    assert not Recipe("photos").is_named


def test_augments():
    augment = [None, "none", "auto", "crop=1"]
    augmented = [augments(Recipe("photos", network="lenet", augment=one)) for one in augment]
    assert augmented == [False, False, True, True]


def test_options_of_a_network_are_accepted():
    Recipe("photos", network="lenet", batch_norm=True, keep_prob=0.8, activation="tanh")


WRONG = {
    "a name that is none": (
        {"network": "lenett"},
        "--network: expected one of 17 choices; got 'lenett'.\nTry lenet (did you mean that?)",
    ),
    "two networks": (
        {"network": "lenet", "hidden": (64,)},
        "--hidden: expected either --hidden or --network lenet; "
        "got both.\nTry leaving one of them out.",
    ),
    "what it settles itself": (
        {"network": "resnet20", "batch_norm": True},
        "--batch-norm: expected no value with --network resnet20, which sets it itself; got True.\n"
        "Try leaving --batch-norm out.",
    ),
    "a number for each layer": (
        {"network": "lenet", "keep_prob": (0.8, 0.9)},
        "--keep-prob: expected one number for all layers; got (0.8, 0.9).\n"
        "Try leaving --keep-prob out.",
    ),
    "no width": (
        {"network": "lenet", "width": 0},
        "--width: expected a number greater than 0; got 0.\nTry 0.5.",
    ),
    "an augmentation that is none": (
        {"network": "lenet", "augment": "miror"},
        "--augment, augmentation: expected one of 12 choices; got 'miror'.\n"
        "Try mirror (did you mean that?)",
    ),
    "a precision that is none": (
        {"network": "lenet", "precision": "bfloat8"},
        "--precision: expected one of 2 choices; got 'bfloat8'.\nTry bfloat16 (did you mean that?)",
    ),
    "no network": (
        {"augment": "mirror"},
        "--augment: expected --network with the name of an image network; "
        "got none.\nTry --network convnet.",
    ),
}


@pytest.mark.parametrize(("said", "words"), WRONG.values(), ids=WRONG)
def test_invalid_options_are_refused(said, words):
    with pytest.raises(OptionError) as error:
        Recipe("photos", **said)
    assert str(error.value).startswith(words)


@pytest.mark.parametrize(("name", "value"), [("width", "0.5"), ("network", 3)])
def test_an_entry_of_the_wrong_type_is_refused(name, value):
    with pytest.raises(OptionError, match=f"the recipe, {name}: expected .*; got {value!r}"):
        Recipe.from_dict({"source": "photos", name: value})
