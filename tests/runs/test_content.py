"""chainrule/runs/folder.py: files with the right checksums whose content is not that of a run."""

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chainrule.errors import DataWarning, RunError
from chainrule.runs.folder import REPORT, add_file, load, save
from tests.runs.sealing import entry_of, seal_again

pytestmark = pytest.mark.usefixtures("float32_world")
OLD_RUNS = Path(__file__).parents[1] / "validation" / "old_runs"
WEIGHTS, HISTORY = "weights.safetensors", "history.jsonl"


@pytest.fixture
def path(runs, tmp_path):
    """The folder of a run on a table with three classes."""
    return save(runs["table"], tmp_path / "run", {"cost.png": b"\x89PNG"}).path


def refusal(path) -> str:
    """Compute the checksums again, and return the message with which the run is refused."""
    seal_again(path)
    with pytest.raises(RunError) as error:
        load(path)
    return str(error.value)


def change(path, *keys, to):
    """Change an entry of recipe.json."""
    saved = holder = json.loads((path / "recipe.json").read_text())
    for key in keys[:-1]:
        holder = holder[key]
    if to is None:
        del holder[keys[-1]]
    else:
        holder[keys[-1]] = to
    (path / "recipe.json").write_text(json.dumps(saved, indent=1))


def change_array(path, name, make):
    """Change one of the arrays of a run."""
    arrays = load_file(path / WEIGHTS)
    found = make(arrays.pop(name) if name in arrays else None)
    save_file(arrays | ({} if found is None else {name: found}), path / WEIGHTS)


def test_a_run_that_is_sealed_again_is_loaded(path):
    change(path, "best_epoch", to=1)
    seal_again(path)
    assert load(path).history.best_epoch == 1


# ---- weights


ARRAYS = {
    "a shape": ("W1", lambda W: np.ascontiguousarray(W[:, :-1]), "W1: expected the shape (4, "),
    "a missing array": ("b1", lambda b: None, "b1: expected the shape (4, 1); got none."),
    "an unknown array": ("W9", lambda _: np.ones(2, np.float32), "W9: expected an array of Deep"),
    "NaN": ("W2", lambda W: np.full_like(W, np.nan), "W2: expected finite numbers; got nan or"),
    "infinity": ("b2", lambda b: b + np.inf, "b2: expected finite numbers; got nan or infinity."),
    "whole numbers": ("W2", lambda W: W.astype(np.int32), "W2: expected numbers of the type float"),
}


@pytest.mark.parametrize(("name", "make", "words"), ARRAYS.values(), ids=ARRAYS.keys())
def test_weights_of_another_network_are_refused(path, name, make, words):
    change_array(path, name, make)
    message = refusal(path)
    assert message.startswith(f"{path / WEIGHTS}, the array ")
    assert words in message


SCALES = {
    "none": (lambda x: None, "the array input_scale: expected finite numbers; got none"),
    "nan": (lambda x: x * np.nan, "the array input_scale: expected finite numbers; got nan"),
    "zero": (lambda x: 0 * x, "got a scale of 0 or less"),
    "fewer": (lambda x: np.ascontiguousarray(x[:-1]), "a mean and a positive scale for each"),
}


@pytest.mark.parametrize(("make", "words"), SCALES.values(), ids=SCALES.keys())
def test_scales_that_do_not_fit_are_refused(path, make, words):
    change_array(path, "input_scale", make)
    assert words in refusal(path)


# ---- recipe.json


ENTRIES = {
    "no recipe": (["recipe"], None, "object missing required field `recipe`"),
    "no source": (["recipe", "source"], None, "the recipe: expected a value of source; got none"),
    "an unknown option": (["recipe", "epoch"], 5, "the recipe: expected the name of an option"),
    "a wrong type": (["recipe", "epochs"], "5", "the recipe, epochs: expected a whole number"),
    "a huge number": (["recipe", "l2"], 10**400, "the recipe, l2: expected a number"),
    "out of range": (["recipe", "beta"], 2, "--beta: expected a number of at least 0 and less"),
    "an unknown reason": (["stopped"], "bored", "at stopped: expected the declared entries; got"),
    "an epoch beyond": (["best_epoch"], 10**6, "the history: expected a best epoch from 1 to"),
    "an unknown kind": (["kind"], "paint", "at kind: expected the declared entries; got"),
    "scores": (["results", "dev", "accuracy"], "all", "the results, at [...]"),
    "no cost": (["results", "dev", "cost"], None, "missing required field `cost`"),
    "no accuracy": (["results", "dev", "accuracy"], None, "expected the accuracy; got none"),
    "no versions": (["facts", "versions"], None, "missing required field `versions`"),
    "an activation": (["model", "activation"], "rolu", "expected one of 5 choices; got 'rolu'"),
    "sizes": (["model", "sizes"], [6, 5, 3], "W1: expected the shape (5, 6)"),
    "huge sizes": (["model", "sizes"], [10**9, 10**9, 3], "expected sizes that fit the"),
    "a negative size": (["model", "sizes"], [-6, 4, 3], "at sizes[0]: expected `int` >= 1"),
    "no sizes": (["model", "sizes"], None, "the network: expected the declared entries; got"),
    "another setting": (["model", "size"], 3, "the network: expected the settings of a network"),
    "a scaling": (["door", "normalize"], "log", "the scaling: expected one of"),
    "a threshold": (["door", "threshold"], 7, "at threshold: expected `float` <= 1.0"),
    "a temperature": (["door", "temperature"], 17, "expected a temperature from 0.0625 to 16; got"),
    "no temperature": (["door", "temperature"], 0, "at temperature: expected `float` > 0.0"),
    "a shape": (["door", "shape"], [3], "the preprocessor: expected the shape of"),
    "a class twice": (["door", "labels", "classes"], ["a", "a"], "distinct classes, each"),
    "classes of two types": (["door", "labels", "classes"], ["a", 1], "labels of one type"),
    "too few names": (["door", "labels", "names"], ["a"], "expected distinct classes, each"),
    "outputs": (["door", "labels", "n_outputs"], 5, "expected distinct classes, each with a name"),
    "a task": (["door", "labels", "task"], "guessing", "the labels, at task: expected the"),
    "a column": (["door", "columns", "columns", 0, "median"], "?", "at median: expected `float`"),
    "a column twice": (["door", "columns", "columns", 1, "name"], "x0", "columns of different"),
}


@pytest.mark.parametrize(("keys", "value", "words"), ENTRIES.values(), ids=ENTRIES.keys())
def test_an_invalid_entry_is_refused(path, keys, value, words):
    if keys[-1] == "name":
        columns = json.loads((path / "recipe.json").read_text())["door"]["columns"]["columns"]
        value = columns[0]["name"]
    change(path, *keys, to=value)
    message = refusal(path)
    assert message.startswith(str(path))
    assert words in message


def test_a_median_that_is_not_finite_is_refused(path):
    change(path, "door", "columns", "columns", 0, "median", to=float("nan"))
    assert "expected a finite median; got nan" in refusal(path)


def test_a_key_that_occurs_twice_is_refused(path):
    file = path / "recipe.json"
    file.write_text(file.read_text().replace('"stopped":', '"stopped": "patience", "stopped":'))
    assert refusal(path).startswith(f"{file}: expected valid JSON; got the key 'stopped' twice")


def test_a_preprocessor_of_another_network_is_refused(runs, path, tmp_path):
    other = save(runs["numbers"], tmp_path / "other").path
    saved = json.loads((other / "recipe.json").read_text())
    change(path, "door", to=saved["door"])
    arrays = load_file(other / WEIGHTS)
    for name in ("input_mean", "input_scale", "output_mean", "output_scale"):
        change_array(path, name, lambda _, name=name: arrays[name])
    assert "the preprocessor: expected" in refusal(path)


# ---- the history


LINES = {
    "cut": (lambda lines: [*lines[:-1], lines[-1][:-5]], "expected valid JSON"),
    "twice": (lambda lines: [lines[0], *lines], "expected epoch 2; got epoch 1"),
    "one less": (lambda lines: lines[1:], "line 1: expected epoch 1; got epoch 2"),
    "no record": (lambda lines: [*lines, "5"], "expected the record of an epoch; got int"),
    "no cost": (
        lambda lines: [*lines[:-1], lines[-1].replace('"cost": ', '"cost": NaN, "was": ')],
        "expected a finite cost; got nan",
    ),
    "an empty line": (lambda lines: [*lines, ""], "expected valid JSON"),
    "a text": (lambda lines: [lines[0].replace("1", '"1"', 1), *lines[1:]], "at epoch: expected"),
}


@pytest.mark.parametrize(("make", "words"), LINES.values(), ids=LINES.keys())
def test_a_history_that_is_not_one_is_refused(path, make, words):
    lines = [line for line in (path / HISTORY).read_text().splitlines() if "signal" not in line]
    (path / HISTORY).write_text("\n".join(make(lines)) + "\n")
    message = refusal(path)
    assert message.startswith(f"{path / HISTORY}, line ")
    assert words in message


# ---- the manifest


NAMES = ["../run/cost.png", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "manifest.json", "a\0"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_outside_the_folder_is_refused_before_it_is_opened(path, name):
    file = path / "manifest.json"
    saved = json.loads(file.read_text())
    saved["files"][name] = entry_of(b"")
    del saved["sha256"]
    file.write_text(json.dumps(saved))
    with pytest.raises(RunError) as error:
        load(path)
    assert str(error.value) == (
        f"{file}: expected names of files in this folder; got {name!r}.\n"
        "Try an intact copy of the run."
    )


def test_a_device_a_pipe_and_a_folder_are_not_opened(path):
    file = path / "cost.png"
    for make, words in (
        (lambda: file.symlink_to("/dev/zero"), "a device"),
        (lambda: os.mkfifo(file), "a pipe"),
        (file.mkdir, "a folder"),
    ):
        file.unlink()
        make()
        with pytest.raises(RunError) as error:
            load(path)
        assert str(error.value) == (
            f"{file}: expected the file that the manifest lists; got {words}.\n"
            "Try an intact copy of the run."
        )
        if file.is_dir():
            file.rmdir()


@pytest.mark.parametrize("name", ["manifest.json", "recipe.json", WEIGHTS, HISTORY])
def test_a_pipe_in_place_of_a_file_of_the_run_is_not_opened(path, name):
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(RunError, match="got a pipe"):
        load(path)


SEALS = {
    "an entry": lambda saved: saved["files"].pop("cost.png"),
    "a size": lambda saved: saved["files"]["cost.png"].update(bytes=5),
    "the seal": lambda saved: saved.update(sha256="0" * 64),
    "a new entry": lambda saved: saved["files"].update({"other.png": entry_of(b"")}),
}


@pytest.mark.parametrize("make", SEALS.values(), ids=SEALS.keys())
def test_a_changed_manifest_is_noticed(path, make):
    file = path / "manifest.json"
    saved = json.loads(file.read_text())
    make(saved)
    file.write_text(json.dumps(saved))
    with pytest.raises(RunError, match="entries with a different sha256"):
        load(path)


def test_a_manifest_without_a_seal_is_that_of_an_earlier_version(path):
    file = path / "manifest.json"
    saved = json.loads(file.read_text())
    del saved["sha256"]
    file.write_text(json.dumps(saved))
    assert load(path).path == path


def test_files_that_are_not_listed_are_reported(path):
    (path / "notes.txt").touch()
    (path / "more").mkdir()
    with pytest.warns(DataWarning) as said:
        load(path)
    assert [str(one.message) for one in said] == [
        f"{path}: the manifest does not list 'more', 'notes.txt', which are not part of the run "
        "and were not read; move them to another folder."
    ]


def test_what_file_managers_and_interrupted_writes_leave_behind_is_not_reported(path):
    for name in (".DS_Store", "Thumbs.db", "report.html", "report.html.new", ".git"):
        (path / name).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)


def test_a_report_that_is_written_later_is_listed(path):
    for page in (b"one", b"two"):
        add_file(path, REPORT, page)
        assert json.loads((path / "manifest.json").read_text())["files"][REPORT] == entry_of(page)
        load(path)


# ---- files of two runs


@pytest.mark.parametrize("name", [WEIGHTS, HISTORY, "recipe.json", "cost.png"])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_of_another_run_is_refused_even_with_its_entry(runs, path, tmp_path, name, sealed):
    """Both runs have the same network and the same data."""
    other = tmp_path / "other"
    save(load(path), other, {"cost.png": b"another"})
    change_array(other, "b1", lambda b: b + 1)
    (other / HISTORY).write_text((other / HISTORY).read_text().replace("seconds", "time"))
    change(other, "best_epoch", to=1)
    shutil.copy(other / name, path / name)
    file = path / "manifest.json"
    saved = json.loads(file.read_text())
    saved["files"][name] = entry_of((path / name).read_bytes())
    file.write_text(json.dumps(saved))
    if sealed:  # by a tool that only knows the manifest
        from chainrule.runs.folder import manifest_bytes

        file.write_bytes(manifest_bytes(saved["files"]))
    with pytest.raises(RunError) as error:
        load(path)
    culprit = "cost.png" if name == "recipe.json" else name
    assert str(error.value).startswith(f"{path / culprit}: " if sealed else str(file))


# ---- other kinds of runs


VISION = {
    "an unknown parameter": ("segment", ["options", "deep"], 1, "a parameter of Segmenter"),
    "a parameter": ("segment", ["options", "depth"], 0, "depth: expected a whole number"),
    "the classes": ("segment", ["names"], ["a"], "expected 3 classes, as the network has"),
    "the counts": ("segment", ["fitted", "counts_"], [1], "expected 3 pixel counts"),
    "a colour": ("segment", ["fitted", "marks_", "marks"], [[300]], "expected `int` <= 255"),
    "the scores": ("segment", ["results", "dev", "iou"], [0.5], "expected 3 numbers, one for"),
    "the threshold": ("detect", ["fitted", "threshold_"], 2, "at threshold_: expected `float`"),
    "the anchors": ("detect", ["model", "anchors"], "big", "at anchors: expected `array`"),
    "no threshold": ("verify", ["fitted", "threshold_"], None, "field `threshold_`"),
    "the classifier": ("pairs", ["fitted", "likeness_"], [1.0], "expected 9 finite numbers"),
    "the pixels": ("verify", ["fitted", "pixel_scale_"], -1, "at pixel_scale_: expected"),
    "the depth": ("segment", ["model", "depth"], 50_000, "the network: expected the settings of"),
    "the width": ("segment", ["model", "width"], 60_000, "W1: expected the shape"),
}


@pytest.mark.parametrize(("name", "keys", "value", "words"), VISION.values(), ids=VISION.keys())
def test_an_invalid_entry_of_a_vision_model_is_refused(tmp_path, name, keys, value, words):
    path = tmp_path / "run"
    shutil.copytree(OLD_RUNS / name, path)
    change(path, *keys, to=value)
    message = refusal(path)
    assert message.startswith(str(path))
    assert words in message
