"""chainrule/runs/job.py: requests to a running training, and until when they are accepted."""

import os

import pytest

from chainrule.errors import DataWarning, OptionError, RunError
from chainrule.runs.job import close, pending_request, request
from chainrule.runs.unfinished import Unfinished
from chainrule.train.changes import Change
from chainrule.train.history import History

RATE, LAMBDA = Change(learning_rate=0.1), Change(l2=2.0)


@pytest.fixture
def begun(tmp_path):
    with Unfinished.begin(tmp_path / "run", {"source": "iris"}, {}) as begun:
        yield begun


def history(*changes: Change) -> History:
    return History(changes=[{"epoch": 2, "change": change.given_values} for change in changes])


def pending(begun) -> bool:
    return (begun.folder / "change.json").exists()


# By hand


def test_a_request_stays_until_it_is_in_the_history(begun):
    assert pending_request(begun.folder, history()) is None
    request(begun.run, RATE)
    for _ in range(2):
        assert pending_request(begun.folder, history()) == RATE
    assert pending_request(begun.folder, history(RATE)) is None
    assert not pending(begun)


def test_two_requests_before_the_next_epoch_are_combined(begun):
    request(begun.run, RATE)
    request(begun.run, LAMBDA)
    both = Change(learning_rate=0.1, l2=2.0)
    assert pending_request(begun.folder, history()) == both
    assert pending_request(begun.folder, history(RATE)) == both
    assert pending_request(begun.folder, history(both)) is None


def test_a_request_survives_a_killed_process(begun):
    """The history has an earlier change; this request came later."""
    request(begun.run, LAMBDA)
    assert pending_request(begun.folder, history(RATE)) == LAMBDA


# Properties


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"rate": 1}', '{"learning_rate": -1}'])
def test_an_invalid_request_file_is_deleted(begun, content):
    (begun.folder / "change.json").write_text(content)
    assert pending_request(begun.folder, history()) is None
    assert not pending(begun)


def test_a_failing_disk_does_not_stop_training(begun, monkeypatch):
    request(begun.run, RATE)

    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert pending_request(begun.folder, history()) is None
    assert pending_request(begun.folder, history()) == RATE


# Error messages


def test_a_training_that_is_not_running_is_refused(begun, tmp_path):
    begun.checkpoints(0).write(1, {}, {})
    begun.lock.release()
    with pytest.raises(RunError) as error:
        request(begun.run, RATE)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: expected a run that is being trained; got none.\n"
        f"Try chainrule train --resume {tmp_path / 'run'}."
    )
    with pytest.raises(RunError) as error:
        request(tmp_path / "ran", RATE)
    assert str(error.value) == (
        f"{tmp_path / 'ran'}: expected a run that is being trained; got none.\n"
        f"Try {tmp_path / 'run'}."
    )


def test_a_request_that_cannot_be_written_is_refused(begun, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.host.files.write_file", fail)
    with pytest.raises(RunError, match="got a full disk"):
        request(begun.run, RATE)


def test_an_invalid_number_is_refused(begun):
    with pytest.raises(
        OptionError, match="learning_rate: expected a number greater than 0; got -1"
    ):
        request(begun.run, Change(learning_rate=-1))
    assert not pending(begun)


def test_a_request_after_the_last_epoch_is_refused_or_reported(begun):
    request(begun.run, Change(l2=0.5))
    with pytest.warns(DataWarning) as warned:
        close(begun.folder, History())
    assert str(warned[0].message) == (
        "a change was requested after the last epoch and was not made: l2 0.5."
    )
    with pytest.raises(RunError) as error:
        request(begun.run, Change(l2=0.1))
    assert str(error.value) == (
        f"{begun.run}: expected a training run that has not reached its last epoch; got one that "
        "has.\n"
        f"Try chainrule train --recipe {begun.run} with other options, once it is saved."
    )


def test_a_finished_run_is_not_changed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").touch()
    with pytest.raises(RunError) as error:
        request(tmp_path / "run", Change(l2=0.1))
    assert "expected a run that is being trained; got a finished run." in str(error.value)
