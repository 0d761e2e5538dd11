"""chainrule/search/space.py: candidates drawn at random, conditions, files, errors."""

import json
import os
from collections import Counter

import pytest

from chainrule.errors import OptionError
from chainrule.runs.recipe import Recipe
from chainrule.search.dimensions import Choices, Integers, Log
from chainrule.search.space import Space
from chainrule.search.trials import complete_space

LINES = [
    "units3=integers(8, 128) if layers >= 3",
    "layers=integers(1, 3)",
    "learning_rate=log(1e-4, 1)",
    "beta=one_minus_log(0.9, 0.999) if optimizer == momentum and layers != 2",
    "optimizer=choices(adam, momentum)",
]
SPACE = Space.parse(LINES)

# Drawing


def test_the_same_seed_and_number_give_the_same_candidate():
    assert SPACE.sample(seed=1, number=5) == SPACE.sample(seed=1, number=5)
    assert SPACE.sample(seed=1, number=5) != SPACE.sample(seed=1, number=6)
    assert SPACE.sample(seed=1, number=5) != SPACE.sample(seed=2, number=5)


def test_an_added_dimension_changes_no_other():
    wider = Space.parse([*LINES, "l2=log(1e-3, 1)"])
    for number in range(20):
        drawn = wider.sample(0, number)
        assert drawn.pop("l2")
        assert drawn == SPACE.sample(0, number)


def test_no_candidate_has_what_its_condition_forbids():
    for number in range(300):
        drawn = SPACE.sample(0, number)
        assert ("units3" in drawn) == (drawn["layers"] >= 3)
        assert ("beta" in drawn) == (drawn["optimizer"] == "momentum" and drawn["layers"] != 2)


def test_every_choice_comes_as_often():
    drawn = Counter(SPACE.sample(0, number)["layers"] for number in range(600))
    assert min(drawn.values()) > 160


def test_values_are_in_the_order_of_the_space():
    drawn = next(d for d in (SPACE.sample(0, n) for n in range(50)) if len(d) == 5)
    assert list(drawn) == ["units3", "layers", "learning_rate", "beta", "optimizer"]


def test_a_condition_on_a_missing_value_does_not_hold():
    chain = Space.parse(
        ["a=choices(1, 2)", "b=choices(1, 2) if a == 1", "c=choices(1, 2) if b != 3"]
    )
    for number in range(30):
        drawn = chain.sample(0, number)
        assert ("c" in drawn) == ("b" in drawn) == (drawn["a"] == 1)


# Texts and files


def test_a_space_equals_its_text():
    assert Space.from_dict(SPACE.to_dict()).to_dict() == SPACE.to_dict()
    assert SPACE.text("units3") == "integers(8, 128) if layers >= 3"


def test_from_python():
    space = Space(
        {"layers": Integers(1, 3), "units3": Integers(8, 128), "learning_rate": Log(1e-4, 1)},
        {"units3": "layers >= 3"},
    )
    assert space.to_dict()["units3"] == SPACE.to_dict()["units3"]
    assert space.sample(3, 4)["learning_rate"] == SPACE.sample(3, 4)["learning_rate"]


def test_from_a_toml_file(tmp_path):
    (tmp_path / "space.toml").write_text(
        "learning_rate = 'log(1e-4, 1)'\nunits = 'choices(8, 16)'\n"
    )
    space = Space.read(str(tmp_path / "space.toml"))
    assert space.dimensions == {"learning_rate": Log(1e-4, 1), "units": Choices((8, 16))}


def test_from_a_json_file(tmp_path):
    (tmp_path / "space.json").write_text(json.dumps(SPACE.to_dict()))
    assert Space.read(str(tmp_path / "space.json")).to_dict() == SPACE.to_dict()


# Words


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [],
            "the space: expected at least one dimension; got none.\n"
            "Try learning_rate=log(1e-4, 1).",
        ),
        (
            ["l2=log(1, 2)", "l2=log(1, 3)"],
            "the space, l2: expected one dimension of this name; got two.\n"
            "Try choices, or a single range such as log(1, 2).",
        ),
        (
            ["l2=log(0, 1)"],
            "the space, l2, log(0, 1): expected a range above 0; got 0.\nTry log(0.0001, 1).",
        ),
        (
            ["l2=log(1, 2) if layer >= 2", "layers=integers(1, 3)"],
            "the space, l2, if layer >= 2: expected the name of another dimension; got 'layer'.\n"
            "Try layers (did you mean that?); the choices are layers.",
        ),
        (
            ["l2=log(1, 2) if l2 > 1", "l1=log(1, 2)"],
            "the space, l2, if l2 > 1: expected the name of another dimension; got itself.\n"
            "Try l1 (did you mean that?); the choices are l1.",
        ),
        (
            ["l2=log(1, 2) if l1 > 1"],
            "the space, l2, if l1 > 1: expected the name of another dimension; got 'l1'.\n"
            "Try leaving the condition out.",
        ),
        (
            ["l2=log(1, 2) if layers >= 4", "layers=integers(1, 3)"],
            "the space, l2, if layers >= 4: expected a condition that can hold; "
            "got layers=integers(1, 3).\n"
            "Try a condition that some of its values meet.",
        ),
        (
            ["a=log(1, 2) if b > 1", "b=log(1, 2) if c > 1", "c=log(1, 2) if a > 1"],
            "the space: expected conditions without a cycle; got a → b → c → a.\n"
            "Try leaving one of these conditions out.",
        ),
    ],
)
def test_what_is_refused(lines, words):
    with pytest.raises(OptionError) as error:
        Space.parse(lines)
    assert str(error.value) == words


def test_a_condition_without_a_dimension_is_refused():
    with pytest.raises(OptionError) as error:
        Space({"layers": Integers(1, 3), "units": Integers(8, 9)}, {"unit": "layers > 1"})
    assert str(error.value) == (
        "the space, unit, its condition: expected a dimension of this name; got none.\n"
        "Try units (did you mean that?); the choices are layers, units."
    )


LINE = "Try a line such as learning_rate = 'log(1e-4, 1)' for each dimension."


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("none.toml", None, "expected a file; got no such file."),
        (
            "s.toml",
            "l2 = log(1, 2)",
            "expected valid TOML; got an error in the file (Invalid",
        ),
        ("s.toml", "é".encode("latin-1"), "expected valid TOML; got an error in the file ('utf-8'"),
        ("s.toml", "a = " + 9999 * "[", "expected valid TOML; got tables that are nested too dee"),
        ("s.json", "{", "expected valid JSON; got text that is not valid JSON (Expecting"),
        ("s.json", "[1]", "expected an entry for each dimension; got another kind of value"),
        ("s.json", '{"l2": 1, "l2": 2}', "expected valid JSON; got the key 'l2' twice in one obj"),
        ("s.json", 9999 * "[", "expected valid JSON; got objects that are nested too deeply"),
    ],
)
def test_a_file_without_a_space_is_refused(tmp_path, name, text, words):
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(OptionError) as error:
        Space.read(str(path))
    assert str(error.value).startswith(f"--space {path}: {words}")
    assert text is None or str(error.value).endswith(LINE)


def test_a_value_where_a_dimension_should_be():
    with pytest.raises(OptionError) as error:
        Space.from_dict({"l2": 0.5})  # pyright: ignore
    assert str(error.value) == (
        "the space, l2, 0.5: expected a dimension in quotes; got a value.\n"
        'Try "choices(0.5, …)", or setting the option to one value, without a search.'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"log({99999 * '('}", "expected a dimension; got invalid syntax"),
        (f"log({9999 * '-'}1, 1)", "expected a dimension; got invalid syntax"),
        (f"log(1, {400 * '9'})", "expected two numbers; got 999"),
        ("log(1, 1e999)", "expected two numbers; got inf"),
        ("uniform(-1e305, 1e305)", "expected two numbers; got -1e+305"),
        (f"choices({9999 * '1, '}2)", "choices(…): expected at most 1,000 choices; got 10,000."),
    ],
)
def test_texts_that_would_take_long_or_fail_are_refused(text, words):
    with pytest.raises(OptionError) as error:
        Space.parse([f"learning_rate={text}"])
    assert words in str(error.value)


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "space.toml")
    with pytest.raises(OptionError) as error:
        Space.read(str(tmp_path / "space.toml"))
    assert str(error.value).startswith(
        f"--space {tmp_path}/space.toml: expected a regular file; got a pipe."
    )


def test_very_many_layers_are_refused_at_once():
    space = Space.parse(["layers=integers(1, 1000000000)", "units=integers(1, 3)"])
    with pytest.raises(OptionError, match=r"layers: expected at most 1,000 layers; got 1,000,000"):
        complete_space(space, Recipe("iris"))


def test_layers_that_are_no_number_are_refused():
    with pytest.raises(OptionError, match=r"layers: expected whole numbers of at least 0; got a\."):
        complete_space(
            Space.parse(["layers=choices(a, 2)", "units=integers(1, 3)"]), Recipe("iris")
        )
