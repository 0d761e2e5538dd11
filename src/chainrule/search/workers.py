"""Who is at work on a search, and which trials were left behind by somebody who is not any more.

A worker holds the lock of workers/ID in the search's folder for as long as it lives: when its
process ends, however it ends, the operating system lets go. In a database it shows that it lives
by counting, every few seconds, where the others can see: no clock of another machine is asked.

A trial that is running for a worker that is gone goes back to those that wait, with the values it
has, and the next worker trains it.
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
SILENCE = 20.0  # after which a worker on another machine is taken for gone
UNSIGNED = 5.0  # a trial that is nobody's: its worker ended before it could sign
OWNER = "worker"
GONE = -1
NAME = 12  # letters


class Worker:
    """One process that trains candidates; used with `with`, it is alive inside."""

    def __init__(self, study: Study, folder: Path, *, beats: bool):
        self.name = uuid.uuid4().hex[:NAME]
        self._study, self._folder = study, folder / "workers"
        self._lock = Lock(self._folder / self.name)
        self._beats = Beats(study, self.name) if beats else None
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> "Worker":
        """Be seen."""
        self._folder.mkdir(exist_ok=True)
        self._lock.acquire()
        if self._beats is not None:
            self._beats.start()
        return self

    def __exit__(self, *error) -> None:
        """Say goodbye."""
        if self._beats is not None:
            self._beats.stop()
        self._lock.path.unlink(missing_ok=True)
        self._lock.release()

    def sign(self, trial: Any) -> None:
        """Say that the trial is ours."""
        trial.set_user_attr(OWNER, self.name)

    def beside(self) -> int:
        """How many workers there are in this folder, ourselves among them."""
        return max(1, sum(1 for path in self._folder.iterdir() if len(path.name) == NAME))

    def bring_back(self) -> list[int]:
        """Have the trials of those who are gone wait for a worker; their numbers."""
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
        if (lives := self._lives_here(owner)) is not None:
            return not lives
        if self._beats is None:
            return True
        beat = self._study.user_attrs.get(f"{OWNER} {owner}")
        return beat == GONE or self._unchanged(owner, beat) > SILENCE

    def _lives_here(self, owner: str) -> bool | None:
        """Whether it holds its lock; None where it has none in this folder."""
        lock = Lock(self._folder / owner)
        if not lock.path.exists():
            return None
        if not lock.acquire():
            return True
        lock.path.unlink(missing_ok=True)
        lock.release()
        return False

    def _unchanged(self, what: str, value: Any) -> float:
        """For how many seconds we have seen it so."""
        now = time.monotonic()
        if what not in self._seen or self._seen[what][0] != value:
            self._seen[what] = (value, now)
        return now - self._seen[what][1]


class Beats:
    """Counts, in a thread, where the other machines see it."""

    def __init__(self, study: Study, name: str):
        self._study, self._key = study, f"{OWNER} {name}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def stop(self) -> None:
        """The last one says that it was the last."""
        self._ended.set()
        self._thread.join()
        self._study.set_user_attr(self._key, GONE)

    def _count(self) -> None:
        beat = 0
        while not self._ended.is_set():
            with suppress(Exception):  # the database is away for a moment: one beat less
                self._study.set_user_attr(self._key, beat)
            beat += 1
            self._ended.wait(BEAT)


def put_back(study: Study, trial_id: int) -> None:
    """The trial waits again, nobody's; one that was finished meanwhile stays so."""
    storage = study._storage
    with suppress(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id, OWNER, "")
        storage.set_trial_state_values(trial_id, TrialState.WAITING)
