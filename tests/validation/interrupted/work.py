"""The commands that are interrupted: trainings of every kind, searches and galleries.

All of them work on very small data, so that a hundred kills take a few minutes. Each has a folder
of its own, in which `data` is a link to the data of `tests/validation/make_old_runs.py`, and writes
`run` there.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.runs.status import last_step, partial_of
from chainrule.search.journal import End
from tests.validation.make_old_runs import DETECT, SEGMENT, VERIFY
from tests.validation.make_old_runs import RUNS as OLD_RUNS

DATA = "data"
DONE = 1e9
"""More than any step: the run has its name, and nothing can be lost any more."""


@dataclass(frozen=True)
class Work:
    """A command that is interrupted.

    begin     the words of the command
    resume    the words of the command that continues it
    is_begun  whether it has to be resumed, rather than begun again
    safe      how much of the work cannot be lost any more: it must never decrease
    result    what must be the same, bit for bit, as without an interruption
    moment    when the command was killed, by what it has left
    prepare   makes the folder in which the command runs, given the folder with the data
    workers   whether the command has processes of its own, which are killed as well
    """

    begin: tuple[str, ...]
    resume: tuple[str, ...]
    is_begun: Callable[[Path], bool]
    safe: Callable[[Path], float]
    result: Callable[[Path], Any]
    moment: Callable[[Path], str]
    prepare: Callable[[Path, Path], None]
    workers: bool = False


def prepare(folder: Path, data: Path) -> None:
    """Make a folder in which the data can be found."""
    folder.mkdir(parents=True)
    (folder / DATA).symlink_to(data)


# Trainings


def training(*words: str, every: str = "0.1") -> Work:
    """Return a training, with checkpoints every so many seconds."""
    command = words[: words.index("train") + 1]
    added = ("--checkpoint-every", every, *(("--no-check",) if command == ("train",) else ()))
    return Work(
        begin=(*words, *added, "--out", "run"),
        resume=(*command, "--resume", "run", *added),
        is_begun=is_training_begun,
        safe=lambda folder: DONE if (folder / "run").exists() else last_step(folder / "run"),
        result=lambda folder: contents_of_run(folder / "run"),
        moment=moment_of_training,
        prepare=prepare,
    )


def trainings(every: str = "0.1") -> dict[str, Work]:
    """Return the trainings that are killed: each takes a second or two once it is compiled."""
    words = {
        "moons": ("moons", "--hidden", "8", "--epochs", "6000", "--no-early-stopping"),
        "digits": (
            *("digits", "--hidden", "16", "--epochs", "25", "--batch-size", "64", "--seed", "3"),
            *("--batch-norm", "--keep-prob", "0.8", "--optimizer", "momentum", "--beta", "0.8"),
        ),
        "diabetes": (
            *("diabetes", "--hidden", "16,8", "--epochs", "700", "--no-early-stopping"),
            *("--optimizer", "rmsprop", "--decay", "exponential", "--clip-norm", "1"),
        ),
    }
    tables = {name: training("train", *options, every=every) for name, options in words.items()}
    return tables | {
        "images": training(*OLD_RUNS["images"], "--epochs", "40", every=every),
        "detect": training(*DETECT, "--epochs", "15", every=every),
        "segment": training(*SEGMENT, "--epochs", "30", every=every),
        "verify": training(*VERIFY, "--epochs", "30", every=every),
    }


def short_trainings() -> dict[str, Work]:
    """Return trainings of a few epochs, with a checkpoint after every call."""
    words = {
        "table": ("train", "iris", "--hidden", "4", "--epochs", "5"),
        "images": (*OLD_RUNS["images"], "--epochs", "2"),
        "detect": (*DETECT, "--epochs", "2"),
        "segment": (*SEGMENT, "--epochs", "2"),
        "verify": (*VERIFY, "--epochs", "2"),
    }
    return {name: training(*options, every="0") for name, options in words.items()}


def is_training_begun(folder: Path) -> bool:
    """Return whether a training can be resumed."""
    run = folder / "run"
    return (partial_of(run) / "recipe.json").exists() or run.exists()


def moment_of_training(folder: Path) -> str:
    """Return when a training was killed."""
    run = folder / "run"
    partial = partial_of(run)
    if run.exists():
        return "after the run had its name" if partial.exists() else "after all was done"
    if (partial / "finished").exists():
        return "while the run was written"
    if any(partial.glob("checkpoints/*.new")):
        return "while a checkpoint was written"
    if last_step(run):
        return "after a checkpoint"
    return "before the first checkpoint" if partial.exists() else "before there was a folder"


def contents_of_run(run: Path) -> list:
    """Return what a run contains, after checking its files, but for seconds and pictures."""
    manifest = json.loads((run / "manifest.json").read_text())["files"]
    contents = {name: (run / name).read_bytes() for name in manifest}
    for name, content in contents.items():
        assert hashlib.sha256(content).hexdigest() == manifest[name]["sha256"], name
    lines = [json.loads(line) for line in contents["history.jsonl"].splitlines()]
    recipe = json.loads(contents["recipe.json"])
    return [
        contents["weights.safetensors"],
        [line | {"seconds": 0} for line in lines],
        recipe["results"],
        recipe["best_epoch"],
        sorted(manifest),
    ]


# Searches

TOLD = 6
"""The journal's number for the end of a trial."""


def search(*words: str, workers: int = 1) -> Work:
    """Return a search with so many workers."""
    many = ("--workers", str(workers)) if workers > 1 else ()
    return Work(
        begin=("tune", *words, *many, "--out", "run"),
        resume=("tune", "--resume", "run", *many),
        is_begun=is_search_begun,
        safe=lambda folder: len(recorded_trials(folder / "run")),
        result=lambda folder: [costs_of(folder / "run"), contents_of_run(folder / "run/best")],
        moment=moment_of_search,
        prepare=prepare,
        workers=workers > 1,
    )


SPACE = ("--search", "learning_rate=log(1e-3, 1)", "--search", "l2=log(1e-3, 1)")


def searches() -> dict[str, Work]:
    """Return the searches that are killed."""
    words = ("iris", "--epochs", "40", "--trials", "6", *SPACE)
    return {"tune": search(*words), "tune-workers": search(*words, "--no-vectorize", workers=2)}


def is_search_begun(folder: Path) -> bool:
    """Return whether a search can be resumed; delete what a search has left that cannot."""
    if (folder / "run/search.json").exists():
        return True
    shutil.rmtree(folder / "run", ignore_errors=True)
    return False


def moment_of_search(folder: Path) -> str:
    """Return when a search was killed."""
    run = folder / "run"
    if not (run / "search.json").exists():
        return "before there was a search"
    if (run / "best").exists():
        return "after the best run had its name"
    if (run / "best.new.partial").exists() or (run / "best.new").exists():
        return "while the best run was written"
    return "between candidates" if finished_trials(run) else "before the first candidate was done"


def events_of(run: Path, length: int | None = None) -> list[dict]:
    """Return the events of the complete lines of the journal, in these bytes or in all."""
    journal = run / "journal.log"
    lines = journal.read_bytes()[:length].split(b"\n")[:-1] if journal.exists() else []
    return [json.loads(line) for line in lines]


def finished_trials(run: Path) -> set[int]:
    """Return the numbers of the trials that are finished."""
    return {number for number, _ in costs_of(run)}


def recorded_trials(run: Path) -> list:
    """Return the trials up to the recorded end: what follows it is not synced to the disk yet."""
    end = End.read(run / "journal.end")
    return costs_of(run, end and end.length)


def costs_of(run: Path, length: int | None = None) -> list:
    """Return the number and the cost of each trial that is finished, in these bytes or in all."""
    told = [event for event in events_of(run, length) if event["op_code"] == TOLD]
    return sorted(
        (event["trial_id"], event["values"]) for event in told if event["state"] in (1, 2, 3)
    )


# Galleries


def enrolment(ready: Path) -> Work:
    """Return the command that adds people to a gallery, given a folder with a run to use."""

    def with_run(folder: Path, data: Path) -> None:
        prepare(folder, data)
        shutil.copytree(ready / "run", folder / "network")

    def result(folder: Path) -> bytes:
        return (folder / "run.gallery").read_bytes()

    words = ("verify", "enrol", "network", "run.gallery", "--people", f"{DATA}/people")
    return Work(
        begin=words,
        resume=words,
        is_begun=lambda _: True,
        safe=lambda folder: DONE if (folder / "run.gallery").exists() else 0,
        result=result,
        moment=lambda folder: (
            "after the gallery was written"
            if (folder / "run.gallery").exists()
            else "before the gallery was written"
        ),
        prepare=with_run,
    )
