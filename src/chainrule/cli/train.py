"""chainrule train: from a labelled file to a trained, checked, saved network.

What `chainrule train` does and says: find the network, train, check, draw, save; or go on.
"""

import json
import time
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from chainrule.cli import vision
from chainrule.cli.options import (
    batch_size,
    checkpoint_seconds,
    hidden_units,
    image_size,
    keep_prob_of,
    number,
    option,
    run_folder,
    use_threads,
)
from chainrule.errors import DataWarning, OptionError
from chainrule.runs.status import vision_task_of


class OutputOptions(NamedTuple):
    """What is wanted beside the run: its gradients checked, a line of JSON in place of words."""

    check_gradients: bool
    as_json: bool


def start(
    options: dict, out: str | None, digests: dict, every: float, saying: OutputOptions
) -> None:
    """A new training."""
    began = time.perf_counter()
    from chainrule.runs import job
    from chainrule.runs.folder import check_free
    from chainrule.runs.recipe import Recipe
    from chainrule.strategy.train_model import open_data

    recipe = Recipe.from_dict(options)
    check_free(Path(out or "runs/new"))
    opened = open_data(recipe)
    note_changed_data(opened, digests)
    with job.begin(opened, run_folder(out, recipe.source)) as unfinished:
        work(opened, unfinished, every, saying, began)


def go_on(name: str, given: dict[str, Any], every: float, saying: OutputOptions) -> None:
    """The training of the run `name`, from where it was interrupted."""
    began = time.perf_counter()
    from chainrule.cli import messages
    from chainrule.runs import job
    from chainrule.runs.recipe import Recipe
    from chainrule.strategy.train_model import open_data
    from chainrule.train.changes import Change

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
            typer.echo(f"{run.path} is done\n{messages.results(run.results)}")
        report(run, None, saying, began)
        return
    opened, unfinished = job.reopen(name, lambda said: open_data(Recipe.from_dict(said)))
    with unfinished:
        work(opened, unfinished, every, saying, began, change)


def work(
    opened: Any,
    unfinished: Any,
    every: float,
    saying: OutputOptions,
    began: float,
    change: Any = None,
) -> None:
    """Find the network, train, check, draw, save; and say each of it."""
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs import job
    from chainrule.runs.folder import save
    from chainrule.strategy.train_model import make_plan
    from chainrule.train.progress import progress_bar, rung_bar

    enable_compilation_cache()
    say = messages.silent if saying.as_json else typer.echo
    say(messages.data(opened.data))
    if opened.prepared is None:
        say(messages.ladder_begins())
    with rung_bar() if opened.prepared is None else nullcontext() as climbing:
        plan = make_plan(opened, unfinished, lambda rung: say(messages.rung(rung)), climbing)
    if plan.words:
        say(plan.words)
    say(messages.plan(plan.prepared))
    with progress_bar(plan.training.epochs) as on_progress:
        run = plan.finish(
            job.train(plan.training, unfinished, on_progress, every=every, change=change)
        )
    run, gradients, pictures = told(run, plan.prepared, saying, say)
    run = save(run, unfinished.run, pictures)
    say(messages.saved(run))
    report(run, gradients, saying, began)
    if run.history.stopped == "interrupted":
        raise typer.Exit(130)


def told(
    run: Any, prepared: Any, saying: OutputOptions, say: Any
) -> tuple[Any, Any, dict[str, bytes]]:
    """The run with what was found out about it, its gradients, and its pictures and report."""
    from chainrule.cli import messages
    from chainrule.cli.messages import cautions
    from chainrule.inspection.report.content import records
    from chainrule.inspection.report.report import report as report_of
    from chainrule.inspection.run_plots import plot_run
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.gradients import check_network, quick_samples

    say(messages.curves(run.history))
    say(messages.results(run.results))
    if found := cautions(prepared, run.results):
        say(found)
    if run.recipe.goal is not None:
        say(goal_reached(run, prepared))
    gradients = None
    if saying.check_gradients:
        cost, samples = COSTS[run.preprocessor.cost], quick_samples(run.network)
        gradients = check_network(run.network, cost, prepared.parts["train"], samples=samples)
        say(messages.gradients(gradients))
    known = records(run, prepared.data)
    if diagnosis := known.get("diagnosis"):
        say(f"\n{diagnosis.text()}")
        run = replace(run, facts=run.facts | {"diagnosis": diagnosis.to_dict()})
    pictures = plot_run(run, prepared.sources)
    pictures["report.html"] = report_of(run, prepared.data, pictures=pictures, **known)
    return run, gradients, pictures


def goal_reached(run: Any, prepared: Any) -> str:
    """The goal, and what was reached of it, on the test part if there is one."""
    from chainrule.strategy.goal import goal_for
    from chainrule.strategy.threshold import measure

    name = next(part for part in ("test", "dev", "train") if part in prepared.parts)
    goal = goal_for(run.recipe.goal, run.preprocessor)
    reached = measure(goal, run.network, run.preprocessor, prepared.parts[name])
    first, *others = goal.text(reached).splitlines()
    return "\n".join(["", f"{first}; on {name}", *others])


def report(run: Any, gradients: Any, saying: OutputOptions, began: float) -> None:
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
        messages = f"the data has changed since the recipe was written: {', '.join(changed)}."
        warnings.warn(messages, DataWarning, stacklevel=2)


DATA = ("source", "dev", "test", "extra", "train_dev")


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
    extra: str | None = option("More to train on, from another world: never dev or test.", "FILE"),
    train_dev: Annotated[
        bool | None,
        typer.Option(
            "--train-dev/--no-train-dev",
            help="Set aside a part like the training part; on with --extra.",
            show_default=False,
        ),
    ] = None,
    goal: str | None = option('The number that counts: f1, "accuracy with recall >= 0.9".', "GOAL"),
    reference: str | None = option("The error of people, or the least there can be.", "NUMBER"),
    group: str | None = option("Rows of a group stay in one part.", "COLUMN"),
    time_: str | None = option("The latest rows are dev and test.", "COLUMN", "--time"),
    weight: str | None = option("How much each row counts.", "COLUMN"),
    task: str | None = option("Whatever the target looks like.", "classification|regression"),
    base: str | None = option(
        "Take over the layers of a trained run, or of published weights.", "RUN|FILE", "--from"
    ),
    retrain: str | None = option("Which of them train: transfer.", "last|2|all"),
    hidden: str | None = option(
        "Units of hidden layers; none: logistic regression; left out: the ladder.", "64,32|none"
    ),
    network: str | None = option(
        "One for images, by name: lenet, convnet, resnet18, resnet20, mobilenet_v2, …", "NAME"
    ),
    width: str | None = option("All channels of that network, times this.", "NUMBER"),
    augment: str | None = option(
        "Change the pictures of each step: mirror, crop=4, rotation=10, colour, noise, …; or auto.",
        "mirror,crop=4|auto|none",
    ),
    precision: str | None = option("Of what training computes.", "float32|bfloat16"),
    activation: str | None = option("relu, leaky_relu, tanh, sigmoid or identity.", "NAME"),
    init: str | None = option("he, xavier, lecun, small or zeros.", "NAME"),
    optimizer: str | None = option("adam, momentum, rmsprop or gradient_descent.", "NAME"),
    learning_rate: str | None = option("α.", "NUMBER"),
    beta: str | None = option("β of momentum, β1 of adam, β2 of rmsprop.", "NUMBER"),
    decay: str | None = option(
        "Of α: inverse_time, exponential, square_root, staircase, or by hand 20:0.01,40:0.001.",
        "KIND",
    ),
    decay_rate: str | None = option("k of the decay.", "NUMBER"),
    decay_epochs: str | None = option("Epochs between the steps of the staircase; 10.", "N"),
    clip_norm: str | None = option("Bring longer gradients to this length.", "NUMBER"),
    batch_size_: str | None = option("Examples per step.", "N|all", "--batch-size"),
    l2: str | None = option("λ, the price of large weights: λ/(2m) Σ‖W‖².", "NUMBER"),
    l1: str | None = option("λ of λ/m Σ|W|.", "NUMBER"),
    keep_prob: str | None = option("Of hidden units in dropout; one, or one a layer.", "0.8,0.9"),
    batch_norm: Annotated[
        bool | None,
        typer.Option(
            "--batch-norm/--no-batch-norm",
            help="Normalise the hidden layers' Z over the batch.",
            show_default=False,
        ),
    ] = None,
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
    image_size_: str | None = option("Of pictures.", "HxW", "--image-size"),
    images: str | None = option("The column of a table that holds paths to pictures.", "COLUMN"),
    skip_unreadable: Annotated[
        bool | None,
        typer.Option(
            "--skip-unreadable",
            help="Leave out pictures that cannot be read; it is said how many.",
            show_default=False,
        ),
    ] = None,
    seed: str | None = option("Of the split, the first weights and the order of the batches.", "N"),
    recipe: str | None = option("Repeat a run; options beside it win.", "FILE"),
    out: str | None = option("The run's folder, a new one; runs/NAME-N if left out.", "DIR"),
    resume: str | None = option("Go on with a training that was interrupted.", "RUN"),
    checkpoint_every: str | None = option("Seconds between checkpoints; 60.", "SECONDS"),
    check_gradients: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the trained network's gradients.")
    ] = True,
    threads: str | None = option("Processors to use.", "N"),
    json_: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Train a network on SOURCE, check its gradients, measure it, and save the run.

    Where no network is named the ladder is climbed: from logistic regression up, as long as the
    dev part gains more than its noise.

    Example: chainrule train flowers.csv --target species --hidden 16,8

    Example: chainrule train photos --network resnet20 --augment auto
    """
    given = {
        "source": source,
        "target": target,
        "dev": dev,
        "test": test,
        "extra": extra,
        "train_dev": train_dev,
        "goal": goal,
        "reference": number("--reference", reference, float, "0.05"),
        "base": base,
        "retrain": retrain,
        "group": group,
        "time": time_,
        "weight": weight,
        "task": task,
        "hidden": hidden_units(hidden),
        "network": network,
        "width": number("--width", width, float, "0.5"),
        "augment": augment,
        "precision": precision,
        "activation": activation,
        "init": init,
        "optimizer": optimizer,
        "learning_rate": number("--learning-rate", learning_rate, float, "0.001"),
        "batch_size": batch_size(batch_size_),
        "beta": number("--beta", beta, float, "0.9"),
        "decay": decay,
        "decay_rate": number("--decay-rate", decay_rate, float, "0.95"),
        "decay_epochs": number("--decay-epochs", decay_epochs, int, "10"),
        "clip_norm": number("--clip-norm", clip_norm, float, "1"),
        "keep_prob": keep_prob_of(keep_prob),
        "batch_norm": batch_norm,
        "l2": number("--l2", l2, float, "0.1"),
        "l1": number("--l1", l1, float, "0.1"),
        "epochs": number("--epochs", epochs, int, "100"),
        "early_stopping": early_stopping,
        "normalize": normalize,
        "image_size": image_size(image_size_),
        "images": images,
        "skip_unreadable": skip_unreadable,
        "seed": number("--seed", seed, int, "0"),
    }
    use_threads(threads)
    every = checkpoint_seconds(checkpoint_every)
    saying = OutputOptions(check_gradients, json_)
    if resume is not None:
        goes_on = given | {"recipe": recipe, "out": out}
        if vision_task_of(resume):
            vision.go_on(resume, goes_on, every, as_json=json_)
        else:
            go_on(resume, goes_on, every, saying)
        return
    before, digests = read_recipe(recipe)
    options = before | {k: v for k, v in given.items() if v is not None}
    if "source" not in options:
        raise OptionError("chainrule train", "a SOURCE", "none", "chainrule train digits")
    same_data = all(options.get(name) == before.get(name) for name in DATA)
    start(options, out, digests if same_data else {}, every, saying)


def read_recipe(file: str | None) -> tuple[dict, dict]:
    """The options that an earlier run was made with, and the sha256 of its data, part by part."""
    if file is None:
        return {}, {}
    path = Path(file) / "recipe.json" if Path(file).is_dir() else Path(file)
    try:
        saved = json.loads(path.read_text())
        digests = dict(saved.get("facts", {}).get("digests", {}))
        said = dict(saved.get("recipe", saved))
    except OSError:
        hint = "runs/NAME-1, or runs/NAME-1/recipe.json"
        raise OptionError("--recipe", "a run's recipe.json", f"no file {path}", hint) from None
    except (ValueError, AttributeError, TypeError):
        hint = "the recipe.json of a run"
        raise OptionError("--recipe", "a JSON object", f"{path}, which is none", hint) from None
    if kind := said.get("kind"):
        hint = f"chainrule describe {path.parent}, which says the command"
        got = f"one of chainrule {kind}"
        raise OptionError("--recipe", "a run of chainrule train", got, hint)
    return said, digests
