"""chainrule/runs/unfinished.py: RUN.partial, seen from inside and from outside."""

import errno
import json
import os

import pytest

from chainrule.errors import DataWarning, RunError
from chainrule.runs import unfinished
from chainrule.runs.status import is_trained_now, last_step, partial_of, run_of, unfinished_runs
from chainrule.runs.unfinished import Unfinished, cannot_write
from chainrule.train.checkpoint import Checkpoints

RECIPE, DIGESTS = {"source": "iris", "hidden": (4,)}, {"train": "12ab"}
FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run.v2"


def interrupted(run):
    """Create an unfinished training of this run that ended after step 7."""
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        begun.checkpoints(0).write(7, {}, {})


# By hand


def test_the_names_of_run_and_partial(run):
    assert partial_of(run).name == "run.v2.partial"
    assert run_of(partial_of(run)) == run_of(run) == run


def test_the_recipe_and_facts_are_restored(run):
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert sorted(os.listdir(begun.folder)) == ["recipe.json", "training.lock"]
        begun.lock.release()
        again, saved = Unfinished.resume(run)
        assert saved["recipe"] == {"source": "iris", "hidden": [4]}
        assert saved["facts"]["digests"] == DIGESTS
        assert saved["facts"].keys() == {"versions", "cores", "device", "kernel", "digests"}
        assert isinstance(again.checkpoints(), Checkpoints)


def test_an_unfinished_training_seen_from_outside(run, tmp_path):
    assert unfinished_runs(tmp_path) == []
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert is_trained_now(run)
        assert last_step(run) == 0
        begun.checkpoints(0).write(7, {}, {})
    assert not is_trained_now(run)
    assert last_step(run) == 7
    assert unfinished_runs(tmp_path) == unfinished_runs(partial_of(run)) == [run]
    run.mkdir()
    (run / "manifest.json").touch()  # the run is saved, so the folder beside it does not count
    assert unfinished_runs(tmp_path) == []


# Properties


def test_without_a_checkpoint_the_folder_is_deleted(run, tmp_path):
    with Unfinished.begin(run, RECIPE, DIGESTS):
        pass
    assert os.listdir(tmp_path) == []


def test_the_default_folder_is_deleted_with_its_last_run(tmp_path):
    with Unfinished.begin(tmp_path / "runs" / "iris-1", RECIPE, DIGESTS):
        pass
    assert os.listdir(tmp_path) == []


def test_leftovers_of_an_earlier_training_are_deleted(run):
    """The process was killed while deleting its folder: the recipe is gone, the rest is not."""
    interrupted(run)
    (partial_of(run) / "recipe.json").unlink()
    (partial_of(run) / "change.json").write_text('{"l2": 3}')
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        assert sorted(os.listdir(begun.folder)) == ["recipe.json", "training.lock"]


@pytest.mark.parametrize("place", range(0, 400, 37))
def test_one_flipped_bit_of_the_recipe_is_detected(run, place):
    interrupted(run)
    file = partial_of(run) / "recipe.json"
    content = bytearray(file.read_bytes())
    content[place] ^= 32  # a different case of letters, or a digit for a control character
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"recipe\.json: expected the content that was saved; got"):
        Unfinished.resume(run)


def test_a_folder_of_another_process_is_not_deleted(run):
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        Unfinished(run).discard()
        assert (begun.folder / "recipe.json").exists()


def test_a_disk_that_is_full_at_the_start_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(path, content):
        raise FULL

    monkeypatch.setattr(unfinished.files, "write_file", fail)
    with pytest.raises(RunError) as error:
        Unfinished.begin(run, RECIPE, DIGESTS)
    assert str(error.value) == (
        f"{run}: expected a folder that can be written; got a full disk; nothing was kept.\n"
        "Try freeing some space, or --out on another disk."
    )
    assert os.listdir(tmp_path) == []


def test_a_lock_that_cannot_be_created(run, monkeypatch):
    interrupted(run)

    def fail(*_, **__):
        raise BROKEN

    monkeypatch.setattr(unfinished.Lock, "acquire", fail)
    with pytest.raises(RunError, match=r'error"; the training is kept in .*\.partial'):
        Unfinished.resume(run)


def test_after_an_unexpected_error_the_training_can_be_resumed(run):
    with pytest.raises(MemoryError) as error, Unfinished.begin(run, RECIPE, DIGESTS):
        raise MemoryError
    assert error.value.__notes__ == [f"To continue the training: chainrule train --resume {run}"]
    again, saved = Unfinished.resume(run)
    again.lock.release()
    assert saved["recipe"]["source"] == "iris"


@pytest.mark.parametrize("error", [RunError("a", "b", "c"), KeyboardInterrupt()])
def test_after_an_error_of_the_user_nothing_is_left(run, tmp_path, error):
    with pytest.raises(type(error)), Unfinished.begin(run, RECIPE, DIGESTS):
        raise error
    assert os.listdir(tmp_path) == []


def test_only_our_files_are_deleted(run):
    with Unfinished.begin(run, RECIPE, DIGESTS) as begun:
        (begun.folder / "notes.txt").touch()
    assert os.listdir(begun.folder) == ["notes.txt"]


def test_a_pipe_in_place_of_a_file_is_not_opened(run):
    interrupted(run)
    for name, words in (("recipe.json", "got a pipe"), ("training.lock", "is not a regular file")):
        file = partial_of(run) / name
        content = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(RunError, match=words):
            Unfinished.resume(run)
        assert not is_trained_now(run)
        file.unlink()
        file.write_bytes(content)


def test_a_lock_that_is_a_link_is_not_followed(run, tmp_path):
    interrupted(run)
    (tmp_path / "other").write_text("mine")
    (partial_of(run) / "training.lock").unlink()
    (partial_of(run) / "training.lock").symlink_to(tmp_path / "other")
    with pytest.raises(RunError, match=r"training\.lock is not a regular file"):
        Unfinished.resume(run)
    assert (tmp_path / "other").read_text() == "mine"


def test_odd_names_among_the_checkpoints(run):
    interrupted(run)
    for name in ("abc.checkpoint", "1e3.checkpoint", "²x.checkpoint"):
        (partial_of(run) / "checkpoints" / name).touch()
    assert last_step(run) == 7


@pytest.mark.parametrize("facts", [{}, {"digests": 5}, {"digests": {"train": 1}}])
def test_facts_that_are_not_those_of_a_training(run, facts):
    interrupted(run)
    (partial_of(run) / "recipe.json").write_bytes(unfinished.sealed(RECIPE, facts))
    with pytest.raises(RunError, match=r"recipe\.json(, at digests.*)?: expected"):
        Unfinished.resume(run)


def test_the_result_of_a_ladder_of_another_training_is_not_used(run, tmp_path):
    with Unfinished.begin(run, RECIPE, DIGESTS) as one:
        one.keep_ladder(RECIPE, {"rungs": 1}, b"weights")
        assert one.ladder() == ({"source": "iris", "hidden": [4]}, {"rungs": 1}, b"weights")
        with Unfinished.begin(tmp_path / "other", RECIPE | {"seed": 1}, DIGESTS) as other:
            for name in ("ladder.json", "ladder.weights"):
                (other.folder / name).write_bytes((one.folder / name).read_bytes())
            with pytest.warns(DataWarning, match="belongs to another training; the ladder is run"):
                assert other.ladder() is None


# Error messages


@pytest.mark.parametrize(
    ("error", "got", "hint"),
    [
        (FULL, "a full disk", "freeing some space, then chainrule train --resume {run}"),
        (BROKEN, 'the system error "Input/output error"', "chainrule train --resume {run}"),
    ],
    ids=["full", "broken"],
)
def test_the_error_says_what_is_kept(run, error, got, hint):
    interrupted(run)
    assert str(cannot_write(run, error)) == (
        f"{run}: expected a folder that can be written; got {got}; the training is kept in "
        f"{partial_of(run)}.\nTry {hint.format(run=run)}."
    )


def test_the_error_says_if_nothing_is_kept(run):
    assert str(cannot_write(run, BROKEN)) == (
        f"{run}: expected a folder that can be written; got the system error "
        '"Input/output error"; nothing was kept.\n'
        "Try another folder for --out."
    )


def test_an_invalid_recipe_is_refused(run):
    interrupted(run)
    for content in ("", "[]", '{"recipe": 1}', json.dumps({"recipe": RECIPE, "facts": {}})):
        (partial_of(run) / "recipe.json").write_text(content)
        with pytest.raises(
            RunError, match="expected the content that was saved; got damaged content"
        ):
            Unfinished.resume(run)
