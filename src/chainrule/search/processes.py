"""The workers of a search on this machine: this process, or several worker processes.

    python -m chainrule.search.processes      a worker process; it reads its orders from stdin

The process that starts the workers reports the candidates that they finish, and makes sure that
they end when it ends. Each worker has its share of the processors.
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
from chainrule.search.tried import CandidateNotifier, Tried
from chainrule.search.workers import Worker
from chainrule.train.interrupt import interruptible

COMMAND = [sys.executable, "-m", "chainrule.search.processes"]
POLL = 0.2  # seconds
PATIENCE = 10.0  # seconds that a worker has to end after it was asked to

CandidateCallback = Callable[[Tried], None]


class Process(NamedTuple):
    """The process of a worker, and the file that receives its standard error."""

    process: subprocess.Popen
    stderr: Path


def run_worker(search: Search, heard: CandidateCallback | None = None) -> bool:
    """Run a worker in this process until the search is done; return whether it was interrupted.

    `heard` is called with each finished candidate, whichever worker finished it. Ctrl-C ends the
    search soon after; the candidate in training then waits for the next worker.
    """
    keep_compiled_programs()
    notifier = CandidateNotifier(lambda: search.candidates, heard)
    in_database = search.settings.storage is not None
    with (
        interruptible() as interrupted,
        Worker(search.study, search.folder, beats=in_database) as worker,
    ):

        def look() -> bool:
            notifier.notify()
            return interrupted()

        stopped_early = work(search.study, search.settings.plan, search.objective, worker, look)
    notifier.notify()
    return stopped_early


def run_processes(search: Search, count: int, heard: CandidateCallback | None = None) -> bool:
    """Run the search in `count` worker processes; return whether it was interrupted.

    If a worker is killed, the others train its candidate. Raises RunError if all workers have
    ended and candidates are left.
    """
    notifier = CandidateNotifier(lambda: search.candidates, heard)
    workers = [_start(search, number, count) for number in range(count)]
    try:
        with interruptible() as interrupted:
            while any(worker.process.poll() is None for worker in workers):
                notifier.notify()
                if interrupted():
                    break
                time.sleep(POLL)
            stopped_early = interrupted()
    finally:
        _end(workers)
        last_lines = [_last_line(worker) for worker in workers]
    notifier.notify()
    if search.left and not stopped_early:
        raise _all_ended(search, last_lines)
    return stopped_early


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
    stderr = search.folder / "workers" / f"{os.getpid()}-{number}.txt"
    stderr.parent.mkdir(exist_ok=True)
    with stderr.open("wb") as stderr_file:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stderr=stderr_file,
            env={"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # workers may share a GPU
            | os.environ
            | {"NPROC": threads, "OMP_NUM_THREADS": threads},
            start_new_session=True,  # Ctrl-C reaches only this process, which passes it on
        )
    with process.stdin as file:  # pyright: ignore[reportOptionalContextManager]
        file.write(json.dumps(orders).encode())
    return Process(process, stderr)


def _share(number: int, count: int) -> list[int]:
    """Return the processors of a worker; an empty list if the system cannot assign processors."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    each = max(1, len(allowed) // count)
    first = number * each % len(allowed)
    return allowed[first : first + each]


def _end(workers: list[Process]) -> None:
    """Ask the running workers to end, wait for them, and kill those that do not end in time."""
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


def _last_line(worker: Process) -> str:
    """Return the last line that a worker wrote to stderr, or how it ended."""
    lines = worker.stderr.read_text(errors="replace").splitlines()
    worker.stderr.unlink()
    code = worker.process.returncode
    return (lines or [f"ended by signal {-code}" if code < 0 else f"exit code {code}"])[-1]


def _all_ended(search: Search, last_lines: list[str]) -> RunError:
    """Return the error of the first worker."""
    hint = f"chainrule tune --resume {search.folder}; no finished candidate is lost"
    try:
        where, expected, got, advice = json.loads(last_lines[0])
    except ValueError:
        got = f"none: {last_lines[0]}"
        return RunError("the workers", "at least one running worker", got, hint)
    return RunError(where, expected, got, advice or hint)


def _die_with(parent: int) -> None:
    """Interrupt this process as soon as the process that started it has ended."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGINT)


def main(orders: dict[str, Any]) -> None:
    """Run a worker process with the orders of the process that started it."""
    if orders["processors"]:
        os.sched_setaffinity(0, orders["processors"])
    threading.Thread(target=_die_with, args=(orders["parent"],), daemon=True).start()
    try:
        run_worker(
            reopen(Path(orders["folder"]), trials=orders["trials"], storage=orders["storage"])
        )
    except ChainruleError as error:
        sys.stderr.write("\n" + json.dumps(error.args))
        raise SystemExit(2) from None


if __name__ == "__main__":
    main(json.load(sys.stdin))
