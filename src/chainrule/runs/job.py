"""A training run whose state is on disk, so that it can be resumed after any interruption.

begin           create the folder of a new training run
reopen          open the folder of an interrupted training run
finished        return the run if its training is complete
resume          continue an interrupted training run of any kind, from Python
train_prepared  train a network, with checkpoints if there is a folder for them
fit_options     the arguments of `fit` for checkpoints and for the requests of `chainrule change`
request         request a change of a run that another process is training

A request is the file RUN.partial/change.json. It stays until the change is in the history, so that
no request is lost if the process is killed; a second request before that is merged into it. After
the last epoch the file RUN.partial/trained is written and further requests are refused; a request
that arrived just before is reported as too late.
"""

import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from chainrule.errors import ChainruleError, DataWarning, OptionError, RunError
from chainrule.host import files
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.files import Lock
from chainrule.host.reading import convert, in_file, read_json_file
from chainrule.runs.folder import SavedRecipe, SavedRun, load, task_of
from chainrule.runs.prepare import Prepared
from chainrule.runs.run import Run, calibrated, calibrated_by_members, reevaluate
from chainrule.runs.status import (
    CHANGE,
    CHANGE_LOCK,
    MANIFEST,
    RECIPE,
    TRAINED,
    is_trained_now,
    other_unfinished_runs,
    partial_of,
    read_recipe,
    run_of,
    task_kind_of,
)
from chainrule.runs.unfinished import ANEW, Unfinished, cannot_write
from chainrule.train.changes import Change
from chainrule.train.checkpoint import EVERY
from chainrule.train.history import History
from chainrule.train.members import fit_network

ProgressCallback = Callable[[History, float], Change | None]


def request(run: Path, change: Change) -> None:
    """Request a change from the process that trains this run; raise RunError if there is none."""
    change.check_numbers()
    if (kind := task_kind_of(run)) and change.given_values.keys() - {"learning_rate"}:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise RunError(str(run), "a training run with λ", f"a run of chainrule {kind}", hint)
    folder = partial_of(run)
    try:
        if not is_trained_now(run):
            done = (run / MANIFEST).exists()
            hint = (
                f"chainrule train --resume {run}" if folder.is_dir() else other_unfinished_runs(run)
            )
            hint = f"chainrule train --recipe {run} with other options" if done else hint
            got = "a finished run" if done else "none"
            raise RunError(str(run), "a run that is being trained", got, hint)
        if read_recipe(folder / RECIPE)["recipe"].get("members") not in (None, 1):
            expected, got = "a training run of a single network", "one of an ensemble"
            raise RunError(str(run), expected, got, "training it again with other options")
        with Lock(folder / CHANGE_LOCK):
            if os.path.lexists(folder / TRAINED):
                hint = f"chainrule train --recipe {run} with other options, once it is saved"
                expected = "a training run that has not reached its last epoch"
                got = "one that has"
                raise RunError(str(run), expected, got, hint)
            pending = _read(folder) or Change()
            content = json.dumps(pending.then(change).given_values).encode()
            files.write_file(folder / CHANGE, content)
    except OSError as error:
        raise cannot_write(run, error) from error


def pending_request(folder: Path, history: History) -> Change | None:
    """Return the requested change that has not been applied yet, or None."""
    lock = Lock(folder / CHANGE_LOCK)
    try:
        if not (folder / CHANGE).exists() or not lock.acquire():
            return None
        change = _read(folder)
        done = history.changes[-1]["change"] if history.changes else {}
        if change is not None and not change.given_values.items() <= done.items():
            return change
        (folder / CHANGE).unlink()
    except OSError:  # the training continues, and checks again later
        return None
    finally:
        lock.release()


def close(folder: Path, history: History) -> None:
    """Refuse further requests after the last epoch, and warn of a request that came too late."""
    with suppress(OSError), Lock(folder / CHANGE_LOCK):
        files.write_file(folder / TRAINED, b"")
    late = pending_request(folder, history)
    if late is not None:
        changes = ", ".join(f"{name} {value:g}" for name, value in late.given_values.items())
        message = f"a change was requested after the last epoch and was not made: {changes}."
        warnings.warn(message, DataWarning, stacklevel=2)


def _read(folder: Path) -> Change | None:
    """Read the requested change; return None if the file was not written by `request`."""
    try:
        content = read_json_file(folder / CHANGE)
        values = convert(content, dict[str, float], CHANGE)
        change = Change(**{name: values.pop(name) for name in Change._fields if name in values})
        change.check_numbers()
    except ChainruleError:
        return None
    return None if values else change  # another name would not be a change


class OpenedData(Protocol):
    """A recipe whose data has been read, the sha256 of each set, and what else was found out."""

    @property
    def recipe(self) -> SavedRecipe: ...

    @property
    def digests(self) -> dict[str, str]: ...

    @property
    def facts(self) -> dict[str, Any]: ...


class Job(OpenedData, Protocol):
    """A training run of any kind that is ready to start: its options and data have been checked."""

    def train(self, unfinished: Unfinished) -> SavedRun:
        """Train from the newest checkpoint, if there is one, and save the run."""
        ...


def begin(job: OpenedData, run: Path) -> Unfinished:
    """Create the folder of a new training run."""
    return Unfinished.begin(run, job.recipe.to_dict(), job.digests, **job.facts)


def reopen(run: str | Path) -> tuple[Any, Unfinished]:
    """Return the `Job` of an interrupted training run of any kind, and its folder.

    Raises RunError if there is none, or if the data has changed since it began.
    """
    unfinished, saved = Unfinished.resume(run_of(run))
    try:
        with in_file(unfinished.folder / RECIPE, error=RunError, hint=ANEW):
            task = task_of(saved["recipe"].get("kind", "train"))
            recipe = task.recipe.from_saved(saved["recipe"])
        job = task.open(recipe)
        if job.digests != saved["facts"]["digests"]:
            hint = (
                f"chainrule train --recipe {unfinished.folder}, to start anew on the current data"
            )
            if "kind" in saved["recipe"]:
                hint = "restoring the original data, or training a new run under another name"
            expected = "the data on which the training began"
            raise RunError(str(run), expected, "different data", hint)
    except BaseException:
        unfinished.lock.release()
        raise
    return job, unfinished


def finished(run: str | Path) -> SavedRun | None:
    """Return the run if its training is complete, and None otherwise.

    A temporary folder that remains because the process was killed at the very end is deleted.
    """
    run = run_of(run)
    if not (run / MANIFEST).is_file():
        return None
    done, leftover = load(run), Unfinished(run)
    with suppress(OSError):
        if leftover.folder.is_dir() and leftover.lock.acquire():
            leftover.discard()
    return done


def resume(run: str | Path) -> SavedRun:
    """Continue an interrupted training run of any kind and save it; a finished run is only loaded.

    `run` is its folder, or RUN.partial. Raises RunError where there is none, or where the data has
    changed since the training began.
    """
    enable_compilation_cache()
    if (done := finished(run)) is not None:
        return done
    job, unfinished = reopen(run)
    with unfinished:
        return job.train(unfinished)


def train_prepared(
    prepared: Prepared,
    on_progress: ProgressCallback | None = None,
    *,
    unfinished: Unfinished | None = None,
    every: float = EVERY,
    change: Change | None = None,
) -> Run:
    """Train the network that `prepare` returned, and evaluate it on every set.

    `on_progress` is as in `fit`. With `unfinished`, training continues from the newest checkpoint,
    and another one is written every `every` seconds; `change` is applied first, then the changes
    that `chainrule change` requests.
    """
    source = prepared.sources["train"]
    if change and change.given_values and prepared.recipe.member_count > 1:
        name, value = next(iter(change.given_values.items()))
        expected = "no change of a training run with --members"
        raise OptionError(f"--{name.replace('_', '-')}", expected, f"{value:g}", "--resume alone")
    options = fit_options(unfinished, on_progress, every=every, change=change)
    changing = options["on_progress"] is not None
    fitted = fit_network(**prepared.fit_arguments(changing=changing), **options, signals=True)
    if unfinished is not None:
        close(unfinished.folder, fitted.history)
    facts = {
        "data": {"name": source.name, "digest": source.digest},
        "digests": prepared.digests,
        "sizes": {name: len(part) for name, part in prepared.sources.items()},
        "duplicates": [[*pair, n] for pair, n in prepared.duplicates.items() if n],
        "batch_size": prepared.batch_size,
    }
    run = Run(fitted.network, prepared.preprocessor, prepared.recipe, fitted.history, {}, facts)
    if prepared.rows:
        run = calibrated_by_members(run, prepared.parts["train"], prepared.rows)
    else:
        run = calibrated(run, prepared.parts.get("dev"))
    return reevaluate(run, prepared.parts)


def fit_options(
    unfinished: Unfinished | None,
    on_progress: ProgressCallback | None = None,
    *,
    every: float = EVERY,
    change: Change | None = None,
) -> dict[str, Any]:
    """Return the arguments of `fit` with which a training run writes checkpoints in its folder.

    They also apply first `change`, and then the requests of `chainrule change`. After training,
    call `close`, which warns of a request that came too late.
    """
    if unfinished is None:
        return {"on_progress": on_progress, "checkpoints": None}
    first = [change] if change else []
    with suppress(OSError):  # there may be none; if it stays, requests are refused too early
        (unfinished.folder / TRAINED).unlink()

    def report_and_request(history: History, share: float) -> Change | None:
        if on_progress is not None:
            on_progress(history, share)
        return first.pop() if first else pending_request(unfinished.folder, history)

    return {"on_progress": report_and_request, "checkpoints": unfinished.checkpoints(every)}
