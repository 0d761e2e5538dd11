"""chainrule/cli/messages.py: which sets there are, and what they have in common."""

import numpy as np
import pytest

from chainrule.cli.messages import format_data
from chainrule.errors import OptionError
from chainrule.runs.prepare import prepare_data
from chainrule.runs.recipe import Recipe


@pytest.fixture
def file(tmp_path):
    """A file of 60 rows, of which only 20 are different."""
    X = np.random.default_rng(0).standard_normal((20, 2)).round(3)
    rows = np.repeat(np.column_stack([X, X[:, 0] > 0]), 3, axis=0)
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="a,b,y", comments="", fmt="%g")
    return str(tmp_path / "rows.csv")


def text(file, **options) -> str:
    recipe = Recipe(file, target="y", **options)
    return format_data(prepare_data(recipe), recipe)


SETS = {
    "all": ({}, "train 36 · dev 12 · test 12"),
    "no dev": ({"dev": "none"}, "train 48 · test 12"),
    "no test": ({"test": "none"}, "train 48 · dev 12"),
    "neither": ({"dev": "none", "test": "none"}, "train 60"),
}


@pytest.mark.parametrize(("options", "sizes"), SETS.values(), ids=SETS)
def test_what_each_combination_does(file, options, sizes):
    found = text(file, **options)
    assert sizes in found
    note = "  note: the {} set was split from {}; use --{} none to train on its rows as well"
    for other in ("dev", "test"):
        alone = len(options) == 1 and other not in options
        assert (note.format(other, file, other) in found) == alone


def test_duplicates_are_reported_with_the_option_that_keeps_them_together(file):
    assert "  --group-duplicates keeps equal rows in one set" in text(file)
    together = text(file, group_duplicates=True)
    assert "shares" not in together
    assert "--group-duplicates" not in together


def test_a_file_of_its_own_is_not_said_to_be_split(file):
    found = text(file, dev="none", test=file)
    assert "was split from" not in found
    assert "--group-duplicates" not in found


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"dev": "none", "test": "none"},
            "--group-duplicates: expected a dev or test set that is split from SOURCE; got "
            "--dev none and --test none.\nTry leaving out one of them.",
        ),
        (
            {"time": "a"},
            "--group-duplicates: expected a random split, without --time; got --time a.\n"
            "Try leaving out one of these options.",
        ),
    ],
    ids=["nothing to split", "time"],
)
def test_duplicates_cannot_be_grouped(options, words):
    with pytest.raises(OptionError) as error:
        Recipe("rows.csv", target="y", group_duplicates=True, **options)
    assert str(error.value) == words
