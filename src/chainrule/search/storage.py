"""The storage of a search's trials: optuna's journal in the folder of the search, or a database.

    journal.log     a line for each event: a trial begun, a value drawn, a trial finished
    journal.lock    held while a line is written; released when the process of its holder ends

Every line contains its checksum. When a trial begins or finishes, all lines so far are synced to
disk. A line left incomplete by a killed process or a full disk is removed by the next writer;
since no reader has accepted it, nothing is lost.
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
    """Open the storage at a URL that optuna supports, or the journal in the folder."""
    if url is None:
        return JournalStorage(Journal(folder / "journal.log"))
    try:
        return get_storage(url)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", None) or "its driver"
        raise MissingExtraError(f"--storage {url}", missing, "", f"pip install {missing}") from None
    except Exception as error:  # an error of the database, of its driver, or of the URL itself
        got = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise OptionError(f"--storage {url}", "a reachable database", got, hint) from None


class Journal(JournalFileBackend):
    """optuna's journal file, with complete lines only and a checksum in each line."""

    def __init__(self, path: Path):
        self._path = path
        self._sums: dict[
            str, bool
        ] = {}  # whether a worker writes checksums; optuna's own journal does not
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append the lines after the last complete line, or none of them."""
        content = b"".join(_line(log) for log in logs)
        synced = any("state" in log for log in logs)
        try:
            with Lock(self._path.with_suffix(".lock")):
                _append(self._path, content, synced=synced)
        except OSError as error:
            hint = "freeing some space, then chainrule tune --resume; no finished candidate is lost"
            raise RunError(
                str(self._path), "a writable journal", durable.words(error), hint
            ) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the events from this number on; raise RunError for a damaged line."""
        number = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                checksum = log.pop(SUM, None)
                has_sums = self._sums.setdefault(log["worker_id"], checksum is not None)
                if has_sums != (checksum is not None) or checksum not in (None, _sum(log)):
                    raise ValueError("another checksum")
                yield log
                number += 1
        except OSError as error:
            hint = "checking the disk; the journal itself has not been changed"
            raise RunError(
                str(self._path), "a readable journal", durable.words(error), hint
            ) from error
        except (ValueError, KeyError):
            hint = "an undamaged copy of the journal"
            where = f"{self._path}, line {number + 1}"
            raise RunError(where, "an intact line", "a damaged line", hint) from None


def _line(log: dict[str, Any]) -> bytes:
    return json.dumps(log | {SUM: _sum(log)}, separators=(",", ":")).encode() + b"\n"


def _sum(log: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(log, separators=(",", ":")).encode())


def _append(path: Path, content: bytes, *, synced: bool) -> None:
    """Append after the last complete line; undo a write that succeeds only in part."""
    handle = os.open(path, os.O_RDWR)
    try:
        end = _complete_length(handle)
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


def _complete_length(handle: int) -> int:
    """Return the position at which the last complete line ends."""
    end = os.lseek(handle, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
