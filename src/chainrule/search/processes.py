"""The workers of a search on this machine: this process, or several, each a process of its own.

    python -m chainrule.search.processes      one of those; its orders come on standard input

Each is a worker like any other. The process that started them looks on, tells what they find, and
sees to it that they end with it. Each has its share of the processors.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.cache import keep_compiled_programs
from chainrule.errors import ChainruleError, RunError
from chainrule.search.folder import Search, reopen
from chainrule.search.loop import work
from chainrule.search.tried import Told, Tried
from chainrule.search.workers import Worker
from chainrule.train.interrupt import interruptible

COMMAND = [sys.executable, "-m", "chainrule.search.processes"]
LOOK = 0.2  # seconds
PATIENCE = 10.0  # for a worker that was asked to end

Heard = Callable[[Tried], None]


class Process(NamedTuple):
    """A worker's process, and the file of what it says when something is wrong."""

    process: subprocess.Popen
    words: Path


def run_here(search: Search, heard: Heard | None = None) -> bool:
    """Be one worker of this search until it is done; whether it was ended before.

    `heard` is told of each candidate that is finished, by whichever worker. Ctrl-C ends the search
    at the next moment; the candidate that was being trained waits for the next worker.
    """
    keep_compiled_programs()
    told = Told(lambda: search.candidates, heard)
    in_database = search.settings.storage is not None
    with (
        interruptible() as interrupted,
        Worker(search.study, search.folder, beats=in_database) as worker,
    ):

        def look() -> bool:
            told.tell()
            return interrupted()

        cut_short = work(search.study, search.settings.plan, search.objective, worker, look)
    told.tell()
    return cut_short


def run_beside(search: Search, count: int, heard: Heard | None = None) -> bool:
    """Have `count` processes run the search; whether it was ended before it was done.

    One that is killed is missed by nobody: the others train its candidate. RunError where all of
    them have ended and candidates are left.
    """
    told = Told(lambda: search.candidates, heard)
    workers = [_start(search, number, count) for number in range(count)]
    try:
        with interruptible() as interrupted:
            while any(worker.process.poll() is None for worker in workers):
                told.tell()
                if interrupted():
                    break
                time.sleep(LOOK)
            cut_short = interrupted()
    finally:
        _end(workers)
        said = [_last_words(worker) for worker in workers]
    told.tell()
    if search.left and not cut_short:
        raise _all_ended(search, said)
    return cut_short


def _start(search: Search, number: int, count: int) -> Process:
    processors = _share(number, count)
    orders = {
        "folder": str(search.folder.absolute()),
        "trials": search.settings.trials,
        "storage": search.settings.storage,
        "parent": os.getpid(),
        "processors": processors,
    }
    threads = str(max(1, len(processors)))
    words = search.folder / "workers" / f"{os.getpid()}-{number}.txt"
    words.parent.mkdir(exist_ok=True)
    with words.open("wb") as said:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stderr=said,
            env={"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # several may share a GPU
            | os.environ
            | {"NPROC": threads, "OMP_NUM_THREADS": threads},
            start_new_session=True,  # Ctrl-C comes to us, and from us to them, once
        )
    with process.stdin as file:  # pyright: ignore[reportOptionalContextManager]
        file.write(json.dumps(orders).encode())
    return Process(process, words)


def _share(number: int, count: int) -> list[int]:
    """The processors of one worker; none is said where the system has no way to."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    each = max(1, len(allowed) // count)
    first = number * each % len(allowed)
    return allowed[first : first + each]


def _end(workers: list[Process]) -> None:
    """Ask those that are still there to end, and wait; not for ever."""
    alive = [worker.process for worker in workers if worker.process.poll() is None]
    for process in alive:
        process.send_signal(signal.SIGINT)
    until = time.monotonic() + PATIENCE
    for process in alive:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_words(worker: Process) -> str:
    """The last line it wrote, or how it ended."""
    lines = worker.words.read_text(errors="replace").splitlines()
    worker.words.unlink()
    code = worker.process.returncode
    return (lines or [f"ended by signal {-code}" if code < 0 else f"exit code {code}"])[-1]


def _all_ended(search: Search, said: list[str]) -> RunError:
    """What the first of them said."""
    hint = f"chainrule tune --resume {search.folder}: nothing that was finished is lost"
    try:
        where, expected, got, advice = json.loads(said[0])
    except ValueError:
        return RunError("the workers", "one at least that is at work", f"all {said[0]}", hint)
    return RunError(where, expected, got, advice or hint)


def _die_with(parent: int) -> None:
    """Ask ourselves to end as soon as the process that started us is gone."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGINT)


def main(orders: dict[str, Any]) -> None:
    """One worker, as its orders say."""
    if orders["processors"]:
        os.sched_setaffinity(0, orders["processors"])
    threading.Thread(target=_die_with, args=(orders["parent"],), daemon=True).start()
    try:
        run_here(reopen(Path(orders["folder"]), trials=orders["trials"], storage=orders["storage"]))
    except ChainruleError as error:
        sys.stderr.write("\n" + json.dumps(error.args))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main(json.load(sys.stdin))
