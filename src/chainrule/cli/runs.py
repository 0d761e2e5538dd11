"""chainrule runs: the runs of a folder in one table, and how they differ."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.options import as_written
from chainrule.errors import RunError
from chainrule.train.partial import is_trained_now, last_step, unfinished_runs

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
    from chainrule.train.recipe import Recipe

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
