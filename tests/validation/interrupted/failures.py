"""Every call that writes fails once: with a full disk, with an I/O error, and half done.

A command is watched first: which calls it makes on its files, in which order. Then it is run again
for each of these calls, which fails. What follows must be the result that there is without a
failure, or one message and nothing lost: the command that continues it, or the same command where
there was nothing to continue, must then give that result.
"""

import builtins
import errno
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.validation.interrupted.stories import Order, Story, command, last_words, tell
from tests.validation.interrupted.work import Work

MESSAGE = re.compile(r"[^\n]+: expected [^\n]+; got [^\n]+\.\nTry [^\n]+\.\n\Z")
CALLS = "calls.txt"
SYSTEM = ("open", "fsync", "ftruncate", "replace", "rename", "mkdir", "rmdir", "unlink")
WRITES = ("write", "pwrite")
ERRORS = {"disk full": errno.ENOSPC, "I/O error": errno.EIO}
SHORT, SHORT_THEN_FULL = "short write", "short write, then disk full"


class Failure(NamedTuple):
    """Call number `number` of those on the command's files fails, and how."""

    number: int = -1
    how: str = ""


@dataclass
class Failures:
    """How many calls failed in which way, and what was wrong afterwards."""

    tried: Counter = field(default_factory=Counter)
    resumed: int = 0
    untouched: int = 0
    wrong: list[str] = field(default_factory=list)


def fail_every_write(
    place: Path,
    works: Mapping[str, Work],
    calls: int,
    *,
    data: Path,
    at_once: int,
    once: bool = False,
) -> Failures:
    """Let each call that the commands make on their files fail, in each way that it can.

    If `once`, or if a command makes more than `calls` calls, of which so many fail, each of them
    fails in one way only.
    """
    cache, found = place.parent / "cache", Failures()
    wholes = list(tell((watched(place, n, w, data, cache) for n, w in works.items()), at_once))
    for wrong in tell(_stories(found, wholes, calls, place, data, cache, once=once), at_once):
        if wrong:
            found.wrong.append(wrong)
    return found


class Watched(NamedTuple):
    """A command that nothing happened to, the calls that it made, and its result."""

    name: str
    work: Work
    calls: list[str]
    result: Any


def watched(place: Path, name: str, work: Work, data: Path, cache: Path) -> Story:
    """Run the command without a failure."""
    folder = place / f"whole-{name}"
    work.prepare(folder, data)
    code = yield Order(folder, failing(Failure(), folder, *work.begin, cache=cache))
    assert code == 0, last_words(folder)
    calls = [line.split()[0] for line in (folder / CALLS).read_text().splitlines()]
    return Watched(name, work, calls, work.result(folder))


def _stories(
    found: Failures,
    wholes: list[Watched],
    most: int,
    place: Path,
    data: Path,
    cache: Path,
    *,
    once: bool,
) -> Iterator[Story]:
    for whole in wholes:
        one = once or len(whole.calls) > most
        for number in Random(0).sample(range(len(whole.calls)), min(most, len(whole.calls))):
            ways = [*ERRORS, *((SHORT, SHORT_THEN_FULL) if whole.calls[number] in WRITES else ())]
            for how in [ways[number % len(ways)]] if one else ways:
                name = f"{whole.name}-{number}-{how.replace(' ', '-').replace('/', '')}"
                whole.work.prepare(place / name, data)
                yield failed(found, Failure(number, how), place / name, whole, cache)


def failed(found: Failures, failure: Failure, folder: Path, whole: Watched, cache: Path) -> Story:
    """Run the command with this failure; return what is wrong with what follows, or nothing."""
    work = whole.work
    code = yield Order(folder, failing(failure, folder, *work.begin, cache=cache, work=work))
    call, safe = _what_failed(folder)
    found.tried[f"{call}, {failure.how}"] += 1
    wrong = _wrong_words(folder, code, work, safe)
    if not wrong and code == 0:
        found.untouched += 1
    elif not wrong:
        found.resumed += 1
        words = work.resume if work.is_begun(folder) else work.begin
        code = yield Order(folder, command(*words, cache=cache))
        wrong = "" if code == 0 else f"it does not go on\n{last_words(folder)}"
    if not wrong and work.result(folder) != whole.result:
        wrong = "another result than the whole one"
    return f"{folder.name}, {call}: {wrong}" if wrong else ""


def _what_failed(folder: Path) -> tuple[str, float]:
    """Return the call, and what was safe then."""
    lines = (folder / CALLS).read_text().splitlines()
    line = next((line for line in lines if "FAILS" in line), "none 0 FAILS 0")
    name, _, _, safe = line.split()
    return name, float(safe)


def _wrong_words(folder: Path, code: int, work: Work, safe: float) -> str:
    """Return what is wrong with how it ended."""
    text = (folder / "said.txt").read_text()
    if code not in (0, 2) or "Traceback" in text:
        return f"exit code {code}\n{last_words(folder)}"
    if code == 2 and not MESSAGE.search(text):
        return f"no message\n{last_words(folder)}"
    if code == 2 and work.safe(folder) < safe:
        return f"{safe} was safe, and is {work.safe(folder)} now"
    return ""


def failing(
    failure: Failure, folder: Path, *words: str, cache: Path, work: Work | None = None
) -> Callable[[], int]:
    """Return the command, in which a call fails; all calls are written down."""
    safe = partial(work.safe, folder) if work else lambda: 0.0
    return command(*words, cache=cache, first=partial(_install, failure, folder, safe))


def _install(failure: Failure, folder: Path, safe: Callable[[], float]) -> None:
    """Watch the calls of this process."""
    from chainrule.train import fit

    fit.FIRST_STEPS, fit.SECONDS_PER_CALL = 2, 0.0  # calls that do not depend on the clock
    on_progress = Watch(failure, folder, safe)
    for name in SYSTEM:
        setattr(os, name, on_progress.before(name, getattr(os, name)))
    for name in WRITES:
        setattr(os, name, on_progress.writing(name, getattr(os, name)))
    builtins.open = io.open = on_progress.opening(io.open)


class Watch:
    """Counts the calls on the command's files, writes them down, and has one fail."""

    def __init__(self, failure: Failure, folder: Path, safe: Callable[[], float]):
        self.failure, self.folder, self.count, self._safe = failure, folder, 0, safe
        self._log = os.open(folder / CALLS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._write, self._fails_next = os.write, False

    def before(self, name: str, call: Callable) -> Callable:
        """Return the call of the system, where it is not the one that fails."""

        def watched(*arguments: Any, **named: Any) -> Any:
            reads = name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if not reads and self._is_ours(arguments[0], named.get("dir_fd")):
                self.comes(name)
            return call(*arguments, **named)

        return watched

    def writing(self, name: str, call: Callable) -> Callable:
        """Return a call that writes all of the content, half of it, or nothing."""

        def watched(handle: int, content: Any, *place: int) -> int:
            if not self._is_ours(handle):
                return call(handle, content, *place)
            if self._fails_next:
                self._fails_next = False
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            half = self.comes(name)
            self._fails_next = bool(half) and self.failure.how == SHORT_THEN_FULL
            return call(handle, content[: len(content) // 2] if half else content, *place)

        return watched

    def opening(self, call: Callable) -> Callable:
        """Return `open`, whose files come to us with each of their writes."""

        def watched(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if "r" in mode or not self._is_ours(file):
                return call(file, mode, *arguments, **named)
            self.comes("open")
            assert mode in ("wb", "xb"), f"{file} is opened in mode {mode}"
            return io.BufferedWriter(WatchedFile(self, os.fspath(file), mode[0]))

        return watched

    def comes(self, name: str) -> str:
        """Call number `count` is about to be made; raises OSError, or says "half" of it is done."""
        fails = self.count == self.failure.number
        line = f"{name} {self.count} FAILS {self._safe()}\n" if fails else f"{name} {self.count}\n"
        self._write(self._log, line.encode())
        self.count += 1
        if not fails:
            return ""
        if self.failure.how in (SHORT, SHORT_THEN_FULL):
            return "half"
        code = ERRORS[self.failure.how]
        raise OSError(code, os.strerror(code))

    def _is_ours(self, file: Any, folder: int | None = None) -> bool:
        """Return whether it is a file of the command, or the folder that they lie in."""
        if isinstance(file, int):
            path = os.readlink(f"/proc/self/fd/{file}")
        else:
            above = os.readlink(f"/proc/self/fd/{folder}") if folder is not None else os.getcwd()
            path = os.path.join(above, os.fsdecode(file))
        path = os.path.normpath(path)
        return path == str(self.folder) or path.startswith(f"{self.folder}/run")


class WatchedFile(io.FileIO):
    """A file that has been opened to be written."""

    def __init__(self, on_progress: Watch, path: str, mode: str):
        super().__init__(path, mode)
        self._watch, self._left = on_progress, ""

    def write(self, content: Any) -> int:
        """All of it, or half of it, or nothing and OSError."""
        half = self._watch.comes("write")
        if self._left == SHORT_THEN_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._left = self._watch.failure.how if half else ""
        return super().write(content[: len(content) // 2] if half else content)
