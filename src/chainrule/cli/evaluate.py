"""chainrule evaluate: a saved run on labelled rows it has not seen."""

import json
from typing import Annotated

import typer

from chainrule.cli.options import use_threads
from chainrule.errors import check_choice


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
    threads: Annotated[str | None, typer.Option(help="Processors to use.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Measure a saved run on SOURCE: cost, and accuracy or R².

    Example: chainrule evaluate runs/digits-1 more_digits.npz
    """
    check_choice("--part", part, ("train", "dev", "test"))
    use_threads(threads)
    from chainrule.cache import keep_compiled_programs
    from chainrule.cli import words
    from chainrule.train.prepare import examples, read_like
    from chainrule.train.run import evaluate as measure
    from chainrule.train.store import load

    keep_compiled_programs()
    model = load(run)
    rows = read_like(model.recipe, model.door.shape, source, target=target, part=part)
    found = measure(model.network, model.door, examples(model.door, rows))
    if json_:
        typer.echo(json.dumps(found))
        return
    typer.echo(words.results({rows.name: found}).lstrip("\n") + words.known_rows(model, rows))
