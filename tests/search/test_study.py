"""chainrule/search/study.py: a search keeps its settings when it is reopened."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import ChainruleError, OptionError, RunError
from chainrule.search.space import Space
from chainrule.search.study import Settings, begin, reopen, with_password, without_password

QUICK = {"hidden": (4,), "epochs": 2}
LINES = ["learning_rate=log(1e-4, 1)", "l2=log(1e-3, 1)"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Begun


def test_a_search_has_a_folder_of_its_own(here):
    first, second = begin("iris", space=LINES, **QUICK), begin("iris", space=LINES, **QUICK)
    assert [str(s.folder) for s in (first, second)] == ["searches/iris-1", "searches/iris-2"]
    assert begin("iris", space=LINES, out="mine/it", **QUICK).folder.is_dir()
    assert first.left == first.settings.trials == 20
    assert first.best is None


def test_the_default_space(here):
    """The dimensions are in the notes' order of importance, without the options that are set."""
    names = list(begin("iris").space.dimensions)
    assert names == ["learning_rate", "units", "batch_size", "layers", "l2"]
    rest = begin("iris", hidden=(4,), learning_rate=0.1, optimizer="momentum")
    assert list(rest.space.dimensions) == ["batch_size", "l2"]
    assert str(begin("iris", optimizer="momentum").space.dimensions["learning_rate"]) == (
        "log(0.0001, 1)"
    )


def test_a_space_from_python_or_from_text(here):
    given = begin("iris", space=Space.parse(LINES), **QUICK)
    assert given.settings.space == begin("iris", space=LINES, **QUICK).settings.space


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "--trials: expected a whole number of at least 1; got 0.\nTry --trials 5."),
        ({"folds": 1}, "--folds: expected a whole number of at least 2; got 1.\nTry --folds 5."),
        ({"folds": 999}, "--folds: expected at least 999 examples; got 120."),
        ({"sampler": "rnd"}, "--sampler: expected one of 6 choices; got 'rnd'."),
        ({"pruner": "rnd"}, "--pruner: expected one of 4 choices; got 'rnd'."),
        ({"space": ["l2=log(0, 1)"]}, "the space, l2, log(0, 1): expected a range above 0; got 0."),
        ({"l2": 0.1}, "--l2: expected either the option or l2 in the space; got both."),
        ({"activation": "no"}, "--activation: expected one of 5 choices; got 'no'."),
        ({"storage": "what"}, "--storage what: expected a reachable database; got "),
    ],
)
def test_nothing_is_written_after_an_error(here, options, words):
    with pytest.raises(ChainruleError) as error:
        begin("iris", **{"space": LINES, **QUICK, **options})
    assert str(error.value).startswith(words)
    assert not list(here.rglob("search.json"))
    assert not list(here.glob("searches/*"))


def test_a_folder_that_is_in_use_is_refused(here):
    begin("iris", space=LINES, out="it", **QUICK)
    with pytest.raises(RunError, match="it: expected a new folder"):
        begin("iris", space=LINES, out="it", **QUICK)
    assert (here / "it" / "search.json").exists()


# Gone on with


def test_a_reopened_search_has_its_settings(here):
    first = begin("iris", space=LINES, sampler="coarse_to_fine", trials=30, folds=3, **QUICK)
    reopened = reopen("searches/iris-1")
    assert reopened.settings.base == first.settings.base
    assert reopened.study.study_name == first.study.study_name
    assert (reopened.settings.sampler, reopened.settings.folds) == ("coarse_to_fine", 3)
    assert reopened.settings.round_size == 10
    assert reopen("searches/iris-1", trials=50).settings.round_size == 10
    assert reopen("searches/iris-1", trials=50).left == 50


def test_data_that_has_changed(here):
    frame = pd.DataFrame({"a": np.arange(30.0), "y": [0, 1] * 15})
    frame.to_csv("t.csv", index=False)
    begin("t.csv", target="y", space=LINES, **QUICK)
    frame.assign(a=1.0 + np.arange(30)).to_csv("t.csv", index=False)
    with pytest.raises(RunError) as error:
        reopen("searches/t-1")
    assert str(error.value) == (
        "searches/t-1: expected the data that the search was started with; got different data.\n"
        "Try a new search, because costs on different data cannot be compared."
    )


def test_a_folder_that_is_no_search(here):
    with pytest.raises(RunError) as error:
        reopen("nothing")
    assert str(error.value) == (
        "nothing: expected the folder of a search; got no readable search.json in it.\n"
        "Try a folder that chainrule tune created, such as searches/NAME-1."
    )


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 9}', '{"format": 1, "seed": 0}'])
def test_a_search_that_is_damaged(here, text):
    begin("iris", space=LINES, out="it", **QUICK)
    (here / "it" / "search.json").write_text(text)
    with pytest.raises(RunError) as error:
        reopen("it")
    assert str(error.value) == (
        "it/search.json: expected the settings of a search; got damaged content.\n"
        "Try an undamaged copy of the search."
    )


# On several machines


def test_the_same_command_joins_and_another_does_not(here):
    """The study's name does not depend on the folder, the number of trials or the data's path."""
    frame = pd.DataFrame({"a": np.arange(30.0), "y": [0, 1] * 15})
    for folder in ("here", "there"):
        (here / folder).mkdir()
        frame.to_csv(here / folder / "t.csv", index=False)
    options = {"target": "y", "space": LINES, "storage": "sqlite:///s.db", **QUICK}
    one = begin("here/t.csv", trials=5, out="one", **options)
    two = begin("there/t.csv", trials=90, out="two", **options)
    assert one.study.study_name == two.study.study_name
    assert one.study.study_name.startswith("t-")
    other = begin("here/t.csv", trials=5, out="other", **{**options, "seed": 1})
    assert other.study.study_name != one.study.study_name


def test_a_password_is_not_stored(here):
    search = begin("iris", space=LINES, **QUICK)
    url = "postgresql://me:secret@host/db"
    settings = replace(search.settings, storage=url)
    settings.write(search.folder)
    text = (search.folder / "search.json").read_text()
    assert "secret" not in text
    assert json.loads(text)["storage"] == without_password(url) == "postgresql://me:***@host/db"
    assert Settings.read(search.folder).study == settings.study
    with pytest.raises(OptionError) as error:
        reopen(search.folder)
    assert str(error.value) == (
        "--storage: expected the URL with its password, which is not stored; got none.\n"
        "Try --storage postgresql://me:***@host/db, with the password."
    )
    assert with_password("postgresql://me:***@host/db", url) == url
    assert with_password("sqlite:///s.db", None) == "sqlite:///s.db"
