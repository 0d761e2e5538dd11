"""RUN.partial from outside: which trainings there are that are not done, without loading JAX."""

import json
from pathlib import Path

from chainrule.lock import Lock

RECIPE, CHECKPOINTS, LOCK = "recipe.json", "checkpoints", "training.lock"


def partial_of(run: Path) -> Path:
    """RUN.partial."""
    return run.with_name(run.name + ".partial")


def run_of(path: str | Path) -> Path:
    """RUN, of RUN or RUN.partial."""
    path = Path(path)
    return path.with_suffix("") if path.suffix == ".partial" else path


def has_checkpoints(run: Path) -> bool:
    """Whether there is something that a training of this run can go on from."""
    return any(partial_of(run).glob(f"{CHECKPOINTS}/*.checkpoint"))


def last_step(run: Path) -> int:
    """The step of the newest checkpoint; 0 without one."""
    files = partial_of(run).glob(f"{CHECKPOINTS}/*.checkpoint")
    return max((int(file.stem) for file in files), default=0)


def is_trained_now(run: Path) -> bool:
    """Whether a process holds the lock."""
    lock = Lock(partial_of(run) / LOCK)
    try:
        return lock.path.exists() and not lock.acquire()
    except OSError:  # somebody else's, whom we could ask nothing
        return False
    finally:
        lock.release()


def system_of(run: str | Path) -> str | None:
    """detect, segment or verify, of a run of these, done or not; None of any other, or of none.

    The recipe is only looked at: what reads the run checks it.
    """
    for folder in (run_of(run), partial_of(run_of(run))):
        try:
            saved = json.loads((folder / RECIPE).read_bytes())
            return saved.get("kind", saved.get("recipe", {}).get("kind"))
        except (OSError, ValueError, AttributeError):
            continue
    return None


def unfinished_runs(folder: Path) -> list[Path]:
    """The runs in this folder that are being trained, or were until they were interrupted."""
    recipes = (
        [folder / RECIPE] if folder.suffix == ".partial" else folder.glob(f"*.partial/{RECIPE}")
    )
    runs = sorted(run_of(file.parent) for file in recipes if file.is_file())
    return [run for run in runs if not (run / "manifest.json").is_file()]


def others(run: Path) -> str:
    """What to try where this run has no interrupted training: those beside it that have one."""
    beside = [str(other) for other in unfinished_runs(run.parent) if other != run]
    return ", ".join(beside) or "chainrule train, from the start"
