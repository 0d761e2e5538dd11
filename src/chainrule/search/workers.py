"""The workers of a search: its loop, its processes, and the recovery of trials of ended workers.

Each worker repeats one loop: ask for a candidate, train it, store its outcome, until all are
finished. Any number of workers run in parallel, on one machine or on several, and may start and
stop at any time; they share state only through the storage. The values of a candidate depend on its
number, not on the worker that draws them.

A worker holds the lock on workers/ID in the folder of the search while it runs; the operating
system releases the lock when the process ends, however it ends. With a database, a worker also
increments a counter there every few seconds as a heartbeat. Other workers only check that the
counter changes, so the clocks of the machines need not agree.

A running trial whose worker has ended is put back into the queue with its values, and the next
worker trains it.

The workers on this machine are this process, or several worker processes:

    python -m chainrule.search.workers      a worker process; it reads its orders from stdin

The process that starts the workers reports the candidates that they finish, and makes sure that
they end when it ends. Each worker has its share of the processors.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from chainrule.errors import ChainruleError, RunError
from chainrule.host import files
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.files import Lock
from chainrule.runs.recipe import Recipe
from chainrule.search.objective import Objective, Report
from chainrule.search.samplers import (
    OWN,
    PRUNERS,
    RandomSampler,
    Region,
    Result,
    optunas_sampler,
    region_of,
)
from chainrule.search.study import Plan, Search, reopen
from chainrule.search.trials import (
    DONE,
    INTERRUPTED,
    PRUNED,
    RESULT,
    CandidateNotifier,
    CandidateResult,
    Outcome,
    finished_candidates,
    recipe_of,
    suggest,
)
from chainrule.train.interrupt import interruptible

BEAT = 3.0  # seconds
SILENCE = 20.0  # seconds without a heartbeat after which a worker is considered ended
UNSIGNED = 5.0  # seconds after which a trial without an owner is considered lost
OWNER, WORKERS = "worker", "workers"
GONE = -1
NAME = 12  # letters in the name of a worker
NAMED = re.compile(f"[0-9a-f]{{{NAME}}}")


class Worker:
    """A process that trains candidates; a context manager that registers it as running."""

    def __init__(self, study: Study, folder: Path, *, beats: bool):
        self.name = uuid.uuid4().hex[:NAME]
        self._study, self._folder = study, folder / WORKERS
        self._lock = Lock(self._folder / self.name)
        self._beats = Beats(study, self.name) if beats else None
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> "Worker":
        """Acquire the worker's lock and start its heartbeat."""
        with _writing(self._folder):
            files.make_subfolder(self._folder)
            self._lock.acquire()
        if self._beats is not None:
            self._beats.start()
        return self

    def __exit__(self, *error) -> None:
        """Stop the heartbeat and release the lock."""
        if self._beats is not None:
            self._beats.stop()
        self._lock.delete()

    def sign(self, trial: Any) -> None:
        """Record this worker as the owner of a trial."""
        trial.set_user_attr(OWNER, self.name)

    def beside(self) -> int:
        """Return the number of workers that use this folder, including this one."""
        return max(1, sum(1 for path in self._folder.iterdir() if len(path.name) == NAME))

    def bring_back(self) -> list[int]:
        """Put the trials of ended workers back into the queue; return their numbers."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lost = [trial for trial in running if self._is_lost(trial)]
        for trial in lost:
            put_back(self._study, trial._trial_id)
        return [trial.number for trial in lost]

    def _is_lost(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get(OWNER)
        if owner == self.name:
            return False
        if not (isinstance(owner, str) and NAMED.fullmatch(owner)):  # a stored name may be a path
            return self._unchanged(f"trial {trial.number}", None) > UNSIGNED
        if (running_here := self._is_running_here(owner)) is not None:
            return not running_here
        if self._beats is None:
            return True
        beat = self._study.user_attrs.get(f"{OWNER} {owner}")
        return beat == GONE or self._unchanged(owner, beat) > SILENCE

    def _is_running_here(self, owner: str) -> bool | None:
        """Return whether a worker on this machine holds its lock; None if it has no lock here."""
        lock = Lock(self._folder / owner)
        if not lock.path.exists():
            return None
        if not lock.acquire():
            return True
        lock.delete()
        return False

    def _unchanged(self, key: str, value: Any) -> float:
        """Return for how many seconds this worker has seen the counter unchanged."""
        now = time.monotonic()
        if key not in self._seen or self._seen[key][0] != value:
            self._seen[key] = (value, now)
        return now - self._seen[key][1]


class Beats:
    """The heartbeat of a worker: a thread that increments a counter in the storage."""

    def __init__(self, study: Study, name: str):
        self._study, self._key = study, f"{OWNER} {name}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and store that the worker has ended."""
        self._ended.set()
        self._thread.join()
        self._study.set_user_attr(self._key, GONE)

    def _count(self) -> None:
        beat = 0
        while not self._ended.is_set():
            with suppress(Exception):  # a database that is briefly unavailable costs one beat
                self._study.set_user_attr(self._key, beat)
            beat += 1
            self._ended.wait(BEAT)


def put_back(study: Study, trial_id: int) -> None:
    """Put a trial back into the queue without an owner, unless it has been finished meanwhile."""
    storage = study._storage
    with suppress(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id, OWNER, "")
        storage.set_trial_state_values(trial_id, TrialState.WAITING)


WAIT = 0.1  # seconds between two polls of the storage
MOST = 64  # candidates in a batch
MOST_OPERATIONS = 1e13  # operations in a batch: about a minute on two cores
OPEN = (TrialState.RUNNING, TrialState.WAITING)


def work(
    study: Study,
    plan: Plan,
    objective: Objective,
    worker: Worker,
    look: Callable[[], bool] = lambda: False,
) -> bool:
    """Train candidates until all planned ones are finished; return whether it stopped earlier.

    `look()` is called between two training runs and while waiting; it returns whether to stop.
    """
    study.pruner = PRUNERS[plan.pruner]()
    while not look():
        worker.bring_back()
        batch = gather(study, plan, objective, worker)
        if batch:
            unfinished = try_candidates(study, plan, objective, batch, look)
            for trial in unfinished:
                put_back(study, trial._trial_id)
            if unfinished:
                return True
        elif not any(t.state in OPEN for t in study.get_trials(deepcopy=False)[: plan.trials]):
            return False
        else:
            time.sleep(WAIT)
    return True


def gather(
    study: Study, plan: Plan, objective: Objective, worker: Worker
) -> list[tuple[Trial, Recipe]]:
    """Return the next candidate, or a batch of candidates to train at once.

    A batch is at most this worker's share of the remaining candidates, and takes about a minute.
    """
    batch: list[tuple[Trial, Recipe]] = []
    planned = study.get_trials(deepcopy=False)[: plan.trials]
    left = plan.trials - sum(trial.state not in OPEN for trial in planned)
    most = min(MOST, -(-left // worker.beside())) if plan.together else 1
    operations = MOST_OPERATIONS
    while len(batch) < most and operations > 0 and (trial := take(study, plan, worker)):
        study.sampler = _sampler(study, plan, trial.number)
        recipe = recipe_of(objective.base, suggest(trial, plan.space))
        batch.append((trial, recipe))
        operations -= objective.operations(recipe) if plan.together else 0
    return batch


def take(study: Study, plan: Plan, worker: Worker) -> Trial | None:
    """Claim and return the next trial, or None if no candidate can begin now."""
    trials = study.get_trials(deepcopy=False)
    number = next_number(trials, plan)
    if number is None or not is_ready(trials, plan, number):
        return None
    trial = study.ask()
    worker.sign(trial)
    if trial.number < plan.trials and is_ready(trials, plan, trial.number):
        return trial
    put_back(study, trial._trial_id)  # another worker was faster
    return None


def next_number(trials: list[FrozenTrial], plan: Plan) -> int | None:
    """Return the number of the next candidate, a waiting one first; None if all are assigned."""
    planned = trials[: plan.trials]
    waiting = [trial.number for trial in planned if trial.state == TrialState.WAITING]
    if waiting:
        return waiting[0]
    return len(trials) if len(trials) < plan.trials else None


def is_ready(trials: list[FrozenTrial], plan: Plan, number: int) -> bool:
    """Return whether a candidate can begin: in rounds, once all earlier rounds are finished."""
    if plan.sampler != "coarse_to_fine":
        return True
    first = number - number % plan.round_size
    return len(trials) >= first and not any(t.state in OPEN for t in trials[:first])


def try_candidates(
    study: Study,
    plan: Plan,
    objective: Objective,
    batch: list[tuple[Trial, Recipe]],
    look: Callable[[], bool],
) -> list[Trial]:
    """Train a batch and store the outcomes; return the trials left unfinished if it is stopped."""
    unfinished = dict(enumerate(trial for trial, _ in batch))
    if plan.together:
        results = objective.together([r for _, r in batch], halve=plan.pruner == "halving")
    else:
        [(trial, recipe)] = batch
        results = iter([{0: objective(recipe, reporter(study, plan, trial))}])
    for outcomes in results:
        for i, outcome in outcomes.items():
            if outcome.state != INTERRUPTED:
                tell(study, unfinished.pop(i), outcome)
        if unfinished and look():
            break
    return list(unfinished.values())


def reporter(study: Study, plan: Plan, trial: Trial) -> Report:
    """Return a function that reports a candidate's cost and asks the pruner whether to end it."""
    before = study._storage.get_trial(trial._trial_id).intermediate_values

    def report(percent: int, dev_cost: float) -> bool:
        if plan.pruner == "none":
            return False
        if percent not in before:  # not reported before by a worker that was stopped
            with suppress(UpdateFinishedTrialError):
                trial.report(dev_cost, percent)
        return trial.should_prune()

    return report


def tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Store the outcome of a trial; a failure is stored as pruned, so that samplers avoid it."""
    with suppress(UpdateFinishedTrialError):
        trial.set_user_attr(RESULT, outcome.to_dict())
        if outcome.state == PRUNED and not trial.storage.get_trial(trial._trial_id).last_step:
            trial.report(
                outcome.dev_cost, 1
            )  # optuna reads the cost of a pruned trial from its reports
        if outcome.state == DONE:
            study.tell(trial, outcome.dev_cost, TrialState.COMPLETE, skip_if_finished=True)
        else:
            study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)


def _sampler(study: Study, plan: Plan, number: int):
    """Return the sampler that chooses the values of a candidate."""
    if plan.sampler not in OWN:
        return optunas_sampler(plan.sampler, plan.seed, number)
    region = Region.whole(plan.space)
    if plan.sampler == "coarse_to_fine":
        results = [
            Result(t.number, t.values, t.outcome.dev_cost)
            for t in finished_candidates(study, plan.space)
            if t.outcome.state in (DONE, PRUNED)
        ]
        region = region_of(plan.space, results, number, plan.round_size)
    return RandomSampler(plan.space, plan.seed, number, region)


COMMAND = [sys.executable, "-m", "chainrule.search.workers"]
POLL = 0.2  # seconds
PATIENCE = 10.0  # seconds that a worker has to end after it was asked to

CandidateCallback = Callable[[CandidateResult], None]


class Process(NamedTuple):
    """The process of a worker, and the file that receives its standard error."""

    process: subprocess.Popen
    stderr: Path


def run_worker(search: Search, on_result: CandidateCallback | None = None) -> bool:
    """Run a worker in this process until the search is done; return whether it was interrupted.

    `on_result` is called with each finished candidate, whichever worker finished it. Ctrl-C ends
    the search soon after; the candidate in training then waits for the next worker.
    """
    enable_compilation_cache()
    notifier = CandidateNotifier(lambda: search.candidates, on_result)
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


def run_processes(search: Search, count: int, on_result: CandidateCallback | None = None) -> bool:
    """Run the search in `count` worker processes; return whether it was interrupted.

    If a worker is killed, the others train its candidate. Raises RunError if all workers have
    ended and candidates are left.
    """
    notifier = CandidateNotifier(lambda: search.candidates, on_result)
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
    stderr = search.folder / WORKERS / f"{os.getpid()}-{number}.txt"
    with _writing(stderr.parent):
        files.make_subfolder(stderr.parent)
        stderr.unlink(missing_ok=True)  # a link at this place is not followed
        stderr_file = stderr.open("xb")
    with stderr_file:
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


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raise a RunError that names the folder if a file in it cannot be written."""
    try:
        yield
    except OSError as error:
        hint = "removing it, then chainrule tune --resume"
        got = files.describe_error(error)
        raise RunError(str(folder), "a folder that can be written", got, hint) from error


def _share(number: int, count: int) -> list[int]:
    """Return the processors of a worker; none if the system cannot assign processors."""
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
    with suppress(OSError):
        worker.stderr.unlink()
    code = worker.process.returncode
    return (lines or [f"ended by signal {-code}" if code < 0 else f"exit code {code}"])[-1]


def _all_ended(search: Search, last_lines: list[str]) -> RunError:
    """Return the error that all workers have ended, with the last line of the first one."""
    hint = f"chainrule tune --resume {search.folder}; no finished candidate is lost"
    try:
        where, expected, got, advice = json.loads(last_lines[0])
    except (TypeError, ValueError):  # another last line, such as that of a traceback
        got = f"none: {last_lines[0]}"
        return RunError("the workers", "at least one running worker", got, hint)
    return RunError(where, expected, got, advice or hint)


def _die_with(parent: int) -> None:
    """Interrupt this process as soon as the process that started it has ended."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGINT)


def main(orders: dict[str, Any]) -> None:
    """Run a worker process with the settings from the process that started it."""
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
