"""chainrule/runs/options.py: how an option is declared, read and checked."""

import inspect
from dataclasses import MISSING, dataclass

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.estimators import NetworkClassifier, NetworkRegressor
from chainrule.runs.options import (
    PANELS,
    check_options,
    check_parameters,
    option,
    options_of,
    restore,
)
from chainrule.runs.recipe import Recipe
from chainrule.vision.detection.detector import Detector
from chainrule.vision.recipe import DetectRecipe, SegmentRecipe, VerifyRecipe
from chainrule.vision.segmentation.segmenter import Segmenter
from chainrule.vision.verification.verifier import Verifier


@dataclass(frozen=True)
class Made:
    """A recipe with an option of each kind."""

    source: str = option(MISSING, "A file.", "Data", "SOURCE", positional=True)
    steps: int | None = option(None, "Steps.", "Training", "N", minimum=1, example="5")
    rate: float = option(0.5, "Rate.", "Training", "NUMBER", above=0, maximum=1, example="0.1")
    rule: str = option("fast", "Rule.", "Model", "NAME", choices=("fast", "slow"))
    mirror: bool = option(False, "Mirror the images.", "Images")
    sizes: tuple[int, ...] | None = option(None, "Sizes.", "Model", minimum=1, example="3,4")
    shape: tuple[int, int] | None = option(None, "Shape.", "Images", minimum=1)
    kept: float | tuple[float, ...] = option(1.0, "Kept.", "Training", above=0, maximum=1)

    def __post_init__(self):
        check_options(self)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("steps", "7", 7),
        ("steps", " 7 ", 7),
        ("rate", "1e-2", 0.01),
        ("rule", "slow", "slow"),
        ("source", "a.csv", "a.csv"),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_type(name, text, value):
    found = options_of(Made)[name].read(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("steps", "few", "--steps: expected a whole number; got 'few'.\nTry 5."),
        ("steps", "1.5", "--steps: expected a whole number; got '1.5'.\nTry 5."),
        ("steps", "0", "--steps: expected a whole number of at least 1; got 0.\nTry 5."),
        ("rate", "x", "--rate: expected a number; got 'x'.\nTry 0.1."),
        (
            "rate",
            "1.5",
            "--rate: expected a number greater than 0 and at most 1; got 1.5.\nTry 0.1.",
        ),
        ("rate", "nan", "--rate: expected a number greater than 0 and at most 1; got nan."),
        (
            "rule",
            "sloww",
            "--rule: expected one of 2 choices; got 'sloww'.\nTry slow (did you mean that?); the",
        ),
    ],
)
def test_a_wrong_text_is_refused(name, text, message):
    with pytest.raises(OptionError) as error:
        options_of(Made)[name].read(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": "5"}, "--steps: expected a whole number of at least 1; got '5'."),
        ({"steps": True}, "--steps: expected a whole number of at least 1; got True."),
        ({"rate": None}, "--rate: expected a number greater than 0 and at most 1; got None."),
        ({"rule": None}, "--rule: expected one of 2 choices; got None."),
        ({"mirror": "yes"}, "--mirror: expected one of 2 choices; got 'yes'."),
        ({"sizes": (3, 0)}, "--sizes: expected a whole number of at least 1; got 0."),
        ({"kept": (0.5, 2)}, "--kept: expected a number greater than 0 and at most 1; got 2."),
    ],
)
def test_a_recipe_refuses_values_outside_the_constraints(given, message):
    with pytest.raises(OptionError) as error:
        Made("a", **given)
    assert str(error.value).startswith(message)


def test_numpys_numbers_are_numbers():
    assert Made("a", steps=np.int64(3), rate=np.float32(0.5)).steps == 3


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"steps": 1.5}, "the recipe, steps: expected a whole number; got 1.5."),
        ({"steps": True}, "the recipe, steps: expected a whole number; got True."),
        ({"rate": "1"}, "the recipe, rate: expected a number; got '1'."),
        ({"mirror": 1}, "the recipe, mirror: expected true or false; got 1."),
        ({"sizes": 3}, "the recipe, sizes: expected a list of whole numbers; got 3."),
        ({"sizes": ["a"]}, "the recipe, sizes: expected a list of whole numbers; got ['a']."),
        ({"shape": [3]}, "the recipe, shape: expected a list of two whole numbers; got [3]."),
        ({"kept": "1"}, "the recipe, kept: expected a number, or a list of them; got '1'."),
        ({"source": 3}, "the recipe, source: expected text; got 3."),
        (
            {"step": 3},
            "the recipe: expected the name of an option; got 'step'.\nTry steps (did you mean",
        ),
        (
            {"old": 3},
            "the recipe: expected the name of an option; got 'old', which is now called 'new'.\n"
            "Try new.",
        ),
    ],
)
def test_plain_data_of_the_wrong_type_is_refused(saved, message):
    renamed = {"old": "new"}
    message = message.replace("'new'", "'steps'").replace("Try new", "Try steps")
    with pytest.raises(OptionError) as error:
        restore(Made, {"source": "a"} | saved, {name: "steps" for name in renamed})
    assert str(error.value).startswith(message)


def test_plain_data_takes_the_form_of_the_fields():
    saved = {"source": "a", "rate": 1, "sizes": [3, 4], "shape": [5, 6], "kept": [1, 0.5]}
    made = restore(Made, saved | {"steps": None}, {})
    assert made == Made("a", rate=1.0, sizes=(3, 4), shape=(5, 6), kept=(1.0, 0.5))
    assert isinstance(made.rate, float)


# The declared recipes

RECIPES = (Recipe, DetectRecipe, SegmentRecipe, VerifyRecipe)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_option_has_a_help_text_a_panel_and_a_default_that_is_explained(recipe):
    for name, declared in options_of(recipe).items():
        assert declared.panel in PANELS, name
        assert declared.help[0].isupper() or declared.help.startswith(("β", "k ")), name
        assert declared.help.rstrip(".…") != declared.help, name
        assert declared.metavar or bool in declared.types, name


# The estimators, which scikit-learn reads: their signatures are written out

OWN = {
    NetworkClassifier: {"image_shape", "random_state"},
    NetworkRegressor: {"image_shape", "random_state"},
    Detector: {"random_state"},
    Segmenter: {"random_state"},
    Verifier: {"dev_share", "random_state"},
}
MODELS = {
    NetworkClassifier: Recipe,
    NetworkRegressor: Recipe,
    Detector: DetectRecipe,
    Segmenter: SegmentRecipe,
    Verifier: VerifyRecipe,
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_parameters_of_an_estimator_have_the_names_of_the_options(model):
    names = set(inspect.signature(model).parameters)
    assert names - set(options_of(MODELS[model])) == OWN[model]


@pytest.mark.parametrize("model", [Detector, Segmenter, Verifier], ids=lambda model: model.__name__)
def test_a_vision_recipe_sets_parameters_of_its_model(model):
    assert set(MODELS[model].chosen) <= set(inspect.signature(model).parameters)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (NetworkClassifier(epochs=0), "epochs: expected a whole number of at least 1; got 0.\nTry"),
        (NetworkClassifier(epochs="all"), "epochs: expected a whole number of at least 1; got"),
        (NetworkClassifier(l2=-1.0), "l2: expected a number of at least 0; got -1.0.\nTry 0.1."),
        (NetworkClassifier(optimizer="adm"), "optimizer: expected one of 4 choices; got 'adm'."),
        (NetworkClassifier(init="hee"), "init: expected one of 5 choices; got 'hee'."),
        (
            NetworkClassifier(early_stopping="no"),
            "early_stopping: expected one of 3 choices; got 'no'.",
        ),
    ],
)
def test_a_parameter_outside_the_constraints_is_refused(model, message):
    with pytest.raises(OptionError) as error:
        check_parameters(model, Recipe)
    assert str(error.value).startswith(message)


def test_a_parameter_may_be_auto_or_none_if_its_signature_says_so():
    check_parameters(NetworkClassifier(epochs="auto", init=None, learning_rate=None), Recipe)
    with pytest.raises(OptionError, match="class_weight: expected one of 1 choice; got 'none'"):
        check_parameters(Segmenter(class_weight="none"), SegmentRecipe)
    with pytest.raises(OptionError, match="depth: expected a whole number of at least 1; got None"):
        check_parameters(Segmenter(depth=None), SegmentRecipe)
