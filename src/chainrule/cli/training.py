"""What `chainrule train` does and says: prepare, train, check, draw, save; or go on with it."""

import json
import time
import warnings
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
    from chainrule.train import job
    from chainrule.train.prepare import prepare
    from chainrule.train.recipe import Recipe
    from chainrule.train.store import check_free

    recipe = Recipe.from_dict(options)
    check_free(Path(out or "runs/new"))
    prepared = prepare(recipe)
    note_changed_data(prepared, digests)
    with job.begin(prepared, run_folder(out, recipe.source)) as unfinished:
        work(prepared, unfinished, every, saying, began)


def go_on(name: str, given: dict[str, Any], every: float, saying: Saying) -> None:
    """The training of the run `name`, from where it was interrupted."""
    began = time.perf_counter()
    from chainrule.cli import words
    from chainrule.train import job
    from chainrule.train.changes import Change

    said = {option: value for option, value in given.items() if value is not None}
    change = Change(**{k: said.pop(k) for k in ("learning_rate", "l2") if k in said})
    if said:
        first = next(iter(said))
        option = "SOURCE" if first == "source" else "--" + first.replace("_", "-")
        expected = "no other options but --learning-rate and --l2: the rest is as it was"
        raise OptionError("--resume", expected, option, f"chainrule train --resume {name}")
    change.check_numbers()
    if (run := job.finished(name)) is not None:
        if not saying.as_json:
            typer.echo(f"{run.path} is done\n{words.results(run.results)}")
        report(run, None, saying, began)
        return
    prepared, unfinished = job.reopen(name)
    with unfinished:
        work(prepared, unfinished, every, saying, began, change)


def work(
    prepared: Any,
    unfinished: Any,
    every: float,
    saying: Saying,
    began: float,
    change: Any = None,
) -> None:
    """Train, check, draw, save; and say each of it."""
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.cli.cautions import cautions
    from chainrule.inspection.pictures import run_pictures
    from chainrule.train import job
    from chainrule.train.check import check_network, quick_samples
    from chainrule.train.defaults import COSTS
    from chainrule.train.progress import progress_bar
    from chainrule.train.store import save

    keep_compiled_programs()
    say = words.silent if saying.as_json else typer.echo
    say(words.data(prepared))
    say(words.plan(prepared))
    with progress_bar(prepared.epochs) as watch:
        run = job.train(prepared, unfinished, watch, every=every, change=change)
    say(words.curves(run.history))
    say(words.results(run.results))
    if found := cautions(prepared, run.results):
        say(found)
    gradients = None
    if saying.check_gradients:
        cost, samples = COSTS[run.door.cost], quick_samples(run.network)
        gradients = check_network(run.network, cost, prepared.parts["train"], samples=samples)
        say(words.gradients(gradients))
    pictures = run_pictures(run, prepared.sources)
    run = save(run, unfinished.run, pictures)
    say(words.saved(run))
    report(run, gradients, saying, began)
    if run.history.stopped == "interrupted":
        raise typer.Exit(130)


def report(run: Any, gradients: Any, saying: Saying, began: float) -> None:
    """The line of JSON, where it is wanted."""
    if saying.as_json:
        seconds = round(time.perf_counter() - began, 3)
        line = {"run": str(run.path), **run.results, "parameters": run.parameters}
        line |= {"epochs": len(run.history.epochs), "stopped": run.history.stopped}
        line |= {"gradients": gradients.difference} if gradients else {}
        typer.echo(json.dumps(line | {"seconds": seconds}))


def note_changed_data(prepared: Any, digests: dict) -> None:
    """A recipe repeats a run only on the same data."""
    changed = [
        f"{name} ({part.name})"
        for name, part in prepared.sources.items()
        if digests.get(name, part.digest) != part.digest
    ]
    if changed:
        words = f"the data has changed since the recipe was written: {', '.join(changed)}."
        warnings.warn(words, DataWarning, stacklevel=2)
