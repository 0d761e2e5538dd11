"""Messages: numbers with their nouns, and hints that name something new."""

import numpy as np
import pandas as pd
import pytest

from chainrule.cli.messages import format_curves
from chainrule.data.columns import Columns
from chainrule.data.load import load
from chainrule.errors import (
    ChainruleError,
    DataError,
    check_choice,
    check_columns,
    did_you_mean,
)
from chainrule.formatting import count_of, plural
from chainrule.runs.recipe import Recipe
from chainrule.strategy.train_model import open_data, train_model

# Numbers with their nouns


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("epoch", "epochs"),
        ("class", "classes"),
        ("box", "boxes"),
        ("batch", "batches"),
        ("entry", "entries"),
        ("key", "keys"),
        ("known identity", "known identities"),
        ("other person", "other people"),
    ],
)
def test_nouns_after_a_number(noun, several):
    assert plural(noun) == several
    assert count_of(1, noun) == f"1 {noun}"
    assert count_of(0, noun) == f"0 {several}"
    assert count_of(12_345, noun) == f"12,345 {several}"


def test_one_epoch():
    run = train_model("iris", hidden=(), epochs=1)
    assert "\n1 epoch done" in format_curves(run.history)


def test_one_choice_and_one_feature():
    with pytest.raises(ChainruleError, match="expected one of 1 choice; got 'b'"):
        check_choice("--option", "b", ["a"])
    with pytest.raises(ChainruleError, match="its output should have 1 feature per example"):
        check_columns("Dense(1 -> 2)", np.ones((3, 4)), 1)


# Hints


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame({"price": [1.5, 2.5, 3.5], "prices": [1, 2, 3], "size": [4, 5, 7]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    return str(tmp_path / "table.csv")


def message(function, *arguments, **options) -> str:
    with pytest.raises(ChainruleError) as error:
        function(*arguments, **options)
    return str(error.value)


def test_a_column_with_a_role_is_not_proposed_for_another(table):
    text = message(load, table, target="prices", weight="pricess")
    assert text == (
        "--weight: expected a column of table.csv; got 'pricess'.\n"
        "Try price (did you mean that?); the choices are price, size."
    )
    assert message(load, table, weight="price").endswith("Try one of prices, size.")


def test_a_column_that_is_there_is_not_proposed_for_one_that_is_missing():
    columns = Columns.learn(pd.DataFrame({"size": [1.0, 2, 3], "sizes": [4.0, 5, 7]}))
    text = message(columns.apply, pd.DataFrame({"size": [1.0]}))
    assert text.endswith("Try a table with all columns of training.")
    text = message(columns.apply, pd.DataFrame({"size": [1.0], "Sizes": [4.0]}))
    assert text.endswith("Try Sizes (did you mean that?); the choices are Sizes.")


def test_an_option_that_is_set_is_not_proposed_for_another():
    text = message(Recipe.from_dict, {"source": "iris", "beta": 0.9, "betas": 0.8})
    assert "Try beta2 (did you mean that?)" in text
    assert "choices are beta," not in text


def test_a_word_is_not_proposed_for_itself():
    assert did_you_mean("a", ["a", "ab"]) == "ab (did you mean that?); the choices are ab"
    assert did_you_mean("a", ["a"]) == "leaving it out"


def test_a_name_with_a_line_feed_begins_no_line_of_a_message():
    """Such a name in a file could otherwise look like a message of chainrule."""
    assert did_you_mean("cat", ["cat\nx", "b"]) == (
        r"cat\nx (did you mean that?); the choices are cat\nx, b"
    )


@pytest.mark.parametrize("hint", ["'text'", "text", "numbers"])
def test_a_hint_that_repeats_the_problem_is_left_out(hint):
    error = DataError("the target", "numbers", "'text'", hint)
    assert str(error) == "the target: expected numbers; got 'text'."
    assert str(DataError("a", "b", "c", "d")) == "a: expected b; got c.\nTry d."


@pytest.mark.parametrize("name", ["my.pth", "model.pt", "net.CKPT", "weights.bin"])
def test_a_pytorch_file_explains_itself(name):
    suffix = name[name.index(".") :]
    assert message(open_data, Recipe("digits", base=name)) == (
        f"--from, {name}: expected a safetensors file; got a {suffix} file, which is a pickle and "
        "could run any code.\n"
        'Try safetensors.torch.save_file(model.state_dict(), "model.safetensors"), in PyTorch.'
    )
