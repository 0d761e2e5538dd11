"""chainrule runs: the runs of a folder in one table, and how they differ.

chainrule report: the page of a run, made anew.

chainrule check: are the network's derivatives the slopes of its cost?

chainrule change: another learning rate or λ for a training that is running.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.options import as_written, number, option
from chainrule.errors import OptionError, RunError
from chainrule.runs.status import is_trained_now, last_step, unfinished_runs

PARTS = ("train", "dev", "test")
SCORES = ("accuracy", "r2", "map_50", "mean_iou")
"""What speaks for a run: the first of these that it has."""


def runs(
    folders: Annotated[
        list[str] | None, typer.Argument(help="Runs, or folders of runs; ./runs if left out.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """List and compare runs: their results, and the recipe's entries in which they differ.

    Example: chainrule runs runs/digits-1 runs/digits-2
    """
    places = [Path(folder) for folder in folders or ["runs"]]
    found = {str(path): read(path) for place in places for path in inside(place)}
    waiting = [run for place in places for run in unfinished_runs(place)]
    if not found and not waiting:
        where = ", ".join(folders or ["runs"])
        raise RunError(where, "at least one run", "none", "chainrule train digits")
    if json_:
        lines = [{"run": path} | saved for path, saved in found.items()]
        lines += [{"run": str(run), **state(run)} for run in waiting]
        typer.echo(json.dumps(lines))
        return
    if found:
        typer.echo(table(found))
    for run in waiting:
        typer.echo(in_words(run))


def inside(folder: Path) -> list[Path]:
    """The folder itself, if it is a run, else the runs in it."""
    if not folder.is_dir():
        raise RunError(str(folder), "a folder", "no such folder", "chainrule train digits, first")
    if folder.suffix == ".partial":
        return []
    if (folder / "recipe.json").is_file():
        return [folder]
    return sorted(p.parent for p in folder.glob("*/recipe.json") if p.parent.suffix != ".partial")


def read(path: Path) -> dict:
    """What a run says of itself."""
    try:
        saved = json.loads((path / "recipe.json").read_bytes())
        return {"recipe": saved["recipe"], "results": saved["results"]}
    except (OSError, ValueError, KeyError, TypeError):
        hint = "a copy of the run that is whole"
        raise RunError(
            str(path / "recipe.json"), "a run's recipe", "something else", hint
        ) from None


def state(run: Path) -> dict:
    """Of a training that is not done: whether it goes on now, and the step it is safe up to."""
    return {"training": is_trained_now(run), "step": last_step(run)}


def in_words(run: Path) -> str:
    """The same, and how to go on."""
    now, step = state(run).values()
    if now:
        return f"{run} is being trained; its learning rate or λ: chainrule change {run}"
    return f"{run} was interrupted, safe up to step {step:,}: chainrule train --resume {run}"


def table(found: dict[str, dict]) -> str:
    """A line for each run: a score of its parts, then in what the recipes differ."""
    from chainrule.runs.recipe import Recipe

    usual = Recipe("").to_dict()
    recipes = [in_short(saved["recipe"], usual) for saved in found.values()]
    names = [name for name in usual if name in ("source", "hidden") or differs(name, recipes)]
    lines = [["run", *PARTS, *names]]
    for (path, saved), recipe in zip(found.items(), recipes, strict=True):
        scores = [score(saved["results"].get(part)) for part in PARTS]
        lines.append([path, *scores, *(as_written(name, recipe.get(name)) for name in names)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def in_short(recipe: dict, usual: dict) -> dict:
    """Without what nobody said, or what is as usual."""
    always = ("source", "hidden", "activation", "optimizer", "seed")
    return {k: v for k, v in recipe.items() if k in always or (v is not None and v != usual.get(k))}


def differs(name: str, recipes: list[dict]) -> bool:
    """Whether the recipes say different things there."""
    return any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)


def score(part: dict | None) -> str:
    """Accuracy or R²; mAP at 0.5 of a detector, mean IoU of masks."""
    value = next((part[name] for name in SCORES if name in part), None) if part else None
    return "-" if value is None else f"{value:.4f}"


def report(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="An HTML file, instead of report.html in the run."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Make report.html of a run: its result, why it is what it is, and what to do next.

    Example: chainrule report runs/digits-1 -o digits.html
    """
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.report.report import keep, rebuild_report
    from chainrule.runs.folder import load
    from chainrule.runs.status import vision_task_of
    from chainrule.vision.report import page_again

    enable_compilation_cache()
    page, why = page_again(run) if vision_task_of(run) else rebuild_report(load(run))
    path = keep(Path(run), page) if output is None else written(Path(output), page)
    if json_:
        typer.echo(json.dumps({"report": str(path), "bytes": len(page), "data": not why}))
        return
    if why:
        typer.echo(f"note: without the data the report says less.\n{why}", err=True)
    typer.echo(f"wrote {path}")


def written(path: Path, page: bytes) -> Path:
    """The file, whole or not at all."""
    from chainrule.host.files import describe_error, write_file

    try:
        write_file(path, page)
    except OSError as error:
        hint = "another" if path.parent.is_dir() else f"making the folder {path.parent} first"
        raise OptionError(
            "--output", "a file that can be written", describe_error(error), hint
        ) from None
    return path


def check(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[
        str | None,
        typer.Argument(help="Labelled rows to check on; the run's own data if left out."),
    ] = None,
    samples: Annotated[
        str, typer.Option(help="Entries of each W and b, at most.", metavar="N")
    ] = "200",
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Compare each parameter's gradient with the slope of the cost, in float64.

    Example: chainrule check runs/digits-1
    """
    count = number("--samples", samples, int, "200", least=1)
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.folder import load
    from chainrule.runs.gradients import MOST_EXAMPLES, check_network, run_examples

    enable_compilation_cache()
    model = load(run)
    part = run_examples(model, MOST_EXAMPLES, source)
    report = check_network(model.network, COSTS[model.preprocessor.cost], part, samples=count)
    typer.echo(json.dumps(report.to_dict()) if json_ else messages.gradient_table(report))
    if report.verdict == "wrong":
        raise typer.Exit(1)


def change(
    run: str = typer.Argument(help="The run that is being trained.", show_default=False),
    learning_rate: str | None = option("α, from the next epoch on.", "NUMBER"),
    l2: str | None = option("λ, from the next epoch on.", "NUMBER"),
) -> None:
    """Change a training while it runs; it takes effect with the next epoch, and is written down.

    Example: chainrule change runs/digits-1 --learning-rate 0.0005
    """
    from chainrule.runs.job import request
    from chainrule.runs.status import run_of
    from chainrule.train.changes import Change

    asked = Change(
        number("--learning-rate", learning_rate, float, "0.001"), number("--l2", l2, float, "0.1")
    )
    if not asked.given_values:
        hint = f"chainrule change {run} --learning-rate 0.0005"
        raise OptionError("chainrule change", "--learning-rate or --l2", "neither", hint)
    request(run_of(run), asked)
    said = ", ".join(f"{name} {value:g}" for name, value in asked.given_values.items())
    typer.echo(f"{run}: {said} from the next epoch on")
