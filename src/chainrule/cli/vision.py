"""Functions of `chainrule detect`, `segment` and `verify`, which evaluate and predict."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.cli.options import NEW_IMAGES, SKIP_UNREADABLE, SPLIT
from chainrule.cli.output import say, say_json, write, write_folder
from chainrule.cli.tasks import command_of
from chainrule.errors import RunError
from chainrule.formatting import count_of


def evaluate_command(recipe: Any, doc: str, **options: Any) -> Callable:
    """Return the `evaluate` command of a vision task; `options` are those of this task only."""
    return command_of(evaluate, recipe, doc, split=SPLIT, **options)


def predict_command(recipe: Any, doc: str, **options: Any) -> Callable:
    """Return the `predict` command of a vision task; `options` are those of this task only."""
    options |= {"source": NEW_IMAGES, "skip_unreadable": SKIP_UNREADABLE}
    return command_of(predict, recipe, doc, **options)


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
    from chainrule.inspection.report.task_report import results_text

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
