"""The function of `chainrule generate evaluate` and `translate evaluate`, which evaluates texts."""

from collections.abc import Callable
from typing import Any

from chainrule.cli.options import SPLIT
from chainrule.cli.output import say, say_json
from chainrule.cli.tasks import command_of


def evaluate_command(recipe: Any, doc: str, **options: Any) -> Callable:
    """Return the `evaluate` command of a task on texts; `options` are those of this task only."""
    return command_of(evaluate, recipe, doc, split=SPLIT, **options)


def evaluate(model: Any, source: str, *, split: str, as_json: bool) -> None:
    """Evaluate a model on a text and print the scores.

    The split is chosen if the source is the one on which the model was trained.
    """
    from chainrule.inspection.report.task_report import results_text

    part = model.read(source, split=split)
    found = model.task.evaluate(model, part)
    if as_json:
        say_json(found)
    else:
        say(results_text(model.kind, {part.name: found}).lstrip("\n"))
