"""chainrule/durable.py: a file is complete or unchanged."""

import errno
import os

import pytest

from chainrule import durable


def failing(code: int):
    """Return a function that raises the OSError of the system."""

    def fail(*_):
        raise OSError(code, os.strerror(code))

    return fail


# By hand


def test_a_written_file_leaves_no_temporary_file(tmp_path):
    durable.write(tmp_path / "file", b"one")
    durable.write(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


def test_folders_are_made_as_deep_as_needed(tmp_path):
    for _ in range(2):
        durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


# Properties


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, name):
    durable.write(tmp_path / "file", b"one")
    monkeypatch.setattr(os, name, failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        durable.write(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["file"]


def test_content_folder_and_parents_are_synced(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync

    def watched(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    durable.make_folder(tmp_path / "a" / "b")
    durable.write(tmp_path / "a" / "b" / "file", b"one")
    names = [os.path.relpath(path, tmp_path) for path in synced]
    assert names == [".", "a", "a/b/file.new", "a/b"]


# Errors


def test_error_descriptions():
    assert durable.words(OSError(errno.ENOSPC, "No space left on device")) == "a full disk"
    assert durable.words(OSError(errno.EFBIG, "File too large")) == "a full disk"
    assert durable.words(OSError(errno.EIO, "Input/output error")) == "Input/output error"
    assert durable.words(OSError("broken")) == "broken"
