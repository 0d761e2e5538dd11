"""Where the trials of a search are kept: optuna's journal in the search's folder, or a database.

    journal.log     a line for each event: a trial begun, a value drawn, a trial finished
    journal.lock    held while a line is written, and by nobody whose process has ended

Every line says its own sum. Where a trial begins or is finished, all lines so far are synced. A
line that a killed process or a full disk left half written is cut off by the next one that writes;
nobody has been told of it, so nothing is lost with it.
"""

import json
import os
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend

from chainrule import durable
from chainrule.errors import MissingExtraError, OptionError, RunError
from chainrule.lock import Lock

SUM = "crc32"


def open_storage(folder: Path, url: str | None = None) -> BaseStorage:
    """The storage at any URL that optuna knows, or the journal in the folder."""
    if url is None:
        return JournalStorage(Journal(folder / "journal.log"))
    try:
        return get_storage(url)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", None) or "its driver"
        raise MissingExtraError(f"--storage {url}", missing, "", f"pip install {missing}") from None
    except Exception as error:  # of the database, of its driver, or of the URL itself
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise OptionError(f"--storage {url}", "a database that answers", said, hint) from None


class Journal(JournalFileBackend):
    """optuna's journal file, whole lines only; each line with its own sum."""

    def __init__(self, path: Path):
        self._path = path
        self._sums: dict[str, bool] = {}  # does this worker say them? optuna's own does not
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write the lines behind the last whole one, or none of them."""
        content = b"".join(_line(log) for log in logs)
        synced = any("state" in log for log in logs)
        try:
            with Lock(self._path.with_suffix(".lock")):
                _append(self._path, content, synced=synced)
        except OSError as error:
            hint = "freeing some space; chainrule tune --resume then goes on: nothing is lost"
            raise RunError(
                str(self._path), "a journal that can be written", durable.words(error), hint
            ) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The events from this number on; RunError for a line that is not what was written."""
        number = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                said = log.pop(SUM, None)
                sums = self._sums.setdefault(log["worker_id"], said is not None)
                if sums != (said is not None) or said not in (None, _sum(log)):
                    raise ValueError("another sum")
                yield log
                number += 1
        except OSError as error:
            hint = "a look at the disk; nothing that was finished is lost with this"
            raise RunError(
                str(self._path), "a journal that can be read", durable.words(error), hint
            ) from error
        except (ValueError, KeyError):
            hint = "a copy of the journal that is whole"
            raise RunError(
                f"{self._path}, line {number + 1}", "what was written", "another", hint
            ) from None


def _line(log: dict[str, Any]) -> bytes:
    return json.dumps(log | {SUM: _sum(log)}, separators=(",", ":")).encode() + b"\n"


def _sum(log: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(log, separators=(",", ":")).encode())


def _append(path: Path, content: bytes, *, synced: bool) -> None:
    """Behind the last whole line; what can only be written in part is taken back."""
    handle = os.open(path, os.O_RDWR)
    try:
        end = _whole(handle)
        os.ftruncate(handle, end)
        os.lseek(handle, end, os.SEEK_SET)
        try:
            while content:
                content = content[os.write(handle, content) :]
            if synced:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)


def _whole(handle: int) -> int:
    """Where the last whole line ends."""
    end = os.lseek(handle, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
