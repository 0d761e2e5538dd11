"""Find unfinished training runs by their folders RUN.partial, without loading JAX."""

import json
from pathlib import Path

from chainrule.host.files import Lock

RECIPE, CHECKPOINTS, LOCK = "recipe.json", "checkpoints", "training.lock"


def partial_of(run: Path) -> Path:
    """Return the path RUN.partial of RUN."""
    return run.with_name(run.name + ".partial")


def run_of(path: str | Path) -> Path:
    """Return the path RUN of RUN or RUN.partial."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == ".partial" else path


def has_checkpoints(run: Path) -> bool:
    """Return whether there is a checkpoint from which this run's training can continue."""
    return any(partial_of(run).glob(f"{CHECKPOINTS}/*.checkpoint"))


def last_step(run: Path) -> int:
    """Return the step of the newest checkpoint; 0 without one."""
    files = partial_of(run).glob(f"{CHECKPOINTS}/*.checkpoint")
    return max((int(file.stem) for file in files), default=0)


def is_trained_now(run: Path) -> bool:
    """Return whether a process holds the run's training lock."""
    lock = Lock(partial_of(run) / LOCK)
    try:
        return lock.path.exists() and not lock.acquire()
    except OSError:  # another user's run, which cannot be changed anyway
        return False
    finally:
        lock.release()


def kind_of_run(run: str | Path) -> str | None:
    """Return the command that created a run: "train", "detect", "segment" or "verify".

    The run need not be finished. Returns None if there is no such run. The recipe is not checked
    here, but when the run is read.
    """
    for folder in (run_of(run), partial_of(run_of(run))):
        try:
            saved = json.loads((folder / RECIPE).read_bytes())
            return saved.get("kind") or saved.get("recipe", {}).get("kind") or "train"
        except (OSError, ValueError, AttributeError):
            continue
    return None


def vision_task_of(run: str | Path) -> str | None:
    """Return "detect", "segment" or "verify" if that command created the run, else None."""
    kind = kind_of_run(run)
    return None if kind == "train" else kind


def unfinished_runs(folder: Path) -> list[Path]:
    """Return the runs in this folder that are being trained or were interrupted."""
    recipes = (
        [folder / RECIPE] if folder.suffix == ".partial" else folder.glob(f"*.partial/{RECIPE}")
    )
    runs = sorted(run_of(file.parent) for file in recipes if file.is_file())
    return [run for run in runs if not (run / "manifest.json").is_file()]


def other_unfinished_runs(run: Path) -> str:
    """Return a hint that lists the unfinished runs, for a run that is not one of them."""
    runs = [str(other) for other in unfinished_runs(run.parent) if other != run]
    return ", ".join(runs) or "chainrule train, from the start"
