"""Find unfinished training runs by their folders RUN.partial, without loading JAX."""

from pathlib import Path
from typing import Any, NotRequired, TypedDict

from chainrule.errors import RunError
from chainrule.host.files import Lock

RECIPE, CHECKPOINTS, LOCK = "recipe.json", "checkpoints", "training.lock"
MANIFEST, PARTIAL = "manifest.json", ".partial"
CHANGE, CHANGE_LOCK, TRAINED = "change.json", "change.lock", "trained"


def partial_of(run: Path) -> Path:
    """Return the path RUN.partial of RUN."""
    return run.with_name(run.name + PARTIAL)


def run_of(path: str | Path) -> Path:
    """Return the path RUN of RUN or RUN.partial."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == PARTIAL else path


def has_checkpoints(run: Path) -> bool:
    """Return whether there is a checkpoint from which this run's training can continue."""
    return last_checkpoint(run) is not None


def last_step(run: Path) -> int:
    """Return the step of the newest checkpoint; 0 without one."""
    newest = last_checkpoint(run)
    return 0 if newest is None else int(newest.stem)


def last_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint of an unfinished run, whose name is the number of its step."""
    found = partial_of(run).glob(f"{CHECKPOINTS}/[0-9]*.checkpoint")
    return max((file for file in found if file.stem.isdecimal()), default=None)


def is_trained_now(run: Path) -> bool:
    """Return whether a process holds the run's training lock."""
    lock = Lock(partial_of(run) / LOCK)
    try:
        return lock.path.exists() and not lock.acquire()
    except OSError:  # another user's run, which cannot be changed anyway
        return False
    finally:
        lock.release()


class RecipeFile(TypedDict):
    """The entries of recipe.json for every kind of run, finished or not."""

    recipe: dict[str, Any]
    kind: NotRequired[str | None]
    results: NotRequired[dict[str, dict[str, Any]]]


def read_recipe(file: Path) -> dict[str, Any]:
    """Return the content of the recipe.json of a run; raise RunError if it is not one.

    Its checksum, if it has one, and the values of the options are not checked.
    """
    from chainrule.host.reading import convert, read_json_file

    hint = "an intact copy of the run"
    saved = read_json_file(file, error=RunError, hint=hint, finite=False)
    convert(saved, RecipeFile, str(file), error=RunError, hint=hint)
    return saved


def kind_of_run(run: str | Path) -> str | None:
    """Return the command that created a run, such as "train" or "detect".

    The run need not be finished. Returns None if there is no such run. The recipe is not checked
    here, but when the run is read.
    """
    for folder in (run_of(run), partial_of(run_of(run))):
        try:
            saved = read_recipe(folder / RECIPE)
        except RunError:
            continue
        return saved.get("kind") or saved["recipe"].get("kind") or "train"
    return None


def task_kind_of(run: str | Path) -> str | None:
    """Return the command that created a run, such as "detect", or None if it was `train`."""
    kind = kind_of_run(run)
    return None if kind == "train" else kind


def unfinished_runs(folder: Path) -> list[Path]:
    """Return the runs in this folder that are being trained or were interrupted."""
    recipes = [folder / RECIPE] if folder.suffix == PARTIAL else folder.glob(f"*{PARTIAL}/{RECIPE}")
    runs = sorted(run_of(file.parent) for file in recipes if file.is_file())
    return [run for run in runs if not (run / MANIFEST).is_file()]


def other_unfinished_runs(run: Path) -> str:
    """Return a hint that lists the unfinished runs, for a run that is not one of them."""
    runs = [str(other) for other in unfinished_runs(run.parent) if other != run]
    return ", ".join(runs) or "chainrule train, from the start"
