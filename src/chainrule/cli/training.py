"""Functions of all training commands, which start or reopen a training run and print its result."""

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from chainrule.cli.options import run_folder
from chainrule.cli.output import say_json
from chainrule.errors import DataWarning, OptionError

if TYPE_CHECKING:
    from chainrule.gradcheck import GradientReport
    from chainrule.runs.folder import SavedRun
    from chainrule.runs.unfinished import Unfinished
    from chainrule.train.changes import Change

CHANGES = {"train": ("learning_rate", "l2")}
"""The options that may be changed with --resume; for other tasks, only the learning rate."""


class Training(NamedTuple):
    """A training run that is ready to start: the job, its folder, and a change of its settings."""

    job: Any
    unfinished: "Unfinished"
    change: "Change | None" = None


def open_training(
    kind: str,
    options: dict[str, Any],
    out: str | None,
    resume: str | None,
    digests: Mapping[str, str] | None = None,
    *,
    began: float,
    as_json: bool,
) -> Training | None:
    """Start a new training run, or reopen the interrupted training run `resume`.

    If the run to resume is already complete, its results are printed, and None is returned. All
    errors in options and data are raised by this function.
    """
    if resume is not None:
        change = requested_change(kind, options | {"out": out}, resume)
        from chainrule.runs.job import reopen
        from chainrule.runs.status import kind_of_run, run_of

        found = kind_of_run(resume) or kind
        if (found == "train") != (kind == "train"):
            expected, got = f"a run of chainrule {kind}", "a run of chainrule train"
            raise OptionError("--resume", expected, got, f"chainrule train --resume {resume}")
        if (run_of(resume) / "manifest.json").is_file():
            report_finished(resume, began, as_json=as_json)
            return None
        return Training(*reopen(resume), change)
    from chainrule.runs.folder import check_free, task_of
    from chainrule.runs.job import begin

    if options.get("source") is None:
        command = "chainrule train" if kind == "train" else f"chainrule {kind} train"
        from chainrule.runs.folder import kinds_in

        data = "FILE" if kind in kinds_in("sequence") else "FOLDER"
        example = f"{command} {'digits' if kind == 'train' else data}"
        raise OptionError(command, "a SOURCE", "none", example)
    task = task_of(kind)
    recipe = task.recipe.from_dict(options)
    check_free(Path("runs/new" if out is None else out))
    job = task.open(recipe)
    if digests:
        warn_of_changed_data(job, digests)
    return Training(job, begin(job, run_folder(out, recipe.source)))


def requested_change(kind: str, options: dict[str, Any], resume: str) -> "Change":
    """Return the change that is requested together with --resume; refuse all other options."""
    from chainrule.train.changes import Change

    allowed = CHANGES.get(kind, ("learning_rate",))
    given = {name: value for name, value in options.items() if value is not None}
    change = Change(**{name: given.pop(name) for name in allowed if name in given})
    if given:
        first = next(iter(given))
        option = {"source": "SOURCE", "base": "--from"}.get(first, _flag(first))
        expected = f"no option besides {' and '.join(map(_flag, allowed))}"
        raise OptionError("--resume", expected, option, f"chainrule train --resume {resume}")
    change.check_numbers()
    return change


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def warn_of_changed_data(job: Any, digests: Mapping[str, str]) -> None:
    """Warn if the data has changed, since a recipe repeats a run only on the same data."""
    changed = [
        f"{name} ({part.name})"
        for name, part in job.data.sources.items()
        if digests.get(name, part.digest) != part.digest
    ]
    if changed:
        message = f"the data has changed since the recipe was written: {', '.join(changed)}."
        warnings.warn(message, DataWarning, stacklevel=2)


def report_finished(resume: str, began: float, *, as_json: bool) -> None:
    """Print the results of a run whose training is already complete."""
    from chainrule.cli import messages
    from chainrule.runs.job import finished

    run: Any = finished(resume)
    say = messages.silent if as_json else messages.say
    say(f"{run.path} is complete\n{messages.results_of(run)}")
    print_json(run, began, as_json=as_json)


def end(
    run: "SavedRun",
    began: float,
    gradients: "GradientReport | None" = None,
    *,
    as_json: bool,
) -> None:
    """Print the results as JSON if `as_json` is set; exit with 130 if training was interrupted."""
    print_json(run, began, gradients, as_json=as_json)
    if run.history.stopped == "interrupted":
        raise typer.Exit(130)


def choices_of(run: Any) -> dict[str, Any]:
    """Return what was chosen for a run of `chainrule train`: network, encoding and training."""
    from chainrule.runs.run import Run

    if not isinstance(run, Run):
        return {}
    recipe = run.recipe
    line: dict[str, Any] = {"network": run.settings()["model"], "rungs": run.facts.get("ladder")}
    line |= {"normalize": run.preprocessor.inputs.kind, "inputs": run.preprocessor.n_x}
    line |= {"members": recipe.member_count, "encodings": run.facts.get("encoding") or None}
    line |= {"temperature": run.preprocessor.temperature, "goal": recipe.goal}
    names = ("learning_rate", "decay", "l2", "keep_prob", "class_weight")
    return line | {name: getattr(recipe, name) for name in names}


def print_json(
    run: "SavedRun",
    began: float,
    gradients: "GradientReport | None" = None,
    *,
    as_json: bool,
) -> None:
    """Print the results as one line of JSON if `as_json` is set."""
    if not as_json:
        return
    line = {"run": str(run.path), **run.results, "parameters": run.parameters}
    line |= {"epochs": len(run.history.epochs), "stopped": run.history.stopped}
    line |= {"gradients": gradients.difference} if gradients else {}
    columns = getattr(getattr(run, "preprocessor", None), "columns", None)
    line |= {} if columns is None else {"columns": columns.to_records()}
    line |= choices_of(run)
    say_json(line | {"seconds": round(time.perf_counter() - began, 3)})
