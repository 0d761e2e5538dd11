"""Functions of `chainrule detect`, `segment` and `verify`, which train, evaluate and predict."""

import inspect
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chainrule.cli.options import (
    CHECKPOINT_EVERY,
    JSON,
    NEW_IMAGES,
    OUT,
    RESUME,
    RUN,
    SKIP_UNREADABLE,
    SPLIT,
    takes,
)
from chainrule.cli.output import say, say_json, write, write_folder
from chainrule.cli.training import end, open_training
from chainrule.errors import RunError
from chainrule.formatting import count_of

if TYPE_CHECKING:
    from chainrule.vision.task import VisionModel


def train_command(recipe: Any, doc: str) -> Callable:
    """Return the `train` command of a vision task, whose options are those of its recipe."""
    bound: Any = partial(train, recipe.kind)
    bound.__name__, bound.__doc__ = "train", doc
    return takes(recipe)(bound)


def evaluate_command(recipe: Any, doc: str, **options: Any) -> Callable:
    """Return the `evaluate` command of a vision task; `options` are those of this task only."""
    return command_of(evaluate, recipe, doc, split=SPLIT, **options)


def predict_command(recipe: Any, doc: str, **options: Any) -> Callable:
    """Return the `predict` command of a vision task; `options` are those of this task only."""
    options |= {"source": NEW_IMAGES, "skip_unreadable": SKIP_UNREADABLE}
    return command_of(predict, recipe, doc, **options)


def command_of(function: Callable, recipe: Any, doc: str, **options: Any) -> Callable:
    """Return a command that loads a run of a vision task and calls `function` with its model.

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
    """Train a vision model, evaluate it, and save it; print each result."""
    began = time.perf_counter()
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.kernels.native import advice as kernel_advice
    from chainrule.train.progress import progress_bar
    from chainrule.vision.report import advice

    say = messages.silent if as_json else messages.say
    training = open_training(kind, given, out, resume, began=began, as_json=as_json)
    if training is None:
        return
    job, unfinished, change = training
    with unfinished:
        enable_compilation_cache()
        say(job.description)
        if note := kernel_advice():
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


def load_model(path: str, kind: str) -> "VisionModel":
    """Load a run of this kind, and store compiled programs on disk for the next command."""
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load

    enable_compilation_cache()
    return cast("VisionModel", load(path, kind))


def evaluate(
    model: Any,
    source: str,
    *,
    labels: str | None = None,
    split: str,
    skip_unreadable: bool = False,
    as_json: bool,
    output: str | None = None,
) -> None:
    """Evaluate a model on labelled images and print the scores.

    If `output` is given, the mistakes are plotted in this folder.
    """
    from chainrule.vision.report import results_text

    part = model.read(source, split=split, labels=labels, skip_unreadable=skip_unreadable)
    found, name = model.evaluate(*model.task.arrays(part)), Path(source).name
    if output is not None:
        from chainrule.vision.verification.task import plot_pairs

        write_folder(plot_pairs(model.model, {name: part}, name), output)
    text = results_text(model.kind, {name: found}, model.names)
    if as_json:
        say_json(found)
    else:
        say(text.lstrip("\n"))


def predict(
    model: Any,
    source: str,
    output: str | None,
    *,
    score_threshold: float | None = None,
    skip_unreadable: bool = False,
    as_json: bool,
) -> None:
    """Predict boxes or masks of a file or folder of images; `output` is a folder for the files."""
    if model.kind == "verify":
        expected, got = "a run that predicts labels, boxes or masks", "a run of chainrule verify"
        hint = f"chainrule verify enrol {model.path} people.gallery NAME IMAGES, then identify"
        raise RunError(str(model.path), expected, got, hint)
    if model.kind == "detect":
        from chainrule.vision.detection.task import as_csv, detect_files, draw_detections

        how = {"score_threshold": score_threshold, "skip_unreadable": skip_unreadable}
        found = detect_files(model, source, **how)
        lines, table = [one.to_dict() for one in found], as_csv(found)
        if without := [str(one.path) for one in found if not len(one.boxes)]:
            listed = ", ".join(without[:3]) + (" …" if len(without) > 3 else "")
            say(
                f"no object was found in {len(without)} of {count_of(len(found), 'image')}: "
                f"{listed}",
                err=True,
            )
        if output is not None:
            boxes = {"boxes.json": json.dumps(lines, indent=1).encode()}
            write_folder(boxes | draw_detections(found), output)
    else:
        from chainrule.vision.segmentation.task import as_csv, mask_files, segment_files

        found = list(segment_files(model, source, skip_unreadable=skip_unreadable))
        lines, table = [one.to_dict() for one in found], as_csv(found)
        if output is not None:
            write_folder(mask_files(found, model), output)
    if as_json:
        say_json(lines)
    else:
        write(table, None)
