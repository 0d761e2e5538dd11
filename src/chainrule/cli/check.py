"""chainrule check: are the network's derivatives the slopes of its cost?"""

import json
from typing import Annotated

import typer

from chainrule.cli.options import number


def check(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[
        str | None,
        typer.Argument(help="Labelled rows to check on; the run's own data if left out."),
    ] = None,
    samples: Annotated[
        str, typer.Option(help="Entries of each W and b, at most.", metavar="N")
    ] = "200",
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Compare each parameter's gradient with the slope of the cost, in float64.

    Example: chainrule check runs/digits-1
    """
    count = number("--samples", samples, int, "200", least=1)
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.train.check import MOST_EXAMPLES, check_network, run_examples
    from chainrule.train.defaults import COSTS
    from chainrule.train.store import load

    keep_compiled_programs()
    model = load(run)
    part = run_examples(model, MOST_EXAMPLES, source)
    report = check_network(model.network, COSTS[model.door.cost], part, samples=count)
    typer.echo(json.dumps(report.to_dict()) if json_ else words.gradient_table(report))
    if report.verdict == "wrong":
        raise typer.Exit(1)
