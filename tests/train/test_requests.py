"""chainrule/train/requests.py: what is asked of a training that runs, and until when."""

import os

import pytest

from chainrule.errors import DataWarning, OptionError, RunError
from chainrule.train.changes import Change
from chainrule.train.history import History
from chainrule.train.requests import asked, close, request
from chainrule.train.unfinished import Unfinished

RATE, LAMBDA = Change(learning_rate=0.1), Change(l2=2.0)


@pytest.fixture
def begun(tmp_path):
    with Unfinished.begin(tmp_path / "run", {"source": "iris"}, {}) as begun:
        yield begun


def history(*changes: Change) -> History:
    return History(changes=[{"epoch": 2, "change": change.said} for change in changes])


def pending(begun) -> bool:
    return (begun.folder / "change.json").exists()


# By hand


def test_asked_until_the_history_holds_it(begun):
    assert asked(begun.folder, history()) is None
    request(begun.run, RATE)
    for _ in range(2):
        assert asked(begun.folder, history()) == RATE
    assert asked(begun.folder, history(RATE)) is None
    assert not pending(begun)


def test_two_before_the_next_epoch_are_joined(begun):
    request(begun.run, RATE)
    request(begun.run, LAMBDA)
    both = Change(learning_rate=0.1, l2=2.0)
    assert asked(begun.folder, history()) == both
    assert asked(begun.folder, history(RATE)) == both
    assert asked(begun.folder, history(both)) is None


def test_one_that_a_kill_left_undone_is_asked_of_the_next_process(begun):
    """The history knows an earlier change; this one came after it."""
    request(begun.run, LAMBDA)
    assert asked(begun.folder, history(RATE)) == LAMBDA


# Properties


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"rate": 1}', '{"learning_rate": -1}'])
def test_what_nobody_asked_for_is_taken_away(begun, content):
    (begun.folder / "change.json").write_text(content)
    assert asked(begun.folder, history()) is None
    assert not pending(begun)


def test_a_disk_that_fails_stops_no_training(begun, monkeypatch):
    request(begun.run, RATE)

    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert asked(begun.folder, history()) is None
    assert asked(begun.folder, history()) == RATE


# Words


def test_a_training_that_nobody_is_at(begun, tmp_path):
    begun.checkpoints(0).write(1, {}, {})
    begun.lock.release()
    with pytest.raises(RunError) as error:
        request(begun.run, RATE)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: expected a run that is being trained now; got none.\n"
        f"Try chainrule train --resume {tmp_path / 'run'}."
    )
    with pytest.raises(RunError) as error:
        request(tmp_path / "ran", RATE)
    assert str(error.value) == (
        f"{tmp_path / 'ran'}: expected a run that is being trained now; got none.\n"
        f"Try {tmp_path / 'run'}."
    )


def test_a_request_that_cannot_be_written(begun, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.durable.write", fail)
    with pytest.raises(RunError, match="got a full disk"):
        request(begun.run, RATE)


def test_a_number_that_means_nothing(begun):
    with pytest.raises(OptionError, match="learning_rate: expected a number above 0; got -1"):
        request(begun.run, Change(learning_rate=-1))
    assert not pending(begun)


def test_what_comes_after_the_last_epoch_is_refused_or_told(begun):
    request(begun.run, Change(l2=0.5))
    with pytest.warns(DataWarning) as told:
        close(begun.folder, History())
    assert str(told[0].message) == ("a change came after the last epoch, and was not made: l2 0.5.")
    with pytest.raises(RunError) as error:
        request(begun.run, Change(l2=0.1))
    assert str(error.value) == (
        f"{begun.run}: expected an epoch that is still to come; got none.\n"
        f"Try chainrule train --recipe {begun.run} with other options, when it is saved."
    )


def test_a_run_that_is_done_is_not_changed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").touch()
    with pytest.raises(RunError) as error:
        request(tmp_path / "run", Change(l2=0.1))
    assert "expected a run that is being trained now; got one that is done." in str(error.value)
