"""chainrule report: the page of a run, made anew; the run stays whole."""

import json

import numpy as np
import pytest

from chainrule.errors import RunError
from chainrule.runs.folder import load
from tests.cli.command import chainrule


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table and a run on it."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(80, 2))]
    (folder / "table.csv").write_text("\n".join(["a,b,kind", *rows]))
    options = ("--target", "kind", "--hidden", "none", "--epochs", "3", "--out", "run")
    assert chainrule(folder, "train", "table.csv", *options).code == 0
    return folder


def test_it_is_written_into_the_run_which_stays_whole(folder):
    for _ in range(2):  # there is none, there is one
        said = chainrule(folder, "report", "run")
        assert said == (0, "wrote run/report.html\n", "")
        assert load(folder / "run").results
    page = (folder / "run" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "yes" in page


def test_a_report_that_was_changed_is_noticed_and_made_anew_only_by_hand(folder):
    chainrule(folder, "report", "run")
    file = folder / "run" / "report.html"
    written = file.read_bytes()
    file.write_bytes(b"something else")
    with pytest.raises(RunError, match="damaged or changed"):
        load(folder / "run")
    file.write_bytes(written)
    assert load(folder / "run").results


def test_it_is_written_where_one_wants_it(folder):
    said = chainrule(folder, "report", "run", "-o", "page.html", "--json")
    told = json.loads(said.out)
    assert told == {
        "report": "page.html",
        "bytes": (folder / "page.html").stat().st_size,
        "data": True,
    }


def test_a_place_that_cannot_be_written_is_said(folder):
    said = chainrule(folder, "report", "run", "-o", "nowhere/page.html")
    assert said.code == 2
    assert said.err == (
        "--output: expected a file in an existing folder; got nowhere/page.html.\n"
        "Try creating the folder nowhere first.\n"
    )


def test_without_its_data_it_says_what_can_be_said(folder):
    table = folder / "table.csv"
    there = table.read_bytes()
    table.unlink()
    said = chainrule(folder, "report", "run", "-o", "less.html")
    table.write_bytes(there)
    assert said.code == 0
    assert said.out == "wrote less.html\n"
    assert said.err.startswith("note: without the data, the report lacks some sections.\n")
    page = (folder / "less.html").read_text()
    assert 'id="training"' in page
    assert 'id="answers"' not in page


def test_a_run_that_is_none_is_refused(folder):
    said = chainrule(folder, "report", "nothing")
    assert said.code == 2
    assert "expected the folder of a run; got no such folder" in said.err
