"""tests/validation/hostile_names.py: names that try to do harm; the sample is small."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.validation.hostile_names import Watch, run
from tests.validation.opened_files import opened_files


@pytest.mark.parametrize(
    ("part", "n"),
    [
        *(("readers", 6), ("people", 1), ("runs", 4), ("options", 3)),
        pytest.param("table", 10, marks=pytest.mark.slow),  # trains twice
        pytest.param("images", 4, marks=pytest.mark.slow),
    ],
)
def test_hostile_names_do_no_harm(tmp_path, part, n):
    commands, findings = run(n, seed=5, only=[part], base=tmp_path)
    assert findings == []
    assert commands >= n or part == "readers"


@pytest.fixture
def watch(tmp_path):
    return Watch(tmp_path)


def test_files_outside_are_noticed(watch):
    with watch.watching("here", "name"):
        (watch.folder / "fine").write_text("")
        (watch.outside / "secret.csv").read_text()
        (watch.base / "new").mkdir()
        raise KeyError("x")
    assert [finding.what.split("/")[-1] for finding in watch.findings] == [
        "KeyError: 'x'",
        "secret.csv",
        "new",
    ]


def test_codes_and_control_characters_are_noticed(watch, monkeypatch):
    monkeypatch.setattr("chainrule.errors.printable", str)
    monkeypatch.setattr("chainrule.cli.output.printable", str)
    watch.command("name", "describe", "a\u202e", codes=(0,))
    assert [finding.what[:9] for finding in watch.findings] == ["exit code", "printed '"]


def test_formulas_and_markup_are_noticed(watch):
    (watch.folder / "a.csv").write_text("a,'=b\n=1,-3.5\n")
    assert watch.check_csv("name", watch.folder / "a.csv", "'=b") == ["-3.5"]
    (watch.folder / "a.html").write_text("<script></script><img src=x onerror=y>\x1b")
    watch.check_html("name", watch.folder / "a.html")
    assert [finding.what for finding in watch.findings] == [
        "the formula '=1'",
        "1 scripts, ['onerror', 'x']",
        "a control character",
    ]


def rename(folder: Path) -> None:
    (folder / "a").rename(folder / "b")


WATCHED = {
    "a path": (lambda folder: (folder / "a").read_text(), {"a": False}),
    "open by keyword": (lambda folder: open(file=folder / "a").close(), {"a": False}),
    "open to write": (lambda folder: (folder / "a").write_text(""), {"a": True}),
    "os.open": (lambda folder: os.close(os.open(folder / "a", os.O_RDONLY)), {"a": False}),
    "os.open with a mode": (
        lambda folder: os.close(os.open(folder / "n", os.O_WRONLY | os.O_CREAT, mode=0o644)),
        {"n": True},
    ),
    "a list": (lambda folder: list(folder.iterdir()), {"": False}),
    "a list by keyword": (lambda folder: os.scandir(path=folder).close(), {"": False}),
    "a change of name": (rename, {"a": True, "b": True}),
    "a deletion": (lambda folder: (folder / "a").unlink(), {"a": True}),
    "an array": (lambda folder: np.load(folder / "x.npy"), {"x.npy": False}),
}


@pytest.mark.parametrize(("call", "expected"), WATCHED.values(), ids=WATCHED)
def test_the_watch_sees_how_files_are_opened(tmp_path, call, expected):
    (tmp_path / "a").write_text("")
    np.save(tmp_path / "x.npy", np.zeros(2))
    with opened_files() as opened:
        call(tmp_path)
    assert {one.path: one.writing for one in opened} == {
        tmp_path / name: writing for name, writing in expected.items()
    }


def test_the_watch_ends_with_the_block(tmp_path):
    before = open, os.open
    with opened_files() as opened:
        pass
    (tmp_path / "a").write_text("")
    assert (open, os.open) == before
    assert opened == []
