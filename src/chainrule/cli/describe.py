"""chainrule describe: what a run is, layer by layer; with --trace, step by step."""

import json
from typing import Annotated

import typer

from chainrule.cli.options import number


def describe(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    trace: Annotated[
        bool, typer.Option("--trace", help="A few examples, step by step, forward and back.")
    ] = False,
    examples: Annotated[
        str, typer.Option(help="How many examples for --trace.", metavar="N")
    ] = "3",
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Show a run: layers, formulas, shapes, parameters, memory, how it was trained, its results.

    Example: chainrule describe runs/digits-1 --trace
    """
    count = number("--examples", examples, int, "3", least=1)
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.inspection.signals import signal_table
    from chainrule.inspection.summary import summarize
    from chainrule.train.store import load

    keep_compiled_programs()
    model = load(run)
    if trace:
        show(model, count, as_json=json_)
        return
    summary = summarize(model.network, cost_name=model.door.cost)
    if json_:
        typer.echo(
            json.dumps(
                {
                    "run": str(model.path),
                    "network": summary.to_dict(),
                    "recipe": model.recipe.to_dict(),
                    "results": model.results,
                    "facts": model.facts,
                }
            )
        )
        return
    typer.echo(summary.text(words.columns()))
    typer.echo(words.recipe(model))
    typer.echo(words.curves(model.history))
    typer.echo(f"\n{signal_table(model.history)}" if model.history.signals else "")
    typer.echo(words.results(model.results))


def show(model, count: int, *, as_json: bool) -> None:
    """The notes' two loops on the first examples of the run's data."""
    import jax

    from chainrule.inspection.trace import show_trace, trace_to_dict
    from chainrule.layers.trace import trace
    from chainrule.train.check import run_examples
    from chainrule.train.defaults import COSTS

    part = run_examples(model, count)
    X, Y = (jax.device_put(a[:count].T) for a in (part.X, part.Y))
    steps = trace(model.network, X, Y, COSTS[model.door.cost])
    typer.echo(json.dumps(trace_to_dict(steps)) if as_json else show_trace(steps))
