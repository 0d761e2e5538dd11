"""chainrule/host/files.py: a lock excludes others, and is released when its holder ends."""

import errno
import os
import subprocess
import sys
import threading
from unittest.mock import Mock

import pytest

from chainrule.host.files import Lock

HOLD = """
import pathlib, sys, time
from chainrule.host.files import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(60)
"""


def test_one_at_a_time(tmp_path):
    one, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert not one.held
    assert one.acquire()
    assert one.held
    assert not other.acquire()
    one.release()
    one.release()
    assert other.acquire()
    assert not one.held


def test_a_killed_process_releases_the_lock(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not Lock(tmp_path / "lock").acquire()
        holder.kill()
        holder.wait()
        assert Lock(tmp_path / "lock").acquire()


def test_with_waits_for_the_holder(tmp_path):
    one, order = Lock(tmp_path / "lock"), []
    one.acquire()

    def wait():
        with Lock(tmp_path / "lock"):
            order.append("other")

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.1)
    order.append("one")
    one.release()
    waiting.join()
    assert order == ["one", "other"]


def test_the_file_remains_so_that_a_waiting_process_locks_the_same_one(tmp_path):
    (tmp_path / "lock").write_bytes(b"content")
    with Lock(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_bytes() == b"content"


def test_another_thread_may_release(tmp_path):
    lock = Lock(tmp_path / "lock")
    lock.acquire()
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    assert not lock.held
    assert Lock(tmp_path / "lock").acquire()


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "nowhere" / "lock").acquire()
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_cannot_be_deleted_is_left_there(tmp_path, monkeypatch):
    """What was locked is done by then: an error would say that it failed."""
    one = Lock(tmp_path / "lock")
    with monkeypatch.context() as failing:
        failing.setattr(os, "unlink", Mock(side_effect=OSError(errno.EIO, "Input/output error")))
        assert one.acquire()
        one.delete()
    assert not one.held
    with one:
        assert one.path.exists()
        one.delete()
    assert not one.path.exists()
    assert Lock(tmp_path / "lock").acquire()
