"""A run to look at, trained once; commands that must be refused; a table to spoil."""

import re

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import chainrule

FORM = re.compile(r"[^\n]+: expected [^\n]+; got [^\n]+\.\nTry [^\n]+\.\n")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """What `chainrule train iris` said, and the folder where it was called."""
    folder = tmp_path_factory.mktemp("cli")
    options = ("--hidden", "4", "--epochs", "20", "--learning-rate", "0.05", "--out", "run")
    return chainrule(folder, "train", "iris", *options), folder


@pytest.fixture(scope="session")
def iris_run(trained):
    """The folder of that run."""
    return trained[1] / "run"


@pytest.fixture
def refused(tmp_path):
    """Runs a command that must be refused, and gives its message."""

    def refuse(*words):
        before = sorted(tmp_path.rglob("*"))
        said = chainrule(tmp_path, *words)
        assert said.code == 2
        assert said.out == ""
        *notes, first, hint = said.err.splitlines()
        assert all(note.startswith("note: ") for note in notes), said.err
        message = f"{first}\n{hint}\n"
        assert FORM.fullmatch(message), message
        assert sorted(tmp_path.rglob("*")) == before  # no run, no half of one, no output
        return message

    return refuse


@pytest.fixture
def table(tmp_path):
    """Saves a table of 20 rows that is right, but for the columns that are given."""
    frame = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20) % 3, "y": ["no", "yes"] * 10})

    def save(name="t.csv", **columns):
        frame.assign(**columns).to_csv(tmp_path / name, index=False)
        return name

    return save
