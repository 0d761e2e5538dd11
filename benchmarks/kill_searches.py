"""Searches that are killed at random, and whose every write fails once: is anything lost?

    python -m benchmarks.kill_searches [KILLS]

A search that is killed again and again must find, candidate by candidate and bit by bit, what the
same search finds in peace. So must one whose n-th write to the journal fails, for every n: with a
full disk, an I/O error, or a short write.
"""

import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from chainrule.errors import RunError
from chainrule.search.folder import Search, begin, reopen
from chainrule.search.search import run

SPACE = ["learning_rate=log(1e-3, 0.1)", "l2=log(1e-3, 1)"]
IN_TURN = {"sampler": "coarse_to_fine", "together": False}  # at once is equal up to rounding
OPTIONS = {"space": SPACE, "hidden": (8,), "epochs": 40, **IN_TURN}
TRIALS = 400
TUNE = [sys.executable, "-c", "from chainrule.cli.main import main; main()", "tune", "--resume"]
LATEST = 6.0  # seconds after its start by which a process is killed


def found(search: Search) -> list:
    """All that is known of each candidate, but for the time it took."""
    return [
        (c.number, c.values, c.outcome.state, c.outcome.dev_cost, c.outcome.curve)
        for c in search.candidates
    ]


def killed(folder: Path, kills: int) -> tuple[int, int]:
    """Kill the search so many times, then let it end; how often candidates fell back, and kills."""
    done, lost = 0, 0
    for number in range(kills):
        workers = ["--workers", "2"] if number % 3 == 0 else []
        process = subprocess.Popen(
            [*TUNE, str(folder), *workers], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(random.uniform(0.0, LATEST))
        if process.poll() is not None:
            return lost, number
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = len(reopen(folder).candidates)
        lost, done = lost + (now < done), now
    return lost, kills


def failing(kind: str, at: int):
    """`os.write` of which the n-th call fails, or writes half and fails then."""
    real, calls = os.write, 0

    def write(handle: int, content: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == at and kind == "short":
            return real(handle, content[: len(content) // 2])
        if calls == at or (calls == at + 1 and kind == "short"):
            code = errno.EIO if kind == "I/O error" else errno.ENOSPC
            raise OSError(code, os.strerror(code))
        return real(handle, content)

    return mock.patch("chainrule.search.storage.os.write", write)


def every_write(folder: Path, kind: str, expected: list) -> tuple[int, int]:
    """Fail each write once; how many failed, and after how many of them something was lost."""
    failed = lost = 0
    while True:
        search = begin("iris", trials=len(expected), out=folder / f"{kind}-{failed}", **OPTIONS)
        try:
            with failing(kind, failed + 1):
                run(search)
            return failed, lost
        except RunError:
            failed += 1
        again = reopen(search.folder)
        run(again)
        lost += found(again) != expected


def main(kills: int) -> None:
    """Print what was lost: nothing, it should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = begin("iris", trials=4, out=folder / "few", **OPTIONS)
        run(few)
        for kind in ("full disk", "I/O error", "short"):
            failed, lost = every_write(folder, kind, found(few))
            print(f"{kind:10} {failed:4} writes failed once each; lost something after {lost}")
        search = begin("iris", trials=TRIALS, out=folder / "killed", **OPTIONS)
        fell, count = killed(search.folder, kills)
        run(reopen(search.folder))
        peace = begin("iris", trials=TRIALS, out=folder / "peace", **OPTIONS)
        run(peace)
        same = found(reopen(search.folder)) == found(peace)
        print(f"{count} kills; finished candidates lost after {fell}; the same in the end: {same}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
