"""A search over a convolutional network: its space, its data, and training one at a time."""

import pytest

from chainrule.runs.recipe import Recipe
from chainrule.search.objective import Objective, saves_time
from chainrule.search.space import default_space
from chainrule.search.trials import DONE
from tests.train.pictures import SMALL, pictures

pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture(scope="module")
def objective(tmp_path_factory):
    return Objective(Recipe(pictures(tmp_path_factory.mktemp("pictures")), **SMALL))


def test_the_default_space_of_a_convolutional_network(objective):
    [prepared] = objective.prepared(objective.base)
    assert list(default_space(prepared).dimensions) == [
        "learning_rate",
        "augment",
        "l2",
        "keep_prob",
    ]
    assert list(default_space(prepared, options=("l2", "keep_prob")).dimensions) == [
        "learning_rate",
        "augment",
    ]


def test_convolutional_candidates_train_one_at_a_time(objective):
    recipes = [Recipe(objective.base.source, **SMALL, learning_rate=r) for r in (0.01, 0.001)]
    assert not saves_time([objective.prepared(recipe)[0] for recipe in recipes])
    outcomes = {}
    for found in objective.together(recipes):
        outcomes |= found
    assert [outcomes[place].state for place in (0, 1)] == [DONE, DONE]
    assert outcomes[0].dev_cost != outcomes[1].dev_cost


def test_image_rows_are_scaled_as_in_training():
    base = Recipe("digits", network="convnet", width=1 / 16, epochs=1)
    objective = Objective(base)
    [prepared] = objective.prepared(base)
    assert prepared.preprocessor.inputs.kind == "standard"
    assert prepared.preprocessor.shape == (8, 8)
