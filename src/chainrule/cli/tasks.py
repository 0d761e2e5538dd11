"""Functions of all tasks with commands of their own, such as `chainrule detect`, which train."""

import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from chainrule.cli.options import CHECKPOINT_EVERY, JSON, OUT, RESUME, RUN, takes
from chainrule.cli.training import end, open_training


def train_command(recipe: Any, doc: str) -> Callable:
    """Return the `train` command of a task, whose options are those of its recipe."""
    bound: Any = partial(train, recipe.kind)
    bound.__name__, bound.__doc__ = "train", doc
    return takes(recipe)(bound)


def command_of(function: Callable, recipe: Any, doc: str, **options: Any) -> Callable:
    """Return a command that loads a run of a task and calls `function` with its model.

    `options` declares the parameters of the function that are options of the command.
    """

    def command(run: str, **given: Any) -> None:
        function(load_model(run, recipe.kind), **given)

    def parameter(name: str, default: Any, annotation: Any) -> inspect.Parameter:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, keyword, default=default, annotation=annotation)

    known = inspect.signature(function).parameters
    own = [parameter(n, options[n], known[n].annotation) for n in known if n in options]
    run, as_json = parameter("run", RUN, str), parameter("as_json", JSON, bool)
    command.__doc__ = doc
    command.__signature__ = inspect.Signature([run, *own, as_json])  # pyright: ignore
    return command


def train(
    kind: str,
    given: dict[str, Any],
    out: str | None = OUT,
    resume: str | None = RESUME,
    checkpoint_every: float = CHECKPOINT_EVERY,
    as_json: bool = JSON,
) -> None:
    """Train a model of a task, evaluate it, and save it; print each result."""
    began = time.perf_counter()
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.report.task_report import advice
    from chainrule.kernels.native import advice as kernel_advice
    from chainrule.runs.folder import kinds_in
    from chainrule.train.progress import progress_bar

    say = messages.silent if as_json else messages.say
    training = open_training(kind, given, out, resume, began=began, as_json=as_json)
    if training is None:
        return
    job, unfinished, change = training
    with unfinished:
        enable_compilation_cache()
        say(job.description)
        if (note := kernel_advice()) and kind in kinds_in("vision"):
            say(note)
        with progress_bar(job.epochs) as on_progress:
            model = job.fit(unfinished, on_progress, every=checkpoint_every, change=change)
        say(messages.format_curves(model.history))
        say(messages.results_of(model))
        if found := advice(model.kind, model.results):
            say(f"\n{found.text()}")
        model = job.save(model, unfinished)
    say(messages.format_saved(model))
    end(model, began, as_json=as_json)


def load_model(path: str, kind: str) -> Any:
    """Load a run of this kind, and store compiled programs on disk for the next command."""
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load

    enable_compilation_cache()
    return load(path, kind)
