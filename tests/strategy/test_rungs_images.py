"""chainrule/strategy/rungs_images.py: the rungs for pictures."""

from dataclasses import replace

import numpy as np
import pytest

from chainrule.strategy import rungs, rungs_images
from chainrule.strategy.ladder import climb
from chainrule.strategy.rungs_images import as_asked, bounded, climbs_by_pictures, few_pictures
from chainrule.train.prepare import prepare_data
from chainrule.train.recipe import Recipe
from tests.train.pictures import SMALL, pictures
from tests.train.sources import classes

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Pictures in two classes, read and split."""
    recipe = Recipe(pictures(tmp_path_factory.mktemp("halves"), m=100), test="none")
    return recipe, prepare_data(recipe)


def tried(recipe: Recipe, data, below: Recipe) -> list[tuple]:
    return [(r.network, r.augment) for r in rungs_images.candidates(recipe, data, below)]


# ---- by hand


def test_what_a_rung_tries(halves):
    recipe, data = halves
    first = [("convnet", None), ("convnet", "auto")]
    assert tried(recipe, data, replace(recipe, hidden=())) == first
    for augment in (None, "auto"):
        below = replace(recipe, network="convnet", augment=augment)
        assert tried(recipe, data, below) == [("resnet20", augment)]
    assert tried(recipe, data, replace(recipe, network="resnet20")) == []


def test_larger_pictures_begin_with_lenet(halves):
    recipe, data = halves
    larger = data._replace(door=replace(data.door, shape=(28, 28, 1)))
    assert tried(recipe, larger, recipe) == [("lenet", None), ("lenet", "auto")]


def test_pictures_climb_and_tables_do_not(halves, tmp_path):
    recipe, data = halves
    assert climbs_by_pictures(recipe, data)
    assert not climbs_by_pictures(replace(recipe, batch_norm=True), data)
    tiny = data._replace(door=replace(data.door, shape=(7, 8, 1)))
    assert not climbs_by_pictures(recipe, tiny)
    table = Recipe(**classes(tmp_path))
    assert not climbs_by_pictures(table, prepare_data(table))


def test_what_would_take_too_long_gets_fewer_epochs_or_is_left_out(halves, monkeypatch):
    recipe, data = halves
    named = replace(recipe, **SMALL | {"epochs": None})
    whole = bounded(named, data)
    assert whole is not None
    assert whole.epochs > 2
    first, second = 8 * 8 * 9 * 2, 4 * 4 * 9 * 2 * 4  # 2 filters, then 4 behind a pool
    once = 6.0 * (first + second + 2 * 2 * 4 * 8 + 8 * 1) * len(data.parts["train"].X)
    monkeypatch.setattr(rungs_images, "OPERATIONS", 2.5 * once)
    few = bounded(named, data)
    assert few is not None
    assert few.epochs == 2
    monkeypatch.setattr(rungs_images, "OPERATIONS", 0.5 * once)
    assert bounded(named, data) is None


def test_what_was_found_trains_for_as_long_as_was_asked():
    found = Recipe("digits", network="lenet", epochs=2, decay="exponential", decay_rate=0.5)
    asked = as_asked(found, Recipe("digits", epochs=7))
    assert asked == Recipe("digits", network="lenet", epochs=7)
    table = Recipe("digits", hidden=(8,), epochs=2)
    assert as_asked(table, Recipe("digits", epochs=7)) is table


# ---- properties


def test_candidates_are_compared_on_few_rows_with_each_class_in_its_share(halves, monkeypatch):
    _, data = halves
    monkeypatch.setattr(rungs_images, "ROWS", 20)
    few = few_pictures(data, seed=0)
    for name in ("train", "dev"):
        part = few.parts[name]
        assert len(part.X) == len(few.sources[name]) == min(20, len(data.parts[name].X))
        np.testing.assert_array_equal(few.sources[name].y, part.Y[:, 0])
    assert sorted(few.sources["train"].y) == [0] * 10 + [1] * 10


def test_it_climbs_until_nothing_is_gained(halves, monkeypatch):
    """Regression on the pixels, then the networks above it; what was chosen is a recipe."""
    recipe, data = halves
    recipe = replace(recipe, goal="log_loss")  # of which something is always left

    def small(recipe, data, below):
        if below.network is None:
            yield replace(recipe, hidden=None, **SMALL)

    monkeypatch.setattr(rungs, "MOST", 2)
    monkeypatch.setattr(rungs_images, "candidates", small)
    watched = []
    found = climb(recipe, data, watch=lambda *now: watched.append(now))
    assert [rung.network for rung in found.rungs] == [None, "convnet"]
    assert {name for name, _ in watched} == {found.rungs[0].name, "convnet"}
    assert sum("chosen" in rung.verdict for rung in found.rungs) == 1
    assert found.recipe.epochs is None
