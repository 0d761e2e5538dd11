"""The journal of a search: optuna's events as lines of JSON, whose end is recorded.

    journal.log     a line for each event: a trial begun, a value drawn, a trial finished
    journal.end     how many bytes of the journal have been written, how many of them are certainly
                    on the disk, and their crc32
    journal.lock    held while a line is written; released when the process of its holder ends

Every line contains its checksum, and every event is checked before it is used. When a trial begins
or finishes, all lines so far are synced to disk.

The end is recorded after the lines were written, in a single write of 60 bytes. So the journal is
never shorter than its recorded end after a process was killed, and a journal that is shorter or
different up to there has been damaged. It may be longer, if a process was killed between the two
writes: a complete line at the end counts, and an incomplete one, which no reader has accepted, is
removed by the next writer. A power failure may take lines that had not been synced. They belong to
candidates that were being trained, and are reported with a warning.

Journals of earlier versions have no recorded end until the first line is added.
"""

import json
import os
import re
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from chainrule.errors import ChainruleError, DataWarning, RunError
from chainrule.host import files
from chainrule.host.files import Lock
from chainrule.host.reading import Count, check_regular, convert, read_bytes, read_json
from chainrule.search.trials import COPY

SUM = "crc32"
RECORD = re.compile(rb"(?P<record>(\d{20}) (\d{20}) ([0-9a-f]{8})) ([0-9a-f]{8})\n")


class End(NamedTuple):
    """The recorded end of a journal.

    length   the number of bytes that have been written
    synced   how many of them have been synced to the disk
    sum      the crc32 of the bytes that have been written
    """

    length: int = 0
    synced: int = 0
    sum: int = 0

    def to_bytes(self) -> bytes:
        """Return the record, which always has the same length, with its own checksum."""
        record = b"%020d %020d %08x" % self
        return b"%b %08x\n" % (record, zlib.crc32(record))

    @classmethod
    def read(cls, path: Path) -> "End | None":
        """Return the recorded end, or None if there is none; raise RunError if it is damaged."""
        if not os.path.lexists(path):
            return None
        found = RECORD.fullmatch(read_bytes(path, RunError))
        if found is None or int(found[5], 16) != zlib.crc32(found["record"]):
            raise RunError(str(path), "the recorded end of a journal", "damaged content", COPY)
        return cls(int(found[2]), int(found[3]), int(found[4], 16))

    def write(self, path: Path) -> None:
        """Overwrite the record; if that fails, the previous one stays, which is also valid."""
        with suppress(OSError), files.open_regular(path) as file:
            before = file.read()
            try:
                _write_at(file.fileno(), 0, self.to_bytes())
            except OSError:
                _write_at(file.fileno(), 0, before)


class Journal(BaseJournalBackend):
    """The journal of a search as optuna's storage: complete lines only, with checksums."""

    def __init__(self, path: Path):
        self._path, self._end = path, path.with_suffix(".end")
        # Whether a worker writes checksums; optuna's own journal does not.
        self._sums: dict[str, bool] = {}
        self._read = End()  # how much of the journal has been read
        self._number = 0  # how many lines these are
        self._has_warned = False

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append the lines after the last complete line, or none of them."""
        content = b"".join(_line(log) for log in logs)
        synced = any("state" in log for log in logs)
        try:
            with Lock(self._path.with_suffix(".lock")):
                self._append(content, synced=synced)
        except OSError as error:
            hint = "freeing some space, then chainrule tune --resume; no finished candidate is lost"
            got = files.describe_error(error)
            raise RunError(str(self._path), "a writable journal", got, hint) from error

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """Return the events from this number on; raise RunError for a damaged journal."""
        if log_number_from != self._number:
            self._read, self._number = End(), 0
        recorded = End.read(self._end)  # before the journal, which is at least as long
        content = self._content()
        lines = content.split(b"\n")[:-1]
        events = [self._event(number, line) for number, line in enumerate(lines, self._number + 1)]
        if recorded is not None:
            self._check_end(recorded, content)
        complete = content[: content.rfind(b"\n") + 1]
        self._read = End(self._read.length + len(complete), 0, zlib.crc32(complete, self._read.sum))
        first, self._number = self._number, self._number + len(lines)
        return events[log_number_from - first :] if log_number_from > first else events

    def _content(self) -> bytes:
        """Return what the journal contains after the lines that have been read."""
        if not os.path.lexists(self._path):
            return b""
        check_regular(self._path, RunError)
        try:
            with open(self._path, "rb") as file:
                file.seek(self._read.length)
                return file.read()
        except OSError as error:
            hint = "checking the disk; the journal itself has not been changed"
            got = files.describe_error(error)
            raise RunError(str(self._path), "a readable journal", got, hint) from error

    def _event(self, number: int, line: bytes) -> dict[str, Any]:
        """Return the event in a line of the journal, after checking it."""
        where = f"{self._path}, line {number}"
        event = read_json(line, where, "an intact line", error=RunError, hint=COPY, finite=False)
        checksum = event.pop(SUM, None) if isinstance(event, dict) else None
        _check_types(event, where)
        has_sums = self._sums.setdefault(event["worker_id"], checksum is not None)
        if has_sums != (checksum is not None) or checksum not in (None, _sum(event)):
            raise RunError(where, "an intact line", "a different checksum", COPY)
        return event

    def _check_end(self, recorded: End, content: bytes) -> None:
        """Refuse a journal that was cut or changed; `content` is what has not been read before."""
        length = self._read.length + len(content)
        if length < recorded.length:
            self._warn_of_loss(recorded, length)
        elif recorded.length >= self._read.length:
            written = content[: recorded.length - self._read.length]
            if zlib.crc32(written, self._read.sum) != recorded.sum:
                expected = f"the {recorded.length:,} bytes that were written"
                raise RunError(str(self._path), expected, "different content", COPY)

    def _warn_of_loss(self, recorded: End, length: int) -> None:
        """Refuse a journal without bytes that had been synced, and warn if only others are lost."""
        if length < recorded.synced:
            expected = f"at least the {recorded.synced:,} bytes that were saved"
            raise RunError(str(self._path), expected, f"{length:,} bytes", COPY)
        if self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"{self._path} has lost its last {recorded.length - length:,} bytes, as after a power "
            "failure; the candidates that were being trained then are trained again.",
            DataWarning,
            stacklevel=2,
        )

    def _append(self, content: bytes, *, synced: bool) -> None:
        """Append after the last complete line; undo a write that succeeds only in part."""
        recorded = self._begun()
        with files.open_regular(self._path) as file:
            handle = file.fileno()
            end = _complete_length(handle)
            if end < recorded.length:
                self._warn_of_loss(recorded, end)
                recorded = End(synced=recorded.synced)
            before = os.pread(handle, end - recorded.length, recorded.length)
            total = zlib.crc32(before + content, recorded.sum)
            os.ftruncate(handle, end)
            try:
                _write_at(handle, end, content)
                if synced:
                    os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        length = end + len(content)
        End(length, length if synced else recorded.synced, total).write(self._end)

    def _begun(self) -> End:
        """Return the recorded end; create the journal and the record if they do not exist."""
        if not os.path.lexists(self._path):
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        recorded = End.read(self._end)
        if recorded is None:
            recorded = End()
            files.write_file(self._end, recorded.to_bytes())
        return recorded


def open_journal(folder: Path) -> JournalStorage:
    """Open the journal in the folder of a search; raise RunError if it is damaged."""
    path = folder / "journal.log"
    try:
        return JournalStorage(Journal(path))
    except ChainruleError:
        raise
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Each event is well-formed, but optuna cannot apply it after those before it.
        got = f"one that does not ({type(error).__name__}: {error})"
        raise RunError(str(path), "events that fit those before them", got, COPY) from None


def check_recorded(folder: Path) -> None:
    """Refuse a journal with events whose end is not recorded although this version wrote it."""
    path, end = folder / "journal.log", folder / "journal.end"
    if path.exists() and check_regular(path, RunError) and not os.path.lexists(end):
        raise RunError(str(end), "the recorded end of the journal", "no such file", COPY)


ALL = {"op_code": Count, "worker_id": str}
STUDY, TRIAL, ATTRIBUTES = {"study_id": Count}, {"trial_id": Count}, dict[str, Any]
EVENTS: tuple[dict[str, Any], ...] = (
    {"study_name": str, "directions": list[Count]},
    STUDY,
    STUDY | {"user_attr": ATTRIBUTES},
    STUDY | {"system_attr": ATTRIBUTES},
    STUDY | {"datetime_start": str | None},
    TRIAL | {"param_name": str, "param_value_internal": float, "distribution": str},
    TRIAL | {"state": Count, "values": list[float] | None},
    TRIAL | {"step": int, "intermediate_value": float},
    TRIAL | {"user_attr": ATTRIBUTES},
    TRIAL | {"system_attr": ATTRIBUTES},
)
"""The entries of each event, by optuna's number of the event, and their types."""


def _check_types(event: Any, where: str) -> None:
    """Refuse an event that optuna does not know or that has an entry of another type."""
    entries = convert(event, dict[str, Any], where, error=RunError, hint=COPY)
    for name, kind in ALL.items():
        convert(entries.get(name), kind, f"{where}, {name}", error=RunError, hint=COPY)
    number = entries["op_code"]
    if number >= len(EVENTS):
        expected = f"an event from 0 to {len(EVENTS) - 1}"
        raise RunError(f"{where}, op_code", expected, str(number), COPY)
    for name, kind in EVENTS[number].items():
        convert(entries.get(name), kind, f"{where}, {name}", error=RunError, hint=COPY)


def _line(log: dict[str, Any]) -> bytes:
    return json.dumps(log | {SUM: _sum(log)}, separators=(",", ":")).encode() + b"\n"


def _sum(log: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(log, separators=(",", ":")).encode())


def _write_at(handle: int, position: int, content: bytes) -> None:
    """Write all bytes at a position of an open file."""
    while content:
        written = os.pwrite(handle, content, position)
        position, content = position + written, content[written:]


def _complete_length(handle: int) -> int:
    """Return the position in the file at which the last complete line ends."""
    end = os.lseek(handle, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
