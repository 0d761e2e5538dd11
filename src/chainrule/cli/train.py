"""chainrule train: from a labelled file to a trained, checked, saved network."""

import json
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.options import (
    batch_size,
    hidden_units,
    image_size,
    number,
    run_folder,
    use_threads,
)
from chainrule.errors import DataWarning, OptionError


def option(words: str, metavar: str, *names: str) -> Any:
    """An optional text option with its help."""
    return typer.Option(None, *names, help=words, metavar=metavar, show_default=False)


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A bundled name (digits, iris, wine, breast_cancer, diabetes, moons, circles), "
            "a .csv, .parquet, .npz, .h5 or IDX file, or a folder of images.",
            show_default=False,
        ),
    ] = None,
    target: str | None = option("Column to predict; needed for tables.", "COLUMN"),
    dev: str | None = option("A dev set of its own, or none.", "FILE|none"),
    test: str | None = option("A test set of its own, or none.", "FILE|none"),
    group: str | None = option("Rows of a group stay in one part.", "COLUMN"),
    time_: str | None = option("The latest rows are dev and test.", "COLUMN", "--time"),
    weight: str | None = option("How much each row counts.", "COLUMN"),
    task: str | None = option("Whatever the target looks like.", "classification|regression"),
    hidden: str | None = option("Units of hidden layers; none: logistic regression.", "64,32|none"),
    activation: str | None = option("relu, leaky_relu, tanh, sigmoid or identity.", "NAME"),
    init: str | None = option("he, xavier, lecun, small or zeros.", "NAME"),
    optimizer: str | None = option("adam or gradient_descent.", "NAME"),
    learning_rate: str | None = option("α.", "NUMBER"),
    batch_size_: str | None = option("Examples per step.", "N|all", "--batch-size"),
    epochs: str | None = option("Passes over the training set, at most.", "N"),
    early_stopping: Annotated[
        bool | None,
        typer.Option(
            "--early-stopping/--no-early-stopping",
            help="End when the dev cost no longer improves; on from 500 examples.",
            show_default=False,
        ),
    ] = None,
    normalize: str | None = option("standard, pixels or none.", "KIND"),
    image_size_: str | None = option("Of a folder of images.", "HxW", "--image-size"),
    seed: str | None = option("Of the split, the first weights and the order of the batches.", "N"),
    recipe: str | None = option("Repeat a run; options beside it win.", "FILE"),
    out: str | None = option("The run's folder, a new one; runs/NAME-N if left out.", "DIR"),
    check_gradients: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the trained network's gradients.")
    ] = True,
    threads: str | None = option("Processors to use.", "N"),
    json_: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Train a network on SOURCE, check its gradients, measure it, and save the run.

    Example: chainrule train flowers.csv --target species --hidden 16,8
    """
    given = {
        "source": source,
        "target": target,
        "dev": dev,
        "test": test,
        "group": group,
        "time": time_,
        "weight": weight,
        "task": task,
        "hidden": hidden_units(hidden),
        "activation": activation,
        "init": init,
        "optimizer": optimizer,
        "learning_rate": number("--learning-rate", learning_rate, float, "0.001"),
        "batch_size": batch_size(batch_size_),
        "epochs": number("--epochs", epochs, int, "100"),
        "early_stopping": early_stopping,
        "normalize": normalize,
        "image_size": image_size(image_size_),
        "seed": number("--seed", seed, int, "0"),
    }
    use_threads(threads)
    before, digests = read_recipe(recipe)
    options = before | {k: v for k, v in given.items() if v is not None}
    if "source" not in options:
        raise OptionError("chainrule train", "a SOURCE", "none", "chainrule train digits")
    same_data = all(options.get(name) == before.get(name) for name in ("source", "dev", "test"))
    digests = digests if same_data else {}
    run_job(options, out, digests, check_gradients=check_gradients, as_json=json_)


def read_recipe(file: str | None) -> tuple[dict, dict]:
    """The options that an earlier run was made with, and the sha256 of its data, part by part."""
    if file is None:
        return {}, {}
    path = Path(file) / "recipe.json" if Path(file).is_dir() else Path(file)
    try:
        saved = json.loads(path.read_text())
        digests = dict(saved.get("facts", {}).get("digests", {}))
        return dict(saved.get("recipe", saved)), digests
    except OSError:
        hint = "runs/NAME-1, or runs/NAME-1/recipe.json"
        raise OptionError("--recipe", "a run's recipe.json", f"no file {path}", hint) from None
    except (ValueError, AttributeError, TypeError):
        hint = "the recipe.json of a run"
        raise OptionError("--recipe", "a JSON object", f"{path}, which is none", hint) from None


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


def run_job(
    options: dict, out: str | None, digests: dict, *, check_gradients: bool, as_json: bool
) -> None:
    """Prepare, train, check, draw, save; and say each of it."""
    began = time.perf_counter()
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.cli.cautions import cautions
    from chainrule.inspection.pictures import run_pictures
    from chainrule.train.check import check_network, quick_samples
    from chainrule.train.defaults import COSTS
    from chainrule.train.prepare import prepare
    from chainrule.train.progress import progress_bar
    from chainrule.train.recipe import Recipe
    from chainrule.train.run import train_prepared
    from chainrule.train.store import check_free, save

    keep_compiled_programs()
    say = words.silent if as_json else typer.echo
    recipe = Recipe.from_dict(options)
    check_free(Path(out or "runs/new"))
    prepared = prepare(recipe)
    note_changed_data(prepared, digests)
    say(words.data(prepared))
    say(words.plan(prepared))
    with progress_bar(prepared.epochs) as watch:
        run = train_prepared(prepared, watch)
    say(words.curves(run.history))
    say(words.results(run.results))
    if found := cautions(prepared, run.results):
        say(found)
    report = None
    if check_gradients:
        cost, samples = COSTS[run.door.cost], quick_samples(run.network)
        report = check_network(run.network, cost, prepared.parts["train"], samples=samples)
        say(words.gradients(report))
    pictures = run_pictures(run, prepared.sources)
    run = save(run, run_folder(out, recipe.source), pictures)
    say(words.saved(run))
    if as_json:
        seconds = round(time.perf_counter() - began, 3)
        line = {"run": str(run.path), **run.results, "parameters": run.parameters}
        line |= {"epochs": len(run.history.epochs), "stopped": run.history.stopped}
        line |= {"gradients": report.difference} if report else {}
        typer.echo(json.dumps(line | {"seconds": seconds}))
    if run.history.stopped == "interrupted":
        raise typer.Exit(130)
