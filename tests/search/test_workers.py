"""chainrule/search/workers.py: which trials are recovered from ended workers."""

import signal
import time

import pytest
from optuna.trial import TrialState

from chainrule.errors import RunError
from chainrule.search import workers
from chainrule.search.study import open_storage
from chainrule.search.trials import suggest
from chainrule.search.workers import OWNER, Worker, put_back
from tests.search.killed import begin_a_trial_and_die, ended, start
from tests.search.problem import SPACE, study_in


@pytest.fixture
def study(tmp_path):
    return study_in(tmp_path)


def states(study):
    return [trial.state for trial in study.get_trials()]


def test_the_trial_of_a_killed_worker_waits_with_its_values(study, tmp_path):
    assert ended(start(begin_a_trial_and_die, tmp_path)) == -signal.SIGKILL
    [before] = study.get_trials()
    assert before.state == TrialState.RUNNING
    with Worker(study, tmp_path, beats=False) as worker:
        assert worker.bring_back() == [0]
        assert states(study) == [TrialState.WAITING]
        reassigned = study.ask()
        worker.sign(reassigned)
        suggest(reassigned, SPACE)
        assert (reassigned.number, reassigned.params) == (0, before.params)
        assert worker.bring_back() == []
    assert list((tmp_path / "workers").iterdir()) == []


def test_the_trial_of_a_running_worker_is_left_alone(study, tmp_path):
    with (
        Worker(study, tmp_path, beats=False) as first,
        Worker(study_in(tmp_path), tmp_path, beats=False) as second,
    ):
        first.sign(study.ask())
        assert second.bring_back() == []
        assert first.bring_back() == []
        assert states(study) == [TrialState.RUNNING]
    with Worker(study_in(tmp_path), tmp_path, beats=False) as third:
        assert third.bring_back() == [0]  # the first worker stopped and left a trial


@pytest.mark.parametrize("owner", ["../kept.txt", "kept.txt", "0123456789aB", ["a"], 1])
def test_a_stored_owner_that_is_no_worker_names_no_file(study, tmp_path, monkeypatch, owner):
    """An absolute path, or one with .., once led to a file, which was deleted."""
    kept = tmp_path / "kept.txt"
    kept.write_text("content")
    study.ask().set_user_attr("worker", str(kept) if owner == "kept.txt" else owner)
    with Worker(study, tmp_path, beats=False) as worker:
        assert worker.bring_back() == []
        monkeypatch.setattr(workers, "UNSIGNED", -1.0)
        assert worker.bring_back() == [0]
    assert kept.read_text() == "content"


def test_no_file_is_written_through_a_link_in_place_of_the_folder_of_workers(study, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "workers").symlink_to(other)
    with pytest.raises(RunError) as error, Worker(study, tmp_path, beats=False):
        pass
    assert str(error.value).startswith(f"{tmp_path / 'workers'}: expected a folder that can be")
    assert list(other.iterdir()) == []


def test_a_trial_without_an_owner_is_lost_after_a_while(study, tmp_path, monkeypatch):
    study.ask()
    with Worker(study, tmp_path, beats=False) as worker:
        assert worker.bring_back() == []
        monkeypatch.setattr(workers, "UNSIGNED", -1.0)
        assert worker.bring_back() == [0]


def test_a_finished_trial_stays_finished(study):
    trial = study.ask()
    study.tell(trial, 1.0)
    put_back(study, trial._trial_id)
    assert states(study) == [TrialState.COMPLETE]


# In a database, on other machines


@pytest.fixture
def elsewhere(tmp_path):
    """Return the same study as two machines see it, each with its own folder."""
    url = f"sqlite:///{tmp_path}/search.db"
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    return [(study_in(folder, open_storage(folder, url)), folder) for folder in folders]


def test_a_remote_worker_is_running_while_its_counter_changes(elsewhere, monkeypatch):
    monkeypatch.setattr(workers, "BEAT", 0.05)
    (here, folder), (there, other) = elsewhere
    with (
        Worker(here, folder, beats=True) as worker,
        Worker(there, other, beats=True) as far,
    ):
        far.sign(there.ask())
        worker.bring_back()
        time.sleep(0.4)
        monkeypatch.setattr(workers, "SILENCE", 0.3)
        assert worker.bring_back() == []
        monkeypatch.setattr(workers, "BEAT", 60.0)  # as if the worker were killed
        time.sleep(0.2)
        assert worker.bring_back() == []
        time.sleep(0.4)
        assert worker.bring_back() == [0]


def test_a_remote_worker_that_stopped_has_ended_at_once(elsewhere):
    (here, folder), (there, other) = elsewhere
    with Worker(there, other, beats=True) as far:
        far.sign(there.ask())
    with Worker(here, folder, beats=True) as worker:
        assert worker.bring_back() == [0]
    assert here.get_trials()[0].user_attrs[OWNER] == ""
