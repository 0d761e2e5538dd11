"""chainrule/runs/recipe.py: the options of a network for images."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

from chainrule.errors import ChainruleError, DataWarning, OptionError
from chainrule.inspection.report.content import command
from chainrule.runs.folder import load, save
from chainrule.runs.job import resume
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe, augments
from chainrule.strategy.train_model import train_model


def test_a_recipe_with_a_network_survives_json():
    said = {"width": 0.5, "augment": "mirror,crop=4", "precision": "bfloat16"}
    recipe = Recipe("photos", network="resnet20", **said)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.is_named
    assert recipe.hidden_sizes == ()
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
        "--network: expected one of 24 choices; got 'lenett'.\nTry lenet (did you mean that?)",
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
    "an encoding of columns": (
        {"network": "lenet", "normalize": "robust"},
        "--normalize: expected standard, pixels or none with --network lenet, which is for images; "
        "got robust.\nTry leaving --normalize out.",
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


LAYERS = "conv 4 3x3 same, relu, max_pool 2, flatten, dense 10"


def test_a_list_of_layers_is_a_network():
    recipe = Recipe("digits", layers=LAYERS)
    assert recipe.network == "custom"
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert prepare(recipe).network.title == "custom(8×8×1 -> 10)"


def test_a_run_with_a_list_of_layers_is_saved_resumed_and_transferred(tmp_path):
    options = {"layers": LAYERS, "epochs": 2, "batch_size": 512}
    run = train_model("digits", out=tmp_path / "run", **options)
    images = np.zeros((3, 8, 8))
    np.testing.assert_array_equal(load(tmp_path / "run").predict(images), run.predict(images))
    assert resume(tmp_path / "run").history.costs == run.history.costs
    assert "conv 4 3x3 same" in command(run.recipe)
    with pytest.warns(DataWarning, match="may not help"):
        head = train_model("digits", base=str(tmp_path / "run"), retrain="last", epochs=1)
    assert head.recipe.layers == LAYERS


def test_a_transferred_list_of_layers_gets_new_outputs(tmp_path):
    save(train_model("digits", layers=LAYERS, epochs=1), tmp_path / "run")
    digits = load_digits()
    few = digits.target < 4
    np.savez(tmp_path / "few.npz", X=digits.images[few], y=digits.target[few])
    base = {"base": str(tmp_path / "run"), "retrain": "last"}
    run = train_model(str(tmp_path / "few.npz"), epochs=1, dev="none", test="none", **base)
    assert run.recipe.layers == LAYERS.replace("dense 10", "dense 4")
    assert load(save(run, tmp_path / "other").path).recipe == run.recipe


WRONG_LAYERS = {
    "a layer that is none": (
        {"layers": "conv 4 3x3, flaten, dense 10"},
        "--layers, layer 2: expected the name of a layer; got 'flaten'.\nTry flatten",
    ),
    "another network too": (
        {"layers": LAYERS, "network": "lenet"},
        "--layers: expected either --layers or --network; got both, with --network lenet.\n"
        "Try leaving one of them out.",
    ),
    "hidden layers too": (
        {"layers": LAYERS, "hidden": (8,)},
        "--hidden: expected either --hidden or --layers; got both.\nTry leaving one of them out.",
    ),
    "what the list says": (
        {"layers": LAYERS, "keep_prob": 0.5},
        "--keep-prob: expected no value with --layers, which sets it itself; got 0.5.",
    ),
    "no list": (
        {"network": "custom"},
        "--network custom: expected the layers, given by --layers; got none.\nTry --layers",
    ),
}


@pytest.mark.parametrize(("options", "words"), WRONG_LAYERS.values(), ids=WRONG_LAYERS.keys())
def test_options_that_contradict_a_list_of_layers_are_refused(options, words):
    with pytest.raises(OptionError) as error:
        Recipe("digits", **options)
    assert str(error.value).startswith(words)


def test_a_list_of_layers_that_does_not_fit_the_data_is_refused():
    with pytest.raises(ChainruleError) as error:
        prepare(Recipe("digits", layers="max_pool 16, flatten, dense 10"))
    assert str(error.value).startswith("--layers, layer 1 (max_pool 16): expected images of at")
    with pytest.raises(ChainruleError) as error:
        prepare(Recipe("iris", layers=LAYERS))
    assert str(error.value) == (
        "--layers: expected images; got a table of 4 columns.\n"
        "Try --hidden 64,32, or leaving out --layers, which leaves the choice to chainrule."
    )
