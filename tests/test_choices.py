"""chainrule/choices.py: the names are those of the tables that they stand for."""

import pytest

from chainrule import choices
from chainrule.data.augmentation import KINDS
from chainrule.models.deep_network import ACTIVATIONS, INITIALIZERS
from chainrule.models.zoo import EMBEDDINGS, NETWORKS
from chainrule.runs.defaults import DECAYS, OPTIMIZERS, RULES
from chainrule.runs.options import options_of
from chainrule.runs.recipe import Recipe
from chainrule.search.samplers import PRUNERS, SAMPLERS
from chainrule.strategy.error_analysis import SAMPLES
from chainrule.vision.detection.detector import Detector
from chainrule.vision.recipe import DetectRecipe, SegmentRecipe, VerifyRecipe
from chainrule.vision.segmentation.segmenter import Segmenter
from chainrule.vision.verification.verifier import Verifier
from tests.cli.command import in_a_process

TABLES = {
    "ACTIVATIONS": ACTIVATIONS,
    "INITIALIZERS": INITIALIZERS,
    "OPTIMIZERS": OPTIMIZERS,
    "DECAYS": DECAYS,
    "RULES": RULES,
    "NETWORKS": NETWORKS,
    "EMBEDDINGS": EMBEDDINGS,
    "AUGMENTATIONS": KINDS,
    "SAMPLERS": SAMPLERS,
    "PRUNERS": PRUNERS,
    "SAMPLES": SAMPLES,
}


@pytest.mark.parametrize("name", TABLES)
def test_the_names_are_the_keys_of_the_table(name):
    assert getattr(choices, name) == tuple(TABLES[name])


def test_the_learning_rates_in_the_help_are_the_defaults():
    text = options_of(Recipe)["learning_rate"].default_text
    defaults = {name: algorithm.learning_rate for name, algorithm in OPTIMIZERS.items()}
    others = {rate for name, rate in defaults.items() if name not in ("adam", "rmsprop")}
    (other,) = others
    rates = f"{defaults['adam']} for adam, {defaults['rmsprop']} for rmsprop"
    assert text == f"{rates}, {other} otherwise"


@pytest.mark.parametrize(
    ("recipe", "model"),
    [(DetectRecipe, Detector), (SegmentRecipe, Segmenter), (VerifyRecipe, Verifier)],
)
def test_the_defaults_in_the_help_are_those_of_the_model(recipe, model):
    """The recipe of a vision task leaves what is not set to the model."""
    defaults = model().get_params()
    explained = {"epochs": "depends on the number of images", "base": "random initial weights"}
    explained |= {"mirror_invariant": None}  # a flag that is off by default
    for name in recipe.chosen:
        declared = options_of(recipe)[name]
        assert name in defaults, name
        assert declared.default_text == explained.get(name, declared.text(defaults[name])), name


def test_the_names_import_nothing(tmp_path):
    first = "import sys, chainrule.choices\nprint({'numpy', 'jax'} & sys.modules.keys())"
    said = in_a_process(tmp_path, "--version", first=first)
    assert said.out.splitlines()[0] == "set()"
