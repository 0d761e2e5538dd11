"""The workers of a search, and how trials are recovered from workers that have ended.

A worker holds the lock on workers/ID in the folder of the search while it runs; the operating
system releases the lock when the process ends, however it ends. With a database, a worker also
increments a counter there every few seconds as a heartbeat. Other workers only check that the
counter changes, so the clocks of the machines need not agree.

A running trial whose worker has ended is put back into the queue with its values, and the next
worker trains it.
"""

import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from chainrule.lock import Lock

BEAT = 3.0  # seconds
SILENCE = 20.0  # seconds without a heartbeat after which a worker is considered ended
UNSIGNED = 5.0  # seconds after which a trial without an owner is considered lost
OWNER = "worker"
GONE = -1
NAME = 12  # letters in the name of a worker


class Worker:
    """A process that trains candidates; a context manager that registers it as running."""

    def __init__(self, study: Study, folder: Path, *, beats: bool):
        self.name = uuid.uuid4().hex[:NAME]
        self._study, self._folder = study, folder / "workers"
        self._lock = Lock(self._folder / self.name)
        self._beats = Beats(study, self.name) if beats else None
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> "Worker":
        """Acquire the worker's lock and start its heartbeat."""
        self._folder.mkdir(exist_ok=True)
        self._lock.acquire()
        if self._beats is not None:
            self._beats.start()
        return self

    def __exit__(self, *error) -> None:
        """Stop the heartbeat and release the lock."""
        if self._beats is not None:
            self._beats.stop()
        self._lock.path.unlink(missing_ok=True)
        self._lock.release()

    def sign(self, trial: Any) -> None:
        """Mark a trial as owned by this worker."""
        trial.set_user_attr(OWNER, self.name)

    def beside(self) -> int:
        """Return the number of workers in this folder, including this one."""
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
        if not owner:
            return self._unchanged(f"trial {trial.number}", None) > UNSIGNED
        if (running_here := self._is_running_here(owner)) is not None:
            return not running_here
        if self._beats is None:
            return True
        beat = self._study.user_attrs.get(f"{OWNER} {owner}")
        return beat == GONE or self._unchanged(owner, beat) > SILENCE

    def _is_running_here(self, owner: str) -> bool | None:
        """Return whether a worker holds its lock; None if it has no lock in this folder."""
        lock = Lock(self._folder / owner)
        if not lock.path.exists():
            return None
        if not lock.acquire():
            return True
        lock.path.unlink(missing_ok=True)
        lock.release()
        return False

    def _unchanged(self, key: str, value: Any) -> float:
        """Return for how many seconds this worker has seen the same value."""
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
