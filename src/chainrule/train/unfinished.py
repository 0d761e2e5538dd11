"""RUN.partial: a training that is not done yet.

    recipe.json      what was asked, of which data, on which machine; with its own sha256
    ladder.json      what the ladder has found, where it was climbed; the same
    checkpoints/     where it stands
    change.json      what it is asked to do differently from the next epoch on (`requests.py`)
    training.lock    held by the process that trains; the system lets go of it when that one ends

At the end the run is written inside, renamed to RUN, and the rest is removed.
"""

import hashlib
import json
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule import durable
from chainrule.errors import DataWarning, RunError
from chainrule.lock import Lock
from chainrule.train.checkpoint import EVERY, Checkpoints
from chainrule.train.machine import describe_machine
from chainrule.train.partial import (
    CHECKPOINTS,
    LOCK,
    RECIPE,
    has_checkpoints,
    others,
    partial_of,
)

RUNS = "runs"
LADDER = "ladder.json"


class Unfinished:
    """The folder RUN.partial of the run that will lie in RUN, while this process trains it."""

    def __init__(self, run: Path):
        self.run, self.folder = run, partial_of(run)
        self.lock = Lock(self.folder / LOCK)

    @classmethod
    def begin(cls, run: Path, recipe: dict[str, Any], digests: dict[str, str]) -> "Unfinished":
        """A new one; raises RunError where one lies there already, or nothing can be written."""
        unfinished = cls(run)
        try:
            durable.make_folder(unfinished.folder)
            unfinished._take()
            if (unfinished.folder / RECIPE).exists():
                unfinished.lock.release()
                hint = f"chainrule train --resume {run}, or another name for --out"
                got = "a training that was interrupted"
                raise RunError(str(unfinished.folder), "a new folder", got, hint)
            unfinished._clear()
            facts = describe_machine() | {"digests": digests}
            durable.write(unfinished.folder / RECIPE, sealed(recipe, facts))
        except OSError as error:
            unfinished.discard()
            raise cannot_write(run, error) from error
        return unfinished

    @classmethod
    def resume(cls, run: Path) -> "tuple[Unfinished, dict[str, Any]]":
        """The interrupted training of this run, and what its recipe.json says."""
        unfinished = cls(run)
        file = unfinished.folder / RECIPE
        try:
            saved = unsealed(file.read_bytes())
        except FileNotFoundError:
            expected = "a training that was interrupted"
            raise RunError(str(unfinished.folder), expected, "none", others(run)) from None
        except (OSError, ValueError, KeyError, TypeError):
            hint = "the same training again, under another name"
            raise RunError(str(file), "the sha256 that was written", "another", hint) from None
        try:
            unfinished._take()
        except OSError as error:
            raise cannot_write(run, error) from error
        note_another_machine(saved["facts"])
        return unfinished, saved

    def keep_ladder(self, recipe: dict[str, Any], facts: dict[str, Any]) -> None:
        """What the ladder has found; where it cannot be written it would be climbed again."""
        with suppress(OSError):
            durable.write(self.folder / LADDER, sealed(recipe, facts))

    def ladder(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What it has found, if it was climbed and nothing was changed since."""
        try:
            saved = unsealed((self.folder / LADDER).read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return saved["recipe"], saved["facts"]

    def checkpoints(self, every: float = EVERY) -> Checkpoints:
        """Where it stands."""
        return Checkpoints(self.folder / CHECKPOINTS, every)

    def __enter__(self) -> "Unfinished":
        """Inside, this process trains it; afterwards only what can be gone on with is kept."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it; without a checkpoint there is nothing that could be gone on with."""
        if not has_checkpoints(self.run):
            self.discard()
        self.lock.release()

    def discard(self) -> None:
        """Take it away if it is ours, and the usual folder of runs where it holds nothing else."""
        if self.lock.held:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.lock.release()
        else:
            with suppress(OSError):
                self.folder.rmdir()
        if self.folder.parent.name == RUNS:
            with suppress(OSError):
                self.folder.parent.rmdir()

    def _take(self) -> None:
        if not self.lock.acquire():
            hint = "waiting for it, or another name for --out"
            got = "one that another process is training now"
            raise RunError(str(self.folder), "a training that nobody is at", got, hint)

    def _clear(self) -> None:
        """Nothing of an earlier training, whose folder was being taken away when it was killed."""
        for left in self.folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()


def sealed(recipe: dict[str, Any], facts: dict[str, Any]) -> bytes:
    """The content of recipe.json."""
    said = {"recipe": recipe, "facts": facts}
    total = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return json.dumps(said | {"sha256": total}, indent=1).encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """What was sealed; ValueError, KeyError or TypeError where it was changed since."""
    saved = json.loads(content)
    if content != sealed(saved["recipe"], saved["facts"]):
        raise ValueError("another sha256")
    return saved


def cannot_write(run: Path, error: OSError) -> RunError:
    """What is said where the disk takes no more, or nothing: is the training lost, or not?"""
    full = error.errno in durable.FULL
    if has_checkpoints(run):
        kept = f"the training is kept in {partial_of(run)}"
        hint = f"{'freeing some space, then ' if full else ''}chainrule train --resume {run}"
    else:
        kept = "nothing was kept"
        hint = (
            "freeing some space, or --out on another disk" if full else "another folder for --out"
        )
    got = f"{durable.words(error)}; {kept}"
    return RunError(str(run), "a folder that can be written", got, hint)


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
