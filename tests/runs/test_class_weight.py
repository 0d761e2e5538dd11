"""chainrule/runs/prepare.py: the weights of the classes in training."""

import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.runs.job import train_prepared
from chainrule.runs.prepare import prepare
from chainrule.runs.recipe import Recipe, read_class_weight

ROWS = ["x,w,answer", *(f"{i % 7},{1 + i % 2},{'no' if i % 5 else 'yes'}" for i in range(50))]


@pytest.fixture
def table(tmp_path):
    """Return a table in which every fifth answer is yes."""
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def prepared(table, class_weight, **options):
    options = {"target": "answer", "hidden": (2,), "epochs": 3, **options}
    return prepare(Recipe(str(table), class_weight=class_weight, **options))


# By hand


def test_balanced_classes_have_the_same_total_weight(table):
    """Of 30 training rows, 24 are no and 6 are yes: 30 / (2 · 24) and 30 / (2 · 6)."""
    made = prepared(table, "balanced")
    np.testing.assert_allclose(made.class_weights, [0.625, 2.5])
    part = made.weighted("train")
    yes = part.Y[:, 0] == 1
    assert part.weights[yes].tolist() == [2.5] * 6
    assert part.weights[~yes].tolist() == [0.625] * 24
    assert made.weighted("dev").weights.tolist() == [
        2.5 if y else 0.625 for y in made.parts["dev"].Y[:, 0]
    ]


def test_named_weights_multiply_those_of_the_examples(table):
    made = prepared(table, "yes:5", weight="w")
    np.testing.assert_allclose(made.class_weights, [1, 5])
    part, yes = made.parts["train"], made.parts["train"].Y[:, 0]
    np.testing.assert_allclose(made.weighted("train").weights, part.weights * (1 + 4 * yes))


def test_balanced_classes_take_the_weights_of_the_examples_into_account(table):
    made = prepared(table, "balanced", weight="w")
    part = made.weighted("train")
    yes = part.Y[:, 0] == 1
    assert part.weights[yes].sum() == pytest.approx(part.weights[~yes].sum())


def test_scores_are_not_weighted(table):
    run = train_prepared(prepared(table, "yes:1000,no:1", epochs=100, learning_rate=0.1))
    assert run.results["train"]["m"] == 30
    assert run.results["train"]["accuracy"] * 30 == pytest.approx(
        round(run.results["train"]["accuracy"] * 30)
    )
    assert run.results["train"]["recall"] == 1  # all are said to be yes
    assert run.results["train"]["accuracy"] < 0.5


# Messages


@pytest.mark.parametrize(
    ("text", "got"), [("balance", "'balance'"), ("yes:5,yes:6", "'yes:5,yes:6'"), ("", "''")]
)
def test_other_texts_are_refused(text, got):
    with pytest.raises(OptionError) as error:
        read_class_weight("--class-weight", text)
    assert str(error.value) == (
        "--class-weight: expected balanced, or each class once with its weight, as CLASS:WEIGHT; "
        f"got {got}.\nTry balanced, or yes:5,no:1."
    )


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf"])
def test_weights_are_positive(weight):
    with pytest.raises(OptionError, match="--class-weight: expected a number greater than 0"):
        Recipe("data.csv", class_weight=f"yes:{weight}")


def test_an_unknown_class_is_refused_before_training(table):
    with pytest.raises(OptionError) as error:
        prepared(table, "yess:5")
    assert str(error.value) == (
        "--class-weight: expected one of 2 choices; got 'yess'.\n"
        "Try yes (did you mean that?); the choices are no, yes."
    )


def test_numbers_have_no_classes(table):
    with pytest.raises(OptionError) as error:
        prepared(table, "balanced", target="x", task="regression")
    assert str(error.value) == (
        "--class-weight: expected classes; got a number to predict.\nTry leaving it out."
    )
