"""Commands for saved runs and for runs that are being trained.

runs      list and compare the runs in a folder
report    regenerate the report (report.html) of a run
check     compare the gradients of a network with finite differences of its cost
change    change the learning rate or λ of a run that is being trained
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from chainrule.cli.options import JSON, RUN, as_written
from chainrule.cli.output import say, say_json, write_file
from chainrule.errors import DataWarning, OptionError, RunError
from chainrule.formatting import aligned
from chainrule.runs import shared_options
from chainrule.runs.options import option
from chainrule.runs.status import (
    RECIPE,
    is_trained_now,
    last_step,
    read_recipe,
    unfinished_runs,
)

PARTS = ("train", "dev", "test")
SCORES = ("accuracy", "r2", "map_50", "mean_iou")
"""The scores that the table of runs can show; it shows the first of these that a run has."""


def runs(
    folders: list[str] | None = option(
        None,
        "Runs, or folders that contain runs.",
        "Data",
        "FOLDER…",
        positional=True,
        default_text="./runs",
    ),
    as_json: bool = JSON,
) -> None:
    """List runs, and compare their results and the options in which they differ.

    Example: chainrule runs runs/digits-1 runs/digits-2
    """
    places = [Path(folder) for folder in folders or ["runs"]]
    found = {path: saved for place in places for path, saved in readable(place)}
    waiting = [run for place in places for run in unfinished_runs(place)]
    if not found and not waiting:
        where = ", ".join(folders or ["runs"])
        raise RunError(where, "at least one run", "none", "chainrule train digits")
    if as_json:
        lines = [{"run": path} | saved for path, saved in found.items()]
        lines += [{"run": str(run), **state(run)} for run in waiting]
        say_json(lines)
        return
    if found:
        say(table(found))
    for run in waiting:
        say(unfinished_text(run))


def inside(folder: Path) -> list[Path]:
    """Return the folder itself if it is a run, or else the runs that it contains."""
    if not folder.is_dir():
        raise RunError(str(folder), "a folder", "no such folder", "chainrule train digits first")
    if folder.suffix == ".partial":
        return []
    if (folder / RECIPE).is_file():
        return [folder]
    return sorted(p.parent for p in folder.glob("*/recipe.json") if p.parent.suffix != ".partial")


def readable(folder: Path) -> Iterator[tuple[str, dict]]:
    """Yield the runs in a folder; one that is damaged is left out, with a warning.

    Raises RunError for a folder that is itself a damaged run.
    """
    for path in inside(folder):
        try:
            yield str(path), read(path)
        except RunError as error:
            if path == folder:
                raise
            first, *_ = str(error).splitlines()
            warnings.warn(f"left out: {first}", DataWarning, stacklevel=2)


def read(path: Path) -> dict:
    """Return the recipe and the results of a run."""
    saved = read_recipe(path / RECIPE)
    if "results" not in saved:
        hint = "an intact copy of the run"
        raise RunError(str(path / RECIPE), "the results of the run", "none", hint)
    return {"recipe": saved["recipe"], "results": saved["results"]}


def state(run: Path) -> dict:
    """Return whether an unfinished run is being trained, and the step of its last checkpoint."""
    return {"training": is_trained_now(run), "step": last_step(run)}


def unfinished_text(run: Path) -> str:
    """Return the state of an unfinished run, and the command that changes or resumes it."""
    now, step = state(run).values()
    if now:
        return f"{run} is being trained; to change its learning rate or λ: chainrule change {run}"
    return f"{run} was interrupted after step {step:,}; to resume: chainrule train --resume {run}"


def table(found: dict[str, dict]) -> str:
    """Return a table with the scores of each run, and the options in which the runs differ."""
    from chainrule.runs.recipe import Recipe

    usual = Recipe("").to_dict()
    recipes = [in_short(saved["recipe"], usual) for saved in found.values()]
    names = [name for name in usual if name in ("source", "hidden") or differs(name, recipes)]
    lines = [["run", *PARTS, *names]]
    for (path, saved), recipe in zip(found.items(), recipes, strict=True):
        scores = [score(saved["results"].get(part)) for part in PARTS]
        lines.append([path, *scores, *(as_written(name, recipe.get(name)) for name in names)])
    return "\n".join(aligned(lines))


def in_short(recipe: dict, usual: dict) -> dict:
    """Return the most important options of a recipe, and those that differ from their defaults."""
    always = ("source", "hidden", "activation", "optimizer", "seed")
    return {k: v for k, v in recipe.items() if k in always or (v is not None and v != usual.get(k))}


def differs(name: str, recipes: list[dict]) -> bool:
    """Return whether the recipes have different values for an option."""
    return any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)


def score(part: dict | None) -> str:
    """Return the score of a set (accuracy, R², mAP or mean IoU), or "-" if it has none."""
    value = next((part[name] for name in SCORES if name in part), None) if part else None
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


def report(
    run: str = RUN,
    output: str | None = shared_options.output(
        "HTML file to which the report is written.",
        "FILE.html",
        default_text="report.html in the folder of the run",
    ),
    as_json: bool = JSON,
) -> None:
    """Regenerate the report (report.html) of a run.

    The report shows the results of the run, a diagnosis and suggested next steps.

    Example: chainrule report runs/digits-1 -o digits.html
    """
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.report import report as network_report
    from chainrule.inspection.report import task_report
    from chainrule.runs.folder import load
    from chainrule.runs.run import Run

    enable_compilation_cache()
    model: Any = load(run)
    if isinstance(model, Run):
        page, why = network_report.rebuild_report(model)
    else:
        page, why = task_report.rebuild_report(model)
    if output is None:
        path = network_report.keep(Path(run), page)
    else:
        path = Path(output)
        write_file(path, page)
    if as_json:
        say_json({"report": str(path), "bytes": len(page), "data": not why})
        return
    if why:
        say(f"note: without the data, the report lacks some sections.\n{why}", err=True)
    say(f"wrote {path}")


def check(
    run: str = RUN,
    source: str | None = option(
        None,
        "Labelled data for which the gradients are checked.",
        "Data",
        "SOURCE",
        positional=True,
        default_text="the data of the run",
    ),
    samples: int = option(
        200,
        "Maximum number of entries to check in each W and each b.",
        "Data",
        "N",
        minimum=1,
        example="200",
    ),
    as_json: bool = JSON,
) -> None:
    """Check the gradients of a run: compare them with finite differences of the cost, in float64.

    Example: chainrule check runs/digits-1
    """
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.folder import load
    from chainrule.runs.gradients import MOST_EXAMPLES, check_network, run_examples

    enable_compilation_cache()
    model = load(run, "train")
    part = run_examples(model, MOST_EXAMPLES, source)
    report = check_network(model.network, COSTS[model.preprocessor.cost], part, samples=samples)
    if as_json:
        say_json(report.to_dict())
    else:
        say(messages.gradient_table(report))
    if report.verdict == "wrong":
        raise typer.Exit(1)


def change(
    run: str = shared_options.argument("The folder of the run that is being trained.", "RUN"),
    learning_rate: float | None = option(
        None,
        "New learning rate α, which is used from the next epoch on.",
        "Training",
        "NUMBER",
        above=0,
        example="0.001",
    ),
    l2: float | None = option(
        None,
        "New strength λ of L2 regularisation, which is used from the next epoch on.",
        "Regularisation",
        "NUMBER",
        minimum=0,
        example="0.1",
    ),
) -> None:
    """Change the learning rate or λ of a run while it is being trained.

    The change takes effect with the next epoch, and is recorded in the history of the run.

    Example: chainrule change runs/digits-1 --learning-rate 0.0005
    """
    from chainrule.runs.job import request
    from chainrule.runs.status import run_of
    from chainrule.train.changes import Change

    asked = Change(learning_rate, l2)
    if not asked.given_values:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise OptionError("chainrule change", "--learning-rate or --l2", "neither", hint)
    request(run_of(run), asked)
    changes = ", ".join(f"{name} {value:g}" for name, value in asked.given_values.items())
    say(f"{run}: {changes} from the next epoch on")
