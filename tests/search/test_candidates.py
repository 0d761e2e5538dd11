"""chainrule/search/trials.py: recipes of candidates, and invalid spaces."""

import pytest

from chainrule.errors import OptionError
from chainrule.runs.recipe import Recipe
from chainrule.search.space import Space
from chainrule.search.trials import check_not_fixed, complete_space, recipe_of

BASE = Recipe("digits", hidden=(64, 32), epochs=7)

# Recipes


@pytest.mark.parametrize(
    ("values", "hidden"),
    [
        ({}, (64, 32)),
        ({"hidden": (8, 4)}, (8, 4)),
        ({"hidden": 8}, (8,)),
        ({"hidden": "none"}, ()),
        ({"units": 16}, (16, 16)),
        ({"units2": 16}, (64, 16)),
        ({"layers": 0}, ()),
        ({"layers": 1}, (64,)),
        ({"layers": 3, "units": 16}, (16, 16, 16)),
        ({"layers": 3, "units": 16, "units3": 4}, (16, 16, 4)),
        ({"layers": 3, "units1": 16, "units3": 4}, (16, 32, 4)),
        ({"layers": 4, "units3": 16, "units4": 4}, (64, 32, 16, 4)),
    ],
)
def test_the_hidden_layers(values, hidden):
    assert recipe_of(BASE, values).hidden == hidden


def test_other_values_are_entries():
    recipe = recipe_of(BASE, {"learning_rate": 0.5, "batch_size": "all", "batch_norm": True})
    assert (recipe.learning_rate, recipe.batch_size, recipe.batch_norm) == (0.5, 0, True)
    assert recipe.epochs == 7


def test_every_candidate_of_a_complete_space_is_a_recipe():
    space = complete_space(
        Space.parse(
            [
                "learning_rate=log(1e-4, 1)",
                "layers=integers(0, 3)",
                "units=integers(8, 128, log)",
                "units2=choices(4, 8)",
                "keep_prob=uniform(0.5, 1)",
                "optimizer=choices(adam, momentum)",
                "beta=one_minus_log(0.9, 0.999) if optimizer == momentum",
                "batch_size=choices(32, 64, all)",
                "early_stopping=choices(true, false)",
            ]
        ),
        BASE,
    )
    for number in range(50):
        values = space.sample(0, number)
        assert len(recipe_of(BASE, values).hidden) == values["layers"]


def test_units_of_an_optional_layer_are_conditional():
    lines = ["layers=integers(0, 3)", "units=choices(4, 8)", "units1=choices(4, 8)"]
    space = complete_space(Space.parse([*lines, "units3=choices(4, 8)"]), BASE)
    assert {name: str(c) for name, c in space.conditions.items()} == {
        "units": "layers >= 1",
        "units1": "layers >= 1",
        "units3": "layers >= 3",
    }


def test_an_explicit_condition_is_not_replaced():
    lines = ["layers=integers(1, 3)", "units=choices(4, 8)", "units3=choices(4, 8) if layers == 3"]
    assert str(complete_space(Space.parse(lines), BASE).conditions["units3"]) == "layers == 3"


# Words


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["lerning_rate=log(1e-4, 1)"],
            "the space, lerning_rate: expected a hyperparameter; got an unknown name.\n"
            "Try learning_rate (did you mean that?); the choices are ",
        ),
        (
            ["seed=integers(1, 5)"],
            "the space, seed: expected a hyperparameter; got an option that is the same for all "
            "candidates.\nTry learning_rate, which matters most.",
        ),
        (
            ["target=choices(a, b)"],
            "the space, target: expected a hyperparameter; got an option that is the same for all "
            "candidates.\nTry --target instead.",
        ),
        (
            ["learning_rate=uniform(0, 1)"],
            "the space, learning_rate=uniform(0, 1), --learning-rate: expected a number greater "
            "than 0; got 0.\nTry ",
        ),
        (
            ["learning_rate=choices(0.1, relu)"],
            "the space, learning_rate=choices(0.1, relu), learning_rate: expected a number; got "
            "'relu'.\nTry integers for whole numbers, or choices for names.",
        ),
        (
            ["batch_size=uniform(32, 64)"],
            "the space, batch_size=uniform(32, 64), batch_size: expected a whole number; "
            "got 41.6.\nTry integers for whole numbers, or choices for names.",
        ),
        (
            ["activation=choices(relu, tnh)"],
            "the space, activation=choices(relu, tnh), --activation: expected one of 5 choices; "
            "got 'tnh'.\nTry tanh (did you mean that?)",
        ),
        (
            ["keep_prob=uniform(0, 1)"],
            "the space, keep_prob=uniform(0, 1), --keep-prob: expected ",
        ),
        (
            ["l2=uniform(-1, 1)"],
            "the space, l2=uniform(-1, 1), --l2: expected ",
        ),
        (
            ["units=integers(0, 8)"],
            "the space, units=integers(0, 8), units: expected whole numbers of at least 1; got 0.\n"
            "Try units=integers(2, 3).",
        ),
        (
            ["layers=uniform(1, 3)", "units=integers(1, 3)"],
            "the space, layers=uniform(1, 3), layers: expected whole numbers of at least 0; "
            "got 1.6.",
        ),
        (
            ["layers=integers(1, 3)"],
            "the space, layers: expected units for layer 3; got none.\n"
            "Try units3=integers(8, 128, log), or units for all layers.",
        ),
        (
            ["units3=integers(1, 3)"],
            "the space, units3: expected units of one of at most 2 hidden layers; got units3.\n"
            "Try layers=integers(1, 3).",
        ),
        (
            ["hidden=choices(none, 8)", "units=integers(1, 3)"],
            "the space, hidden: expected either hidden or units; got both.\n"
            "Try leaving one of them out.",
        ),
    ],
)
def test_what_is_refused(lines, words):
    with pytest.raises(OptionError) as error:
        complete_space(Space.parse(lines), BASE)
    assert str(error.value).startswith(words)


@pytest.mark.parametrize(
    ("option", "line", "words"),
    [
        (
            "learning_rate",
            "learning_rate=log(1e-4, 1)",
            "--learning-rate: expected either the option or learning_rate in the space; got both.\n"
            "Try leaving out --learning-rate, or the dimension learning_rate.",
        ),
        (
            "hidden",
            "units=choices(8, 16)",
            "--hidden: expected either the option or units in the space; got both.\n"
            "Try leaving out --hidden, or the dimension units.",
        ),
    ],
)
def test_an_option_that_is_set_and_searched_over_is_refused(option, line, words):
    with pytest.raises(OptionError) as error:
        check_not_fixed(Space.parse([line]), {option: 1})
    assert str(error.value) == words
    check_not_fixed(Space.parse([line]), {"epochs": 1})


@pytest.mark.parametrize(
    "line", ["units=choices(8, 16)", "layers=integers(1, 2)", "units1=choices(8, 16)"]
)
def test_a_network_of_images_has_no_hidden_units_to_search_over(line):
    base = Recipe("photos", network="lenet")
    with pytest.raises(OptionError) as error:
        complete_space(Space.parse([line]), base)
    name = line.partition("=")[0]
    assert str(error.value) == (
        f"the space, {name}: expected a hyperparameter of lenet, whose layers are fixed; "
        "got units of hidden layers.\nTry width=choices(0.5, 1, 2), or leaving out --network."
    )
    complete_space(Space.parse(["width=choices(0.5, 1)", "augment=choices(none, mirror)"]), base)


def test_image_options_cannot_be_searched_over():
    with pytest.raises(OptionError, match="the space, skip_unreadable: expected a hyperparameter"):
        complete_space(Space.parse(["skip_unreadable=choices(true, false)"]), BASE)
