"""RUN.partial: a training that is not done yet.

    recipe.json      what was asked, of which data, on which machine
    checkpoints/     where it stands
    change.json      what it is asked to do differently from the next epoch on
    training.lock    held by the process that trains; the system lets go of it when that one ends

At the end the run is written inside, renamed to RUN, and the rest is removed.
"""

import json
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule import durable
from chainrule.errors import DataWarning, RunError
from chainrule.lock import Lock
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY, Checkpoints
from chainrule.train.history import History
from chainrule.train.machine import describe_machine

CHECKPOINTS = "checkpoints"
RUNS = "runs"


class Unfinished:
    """The folder RUN.partial of the run that will lie in RUN, while this process trains it."""

    def __init__(self, run: Path):
        self.run, self.folder = run, partial_of(run)
        self.lock = Lock(self.folder / "training.lock")
        self.applied = 0

    @classmethod
    def begin(cls, run: Path, recipe: dict[str, Any], digests: dict[str, str]) -> "Unfinished":
        """A new one; raises RunError where one lies there already, or nothing can be written."""
        unfinished = cls(run)
        if (unfinished.folder / "recipe.json").exists():
            hint = f"chainrule train --resume {run}, or another name for --out"
            raise RunError(
                str(unfinished.folder), "a new folder", "a training that was interrupted", hint
            )
        try:
            unfinished.folder.mkdir(parents=True, exist_ok=True)
            unfinished._take()
            facts = describe_machine() | {"digests": digests}
            content = json.dumps({"recipe": recipe, "facts": facts}, indent=1).encode()
            durable.write(unfinished.folder / "recipe.json", content)
        except OSError as error:
            unfinished.discard()
            raise cannot_write(run, error) from error
        return unfinished

    @classmethod
    def resume(cls, run: Path) -> "tuple[Unfinished, dict[str, Any]]":
        """The interrupted training of this run, and what its recipe.json says."""
        unfinished = cls(run)
        file = unfinished.folder / "recipe.json"
        try:
            saved = json.loads(file.read_bytes())
            _ = saved["recipe"]["source"], saved["facts"]["digests"]
        except FileNotFoundError:
            expected = "a training that was interrupted"
            raise RunError(str(unfinished.folder), expected, "none", _others(run)) from None
        except (OSError, ValueError, KeyError, TypeError):
            hint = "the same training again, under another name"
            raise RunError(str(file), "what was asked for", "something else", hint) from None
        unfinished._take()
        note_another_machine(saved["facts"])
        return unfinished, saved

    def checkpoints(self, every: float = EVERY) -> Checkpoints:
        """Where it stands."""
        return Checkpoints(self.folder / CHECKPOINTS, every)

    def asked(self, history: History) -> Change | None:
        """What `chainrule change` asked for since, if anything; said until it has been done."""
        file = self.folder / "change.json"
        if len(history.changes) > self.applied:
            self.applied = len(history.changes)
            file.unlink(missing_ok=True)
        try:
            return Change(**json.loads(file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def __enter__(self) -> "Unfinished":
        """Inside, this process trains it; afterwards only what can be gone on with is kept."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it; without a checkpoint there is nothing that could be gone on with."""
        self.lock.release()
        if not any(self.folder.glob(f"{CHECKPOINTS}/*")):
            self.discard()

    def discard(self) -> None:
        """Take it away, and the usual folder of runs where it holds nothing else."""
        self.lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.parent.name == RUNS:
            with suppress(OSError):
                self.folder.parent.rmdir()

    def _take(self) -> None:
        if not self.lock.acquire():
            hint = "waiting for it, or another name for --out"
            got = "one that another process is training now"
            raise RunError(str(self.folder), "a training that was interrupted", got, hint)


def request(run: Path, change: Change) -> None:
    """Ask the process that trains this run for a change; raises RunError where there is none."""
    folder = partial_of(run)
    lock = Lock(folder / "training.lock")
    if not folder.is_dir() or lock.acquire():
        lock.release()
        hint = f"chainrule train --resume {run}" if folder.is_dir() else _others(run)
        raise RunError(str(run), "a run that is being trained now", "none", hint)
    try:
        durable.write(folder / "change.json", json.dumps(change.said).encode())
    except OSError as error:
        raise cannot_write(folder, error) from error


def partial_of(run: Path) -> Path:
    """RUN.partial."""
    return run.with_name(run.name + ".partial")


def run_of(path: str | os.PathLike) -> Path:
    """RUN, of RUN or RUN.partial."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == ".partial" else path


def cannot_write(path: Path, error: OSError) -> RunError:
    """What is said where the disk takes no more, or nothing."""
    hint = "another folder for --out"
    if error.errno in durable.FULL:
        hint = "freeing some space, or --out on another disk"
    got = f"{durable.words(error)}; nothing was kept"
    return RunError(str(path), "a folder that can be written", got, hint)


def note_another_machine(facts: dict[str, Any]) -> None:
    """Bit for bit is a promise for the same versions, cores and device only."""
    now = describe_machine()
    before = {name: facts.get(name) for name in now}
    if before != now:
        other = [name for name in now if before[name] != now[name]]
        warnings.warn(
            f"the training began with other {', '.join(other)}; it goes on, but not bit for bit "
            "as it would have there.",
            DataWarning,
            stacklevel=2,
        )


def _others(run: Path) -> str:
    """The trainings beside it that were interrupted."""
    beside = sorted(p.with_suffix("") for p in run.parent.glob("*.partial") if os.listdir(p))
    return ", ".join(map(str, beside)) or "chainrule train, from the start"
