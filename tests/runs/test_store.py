"""chainrule/runs/folder.py: a run is saved and loaded completely, or not at all."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule import __version__
from chainrule.errors import RunError
from chainrule.host.randomness import key_from_seed
from chainrule.models.deep_network import DeepNetwork
from chainrule.runs import folder
from chainrule.runs.folder import check_free, claim_next, load, save
from chainrule.runs.prepare import read_parts
from chainrule.runs.unfinished import Unfinished

FILES = ["history.jsonl", "manifest.json", "recipe.json", "weights.safetensors"]
pytestmark = pytest.mark.usefixtures("float32_world")


@pytest.fixture
def saved(runs, tmp_path):
    """A run that was saved with a plot."""
    return save(runs["classes"], tmp_path / "run", {"cost.png": b"\x89PNG"})


def full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def rows_of(run):
    return read_parts(run.recipe)["train"].X


# ---- saving and loading


def test_a_saved_run_is_restored(run, tmp_path):
    save(run, tmp_path / "run")
    again, X = load(tmp_path / "run"), rows_of(run)
    np.testing.assert_array_equal(again.predict(X), run.predict(X))
    assert again.predict(X).dtype == run.predict(X).dtype
    if run.classes:
        np.testing.assert_array_equal(again.predict_proba(X), run.predict_proba(X))
    for name in ("recipe", "results", "classes", "parameters"):
        assert getattr(again, name) == getattr(run, name)
    assert again.history == run.history
    assert again.facts.items() >= run.facts.items()
    assert again.path == tmp_path / "run"


def test_a_loaded_run_can_be_saved(saved, tmp_path):
    save(load(saved.path), tmp_path / "second")
    for name in ("weights.safetensors", "history.jsonl"):
        assert (tmp_path / "second" / name).read_bytes() == (saved.path / name).read_bytes()


def test_the_files_in_the_folder(saved):
    assert sorted(os.listdir(saved.path)) == ["cost.png", *FILES]
    recipe = json.loads((saved.path / "recipe.json").read_text())
    assert recipe["model"] == {
        "name": "DeepNetwork",
        "sizes": [3, 4, 3],
        "activation": "relu",
        "keep_prob": None,
        "batch_norm": False,
    }
    assert recipe["facts"]["data"]["digest"]
    assert "jax" in recipe["facts"]["versions"]
    manifest = json.loads((saved.path / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted({"cost.png", *FILES} - {"manifest.json"})


# ---- damage


@pytest.mark.parametrize("name", ["cost.png", *FILES])
def test_one_flipped_bit_is_detected_and_its_file_named(saved, name):
    content = bytearray((saved.path / name).read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        damaged = content.copy()
        damaged[place] ^= 1
        (saved.path / name).write_bytes(damaged)
        with pytest.raises(RunError) as error:
            load(saved.path)
        assert (
            name in error.value.where or name == "manifest.json"
        )  # the manifest lists the other files


def test_a_truncated_file_is_refused(saved):
    file = saved.path / "weights.safetensors"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunError) as error:
        load(saved.path)
    assert str(error.value) == (
        f"{file}: expected the content that was saved; got {size - 1} bytes instead of {size}.\n"
        "Try an intact copy of the run: the file has been damaged or changed."
    )


def test_a_missing_file_is_refused(saved):
    file = saved.path / "history.jsonl"
    file.unlink()
    with pytest.raises(RunError) as error:
        load(saved.path)
    assert str(error.value) == (
        f"{file}: expected the file that the manifest lists; got no such file.\n"
        "Try an intact copy of the run."
    )


def test_a_run_of_another_format_is_refused(saved):
    file = saved.path / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 2}))
    with pytest.raises(RunError) as error:
        load(saved.path)
    assert str(error.value) == (
        f"{saved.path}: expected a run of format 1; got format 2.\n"
        f"Try chainrule {__version__}, which wrote it."
    )


def test_a_run_in_the_default_folder_is_found(saved, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "table.csv").touch()
    saved.path.rename(tmp_path / "runs" / "run")
    with pytest.raises(RunError, match=r"Try runs/run \(did you mean that\?\); .* are runs/run\.$"):
        load(tmp_path / "run")


def test_a_bit_flipped_in_the_name_of_the_seal_is_found(saved):
    """A manifest of an earlier version has no seal, so that the entry must not get lost."""
    file = saved.path / "manifest.json"
    content = file.read_bytes()
    place = content.rindex(b'"sha256"') + 1
    try:
        for bit in range(8 * len("sha256")):
            flipped = bytearray(content)
            flipped[place + bit // 8] ^= 1 << bit % 8
            file.write_bytes(flipped)
            with pytest.raises(RunError, match=r"manifest\.json"):
                load(saved.path)
    finally:
        file.write_bytes(content)


def test_a_missing_folder_or_manifest_is_refused(saved, tmp_path):
    with pytest.raises(RunError) as error:
        load(tmp_path / "ran")
    assert str(error.value) == (
        f"{tmp_path / 'ran'}: expected the folder of a run; got no such folder.\n"
        "Try run (did you mean that?); the choices are run."
    )
    with pytest.raises(RunError) as error:
        load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: expected a run with its manifest.json; got none.\n"
        "Try a folder that chainrule train wrote."
    )


def test_an_unfinished_run_and_a_search_are_refused(tmp_path):
    (tmp_path / "long.partial").mkdir()
    with pytest.raises(RunError) as error:
        load(tmp_path / "long")
    assert str(error.value) == (
        f"{tmp_path / 'long'}: expected a finished run; got an unfinished one.\n"
        f"Try chainrule train --resume {tmp_path / 'long'}."
    )
    with pytest.raises(RunError, match=f"Try chainrule train --resume {tmp_path / 'long'}.$"):
        load(tmp_path / "long.partial")
    (tmp_path / "long.partial" / "recipe.json").touch()
    with pytest.raises(
        RunError, match=r"Try chainrule runs, which lists all runs\.$"
    ):  # the search is not offered as a choice
        load(tmp_path / "longer")
    (tmp_path / "iris-1" / "best").mkdir(parents=True)
    with pytest.raises(RunError, match=f"Try {tmp_path / 'iris-1' / 'best'}.$"):
        load(tmp_path / "iris-1")


# ---- all or nothing


def test_a_full_disk_leaves_nothing(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(RunError) as error:
        save(runs["classes"], tmp_path / "run")
    assert str(error.value) == (
        f"{tmp_path / 'run'}: expected a folder that can be written; got a full disk; "
        "nothing was kept.\nTry freeing some space, or --out on another disk."
    )
    assert os.listdir(tmp_path) == []


def test_a_full_disk_keeps_the_checkpoints_of_the_training(runs, tmp_path, monkeypatch):
    with Unfinished.begin(tmp_path / "run", {"source": "iris"}, {}) as unfinished:
        unfinished.checkpoints(0).write(7, {}, {})
        monkeypatch.setattr(os, "replace", full_disk)
        with pytest.raises(RunError) as error:
            save(runs["classes"], tmp_path / "run", unfinished=unfinished)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: expected a folder that can be written; got a full disk; the "
        f"training is kept in {tmp_path / 'run.partial'}.\n"
        f"Try freeing some space, then chainrule train --resume {tmp_path / 'run'}."
    )
    assert sorted(os.listdir(tmp_path / "run.partial")) == [
        "checkpoints",
        "recipe.json",
        "training.lock",
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_silently_truncated_file_is_detected(runs, tmp_path, monkeypatch, name):
    write = folder.write_synced

    def cut(path, content):
        write(path, content[:-1] if path.name == name else content)

    monkeypatch.setattr(folder, "write_synced", cut)
    with pytest.raises(RunError, match="expected the content that was saved; got"):
        save(runs["classes"], tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_an_interruption_leaves_nothing(runs, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "_compare", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(runs["classes"], tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_the_folder_is_renamed_only_after_the_comparison(runs, tmp_path, monkeypatch):
    seen = []
    compare = folder._compare

    def watched(run, again):
        seen.append((sorted(os.listdir(tmp_path)), again.path.name))
        compare(run, again)

    monkeypatch.setattr(folder, "_compare", watched)
    save(runs["classes"], tmp_path / "run")
    assert seen == [(["run.partial"], "finished")]
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_with_different_outputs_is_not_saved(runs, tmp_path, monkeypatch):
    run = runs["classes"]
    other = replace(run, network=DeepNetwork((3, 4, 3), key=key_from_seed(9)))
    monkeypatch.setattr(folder, "load", lambda path: other)
    with pytest.raises(RunError) as error:
        save(run, tmp_path / "run")
    assert str(error.value).startswith(
        "saving the run: expected the same outputs after reading it back; got different ones."
    )
    assert os.listdir(tmp_path) == []


def test_no_run_is_overwritten(saved):
    before = (saved.path / "manifest.json").read_bytes()
    with pytest.raises(RunError) as error:
        save(saved, saved.path)
    assert str(error.value) == (
        f"{saved.path}: expected a new folder for the run; got one that already exists.\n"
        "Try another name for --out."
    )
    assert (saved.path / "manifest.json").read_bytes() == before


def test_the_next_free_name(tmp_path):
    names = [claim_next(tmp_path / "runs", "iris").name for _ in range(3)]
    assert names == ["iris-1", "iris-2", "iris-3"]


# ---- names, and folders of somebody else


NAMES = {
    "": "no name",
    ".": "no name",
    "..": "no name",
    "a" * 300: "a name of 300 bytes",
    "é" * 122: "a name of 244 bytes",
    "a\0b": "a name with a zero byte",
    "a\ud800": "a name that is not valid text",
    "run.partial": "a name that ends in .partial",
}


@pytest.mark.parametrize(("name", "got"), NAMES.items(), ids=range(len(NAMES)))
def test_a_name_that_no_run_can_have(name, got, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError) as error:
        check_free(Path(name))
    assert error.value.expected == "the name of a new folder"
    assert error.value.got == got
    assert os.listdir(tmp_path) == []


def test_a_link_a_file_and_a_device_are_not_a_new_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for name in ("link", "lost", "file", "/dev/null"):
        with pytest.raises(RunError, match=r"expected a new folder for the run; got one that"):
            check_free(tmp_path / name)
    check_free(tmp_path / "empty")


def test_saving_does_not_delete_an_interrupted_training(runs, tmp_path):
    path = tmp_path / "run"
    with Unfinished.begin(path, {"source": "iris"}, {}) as unfinished:
        unfinished.checkpoints(0).write(7, {}, {})
    before = contents(unfinished.folder)
    with pytest.raises(RunError) as error:
        save(runs["classes"], path)
    assert str(error.value) == (
        f"{unfinished.folder}: expected a new folder; got one with an interrupted training run.\n"
        f"Try chainrule train --resume {path}, or another name for --out."
    )
    assert contents(unfinished.folder) == before


def test_saving_waits_for_nobody(runs, tmp_path):
    with Unfinished.begin(tmp_path / "run", {"source": "iris"}, {}):
        with pytest.raises(RunError, match="no other process has open; got one that is running"):
            save(runs["classes"], tmp_path / "run")
        assert (tmp_path / "run.partial" / "recipe.json").exists()


def test_the_folder_of_somebody_else_is_not_touched(runs, tmp_path):
    download = tmp_path / "run.partial"
    download.mkdir()
    (download / "film.mp4").write_bytes(b"half of it")
    for attempt in (check_free, lambda path: save(runs["classes"], path), begin_iris):
        with pytest.raises(RunError) as error:
            attempt(tmp_path / "run")
        assert str(error.value) == (
            f"{download}: expected a new folder; got one with the file 'film.mp4', which chainrule "
            "did not write.\nTry another name for --out."
        )
    assert contents(tmp_path) == {"run.partial/film.mp4": b"half of it"}


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("elsewhere")])
def test_a_file_or_a_link_in_the_place_of_the_temporary_folder(runs, tmp_path, make):
    (tmp_path / "elsewhere").mkdir()
    make(tmp_path / "run.partial")
    for attempt in (check_free, lambda path: save(runs["classes"], path), begin_iris):
        with pytest.raises(RunError, match="expected a new folder; got a file or a symbolic link"):
            attempt(tmp_path / "run")
    assert os.listdir(tmp_path / "elsewhere") == []


def test_leftovers_that_are_links_are_removed_and_not_followed(runs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    (tmp_path / "run.partial").mkdir()
    for name in ("finished", "checkpoints", "recipe.json.new", "change.json"):
        (tmp_path / "run.partial" / name).symlink_to(other)
    save(runs["classes"], tmp_path / "run")
    assert contents(other) == {"precious.txt": b"mine"}
    assert sorted(os.listdir(tmp_path)) == ["other", "run"]


def begin_iris(path):
    """Begin a training run."""
    return Unfinished.begin(path, {"source": "iris"}, {})


def contents(folder):
    """Return the content of every file in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
