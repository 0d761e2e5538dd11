"""chainrule/search/study.py: a journal that survives kills, full disks and flipped bits."""

import errno
import os
import subprocess
import sys
import time

import pytest
from optuna.trial import TrialState

from chainrule.errors import MissingExtraError, OptionError, RunError
from chainrule.search import study as storage
from chainrule.search.study import open_storage
from chainrule.search.trials import finished_candidates
from chainrule.search.workers import Worker, work
from tests.search.killed import ended, start, write_fifty_trials
from tests.search.problem import SPACE, Pretended, plan, study_in


@pytest.fixture
def journal(tmp_path):
    """Return a journal with three finished trials."""
    study = study_in(tmp_path)
    with Worker(study, tmp_path, beats=False) as worker:
        work(study, plan(3), Pretended(), worker)
    return tmp_path / "journal.log"


def costs(folder):
    return [t.outcome.dev_cost for t in finished_candidates(study_in(folder), SPACE)]


# A torn line


def test_a_journal_cut_at_any_byte_of_its_last_line_can_be_continued(journal):
    content = journal.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    before = costs(journal.parent)
    for end in range(last, len(content)):
        journal.write_bytes(content[:end])
        study = study_in(journal.parent)  # this removes the incomplete line and writes a new one
        study.set_user_attr("still", "there")
        done = [t.outcome.dev_cost for t in finished_candidates(study, SPACE)]
        assert done == before[:2]  # the last line was the end of the third
        assert journal.read_bytes().endswith(b"\n")
    assert study_in(journal.parent).user_attrs == {"still": "there"}


def test_a_journal_without_a_complete_line_starts_anew(tmp_path):
    (tmp_path / "journal.log").write_bytes(b'{"op_code":0,"wor' * 1000)
    assert costs(tmp_path) == []


# A damaged line


def test_a_flipped_bit_is_found_and_its_line_named(journal):
    content = journal.read_bytes()
    for place in range(0, len(content) - 1, 97):
        damaged = bytearray(content)
        damaged[place] ^= 1
        journal.write_bytes(damaged)
        with pytest.raises(RunError) as error:
            costs(journal.parent)
        line = content[:place].count(b"\n") + 1
        assert f"{journal}, line {line}: expected an intact line; got a damaged line." in str(
            error.value
        )


def test_the_journal_of_another_program_is_read(journal):
    """Lines that optuna writes itself have no checksum."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    theirs = study_in(journal.parent, JournalStorage(JournalFileBackend(str(journal))))
    theirs.set_user_attr("by", "optuna")
    assert study_in(journal.parent).user_attrs == {"by": "optuna"}


# A disk that does not take it


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("written", [0, 7])
def test_a_write_that_fails_leaves_the_journal_as_it_was(journal, monkeypatch, code, written):
    study, real = study_in(journal.parent), os.write
    content = journal.read_bytes()
    parts = iter([written] if written else [])

    def write(handle, some):
        for size in parts:
            return real(handle, some[:size])  # first an incomplete write
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(storage.os, "write", write)
    with pytest.raises(RunError) as error:
        study.set_user_attr("a", 1)
    got = "a full disk" if code == errno.ENOSPC else f'the system error "{os.strerror(code)}"'
    assert str(error.value) == (
        f"{journal}: expected a writable journal; got {got}.\n"
        "Try freeing some space, then chainrule tune --resume; no finished candidate is lost."
    )
    assert journal.read_bytes() == content
    monkeypatch.undo()
    study.set_user_attr("a", 2)
    assert study_in(journal.parent).user_attrs == {"a": 2}


def test_what_is_finished_is_synced(journal, monkeypatch):
    study, synced, real = study_in(journal.parent), [], os.fsync

    def fsync(handle):
        synced.append(os.path.getsize(journal))
        real(handle)

    monkeypatch.setattr(storage.os, "fsync", fsync)
    trial = study.ask()
    trial.set_user_attr("result", 1)
    assert synced == []
    study.tell(trial, 1.0)
    assert synced == [journal.stat().st_size]  # with all lines before it


# The lock


HOLDER = """
import sys, time
from pathlib import Path
from chainrule.host.files import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free(journal):
    lock = journal.with_suffix(".lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True
    )
    with holder, holder.stdout as output:
        assert output.readline() == "held\n"
        holder.kill()
        holder.wait()
    began = time.monotonic()
    study_in(journal.parent).set_user_attr("a", 1)
    assert time.monotonic() - began < 5


def test_parallel_writers_lose_nothing(tmp_path):
    """Two processes, fifty trials each."""
    study_in(tmp_path)
    writers = [start(write_fifty_trials, tmp_path) for _ in range(2)]
    assert [ended(writer) for writer in writers] == [0, 0]
    trials = study_in(tmp_path).get_trials(states=(TrialState.COMPLETE,))
    assert sorted(t.number for t in trials) == list(range(100))


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
