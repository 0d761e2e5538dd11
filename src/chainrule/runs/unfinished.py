"""RUN.partial: the folder of an unfinished training run.

    recipe.json      the recipe, the data and the machine, with a sha256 of its own
    ladder.json      the result of the ladder, if there was one, with a sha256 of its own
    ladder.weights   the arrays of the network that won on the ladder
    checkpoints/     the state of the training
    change.json      the requested changes from the next epoch on (`runs/job.py`)
    training.lock    locked by the process that trains, and released by the system when it ends

At the end the finished run is written inside, renamed to RUN, and the rest is deleted.
"""

import hashlib
import json
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.errors import DataWarning, RunError
from chainrule.host import files
from chainrule.host.files import Lock
from chainrule.host.machine import describe_machine
from chainrule.runs.status import (
    CHECKPOINTS,
    LOCK,
    RECIPE,
    has_checkpoints,
    other_unfinished_runs,
    partial_of,
)
from chainrule.train.checkpoint import EVERY, Checkpoints

RUNS = "runs"
LADDER, LADDER_WEIGHTS = "ladder.json", "ladder.weights"


class Unfinished:
    """The folder RUN.partial of a run while this process trains it."""

    def __init__(self, run: Path):
        self.run, self.folder = run, partial_of(run)
        self.lock = Lock(self.folder / LOCK)

    @classmethod
    def begin(cls, run: Path, recipe: dict[str, Any], digests: dict[str, str]) -> "Unfinished":
        """Create the folder; raise RunError if it already exists or cannot be written."""
        unfinished = cls(run)
        try:
            files.make_folder(unfinished.folder)
            unfinished._lock()
            if (unfinished.folder / RECIPE).exists():
                unfinished.lock.release()
                hint = f"chainrule train --resume {run}, or another name for --out"
                got = "one with an interrupted training run"
                raise RunError(str(unfinished.folder), "a new folder", got, hint)
            unfinished._clear()
            facts = describe_machine() | {"digests": digests}
            files.write_file(unfinished.folder / RECIPE, sealed(recipe, facts))
        except OSError as error:
            unfinished.discard()
            raise cannot_write(run, error) from error
        return unfinished

    @classmethod
    def resume(cls, run: Path) -> "tuple[Unfinished, dict[str, Any]]":
        """Return the folder of an interrupted run, and the content of its recipe.json."""
        unfinished = cls(run)
        file = unfinished.folder / RECIPE
        try:
            saved = unsealed(file.read_bytes())
        except FileNotFoundError:
            expected = "an interrupted training run"
            raise RunError(
                str(unfinished.folder), expected, "none", other_unfinished_runs(run)
            ) from None
        except (OSError, ValueError, KeyError, TypeError):
            hint = "starting the training again under another name"
            expected, got = "the content that was saved", "damaged content"
            raise RunError(str(file), expected, got, hint) from None
        try:
            unfinished._lock()
        except OSError as error:
            raise cannot_write(run, error) from error
        warn_of_other_machine(saved["facts"])
        return unfinished, saved

    def keep_ladder(self, recipe: dict[str, Any], facts: dict[str, Any], weights: bytes) -> None:
        """Save the result of the ladder, so that a resumed training run need not repeat it.

        `weights` are the arrays of the network that won.
        """
        facts = facts | {"sha256": hashlib.sha256(weights).hexdigest()}
        with suppress(OSError):
            files.write_file(self.folder / LADDER_WEIGHTS, weights)
            files.write_file(self.folder / LADDER, sealed(recipe, facts))

    def ladder(self) -> tuple[dict[str, Any], dict[str, Any], bytes] | None:
        """Return the saved result of the ladder, or None if there is none or it was changed.

        The weights are empty if an earlier version, which did not save them, ran the ladder.
        """
        try:
            saved = unsealed((self.folder / LADDER).read_bytes())
            recipe, facts = saved["recipe"], saved["facts"]
            if "sha256" not in facts:
                return recipe, facts, b""
            weights = (self.folder / LADDER_WEIGHTS).read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if hashlib.sha256(weights).hexdigest() != facts.pop("sha256"):
            return None
        return recipe, facts, weights

    def checkpoints(self, every: float = EVERY) -> Checkpoints:
        """Return the checkpoints of the training."""
        return Checkpoints(self.folder / CHECKPOINTS, every)

    def __enter__(self) -> "Unfinished":
        """Return the folder, which is kept after the block only if training can be resumed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock, and delete the folder if there is no checkpoint to resume from."""
        if not has_checkpoints(self.run):
            self.discard()
        self.lock.release()

    def discard(self) -> None:
        """Delete the folder if this process holds its lock, and the folder `runs` if empty."""
        if self.lock.held:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.lock.release()
        else:
            with suppress(OSError):
                self.folder.rmdir()
        if self.folder.parent.name == RUNS:
            with suppress(OSError):
                self.folder.parent.rmdir()

    def _lock(self) -> None:
        if not self.lock.acquire():
            hint = "waiting for it, or another name for --out"
            expected, got = "a training run that no other process has open", "one that is running"
            raise RunError(str(self.folder), expected, got, hint)

    def _clear(self) -> None:
        """Delete leftovers of an earlier training run that was killed while deleting its folder."""
        for leftover in self.folder.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            elif leftover.name != LOCK:
                leftover.unlink()


def sealed(recipe: dict[str, Any], facts: dict[str, Any]) -> bytes:
    """Return the content of recipe.json, with its sha256."""
    content = {"recipe": recipe, "facts": facts}
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps(content | {"sha256": digest}, indent=1).encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """Read what `sealed` returned; raise ValueError, KeyError or TypeError if it was changed."""
    saved = json.loads(content)
    if content != sealed(saved["recipe"], saved["facts"]):
        raise ValueError("a different sha256")
    return saved


def cannot_write(run: Path, error: OSError) -> RunError:
    """Return the error for a failed write, which says whether the training can be resumed."""
    full = error.errno in files.FULL
    if has_checkpoints(run):
        outcome = f"the training is kept in {partial_of(run)}"
        hint = f"{'freeing some space, then ' if full else ''}chainrule train --resume {run}"
    else:
        outcome = "nothing was kept"
        hint = (
            "freeing some space, or --out on another disk" if full else "another folder for --out"
        )
    got = f"{files.describe_error(error)}; {outcome}"
    return RunError(str(run), "a folder that can be written", got, hint)


def warn_of_other_machine(facts: dict[str, Any]) -> None:
    """Warn if versions, cores or device differ: results may then not be the same bit for bit."""
    now = describe_machine()
    before = {name: facts.get(name) for name in now}
    if before != now:
        changed = [name for name in now if before[name] != now[name]]
        warnings.warn(
            f"the training began with different {', '.join(changed)}; it continues, but the "
            "results may not be the same bit for bit.",
            DataWarning,
            stacklevel=2,
        )
