"""chainrule/strategy/ladder_candidates.py: the rungs for images."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.runs.prepare import prepare_data
from chainrule.runs.recipe import Recipe
from chainrule.strategy import ladder_candidates
from chainrule.strategy.ladder import run_ladder
from chainrule.strategy.ladder_candidates import (
    kind_of_rungs,
    sample_rows,
    with_schedule_of,
    within_limit,
)
from tests.train.pictures import SMALL, pictures
from tests.train.sources import classes

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Images in two classes, read and split."""
    recipe = Recipe(pictures(tmp_path_factory.mktemp("halves"), m=100), test="none")
    return recipe, prepare_data(recipe)


def tried(recipe: Recipe, data, below: Recipe) -> list[tuple]:
    return [(r.network, r.augment) for r in ladder_candidates.candidates(recipe, data, below)]


# ---- by hand


def test_the_candidates_of_a_rung(halves):
    recipe, data = halves
    first = [("convnet", None), ("convnet", "auto")]
    assert tried(recipe, data, replace(recipe, hidden=())) == first
    for augment in (None, "auto"):
        below = replace(recipe, network="convnet", augment=augment)
        assert tried(recipe, data, below) == [("resnet20", augment)]
    assert tried(recipe, data, replace(recipe, network="resnet20")) == []


def test_larger_images_begin_with_lenet(halves):
    recipe, data = halves
    larger = data._replace(preprocessor=replace(data.preprocessor, shape=(28, 28, 1)))
    assert tried(recipe, larger, recipe) == [("lenet", None), ("lenet", "auto")]


def test_image_rungs_apply_to_images_only(halves, tmp_path):
    recipe, data = halves
    assert kind_of_rungs(recipe, data) == "images"
    assert kind_of_rungs(replace(recipe, batch_norm=True), data) == "rows"
    tiny = data._replace(preprocessor=replace(data.preprocessor, shape=(7, 8, 1)))
    assert kind_of_rungs(recipe, tiny) == "rows"
    table = Recipe(**classes(tmp_path))
    assert kind_of_rungs(table, prepare_data(table)) == "rows"


def test_a_candidate_beyond_the_limit_gets_fewer_epochs_or_none(halves, monkeypatch):
    recipe, data = halves
    on_images = replace(recipe, **SMALL | {"epochs": None})
    whole = within_limit(on_images, data)
    assert whole is not None
    assert whole.epochs > 2
    first, second = 8 * 8 * 9 * 2, 4 * 4 * 9 * 2 * 4  # 2 filters, then 4 behind a pool
    once = 6.0 * (first + second + 2 * 2 * 4 * 8 + 8 * 1) * len(data.parts["train"].X)
    monkeypatch.setattr(ladder_candidates, "IMAGE_OPERATIONS", 2.5 * once)
    few = within_limit(on_images, data)
    assert few is not None
    assert few.epochs == 2
    monkeypatch.setattr(ladder_candidates, "IMAGE_OPERATIONS", 0.5 * once)
    assert within_limit(on_images, data) is None


def test_the_chosen_network_is_trained_for_the_given_epochs():
    found = Recipe("digits", network="lenet", epochs=2, decay="exponential", decay_rate=0.5)
    asked = with_schedule_of(found, Recipe("digits", epochs=7))
    assert asked == Recipe("digits", network="lenet", epochs=7)
    table = Recipe("digits", hidden=(8,), epochs=2)
    assert with_schedule_of(table, Recipe("digits", epochs=7)) is table


# ---- properties


def test_candidates_are_compared_on_a_stratified_sample(halves, monkeypatch):
    _, data = halves
    monkeypatch.setattr(ladder_candidates, "ROWS", 20)
    few = sample_rows(data, seed=0)
    for name in ("train", "dev"):
        part = few.parts[name]
        assert len(part.X) == len(few.sources[name]) == min(20, len(data.parts[name].X))
        np.testing.assert_array_equal(few.sources[name].y, part.Y[:, 0])
    assert sorted(few.sources["train"].y) == [0] * 10 + [1] * 10


def test_the_image_ladder_goes_on_while_it_improves(halves, monkeypatch):
    """It starts with regression on the pixels; the chosen network is a recipe."""
    recipe, data = halves
    recipe = replace(recipe, goal="log_loss")  # which is never at its best, unlike accuracy

    def small(recipe, data, below):
        if below.network is None:
            yield replace(recipe, hidden=None, **SMALL)

    monkeypatch.setattr(ladder_candidates, "MOST", 2)
    monkeypatch.setattr(ladder_candidates, "candidates", small)
    progress = []
    found = run_ladder(recipe, data, on_progress=lambda *now: progress.append(now))
    assert [rung.network for rung in found.rungs] == [None, "convnet"]
    assert {name for name, _ in progress} == {found.rungs[0].name, "convnet"}
    assert sum("chosen" in rung.verdict for rung in found.rungs) == 1
    assert found.recipe.epochs is None
