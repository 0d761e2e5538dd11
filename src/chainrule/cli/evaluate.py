"""chainrule evaluate: a saved run on labelled rows it has not seen."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.options import use_threads
from chainrule.errors import check_choice

if TYPE_CHECKING:
    from chainrule.runs.run import Run
    from chainrule.strategy.goal import Goal

WIDTH = 100
MOST_CLASSES = 20


def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="A labelled file, folder or bundled name.")],
    target: Annotated[
        str | None,
        typer.Option(help="Column with the labels, if not the training's.", show_default=False),
    ] = None,
    part: Annotated[
        str, typer.Option(help="train, dev or test, of a source that has them.")
    ] = "test",
    goal: Annotated[
        str | None,
        typer.Option(
            help='Another than the run\'s: "f1 with recall >= 0.9".',
            metavar="GOAL",
            show_default=False,
        ),
    ] = None,
    skip_unreadable: Annotated[
        bool | None,
        typer.Option("--skip-unreadable", help="Leave out pictures that cannot be read."),
    ] = None,
    threads: Annotated[str | None, typer.Option(help="Processors to use.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Measure a saved run on SOURCE: cost, accuracy or R², all further scores, and its goal.

    Example: chainrule evaluate runs/digits-1 more_digits.npz
    """
    check_choice("--part", part, ("train", "dev", "test"))
    use_threads(threads)
    from chainrule.cli import messages
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load
    from chainrule.runs.prepare import examples, read_like
    from chainrule.runs.run import evaluate as measure
    from chainrule.runs.scores import per_class
    from chainrule.strategy.threshold import measure as measure_goal
    from chainrule.train.outputs import network_outputs

    enable_compilation_cache()
    model = load(run)
    wanted = goal_of(model, goal)
    rows = read_like(
        model.recipe,
        model.preprocessor.shape,
        source,
        target=target,
        part=part,
        skip_unreadable=skip_unreadable,
    )
    labelled = examples(model.preprocessor, rows)
    found = measure(model.network, model.preprocessor, labelled)
    Z = network_outputs(model.network, labelled.X)
    classes = per_class(model.preprocessor, Z, labelled.Y, labelled.weights)
    reached = measure_goal(wanted, model.network, model.preprocessor, labelled) if wanted else {}
    if json_:
        line = found | ({"classes": classes} if classes else {})
        if wanted:
            line |= reached | {"goal": str(wanted), "met": wanted.satisfied(reached)}
        typer.echo(json.dumps(line))
        return
    typer.echo(messages.results({rows.name: found}).lstrip("\n") + messages.known_rows(model, rows))
    typer.echo(further(found) + class_table(classes) + moved_threshold(model))
    if wanted:
        typer.echo(f"\n{wanted.text(reached)}")


def goal_of(model: "Run", text: str | None) -> "Goal | None":
    """What is asked for here, or else what the run was trained for."""
    from chainrule.strategy.goal import goal_for

    text = text or model.recipe.goal
    return None if text is None else goal_for(text, model.preprocessor)


def further(found: dict[str, float]) -> str:
    """The scores that are not in the table, as many on a line as fit."""
    rest = {k: v for k, v in found.items() if k not in ("m", "cost", "accuracy", "r2")}
    lines = [""]
    for cell in (f"{name} {value:.4f}" for name, value in rest.items()):
        if len(lines[-1]) + len(cell) + 3 > WIDTH or not lines[-1]:
            lines.append(f"  {cell}")
        else:
            lines[-1] += f" · {cell}"
    return "\n".join(lines)


def moved_threshold(model: "Run") -> str:
    """From which probability on the second class is the answer, if it is not a half."""
    if model.preprocessor.threshold == 0.5:
        return ""
    name = model.preprocessor.labels.names[1]
    return f"\n\n  {name} is the answer where p({name}) > {model.preprocessor.threshold:.4g}"


def class_table(classes: dict[str, dict[str, float]]) -> str:
    """A line for each class, of many the ones with the lowest F1; nothing where there are none."""
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
        lines.append(f"  the {MOST_CLASSES} of {len(classes)} classes with the lowest f1")
    return "\n".join(lines)
