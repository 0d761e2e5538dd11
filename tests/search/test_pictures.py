"""A search over a network of images: its space, its data, and that candidates train in turn."""

import pytest

from chainrule.search.default_space import default_space
from chainrule.search.objective import Objective
from chainrule.search.together import pays
from chainrule.search.tried import DONE
from chainrule.train.recipe import Recipe
from tests.train.pictures import SMALL, pictures

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def objective(tmp_path_factory):
    return Objective(Recipe(pictures(tmp_path_factory.mktemp("pictures")), **SMALL))


def test_the_space_is_of_what_such_a_network_has(objective):
    [prepared] = objective.prepared(objective.base)
    assert list(default_space(prepared).dimensions) == [
        "learning_rate",
        "augment",
        "l2",
        "keep_prob",
    ]
    assert list(default_space(prepared, said=("l2", "keep_prob")).dimensions) == [
        "learning_rate",
        "augment",
    ]


def test_candidates_train_in_turn(objective):
    recipes = [Recipe(objective.base.source, **SMALL, learning_rate=r) for r in (0.01, 0.001)]
    assert not pays([objective.prepared(recipe)[0] for recipe in recipes])
    outcomes = {}
    for told in objective.together(recipes):
        outcomes |= told
    assert [outcomes[place].state for place in (0, 1)] == [DONE, DONE]
    assert outcomes[0].dev_cost != outcomes[1].dev_cost


def test_rows_that_are_pictures_are_scaled_as_training_scales_them():
    base = Recipe("digits", network="convnet", width=1 / 16, epochs=1)
    objective = Objective(base)
    [prepared] = objective.prepared(base)
    assert prepared.door.inputs.kind == "standard"
    assert prepared.door.shape == (8, 8)
