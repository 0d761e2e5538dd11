"""Every call that writes fails once: with a full disk, with an I/O error, and half done.

A training is watched first: which calls it makes on the files of its run, in which order. Then it
is trained again for each of these calls, which fails. What follows must be a run like the one that
nothing happened to, or one message and nothing lost: `--resume`, or the same command where there
was no checkpoint yet, must then give that run.
"""

import builtins
import errno
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.runs.status import last_step, partial_of
from tests.validation.interrupted.kills import said
from tests.validation.interrupted.stories import Order, Story, command, last_words, tell

TRAIN = ("train", "iris", "--hidden", "4", "--epochs", "5", "--no-check", "--out", "run")
RESUME = ("train", "--resume", "run", "--no-check")
EACH = ("--checkpoint-every", "0")
MESSAGE = re.compile(r"[^\n]+: expected [^\n]+; got [^\n]+\.\nTry [^\n]+\.\n\Z")
CALLS = "calls.txt"
SYSTEM = ("open", "write", "fsync", "ftruncate", "replace", "rename", "mkdir", "rmdir", "unlink")
ERRORS = {"disk full": errno.ENOSPC, "I/O error": errno.EIO}
SHORT, SHORT_THEN_FULL = "short write", "short write, then disk full"


class Failure(NamedTuple):
    """Call number `number` of those on the run's files fails, and how."""

    number: int = -1
    how: str = ""


@dataclass
class Failures:
    """How many calls failed in which way, and what was wrong afterwards."""

    tried: Counter = field(default_factory=Counter)
    resumed: int = 0
    untouched: int = 0
    wrong: list[str] = field(default_factory=list)


def fail_every_write(place: Path, *, at_once: int) -> Failures:
    """Each call that a training makes on its files fails once in each way that it can."""
    cache, found = place.parent / "cache", Failures()
    (calls,) = tell([watched(place / "whole", cache)], 1)
    for wrong in tell(_stories(found, calls, place, cache), at_once):
        if wrong:
            found.wrong.append(wrong)
    return found


def watched(folder: Path, cache: Path) -> Story:
    """The calls of a training that nothing happens to."""
    folder.mkdir(parents=True)
    yield Order(folder, failing(Failure(), folder, *TRAIN, *EACH, cache=cache))
    code = yield Order(folder, command(*RESUME, cache=cache))
    assert code == 0, last_words(folder)
    return [line.split()[0] for line in (folder / CALLS).read_text().splitlines()]


def _stories(found: Failures, calls: list[str], place: Path, cache: Path) -> Iterator[Story]:
    for number, call in enumerate(calls):
        ways = [*ERRORS, *((SHORT, SHORT_THEN_FULL) if call == "write" else ())]
        for how in ways:
            folder = place / f"{number}-{how.replace(' ', '-').replace('/', '')}"
            yield failed(found, Failure(number, how), folder, place / "whole", cache)


def failed(found: Failures, failure: Failure, folder: Path, whole: Path, cache: Path) -> Story:
    """One training in which this call fails; what is wrong with what follows, or nothing."""
    folder.mkdir()
    run = folder / "run"
    code = yield Order(folder, failing(failure, folder, *TRAIN, *EACH, cache=cache))
    call, safe = _what_failed(folder)
    found.tried[f"{call}, {failure.how}"] += 1
    wrong = _wrong_words(folder, code, run, safe)
    if not wrong and code == 0:
        found.untouched += 1
    elif not wrong:
        found.resumed += 1
        again = RESUME if (partial_of(run) / "recipe.json").exists() or run.exists() else TRAIN
        code = yield Order(folder, command(*again, cache=cache))
        wrong = "" if code == 0 else f"it does not go on\n{last_words(folder)}"
    if not wrong and said(run) != said(whole / "run"):
        wrong = "another run than the whole one"
    return f"{folder.name}, {call}: {wrong}" if wrong else ""


def _what_failed(folder: Path) -> tuple[str, int]:
    """The call, and the step that was safe then."""
    lines = (folder / CALLS).read_text().splitlines()
    line = next(line for line in lines if "FAILS" in line)
    name, _, _, step = line.split()
    return name, int(step)


def _wrong_words(folder: Path, code: int, run: Path, safe: int) -> str:
    """What is wrong with how it ended."""
    text = (folder / "said.txt").read_text()
    if code not in (0, 2) or "Traceback" in text:
        return f"exit code {code}\n{last_words(folder)}"
    if code == 2 and not MESSAGE.search(text):
        return f"no message\n{last_words(folder)}"
    if code == 2 and not run.exists() and last_step(run) < safe:
        return f"step {safe} was safe, and is {last_step(run)} now"
    return ""


def failing(failure: Failure, folder: Path, *words: str, cache: Path) -> Callable[[], int]:
    """The command, in which a call fails; all calls are written down."""
    return command(*words, cache=cache, first=partial(_install, failure, folder))


def _install(failure: Failure, folder: Path) -> None:
    """Stand before the calls of the system in this process."""
    from chainrule.train import fit

    fit.FIRST_STEPS, fit.SECONDS_PER_CALL = 2, 0.0  # calls that do not depend on the clock
    on_progress = Watch(failure, folder)
    for name in SYSTEM:
        setattr(os, name, on_progress.before(name, getattr(os, name)))
    builtins.open = io.open = on_progress.opening(io.open)


class Watch:
    """Counts the calls on the run's files, writes them down, and has one fail."""

    def __init__(self, failure: Failure, folder: Path):
        self.failure, self.folder, self.count = failure, folder, 0
        self._log = os.open(folder / CALLS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._write = os.write

    def before(self, name: str, call: Callable) -> Callable:
        """The call of the system, where it is not the one that fails."""

        def watched(*arguments: Any, **named: Any) -> Any:
            if self._is_ours(arguments[0], named.get("dir_fd")):
                self.comes(name)
            return call(*arguments, **named)

        return watched

    def opening(self, call: Callable) -> Callable:
        """`open`, whose files come to us with each of their writes."""

        def watched(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if "r" in mode or not self._is_ours(file):
                return call(file, mode, *arguments, **named)
            self.comes("open")
            assert mode == "wb", f"{file} is opened in mode {mode}"
            return io.BufferedWriter(WatchedFile(self, os.fspath(file)))

        return watched

    def comes(self, name: str) -> str:
        """Call number `count` is about to be made; raises OSError, or says "half" of it is done."""
        fails = self.count == self.failure.number
        step = last_step(self.folder / "run") if fails else 0
        line = f"{name} {self.count} FAILS {step}\n" if fails else f"{name} {self.count}\n"
        self._write(self._log, line.encode())
        self.count += 1
        if not fails:
            return ""
        if self.failure.how in (SHORT, SHORT_THEN_FULL):
            return "half"
        code = ERRORS[self.failure.how]
        raise OSError(code, os.strerror(code))

    def _is_ours(self, file: Any, folder: int | None = None) -> bool:
        """Whether it is a file of the run, or the folder that the run lies in."""
        if isinstance(file, int):
            path = os.readlink(f"/proc/self/fd/{file}")
        else:
            above = os.readlink(f"/proc/self/fd/{folder}") if folder is not None else os.getcwd()
            path = os.path.join(above, os.fsdecode(file))
        path = os.path.normpath(path)
        return path == str(self.folder) or path.startswith(f"{self.folder}/run")


class WatchedFile(io.FileIO):
    """A file that has been opened to be written."""

    def __init__(self, on_progress: Watch, path: str):
        super().__init__(path, "w")
        self._watch, self._left = on_progress, ""

    def write(self, content: Any) -> int:
        """All of it, or half of it, or nothing and OSError."""
        half = self._watch.comes("write")
        if self._left == SHORT_THEN_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._left = self._watch.failure.how if half else ""
        return super().write(content[: len(content) // 2] if half else content)
