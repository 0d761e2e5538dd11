"""chainrule/train/unfinished.py, partial.py: RUN.partial, from inside and from outside."""

import errno
import json
import os

import pytest

from chainrule.errors import RunError
from chainrule.train import unfinished
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.partial import (
    is_trained_now,
    last_step,
    partial_of,
    run_of,
    unfinished_runs,
)
from chainrule.train.unfinished import Unfinished, cannot_write

RECIPE, DIGESTS = {"source": "iris", "hidden": (4,)}, {"train": "12ab"}
FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run.v2"


def interrupted(run):
    """A training of this run that ended after step 7."""
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        begun.checkpoints(0).write(7, {}, {})


# By hand


def test_names(run):
    assert partial_of(run).name == "run.v2.partial"
    assert run_of(partial_of(run)) == run_of(run) == run


def test_what_was_asked_for_comes_back(run):
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert sorted(os.listdir(begun.folder)) == ["recipe.json", "training.lock"]
        begun.lock.release()
        again, saved = Unfinished.resume(run)
        assert saved["recipe"] == {"source": "iris", "hidden": [4]}
        assert saved["facts"]["digests"] == DIGESTS
        assert saved["facts"].keys() == {"versions", "cores", "device", "kernel", "digests"}
        assert isinstance(again.checkpoints(), Checkpoints)


def test_from_outside(run, tmp_path):
    assert unfinished_runs(tmp_path) == []
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert is_trained_now(run)
        assert last_step(run) == 0
        begun.checkpoints(0).write(7, {}, {})
    assert not is_trained_now(run)
    assert last_step(run) == 7
    assert unfinished_runs(tmp_path) == unfinished_runs(partial_of(run)) == [run]
    run.mkdir()
    (run / "manifest.json").touch()  # the run is there: what is left beside it is nothing
    assert unfinished_runs(tmp_path) == []


# Properties


def test_without_a_checkpoint_nothing_is_left(run, tmp_path):
    with Unfinished.begin(run, RECIPE, DIGESTS):
        pass
    assert os.listdir(tmp_path) == []


def test_the_usual_folder_goes_with_its_last_run(tmp_path):
    with Unfinished.begin(tmp_path / "runs" / "iris-1", RECIPE, DIGESTS):
        pass
    assert os.listdir(tmp_path) == []


def test_what_an_earlier_one_has_left_is_no_part_of_a_new_one(run):
    """Its folder was being taken away when it was killed: the recipe is gone, the rest is not."""
    interrupted(run)
    (partial_of(run) / "recipe.json").unlink()
    (partial_of(run) / "change.json").write_text('{"l2": 3}')
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert sorted(os.listdir(begun.folder)) == ["recipe.json", "training.lock"]


@pytest.mark.parametrize("place", range(0, 400, 37))
def test_one_flipped_bit_of_what_was_asked_for_is_noticed(run, place):
    interrupted(run)
    file = partial_of(run) / "recipe.json"
    content = bytearray(file.read_bytes())
    content[place] ^= 32  # another case of the letters, a digit for a control character
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"recipe\.json: expected the sha256 that was written; got"):
        Unfinished.resume(run)


def test_what_is_not_ours_is_not_taken_away(run):
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        Unfinished(run).discard()
        assert (begun.folder / "recipe.json").exists()


def test_a_disk_that_is_full_at_the_start_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(path, content):
        raise FULL

    monkeypatch.setattr(unfinished.durable, "write", fail)
    with pytest.raises(RunError) as error:
        Unfinished.begin(run, RECIPE, DIGESTS)
    assert str(error.value) == (
        f"{run}: expected a folder that can be written; got a full disk; nothing was kept.\n"
        "Try freeing some space, or --out on another disk."
    )
    assert os.listdir(tmp_path) == []


def test_a_lock_that_cannot_be_made(run, monkeypatch):
    interrupted(run)

    def fail(*_, **__):
        raise BROKEN

    monkeypatch.setattr(unfinished.Lock, "acquire", fail)
    with pytest.raises(RunError, match=r"Input/output error; the training is kept in .*\.partial"):
        Unfinished.resume(run)


# Words


@pytest.mark.parametrize(
    ("error", "got", "hint"),
    [
        (FULL, "a full disk", "freeing some space, then chainrule train --resume {run}"),
        (BROKEN, "Input/output error", "chainrule train --resume {run}"),
    ],
    ids=["full", "broken"],
)
def test_what_is_kept_is_said(run, error, got, hint):
    interrupted(run)
    assert str(cannot_write(run, error)) == (
        f"{run}: expected a folder that can be written; got {got}; the training is kept in "
        f"{partial_of(run)}.\nTry {hint.format(run=run)}."
    )


def test_nothing_kept_is_said_too(run):
    assert str(cannot_write(run, BROKEN)) == (
        f"{run}: expected a folder that can be written; got Input/output error; nothing was kept."
        "\nTry another folder for --out."
    )


def test_a_recipe_that_is_none(run):
    interrupted(run)
    for content in ("", "[]", '{"recipe": 1}', json.dumps({"recipe": RECIPE, "facts": {}})):
        (partial_of(run) / "recipe.json").write_text(content)
        with pytest.raises(RunError, match="expected the sha256 that was written; got another"):
            Unfinished.resume(run)
