"""What `chainrule detect`, `segment` and `verify` have in common: train, go on, say, measure."""

import json
import time
from pathlib import Path
from typing import Any

import typer

from chainrule.cli.options import run_folder
from chainrule.errors import OptionError

NEXT = {"verify": "enrol {run} people.gallery NAME PICTURES"}
"""The command after training, where it is not predict."""


def train(
    kind: str,
    given: dict[str, Any],
    out: str | None,
    resume: str | None,
    every: float,
    *,
    as_json: bool,
) -> None:
    """A new training, or one that was interrupted."""
    if resume is not None:
        go_on(resume, given | {"out": out}, every, as_json=as_json)
        return
    began = time.perf_counter()
    from chainrule.runs import job
    from chainrule.runs.folder import check_free
    from chainrule.vision.task import kind_of

    if given["source"] is None:
        hint = f"chainrule {kind} train FOLDER"
        raise OptionError(f"chainrule {kind} train", "a SOURCE", "none", hint)
    own = kind_of(kind)
    recipe = own.recipe.from_dict(given)
    check_free(Path(out or "runs/new"))
    opened = own.open(recipe)
    with job.begin(opened, run_folder(out, recipe.source)) as unfinished:
        work(opened, unfinished, every, began, as_json=as_json)


def go_on(name: str, given: dict[str, Any], every: float, *, as_json: bool) -> None:
    """The training of the run `name`, from where it was interrupted."""
    began = time.perf_counter()
    from chainrule.runs import job
    from chainrule.train.changes import Change
    from chainrule.vision.report import result_words
    from chainrule.vision.store import load_system
    from chainrule.vision.training import reopened

    said = {option: value for option, value in given.items() if value is not None}
    change = Change(learning_rate=said.pop("learning_rate", None))
    if said:
        first = next(iter(said))
        option = {"source": "SOURCE", "base": "--from"}.get(first, "--" + first.replace("_", "-"))
        expected = "no other options but --learning-rate: the rest is as it was"
        raise OptionError("--resume", expected, option, f"chainrule train --resume {name}")
    change.check_numbers()
    if (system := job.finished(name, load_system)) is not None:
        if not as_json:
            messages = result_words(system.kind, system.results, system.names)
            typer.echo(f"{system.path} is done\n{messages}")
        say_json(system, began, as_json=as_json)
        return
    opened, unfinished = job.reopen(name, reopened)
    with unfinished:
        work(opened, unfinished, every, began, change, as_json=as_json)


def work(
    opened: Any, unfinished: Any, every: float, began: float, change: Any = None, *, as_json: bool
) -> None:
    """Train, measure, draw, save; and say each of it."""
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.train.progress import progress_bar
    from chainrule.vision.report import advice, result_words
    from chainrule.vision.task import kind_of
    from chainrule.vision.training import epochs_of, finish, train

    enable_compilation_cache()
    say = messages.silent if as_json else typer.echo
    say(kind_of(opened.recipe.kind).data_words(opened))
    with progress_bar(epochs_of(opened)) as on_progress:
        system = train(opened, unfinished, on_progress, every=every, change=change)
    say(messages.curves(system.history))
    say(result_words(system.kind, system.results, system.names))
    if found := advice(system.kind, system.results):
        say(f"\n{found.text()}")
    system = finish(system, opened, unfinished.run)
    say(saved(system))
    say_json(system, began, as_json=as_json)
    if system.history.stopped == "interrupted":
        raise typer.Exit(130)


def saved(system: Any) -> str:
    """Where it lies, and what can be done with it."""
    files = ", ".join(sorted(file.name for file in system.path.iterdir()))
    following = NEXT.get(system.kind, "predict {run} PICTURES").format(run=system.path)
    return (
        f"\nsaved in {system.path}: {files}\n"
        f"open {system.path}/report.html in a browser\n"
        f"next: chainrule {system.kind} {following}"
    )


def say_json(system: Any, began: float, *, as_json: bool) -> None:
    """The line of JSON, where it is wanted."""
    if as_json:
        line = {"run": str(system.path), **system.results, "parameters": system.parameters}
        line |= {"epochs": len(system.history.epochs), "stopped": system.history.stopped}
        typer.echo(json.dumps(line | {"seconds": round(time.perf_counter() - began, 3)}))


def opened(path: str, kind: str) -> Any:
    """The system of this kind; the programs that it compiles are kept for the next command."""
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.vision.store import load_system

    enable_compilation_cache()
    return load_system(path, kind)


def describe(path: str, *, as_json: bool) -> None:
    """What a system is, layer by layer, how it was trained, how good it is."""
    from chainrule.cli import messages
    from chainrule.inspection.summary import summarize
    from chainrule.vision.report import command, result_words
    from chainrule.vision.store import load_system

    system = load_system(path)
    summary = summarize(system.network)
    if as_json:
        line = {"run": str(system.path), "kind": system.kind, "network": summary.to_dict()}
        line |= {"recipe": system.recipe.to_dict(), "results": system.results}
        typer.echo(json.dumps(line | {"facts": system.facts}))
        return
    typer.echo(summary.text(messages.columns()))
    versions = system.facts["versions"]
    typer.echo(f"\n{command(system.recipe)}")
    typer.echo(f"made by chainrule {versions['chainrule']} with jax {versions['jax']}")
    typer.echo(messages.curves(system.history))
    typer.echo(result_words(system.kind, system.results, system.names))
