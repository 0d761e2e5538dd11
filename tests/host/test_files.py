"""chainrule/host/files.py: a file is complete or unchanged."""

import errno
import os

import pytest

from chainrule.host import files


def failing(code: int):
    """Return a function that raises the OSError of the system."""

    def fail(*_):
        raise OSError(code, os.strerror(code))

    return fail


# By hand


def test_a_written_file_leaves_no_temporary_file(tmp_path):
    files.write_file(tmp_path / "file", b"one")
    files.write_file(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


def test_folders_are_made_as_deep_as_needed(tmp_path):
    for _ in range(2):
        files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


# Properties


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch, name):
    files.write_file(tmp_path / "file", b"one")
    monkeypatch.setattr(os, name, failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.write_file(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["file"]


def test_content_folder_and_parents_are_synced(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync

    def watched(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    files.make_folder(tmp_path / "a" / "b")
    files.write_file(tmp_path / "a" / "b" / "file", b"one")
    names = [os.path.relpath(path, tmp_path) for path in synced]
    assert names == [".", "a", "a/b/file.new", "a/b"]


# Errors


def test_error_descriptions():
    assert files.describe_error(OSError(errno.ENOSPC, "No space left on device")) == "a full disk"
    assert files.describe_error(OSError(errno.EFBIG, "File too large")) == "a full disk"
    error = OSError(errno.EIO, "Input/output error")
    assert files.describe_error(error) == 'the system error "Input/output error"'
    assert files.describe_error(OSError("broken")) == 'the system error "broken"'
