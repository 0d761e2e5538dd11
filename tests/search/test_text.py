"""chainrule/search/space.py: dimensions and conditions as texts, and invalid texts."""

import pytest

from chainrule.errors import OptionError
from chainrule.search.dimensions import Choices, Integers, Log, OneMinusLog, Uniform
from chainrule.search.space import read_condition, read_dimension, read_pair


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("log(1e-4, 1)", Log(1e-4, 1)),
        ("uniform(-0.5, 1)", Uniform(-0.5, 1)),
        ("one_minus_log(.9,.999)", OneMinusLog(0.9, 0.999)),
        (" integers( 8, 128 ) ", Integers(8, 128)),
        ("integers(8, 128, log)", Integers(8, 128, log=True)),
        ("choices(relu, tanh)", Choices(("relu", "tanh"))),
        ("choices('relu', \"tanh\")", Choices(("relu", "tanh"))),
        ("choices(true, False)", Choices((True, False))),
        ("choices(none, (64,), (64, 32), 8)", Choices(("none", (64,), (64, 32), 8))),
        ("choices(64, all)", Choices((64, "all"))),
    ],
)
def test_a_dimension_and_its_text(text, dimension):
    assert read_dimension(text) == (dimension, None)
    assert read_dimension(str(dimension)) == (dimension, None)


@pytest.mark.parametrize(
    "text",
    ["layers >= 3", "optimizer == adam", "layers in (2, 3) and batch_norm == true", "l2 < 0.5"],
)
def test_a_condition_and_its_text(text):
    assert str(read_condition(text)) == text
    assert str(read_dimension(f"log(1, 2) if {text}")[1]) == text


HINT = "log(1e-4, 1), uniform(0.5, 1), one_minus_log(0.9, 0.999), integers(8, 128), choices(a, b)"
CONDITIONS = "layers >= 3, optimizer == adam, or several with and"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", f"'3': expected a dimension; got another expression.\nTry {HINT}."),
        ("log(1, 2", f"'log(1, 2': expected a dimension; got invalid syntax.\nTry {HINT}."),
        ("log(low=1)", f"'log(low=1)': expected a dimension; got another expression.\nTry {HINT}."),
        (
            "lag(1, 2)",
            "'lag(1, 2)': expected one of 5 choices; got 'lag'.\n"
            "Try log (did you mean that?); the choices are uniform, log, one_minus_log, integers, "
            "choices.",
        ),
        ("log()", f"'log()': expected two bounds; got none.\nTry {HINT}."),
        ("log(1, 2, 3)", f"'log(1, 2, 3)': expected two bounds; got 1, 2, 3.\nTry {HINT}."),
        (
            "integers(1, 2, lag)",
            f"'integers(1, 2, lag)': expected two bounds; got 1, 2, lag.\nTry {HINT}.",
        ),
        (
            "log(1 + 1, 3)",
            f"'log(1 + 1, 3)': expected numbers and names; got 1 + 1.\nTry {HINT}.",
        ),
        (
            "log(1, 2) if layers = 3",
            f"'layers = 3': expected a condition; got invalid syntax.\nTry {CONDITIONS}.",
        ),
        (
            "log(1, 2) if 1 < layers < 3",
            f"'1 < layers < 3': expected a condition; got another expression.\nTry {CONDITIONS}.",
        ),
        (
            "log(1, 2) if layers",
            f"'layers': expected a condition; got another expression.\nTry {CONDITIONS}.",
        ),
        (
            "log(1, 2) if layers in 3",
            "'layers in 3': expected a tuple of values after in; got 3.\nTry layers in (3,).",
        ),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(OptionError) as error:
        read_dimension(text)
    assert str(error.value) == words


def test_no_text_is_evaluated():
    with pytest.raises(OptionError, match="got 'print'"):
        read_dimension("print('x')")


@pytest.mark.parametrize("line", ["l2", "= log(1, 2)", "l 2=log(1, 2)"])
def test_a_line_without_a_name_is_refused(line):
    with pytest.raises(OptionError, match=r"--search: expected NAME=DIMENSION; got "):
        read_pair(line)
