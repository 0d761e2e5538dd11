"""The command `chainrule train`, which trains, checks, evaluates and saves a network."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from chainrule.cli import tasks
from chainrule.cli.options import CHECKPOINT_EVERY, JSON, OUT, RESUME, takes
from chainrule.cli.training import end, open_training
from chainrule.errors import OptionError, in_option, or_warn
from chainrule.runs.options import option
from chainrule.runs.recipe import Recipe, with_first_rules
from chainrule.runs.status import task_kind_of

if TYPE_CHECKING:
    from chainrule.gradcheck import GradientReport
    from chainrule.runs.prepare import Prepared
    from chainrule.runs.run import Run
    from chainrule.strategy.train_model import TrainingJob

DATA = ("source", "dev", "test", "extra", "train_dev")


@takes(Recipe)
def train(
    given: dict[str, Any],
    recipe: str | None = option(
        None,
        "Repeat the run described by this recipe.json; any other options you give override its "
        "values.",
        "Output",
        "FILE",
    ),
    out: str | None = OUT,
    resume: str | None = RESUME,
    checkpoint_every: float = CHECKPOINT_EVERY,
    check_gradients: bool = option(
        True,
        "Check the gradients of the trained network by comparing them with finite differences.",
        "Output",
        flags="--check/--no-check",
    ),
    as_json: bool = JSON,
) -> None:
    """Train a network on SOURCE, check its gradients, evaluate it, and save it as a run.

    If neither --hidden nor --network is given, the network is chosen automatically: networks of
    increasing size are trained, and a larger one is kept only if it improves the score on the dev
    set by more than the standard error of the improvement.

    Example: chainrule train flowers.csv --target species --hidden 16,8

    Example: chainrule train photos --network resnet20 --augment auto
    """
    began = time.perf_counter()
    if resume is not None and (kind := task_kind_of(resume)):
        options = given | {"recipe": recipe}
        tasks.train(kind, options, out, resume, checkpoint_every, as_json)
        return
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import save
    from chainrule.runs.job import train_prepared
    from chainrule.strategy.train_model import make_plan
    from chainrule.train.progress import progress_bar, rung_bar

    say = messages.silent if as_json else messages.say
    options, digests = options_and_digests(given, recipe, resume)
    training = open_training("train", options, out, resume, digests, began=began, as_json=as_json)
    if training is None:
        return
    job, unfinished, change = training
    with unfinished:
        enable_compilation_cache()
        for text in about_data(job):
            say(text)
        with rung_bar() if job.prepared is None else nullcontext() as on_rung_progress:
            plan = make_plan(
                job,
                unfinished,
                lambda rung: say(messages.format_rung(rung)),
                on_rung_progress,
                lambda estimate: say(messages.format_estimate(estimate)),
            )
        if plan.words:
            say(plan.words)
        say(messages.format_plan(plan.prepared))
        with progress_bar(plan.training.epochs) as on_progress:
            run = train_prepared(
                plan.training,
                on_progress,
                unfinished=unfinished,
                every=checkpoint_every,
                change=change,
            )
        run = plan.finish(run)
        if kept := messages.format_kept(run):
            say(kept)
        gradients = or_warn(
            "the check of its gradients",
            lambda: report_results(run, plan.prepared, say, check=check_gradients),
            None,
        )
        run, files = or_warn(
            "its plots and its report", lambda: with_report(run, plan.prepared, say), (run, {})
        )
        run = save(run, unfinished.run, files, unfinished=unfinished)
    say(messages.format_saved(run))
    end(run, began, gradients, as_json=as_json)


def about_data(job: "TrainingJob") -> list[str]:
    """Return what is said before the training begins: the data, its columns, and notes."""
    from chainrule.cli import messages
    from chainrule.kernels.native import advice

    texts = [messages.format_data(job.data, job.recipe)]
    texts.append(messages.format_columns(job.data.preprocessor))
    if job.encoding_costs:
        texts.append(messages.format_encoding(job.encoding_costs, job.recipe.normalize or ""))
    if job.convolves:
        texts.append(advice() or "")
    if job.prepared is None:
        texts.append(messages.ladder_begins(job.recipe.budget))
    return [text for text in texts if text]


def options_and_digests(
    given: dict[str, Any], recipe: str | None, resume: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return all options, and the sha256 digests of the data with which --recipe was trained.

    The dictionary of digests is empty if the options specify different data.
    """
    if resume is not None:
        return given | {"recipe": recipe}, {}
    before, digests = read_recipe(recipe)
    options = before | given
    same_data = all(options.get(name) == before.get(name) for name in DATA)
    return options, digests if same_data else {}


def report_results(
    run: "Run", prepared: "Prepared", say: Callable[[str], None], *, check: bool
) -> "GradientReport | None":
    """Print the costs and the results of a trained network, and check its gradients."""
    from chainrule.cli import messages
    from chainrule.runs.defaults import COSTS
    from chainrule.runs.gradients import check_network, quick_samples

    say(messages.format_curves(run.history))
    say(messages.format_results(run.results))
    if run.preprocessor.temperature != 1:
        say(f"\n{messages.probabilities_of(run)}")
    if found := messages.cautions(prepared, run.results):
        say(found)
    if run.recipe.goal is not None:
        say(goal_reached(run, prepared))
    if not check:
        return None
    cost, samples = COSTS[run.preprocessor.cost], quick_samples(run.network)
    gradients = check_network(run.network, cost, prepared.parts["train"], samples=samples)
    say(messages.format_gradients(gradients))
    return gradients


def with_report(
    run: "Run", prepared: "Prepared", say: Callable[[str], None]
) -> "tuple[Run, dict[str, bytes]]":
    """Print the diagnosis, and return the run with the diagnosis, its plots and its report."""
    from chainrule.inspection.report.content import records
    from chainrule.inspection.report.report import report
    from chainrule.inspection.run_plots import plot_run

    found = records(run, prepared.data)
    if diagnosis := found.get("diagnosis"):
        say(f"\n{diagnosis.text()}")
        run = replace(run, facts=run.facts | {"diagnosis": diagnosis.to_dict()})
    plots = plot_run(run, prepared.sources)
    return run, plots | {"report.html": report(run, prepared.data, pictures=plots, **found)}


def goal_reached(run: "Run", prepared: "Prepared") -> str:
    """Return the goal as text, with the scores on the test set, or else on the dev or train set."""
    from chainrule.data.split import report_split
    from chainrule.strategy.goal import goal_for
    from chainrule.strategy.threshold import measure

    name = report_split(prepared.parts)
    goal = goal_for(str(run.recipe.goal), run.preprocessor)
    reached = measure(goal, run.network, run.preprocessor, prepared.parts[name])
    first, *others = goal.text(reached).splitlines()
    return "\n".join(["", f"{first}; on {name}", *others])


HINT = "the recipe.json of a run"


class SavedFacts(TypedDict, total=False):
    """The facts of a run that are compared with the data."""

    digests: dict[str, str]


class RecipeToRepeat(TypedDict, total=False):
    """The content of a recipe.json that is repeated; without a recipe, it is one itself."""

    recipe: dict[str, Any]
    facts: SavedFacts


def read_recipe(file: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options of an earlier run, and the sha256 digest of each of its sets, by name."""
    if file is None:
        return {}, {}
    from chainrule.host.reading import convert, read_json_file

    path = Path(file) / "recipe.json" if os.path.isdir(file) else Path(file)
    if not os.path.lexists(path):
        hint = "runs/NAME-1, or runs/NAME-1/recipe.json"
        got = f"{path}, which does not exist"
        raise OptionError("--recipe", "a run's recipe.json", got, hint)
    with in_option("--recipe"):
        saved = read_json_file(path, "a JSON object", hint=HINT, finite=False)
        convert(saved, RecipeToRepeat, str(path), hint=HINT)
    options = with_first_rules(saved["recipe"]) if "recipe" in saved else dict(saved)
    digests = saved.get("facts", {}).get("digests", {})
    if kind := options.get("kind"):
        hint = f"chainrule describe {path.parent}, which prints its command"
        got = f"a run of chainrule {kind}"
        raise OptionError("--recipe", "a run of chainrule train", got, hint)
    with in_option(f"--recipe, {path}"):
        Recipe.from_dict({"source": "", **options})
    return options, digests
