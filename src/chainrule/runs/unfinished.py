"""RUN.partial: the folder of an unfinished training run.

    recipe.json      the recipe, the data and the machine, with a sha256 of its own
    ladder.json      the result of the ladder, if there was one, with a sha256 of its own
    ladder.weights   the arrays of the network that won on the ladder
    checkpoints/     the state of the training
    change.json      the requested changes from the next epoch on (`runs/job.py`)
    training.lock    locked by the process that trains, and released by the system when it ends

At the end the finished run is written inside, renamed to RUN, and the rest is deleted: only files
with these names, and only by the process that holds the lock. A folder with any other file belongs
to somebody else, and is refused.

Every checkpoint and the result of the ladder contain the sha256 of recipe.json, and with it of the
recipe and of the data. Those of another training are refused.
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from chainrule.errors import ChainruleError, DataWarning, RunError
from chainrule.host import files
from chainrule.host.files import TEMPORARY, Lock
from chainrule.host.machine import describe_machine
from chainrule.host.reading import Sha256, convert, read_bytes, read_json
from chainrule.runs.status import (
    CHANGE,
    CHANGE_LOCK,
    CHECKPOINTS,
    LOCK,
    RECIPE,
    TRAINED,
    has_checkpoints,
    is_trained_now,
    other_unfinished_runs,
    partial_of,
)
from chainrule.train.checkpoint import EVERY, Checkpoints

RUNS = "runs"
LADDER, LADDER_WEIGHTS, FINISHED = "ladder.json", "ladder.weights", "finished"
OURS = (RECIPE, LADDER, LADDER_WEIGHTS, CHECKPOINTS, FINISHED, CHANGE, CHANGE_LOCK, TRAINED, LOCK)
"""The names of all files in RUN.partial, in the order in which they are deleted."""


class SavedFacts(TypedDict):
    """The facts about an unfinished run that are needed to resume it."""

    digests: dict[str, str]
    encoding: NotRequired[dict[str, float]]


class SavedTraining(TypedDict):
    """The content of recipe.json and ladder.json in RUN.partial."""

    recipe: dict[str, Any]
    facts: dict[str, Any]
    sha256: Sha256


class Unfinished:
    """The folder RUN.partial of a run while this process trains it."""

    def __init__(self, run: Path):
        self.run, self.folder = run, partial_of(run)
        self.lock = Lock(self.folder / LOCK)
        self.seal, self.facts = "", dict[str, Any]()

    @classmethod
    def claim(cls, run: Path) -> "Unfinished":
        """Create the folder and lock it; raise RunError if it is not new or cannot be written.

        The leftovers of a training that was killed while it deleted its folder are removed.
        """
        unfinished = cls(run)
        try:
            _check_ours(run)
            files.make_folder(unfinished.folder)
            unfinished._lock()
            if os.path.lexists(unfinished.folder / RECIPE):
                unfinished.lock.release()
                raise _interrupted(run)
            unfinished._delete(name for name in OURS if name != LOCK)
        except OSError as error:
            unfinished.discard()
            raise cannot_write(run, error) from error
        return unfinished

    @classmethod
    def begin(
        cls, run: Path, recipe: dict[str, Any], digests: dict[str, str], **facts: Any
    ) -> "Unfinished":
        """Create the folder of a new training; see `claim`. `facts` are kept for `resume`."""
        unfinished = cls.claim(run)
        unfinished.facts = facts
        content = sealed(recipe, describe_machine() | {"digests": digests} | facts)
        try:
            files.write_file(unfinished.folder / RECIPE, content)
        except OSError as error:
            unfinished.discard()
            raise cannot_write(run, error) from error
        unfinished.seal = seal_of(content)
        return unfinished

    @classmethod
    def resume(cls, run: Path) -> "tuple[Unfinished, dict[str, Any]]":
        """Return the folder of an interrupted run, and the content of its recipe.json."""
        unfinished = cls(run)
        file = unfinished.folder / RECIPE
        if not os.path.lexists(file):
            where, expected = str(unfinished.folder), "an interrupted training run"
            raise RunError(where, expected, "none", other_unfinished_runs(run))
        content = read_bytes(file, RunError)
        saved = unsealed(content, file)
        convert(saved["facts"], SavedFacts, str(file), error=RunError, hint=ANEW)
        unfinished.seal, unfinished.facts = seal_of(content), saved["facts"]
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
        facts = facts | {"sha256": files.hex_sha256(weights), "training": self.seal}
        with suppress(OSError):
            files.write_file(self.folder / LADDER_WEIGHTS, weights)
            files.write_file(self.folder / LADDER, sealed(recipe, facts))

    def ladder(self) -> tuple[dict[str, Any], dict[str, Any], bytes] | None:
        """Return the saved result of the ladder, or None if there is none.

        A result that was changed, or that belongs to another training, is reported and not used.
        The weights are empty if an earlier version, which did not save them, ran the ladder.
        """
        file = self.folder / LADDER
        if not os.path.lexists(file):
            return None
        found = self._read_ladder(file)
        if found is None:
            message = f"{file} is damaged, or belongs to another training; the ladder is run again."
            warnings.warn(message, DataWarning, stacklevel=2)
        return found

    def _read_ladder(self, file: Path) -> tuple[dict[str, Any], dict[str, Any], bytes] | None:
        """Return the saved result of the ladder, or None if it is not that of this training."""
        try:
            saved = unsealed(read_bytes(file, RunError), file)
            recipe, facts = saved["recipe"], saved["facts"]
            if facts.pop("training", self.seal) != self.seal:
                return None
            if "sha256" not in facts:
                return recipe, facts, b""
            weights = read_bytes(self.folder / LADDER_WEIGHTS, RunError)
        except RunError:
            return None
        intact = files.hex_sha256(weights) == facts.pop("sha256")
        return (recipe, facts, weights) if intact else None

    def checkpoints(self, every: float = EVERY) -> Checkpoints:
        """Return the checkpoints of the training."""
        return Checkpoints(self.folder / CHECKPOINTS, every, self.seal)

    def __enter__(self) -> "Unfinished":
        """Return the folder, which is kept after the block only if training can be resumed."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, _: object) -> None:
        """Release the lock, and delete the folder if there is nothing to resume.

        It is kept if there is a checkpoint, and also if the training has failed with an error that
        is not in its data or options, such as a lack of memory: it may succeed elsewhere.
        """
        failed = isinstance(error, Exception) and not isinstance(error, ChainruleError)
        if failed and (self.folder / RECIPE).exists():
            error.add_note(f"To continue the training: chainrule train --resume {self.run}")
        elif not has_checkpoints(self.run):
            self.discard()
        self.lock.release()

    def discard(self) -> None:
        """Delete the folder if this process holds its lock, and the folder `runs` if empty."""
        if self.lock.held:
            with suppress(OSError):
                self._delete(OURS)
            self.lock.release()
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

    def _delete(self, names: Iterable[str]) -> None:
        """Delete files and folders of the training; a symbolic link is not followed."""
        for name in names:
            for path in (self.folder / name, self.folder / (name + TEMPORARY)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


def check_partial(run: Path) -> None:
    """Refuse a folder RUN.partial that holds an interrupted training, or that is not ours."""
    _check_ours(run)
    if os.path.lexists(partial_of(run) / RECIPE) and not is_trained_now(run):
        raise _interrupted(run)


def _check_ours(run: Path) -> None:
    """Refuse a folder RUN.partial in which there is a file of somebody else, or a file."""
    folder = partial_of(run)
    if not os.path.lexists(folder):
        return
    got = "a file or a symbolic link"
    if folder.is_dir() and not folder.is_symlink():
        names = sorted(file.name for file in folder.iterdir())
        others = [name for name in names if name.removesuffix(TEMPORARY) not in OURS]
        if not others:
            return
        got = f"one with the file {others[0]!r}, which chainrule did not write"
    raise RunError(str(folder), "a new folder", got, "another name for --out")


def _interrupted(run: Path) -> RunError:
    hint = f"chainrule train --resume {run}, or another name for --out"
    got = "one with an interrupted training run"
    return RunError(str(partial_of(run)), "a new folder", got, hint)


ANEW = "starting the training again under another name"


def sealed(recipe: dict[str, Any], facts: dict[str, Any]) -> bytes:
    """Return the content of recipe.json, with its sha256."""
    return files.sealed_json({"recipe": recipe, "facts": facts})


def unsealed(content: bytes, file: Path) -> dict[str, Any]:
    """Read what `sealed` returned; raise RunError, which names the file, if it was changed."""
    try:
        saved = read_json(content, str(file), error=RunError, finite=False)
        saved = convert(saved, SavedTraining, str(file), error=RunError)
        if content == sealed(saved["recipe"], saved["facts"]):
            return {**saved}
    except RunError:
        pass  # what the damage has made of the text does not help
    expected, got = "the content that was saved", "damaged content"
    raise RunError(str(file), expected, got, ANEW)


def seal_of(content: bytes) -> str:
    """Return the sha256 that `sealed` wrote into its content."""
    return json.loads(content)["sha256"]


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
