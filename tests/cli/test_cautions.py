"""chainrule/cli/messages.py: what is said under the results, and when nothing is."""

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import chainrule

QUICK = ("--hidden", "none", "--epochs", "2", "--no-check")


def notes(folder, frame: pd.DataFrame, *options: str) -> list[str]:
    """The notes under the results, where y is to be learned."""
    frame.to_csv(folder / "t.csv", index=False)
    said = chainrule(folder, "train", "t.csv", "--target", "y", *QUICK, *options)
    assert said.code == 0
    after = said.out.split("\ntrain ")[1]
    return [line for line in after.splitlines() if "note:" in line]


def table(y) -> pd.DataFrame:
    """Inputs that tell nothing of y."""
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(y)), "y": y})


def test_where_most_are_of_one_class(tmp_path):
    found = notes(tmp_path, table(["fraud"] * 10 + ["fine\nnote: x"] * 290))
    name = r"fine\nnote: x"  # a line feed in a name begins no line
    assert found == [f"  note: accuracy of always predicting {name}: dev 0.9667, test 0.9667"]


def test_the_same_by_weight(tmp_path):
    frame = table(["a"] * 100 + ["b"] * 100).assign(w=[9] * 100 + [1] * 100)
    found = notes(tmp_path, frame, "--weight", "w")
    assert found == ["  note: accuracy of always predicting a: dev 0.9000, test 0.9000"]


def test_where_always_the_same_is_as_good(tmp_path):
    frame = table(["a"] * 80 + ["b"] * 70 + ["c"] * 60).assign(x=0.0)
    assert notes(tmp_path, frame, "--init", "zeros") == [
        "  note: accuracy of always predicting a: dev 0.3810, test 0.3810"
    ]


def test_so_few_examples(tmp_path):
    found = notes(tmp_path, table(np.linspace(0.5, 2, 50)), "--test", "none")
    assert found == ["  note: scores on so few examples (dev 10) are uncertain"]


@pytest.mark.parametrize("y", [["a", "b"] * 100, np.linspace(0.5, 2, 200)])
def test_nothing_where_there_is_nothing(tmp_path, y):
    frame = table(y).assign(z=pd.Series(y).rank())
    assert notes(tmp_path, frame, "--epochs", "200") == []
