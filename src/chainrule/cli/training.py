"""What `chainrule train` does and says: find the network, train, check, draw, save; or go on."""

import json
import time
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import typer

from chainrule.cli.options import run_folder
from chainrule.errors import DataWarning, OptionError


class Saying(NamedTuple):
    """What is wanted beside the run: its gradients checked, a line of JSON in place of words."""

    check_gradients: bool
    as_json: bool


def start(options: dict, out: str | None, digests: dict, every: float, saying: Saying) -> None:
    """A new training."""
    began = time.perf_counter()
    from chainrule.strategy.training import open_data
    from chainrule.train import job
    from chainrule.train.recipe import Recipe
    from chainrule.train.run_folder import check_free

    recipe = Recipe.from_dict(options)
    check_free(Path(out or "runs/new"))
    opened = open_data(recipe)
    note_changed_data(opened, digests)
    with job.begin(opened, run_folder(out, recipe.source)) as unfinished:
        work(opened, unfinished, every, saying, began)


def go_on(name: str, given: dict[str, Any], every: float, saying: Saying) -> None:
    """The training of the run `name`, from where it was interrupted."""
    began = time.perf_counter()
    from chainrule.cli import words
    from chainrule.strategy.training import open_data
    from chainrule.train import job
    from chainrule.train.changes import Change
    from chainrule.train.recipe import Recipe

    said = {option: value for option, value in given.items() if value is not None}
    change = Change(**{k: said.pop(k) for k in ("learning_rate", "l2") if k in said})
    if said:
        first = next(iter(said))
        names = {"source": "SOURCE", "base": "--from"}
        option = names.get(first, "--" + first.replace("_", "-"))
        expected = "no other options but --learning-rate and --l2: the rest is as it was"
        raise OptionError("--resume", expected, option, f"chainrule train --resume {name}")
    change.check_numbers()
    if (run := job.finished(name)) is not None:
        if not saying.as_json:
            typer.echo(f"{run.path} is done\n{words.results(run.results)}")
        report(run, None, saying, began)
        return
    opened, unfinished = job.reopen(name, lambda said: open_data(Recipe.from_dict(said)))
    with unfinished:
        work(opened, unfinished, every, saying, began, change)


def work(
    opened: Any,
    unfinished: Any,
    every: float,
    saying: Saying,
    began: float,
    change: Any = None,
) -> None:
    """Find the network, train, check, draw, save; and say each of it."""
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.strategy.training import make_plan
    from chainrule.train import job
    from chainrule.train.progress import progress_bar, rung_bar
    from chainrule.train.store import save

    keep_compiled_programs()
    say = words.silent if saying.as_json else typer.echo
    say(words.data(opened.data))
    if opened.prepared is None:
        say(words.ladder_begins())
    with rung_bar() if opened.prepared is None else nullcontext() as climbing:
        plan = make_plan(opened, unfinished, lambda rung: say(words.rung(rung)), climbing)
    if plan.words:
        say(plan.words)
    say(words.plan(plan.prepared))
    with progress_bar(plan.training.epochs) as watch:
        run = plan.finish(job.train(plan.training, unfinished, watch, every=every, change=change))
    run, gradients, pictures = told(run, plan.prepared, saying, say)
    run = save(run, unfinished.run, pictures)
    say(words.saved(run))
    report(run, gradients, saying, began)
    if run.history.stopped == "interrupted":
        raise typer.Exit(130)


def told(run: Any, prepared: Any, saying: Saying, say: Any) -> tuple[Any, Any, dict[str, bytes]]:
    """The run with what was found out about it, its gradients, and its pictures and report."""
    from chainrule.cli import words
    from chainrule.cli.cautions import cautions
    from chainrule.inspection.pictures import run_pictures
    from chainrule.inspection.report import report as report_of
    from chainrule.inspection.report_records import records
    from chainrule.train.check import check_network, quick_samples
    from chainrule.train.defaults import COSTS

    say(words.curves(run.history))
    say(words.results(run.results))
    if found := cautions(prepared, run.results):
        say(found)
    if run.recipe.goal is not None:
        say(goal_reached(run, prepared))
    gradients = None
    if saying.check_gradients:
        cost, samples = COSTS[run.door.cost], quick_samples(run.network)
        gradients = check_network(run.network, cost, prepared.parts["train"], samples=samples)
        say(words.gradients(gradients))
    known = records(run, prepared.data)
    if diagnosis := known.get("diagnosis"):
        say(f"\n{diagnosis.text()}")
        run = replace(run, facts=run.facts | {"diagnosis": diagnosis.to_dict()})
    pictures = run_pictures(run, prepared.sources)
    pictures["report.html"] = report_of(run, prepared.data, pictures=pictures, **known)
    return run, gradients, pictures


def goal_reached(run: Any, prepared: Any) -> str:
    """The goal, and what was reached of it, on the test part if there is one."""
    from chainrule.strategy.goal import goal_for
    from chainrule.strategy.measured import measure

    name = next(part for part in ("test", "dev", "train") if part in prepared.parts)
    goal = goal_for(run.recipe.goal, run.door)
    reached = measure(goal, run.network, run.door, prepared.parts[name])
    first, *others = goal.text(reached).splitlines()
    return "\n".join(["", f"{first}; on {name}", *others])


def report(run: Any, gradients: Any, saying: Saying, began: float) -> None:
    """The line of JSON, where it is wanted."""
    if saying.as_json:
        seconds = round(time.perf_counter() - began, 3)
        line = {"run": str(run.path), **run.results, "parameters": run.parameters}
        line |= {"epochs": len(run.history.epochs), "stopped": run.history.stopped}
        line |= {"gradients": gradients.difference} if gradients else {}
        typer.echo(json.dumps(line | {"seconds": seconds}))


def note_changed_data(opened: Any, digests: dict) -> None:
    """A recipe repeats a run only on the same data."""
    changed = [
        f"{name} ({part.name})"
        for name, part in opened.data.sources.items()
        if digests.get(name, part.digest) != part.digest
    ]
    if changed:
        words = f"the data has changed since the recipe was written: {', '.join(changed)}."
        warnings.warn(words, DataWarning, stacklevel=2)
