"""chainrule/search/study.py: a search keeps its settings when it is reopened."""

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import ChainruleError, MissingExtraError, OptionError, RunError
from chainrule.search.space import Space
from chainrule.search.study import (
    Settings,
    begin,
    open_storage,
    reopen,
    without_password,
)
from tests.search.problem import study_in

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
        (
            {"storage": "http://["},
            "--storage http://[: expected a valid URL; got Invalid IPv6 URL",
        ),
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
        "nothing: expected the folder of a search; got no search.json in it.\n"
        "Try a folder that chainrule tune created, such as searches/NAME-1."
    )


OLD = {
    **{"format": 1, "recipe": {"source": "iris"}, "space": {"l2": "log(0.1, 1)"}, "seed": 0},
    **{"sampler": "random", "pruner": "none", "folds": None, "trials": 4, "round_size": 4},
    **{"together": False, "storage": None, "digests": {}},
}
"""The settings of a search of an earlier version, without a sha256."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ": expected the settings of a search; got text that is not valid JSON ("),
        ("[]", ": expected the settings of a search in format 2; got another format."),
        ("{}", ": expected the settings of a search in format 2; got another format."),
        ({"format": 9}, ": expected the settings of a search in format 2; got another format."),
        ({"format": True}, ": expected the settings of a search in format 2; got another format."),
        ('{"format": 1, "seed": 0}', ": expected the declared entries; got object missing"),
        ('{"format": 1, "format": 1}', "; got the key 'format' twice in one object."),
        ({"size": 1}, ": expected the declared entries; got the unknown entry 'size'."),
        ({"recipe": []}, ", at recipe: expected `object`; got `array`."),
        ({"recipe": {}}, ", at recipe: expected the source of the data; got none."),
        ({"recipe": {"source": 5}}, "search.json, the recipe, source: expected text; got 5."),
        ({"recipe": {"source": "iris", "colour": 1}}, ", the recipe: expected the name of an opt"),
        ({"recipe": {"source": "iris", "epochs": "x"}}, ", the recipe, epochs: expected a whole n"),
        ({"space": {"l2": 5}}, ", at space[...]: expected `str`; got `int`."),
        ({"space": {"l2": "log("}}, ", the space, l2, 'log(': expected a dimension; got invalid"),
        ({"space": {}}, ", the space: expected at least one dimension; got none."),
        ({"sampler": "rnd"}, ", --sampler: expected one of 6 choices; got 'rnd'."),
        ({"pruner": None}, ", at pruner: expected `str`; got `null`."),
        ({"folds": 0}, ", at folds: expected `int` >= 1; got a value outside these bounds."),
        ({"folds": 1}, ", --folds: expected a whole number of at least 2; got 1."),
        ({"trials": -1}, ", at trials: expected `int` >= 0; got a value outside these bounds."),
        ({"round_size": 0}, ", at round_size: expected `int` >= 1; got a value outside these b"),
        ({"seed": 1.5}, ", at seed: expected `int`; got `float`."),
        ({"together": "yes"}, ", at together: expected `bool`; got `str`."),
        ({"digests": {"train": 1}}, ", at digests[...]: expected `str`; got `int`."),
    ],
)
def test_a_search_that_is_damaged(here, text, words):
    begin("iris", space=LINES, out="it", **QUICK)
    written = text if isinstance(text, str) else json.dumps(OLD | text)
    (here / "it" / "search.json").write_text(written)
    with pytest.raises(RunError) as error:
        reopen("it")
    assert words in str(error.value)


def test_every_changed_bit_of_the_settings_is_found(here):
    begin("iris", space=LINES, out="it", **QUICK)
    content = (here / "it" / "search.json").read_bytes()
    for place in range(0, len(content), 5):
        flipped = bytes([content[place] ^ 1 << place % 8])
        (here / "it" / "search.json").write_bytes(content[:place] + flipped + content[place + 1 :])
        with pytest.raises(RunError, match=r"^it/search\.json"):
            Settings.read(here.__class__("it"))
    for length in range(0, len(content), 31):
        (here / "it" / "search.json").write_bytes(content[:length])
        with pytest.raises(RunError, match=r"^it/search\.json"):
            Settings.read(here.__class__("it"))


def test_settings_of_an_earlier_version_are_read(here):
    (here / "it").mkdir()
    (here / "it" / "search.json").write_text(json.dumps(OLD, indent=1, ensure_ascii=False))
    assert Settings.read(here / "it").trials == 4
    sealed = json.loads((begin("iris", space=LINES, **QUICK).folder / "search.json").read_text())
    assert (sealed["format"], len(sealed["sha256"])) == (2, 64)


def test_files_of_another_search_are_refused(here):
    """The journal and its recorded end belong to the search, which has the same data."""
    one, other = (begin("iris", space=LINES, seed=s, **QUICK) for s in (0, 1))
    for search in (one, other):
        search.study.tell(search.study.ask(), 1.0)
    contents = {file.name: file.read_bytes() for file in one.folder.glob("*.*")}
    theirs = {name: (other.folder / name).read_bytes() for name in contents}
    for names in (
        ["journal.log"],
        ["journal.end"],
        ["search.json"],
        ["journal.log", "journal.end"],
    ):
        for name in contents:
            (one.folder / name).write_bytes((theirs if name in names else contents)[name])
        with pytest.raises(RunError, match=r"^searches/iris-1/journal"):
            reopen(one.folder)
    for name in contents:
        (one.folder / name).write_bytes(contents[name])
    assert reopen(one.folder).left == 19
    (one.folder / "journal.end").unlink()
    with pytest.raises(RunError, match=r"journal\.end: expected the recorded end of the"):
        reopen(one.folder)


def test_settings_in_a_pipe_are_refused(here):
    (here / "it").mkdir()
    os.mkfifo(here / "it" / "search.json")
    with pytest.raises(RunError, match="expected a regular file; got a pipe"):
        reopen("it")


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
        "--storage: expected the URL of the database of this search, since the stored one is not "
        "opened; got none.\nTry --storage postgresql://me:***@host/db, with the password."
    )


def test_a_stored_url_is_not_opened(here):
    """A folder that somebody else made can name any file, in which a database would be created."""
    search = begin("iris", space=LINES, **QUICK)
    url = f"sqlite:///{here}/outside.db"
    replace(search.settings, storage=url).write(search.folder)
    with pytest.raises(OptionError) as error:
        reopen(search.folder)
    assert str(error.value).endswith(f"Try --storage {url}, if you trust this database.")
    assert not (here / "outside.db").exists()
    assert reopen(search.folder, storage=url).settings.storage == url


# Databases


def test_a_database(tmp_path):
    there = open_storage(tmp_path, f"sqlite:///{tmp_path}/search.db")
    study_in(tmp_path, there).set_user_attr("a", 1)
    reopened = open_storage(tmp_path, f"sqlite:///{tmp_path}/search.db")
    assert study_in(tmp_path, reopened).user_attrs == {"a": 1}
    assert not (tmp_path / "journal.log").exists()


def test_a_database_whose_driver_is_missing(tmp_path):
    with pytest.raises(MissingExtraError) as error:
        open_storage(tmp_path, "postgresql+pg8000://me@nowhere/db")
    assert str(error.value) == (
        "--storage postgresql+pg8000://me@nowhere/db: expected the package pg8000; "
        "got an installation without it.\nTry pip install pg8000."
    )


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/search.db", "no url at all"])
def test_an_unreachable_database_is_refused(tmp_path, url):
    with pytest.raises(OptionError) as error:
        open_storage(tmp_path, url)
    assert str(error.value).startswith(f"--storage {url}: expected a reachable database; got ")
    assert str(error.value).endswith(
        "Try sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE."
    )
