"""The command `chainrule evaluate`, which evaluates a saved run of any kind on labelled data."""

from typing import TYPE_CHECKING

from chainrule.cli import sequence, vision
from chainrule.cli.options import JSON, LABELLED, RUN, SKIP_UNREADABLE, SPLIT, STRICT
from chainrule.cli.output import say, say_json
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option

if TYPE_CHECKING:
    from chainrule.runs.run import Run
    from chainrule.strategy.goal import Goal

WIDTH = 100
MOST_CLASSES = 20


def evaluate(
    run: str = RUN,
    source: str = LABELLED,
    target: str | None = shared_options.column(
        "Name of the column with the labels.", default_text="the target column of the run"
    ),
    split: str = SPLIT,
    goal: str | None = option(
        None,
        "Metric to report, with optional conditions on other metrics, such as "
        '"f1 with recall >= 0.9".',
        "Data",
        "GOAL",
        default_text="the goal of the run",
    ),
    strict: bool = STRICT,
    skip_unreadable: bool = SKIP_UNREADABLE,
    as_json: bool = JSON,
) -> None:
    """Evaluate a saved run on the labelled examples of SOURCE.

    For a run made by chainrule train, the command prints the cost, the accuracy (or R² for
    regression) and further scores, and whether the goal of the run is met. A run made by another
    command, such as chainrule detect train, is evaluated with the scores of its task.

    Example: chainrule evaluate runs/digits-1 more_digits.npz
    """
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import kinds_in, load
    from chainrule.runs.run import Run
    from chainrule.strategy.threshold import measure_outputs

    enable_compilation_cache()
    model = load(run)
    if not isinstance(model, Run):
        refuse_options(
            model.kind, target=target, goal=goal, strict="the option" if strict else None
        )
        if model.kind in kinds_in("sequence"):
            refuse_options(
                model.kind, **{"skip-unreadable": "the option" if skip_unreadable else None}
            )
            sequence.evaluate(model, source, split=split, as_json=as_json)
            return
        how = {"split": split, "skip_unreadable": skip_unreadable}
        vision.evaluate(model, source, **how, as_json=as_json)
        return
    wanted = goal_of(model, goal)
    skip = skip_unreadable or None
    rows = model.read(source, target=target, split=split, skip_unreadable=skip, strict=strict)
    evaluated = model.evaluation(rows)
    unseen = len(rows) - len(evaluated.Z)
    found, classes = evaluated.scores, evaluated.classes
    reached = measure_outputs(wanted, model.network, evaluated) if wanted else {}
    if as_json:
        line = found | ({"classes": classes} if classes else {})
        if wanted:
            line |= reached | {"goal": str(wanted), "met": wanted.satisfied(reached)}
        say_json(line | ({"unseen_labels": unseen} if unseen else {}))
        return
    say(messages.format_results({rows.name: found}).lstrip("\n") + messages.known_rows(model, rows))
    say(further(found) + class_table(classes) + moved_threshold(model))
    if text := messages.probabilities_of(model):
        say(f"\n{text}")
    if wanted:
        say(f"\n{wanted.text(reached)}")


def refuse_options(kind: str, **options: str | None) -> None:
    """Refuse options that apply only to runs made by `chainrule train`."""
    for name, value in options.items():
        if value is not None:
            expected = f"no --{name} for a run of chainrule {kind}"
            raise OptionError(f"--{name}", expected, value, "leaving it out")


def goal_of(model: "Run", text: str | None) -> "Goal | None":
    """Return the goal given by the option, or else the goal of the run, if it has one."""
    from chainrule.strategy.goal import goal_for

    text = text or model.recipe.goal
    return None if text is None else goal_for(text, model.preprocessor)


def further(found: dict[str, float]) -> str:
    """Return the scores that the table does not contain as text, with several on each line."""
    from chainrule.cli.messages import TABLE

    shown = ("m", "cost", "accuracy", "r2", *TABLE)
    rest = {k: v for k, v in found.items() if k not in shown}
    lines = [""]
    for cell in (f"{name} {value:.4f}" for name, value in rest.items()):
        if len(lines[-1]) + len(cell) + 3 > WIDTH or not lines[-1]:
            lines.append(f"  {cell}")
        else:
            lines[-1] += f" · {cell}"
    return "\n".join(lines)


def moved_threshold(model: "Run") -> str:
    """Return a sentence on the threshold for the second class, or nothing if it is 0.5."""
    if model.preprocessor.threshold == 0.5:
        return ""
    from chainrule.formatting import one_line

    name = one_line(model.preprocessor.labels.names[1])
    return f"\n\n  {name} is predicted where p({name}) > {model.preprocessor.threshold:.4g}"


def class_table(classes: dict[str, dict[str, float]]) -> str:
    """Return a table with the scores of each class.

    If there are many classes, only those with the lowest F1 are shown.
    """
    from chainrule.formatting import aligned

    if not classes:
        return ""
    names = list(classes)
    if len(names) > MOST_CLASSES:
        names = sorted(names, key=lambda name: classes[name]["f1"])[:MOST_CLASSES]
    rows = [["", "examples", "precision", "recall", "f1"]]
    for name in names:
        each = classes[name]
        shares = (f"{each[value]:.4f}" for value in rows[0][2:])
        rows.append([name, f"{each['examples']:,}", *shares])
    lines = ["", "", *(f"  {line}" for line in aligned(rows, right=range(1, 5)))]
    if len(names) < len(classes):
        lines.append(
            f"  only the {MOST_CLASSES} of {len(classes)} classes with the lowest f1 are shown"
        )
    return "\n".join(lines)
