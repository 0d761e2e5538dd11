"""A text column with most of the inputs, and few training rows for each of them."""

import numpy as np
import pandas as pd
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.labels import Labels
from chainrule.runs.prepare import preprocess_sets
from chainrule.strategy.data_checks import many_categories
from chainrule.strategy.diagnosis import diagnose
from tests.strategy.hand_made import made

M, LEVELS = 120, 24
LEVEL = np.arange(M) % LEVELS


def table(levels=LEVELS, name="${:.0f}-ish"):
    """Return a table whose column of text has this number of values, and a column of numbers."""
    texts = [name.format(i % levels) for i in range(M)]
    return pd.DataFrame({"balance": texts, "a": np.linspace(-1, 1, M)})


def found_in(X):
    y = np.arange(M) % 2
    return many_categories(preprocess_sets({"train": Dataset("t", X, y)}, Labels.learn(y), None))


def test_the_column_is_named():
    found = found_in(table())
    assert found is not None
    assert (found.name, found.size, found.found) == ("many categories", 24 / 25, True)
    assert found.words == (
        "the column 'balance' became 24 of the 25 inputs, with 5 training rows for each of them on "
        "average"
    )
    assert found.cures == ("--drop balance, or a column with fewer categories",)


def test_numbers_among_the_text_may_be_meant():
    X = table()
    X["balance"] = [text if i % LEVELS else "7" for i, text in enumerate(X["balance"])]
    found = found_in(X)
    assert found is not None
    assert found.cures[0] == "--number balance, if its values are numbers"


@pytest.mark.parametrize(
    "X",
    [
        table(4),
        table().assign(**{f"x{i}": np.linspace(0, i + 1, M) for i in range(24)}),
        table()[["a"]],
    ],
    ids=["few categories", "more numbers", "no text"],
)
def test_other_tables_are_no_finding(X):
    assert found_in(X) is None


@pytest.mark.parametrize(("wrong", "named"), [(True, True), (False, False)])
def test_it_is_a_cause_only_where_the_variance_is_high(wrong, named):
    """The weights memorise the label of each category; on dev, the labels are others."""
    y = LEVEL % 2
    columns = sorted({(text, i % LEVELS) for i, text in enumerate(table()["balance"])})
    W = np.array([[2.0 * (level % 2) - 1 for _, level in columns] + [0.0]])
    sets = {"train": Dataset("t", table(), y), "dev": Dataset("d", table(), 1 - y if wrong else y)}
    run, data = made((W, np.zeros((1, 1))), **sets)
    found = diagnose(run, data).found
    assert ("many categories" in [one.name for one in found]) == named
    assert ("variance" in [one.name for one in found]) == named
