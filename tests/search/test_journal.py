"""chainrule/search/journal.py: a journal that survives kills, full disks and flipped bits."""

import errno
import json
import os
import subprocess
import sys
import time
import zlib

import pytest
from optuna.distributions import distribution_to_json
from optuna.trial import TrialState

from chainrule.errors import DataWarning, RunError
from chainrule.search import journal as storage
from chainrule.search.journal import End
from chainrule.search.trials import check_stored, distribution, finished_candidates
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


def record(journal, content, synced=None):
    """Record the end of a journal with this content."""
    synced = len(content) if synced is None else synced
    end = End(len(content), synced, zlib.crc32(content))
    journal.with_suffix(".end").write_bytes(end.to_bytes())


# A torn line


def test_a_journal_cut_at_any_byte_of_its_last_line_can_be_continued(journal):
    content = journal.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    before = costs(journal.parent)
    for end in range(last, len(content)):
        journal.write_bytes(content[:end])
        record(journal, content[:last])  # a process was killed while it wrote the last line
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
        assert error.value.where.startswith(f"{journal}, line {line}")


def test_the_journal_of_another_program_is_read(journal):
    """Lines that optuna writes itself have no checksum."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    theirs = study_in(journal.parent, JournalStorage(JournalFileBackend(str(journal))))
    theirs.set_user_attr("by", "optuna")
    assert study_in(journal.parent).user_attrs == {"by": "optuna"}


@pytest.mark.parametrize("suffix", [".log", ".end"])
def test_every_flipped_bit_and_every_cut_is_found(journal, suffix):
    """The last byte of each line included; no line that is cut off at its end is lost silently."""
    file = journal.with_suffix(suffix)
    content = file.read_bytes()
    step = 1 if suffix == ".end" else 13
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    damaged = [content[:end] for end in (0, 1, *ends, *(end + 1 for end in ends[:-1]))]
    for place in (*range(0, len(content), step), *ends):
        for bit in (0, 5):
            flipped = bytes([content[place] ^ 1 << bit])
            damaged.append(content[:place] + flipped + content[place + 1 :])
    for spoilt in damaged:
        file.write_bytes(spoilt)
        with pytest.raises(RunError, match="Try an undamaged copy of the search"):
            costs(journal.parent)
    file.write_bytes(content)
    assert len(costs(journal.parent)) == 3


def test_lines_of_another_journal_are_found(journal, tmp_path):
    """Each line is intact; one is missing, or two have changed places."""
    lines = journal.read_bytes().splitlines(keepends=True)
    for changed in (lines[:4] + lines[5:], [*lines[:4], lines[5], lines[4], *lines[6:]]):
        content = b"".join(changed)
        journal.write_bytes(content + b"x" * (sum(map(len, lines)) - len(content)))
        with pytest.raises(RunError, match="bytes that were written; got different content"):
            costs(journal.parent)


def test_a_journal_that_a_power_failure_shortened_is_continued_with_a_warning(journal):
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    kept = b"".join(lines[:-2])
    record(journal, content, synced=len(kept))
    journal.write_bytes(kept)
    with pytest.warns(DataWarning, match=rf"lost its last {len(content) - len(kept)} bytes, as"):
        study = study_in(journal.parent)
    study.set_user_attr("still", "there")
    assert study_in(journal.parent).user_attrs == {"still": "there"}  # and no further warning
    journal.write_bytes(kept[:-1])
    with pytest.raises(RunError, match=rf"expected at least the {len(kept):,} bytes that were sav"):
        study_in(journal.parent)


def test_a_journal_that_is_cut_while_it_is_open_takes_no_event(journal):
    study, content = study_in(journal.parent), journal.read_bytes()
    journal.write_bytes(content[:-500])
    with pytest.raises(RunError, match="expected at least"):
        study.set_user_attr("a", 1)
    journal.write_bytes(content)
    assert len(costs(journal.parent)) == 3


def test_a_journal_without_a_recorded_end_is_continued(journal):
    """Earlier versions recorded no end; it is recorded with the first new line."""
    journal.with_suffix(".end").unlink()
    study_in(journal.parent).set_user_attr("a", 1)
    content = journal.read_bytes()
    assert End.read(journal.with_suffix(".end")) == (len(content), 0, zlib.crc32(content))
    journal.write_bytes(content[:700])
    with pytest.warns(DataWarning):
        costs(journal.parent)


# A line whose checksum is right and whose content is not

CREATED = {"op_code": 4, "study_id": 0, "datetime_start": "2026-01-01T00:00:00"}
RESULT = {"op_code": 8, "trial_id": 3, "user_attr": {"result": {"state": "done"}}}
TOLD = {"op_code": 6, "trial_id": 3, "state": 1, "values": [1.0]}
TOLD |= {"datetime_complete": "2026-01-01T00:00:01"}
DRAWN = {"op_code": 5, "trial_id": 3, "param_name": "l2", "param_value_internal": 0.1}
DRAWN |= {"distribution": distribution_to_json(distribution(SPACE.dimensions["l2"]))}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"op_code": 12}, "op_code: expected an event from 0 to 9; got 12"),
        ({"op_code": "4"}, "expected `int`; got `str`"),
        ({"study_id": None}, "expected `int`; got `null`"),
        ({"datetime_start": "noon"}, "expected events that fit those before them; got one that"),
        (DRAWN | {"param_value_internal": "0.1"}, "expected `float`; got `str`"),
        (DRAWN | {"param_value_internal": 7.0}, "candidate 4, l2: expected a value of log(0.0001"),
        (DRAWN | {"distribution": "log"}, "expected events that fit those before them"),
        (TOLD | {"state": 9}, "expected events that fit those before them; got one that does not"),
        (TOLD | {"values": 1.0}, "expected `array | null`; got `float`"),
        (TOLD | {"values": [float("nan")]}, "expected a dev cost that is finite; got nan"),
        (RESULT | {"user_attr": {"result": 5}}, "expected `object`; got `int`"),
        (RESULT | {"user_attr": {"result": {"state": "?"}}}, "invalid enum value '?'"),
        (RESULT | {"user_attr": {"result": {"size": 1}}}, "the unknown entry 'size'"),
        (RESULT | {"user_attr": {"result": {"curve": {"cost": ["a"]}}}}, "expected `float`; got"),
        (RESULT | {"user_attr": {}}, "expected events that fit those before them; got one that"),
        ([], "expected `object`; got `array`"),
    ],
)
def test_an_event_of_wrong_types_is_refused(journal, event, words):
    worker = {"worker_id": "w"}
    added = [CREATED | worker]
    added.append({**added[0], **event} if isinstance(event, dict) else event)
    with journal.open("ab") as file:
        for one in added:
            file.write(storage._line(one) if isinstance(one, dict) else json.dumps(one).encode())
        file.write(b"\n" if added[1] == [] else b"")
    with pytest.raises(RunError) as error:
        check_stored(study_in(journal.parent), SPACE, str(journal))
    assert str(error.value).startswith(str(journal))
    assert words in str(error.value).replace("Invalid", "invalid")


@pytest.mark.parametrize("name", ["journal.log", "journal.end"])
def test_links_and_pipes_are_not_written_to(journal, name, tmp_path_factory):
    study, file = study_in(journal.parent), journal.parent / name
    outside = tmp_path_factory.mktemp("outside") / "file"
    file.rename(outside)
    content = outside.read_bytes()
    file.symlink_to(outside)
    if name == "journal.log":
        with pytest.raises(RunError, match="expected a writable journal; got"):
            study.set_user_attr("a", 1)
    else:
        study.set_user_attr("a", 1)  # the record is only older now
    assert outside.read_bytes() == content
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(RunError, match="expected a regular file; got a pipe"):
        study_in(journal.parent)


# A disk that does not take it


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("written", [0, 7])
def test_a_write_that_fails_leaves_the_journal_as_it_was(journal, monkeypatch, code, written):
    study, real = study_in(journal.parent), os.pwrite
    content = journal.read_bytes()
    parts = iter([written] if written else [])

    def write(handle, some, place):
        for size in parts:
            return real(handle, some[:size], place)  # first an incomplete write
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(storage.os, "pwrite", write)
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


@pytest.mark.parametrize("written", [0, 20])
def test_a_record_that_cannot_be_written_loses_nothing(journal, monkeypatch, written):
    """The record of the previous line stays, which is valid."""
    study, real = study_in(journal.parent), os.pwrite
    before = journal.with_suffix(".end").read_bytes()
    calls = []

    def pwrite(handle, some, place):
        calls.append(place)
        if len(calls) == 2 and written:
            return real(handle, some[:written], place)
        if len(calls) in (2, 3):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, some, place)

    monkeypatch.setattr(storage.os, "pwrite", pwrite)
    study.set_user_attr("a", 1)
    monkeypatch.undo()
    assert journal.with_suffix(".end").read_bytes() == before
    assert study_in(journal.parent).user_attrs == {"a": 1}
    study.set_user_attr("a", 2)
    assert End.read(journal.with_suffix(".end")).length == journal.stat().st_size


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
