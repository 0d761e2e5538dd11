"""chainrule errors: the mistakes of a run, their tags, and labels that may be wrong."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.options import number, use_threads
from chainrule.cli.output import write
from chainrule.errors import OptionError


def _option(words: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=words, metavar=metavar, show_default=False)


def errors(
    run: Annotated[
        str, typer.Argument(help="The folder of a run; with --suspects data too, as for train.")
    ],
    part: Annotated[str | None, _option("The part: dev (usual), test, train, …", "PART")] = None,
    count: Annotated[str | None, _option("How many mistakes; 100.", "N")] = None,
    sample: Annotated[
        str, typer.Option(help="worst: the most costly; random: those that speak for all.")
    ] = "worst",
    output: Annotated[
        str | None, _option("A CSV file with a column for tags.", "FILE", "-o", "--output")
    ] = None,
    gallery: Annotated[str | None, _option("A PNG of the mistakes, of pictures.", "FILE")] = None,
    tags: Annotated[str | None, _option("That CSV file, with tags filled in.", "FILE")] = None,
    suspects: Annotated[
        bool, typer.Option("--suspects", help="Labels that may be wrong, in all parts.")
    ] = False,
    target: Annotated[
        str | None, _option("With --suspects on data: the column with the labels.", "COLUMN")
    ] = None,
    seed: Annotated[str, typer.Option(help="Of what is drawn.", metavar="N")] = "0",
    threads: Annotated[str | None, typer.Option(help="Processors to use.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Look at the mistakes of a run: the worst, what your tags of them say, or suspect labels.

    Example: chainrule errors runs/digits-1 -o mistakes.csv --gallery mistakes.png
    """
    limit = number("--count", count, int, "100", least=1)
    chance: Any = number("--seed", seed, int, "0", least=0)
    _check_together(tags=tags, suspects=suspects, gallery=gallery, output=output, target=target)
    use_threads(threads)
    from chainrule.host.compilation_cache import enable_compilation_cache

    enable_compilation_cache()
    if suspects:
        found, table = _suspects(run, target, chance)
    else:
        found, table = _mistakes(run, part, limit or 100, sample, chance, tags, gallery)
    if output is not None:
        write(table, output)
    typer.echo(json.dumps(found.to_dict()) if json_ else found.text())


def _mistakes(
    run: str,
    part: str | None,
    count: int,
    sample: str,
    seed: int,
    tags: str | None,
    gallery: str | None,
) -> tuple[Any, str]:
    """What is found, and the CSV of it."""
    from chainrule.inspection.image_plots import mistake_gallery
    from chainrule.runs.folder import load
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.error_analysis import find_mistakes
    from chainrule.strategy.error_tags import analyse_tag_file, as_csv

    model = load(run)
    data = load_run_data(model)
    if tags is not None:
        return analyse_tag_file(model, data, tags, part), ""
    found = find_mistakes(model, data, part, count, sample=sample, seed=seed)
    if gallery is not None:
        write(
            mistake_gallery(found, data.sources[found.part], model.preprocessor),
            gallery,
            "--gallery",
        )
    return found, as_csv(found)


def _suspects(source: str, target: str | None, seed: int) -> tuple[Any, str]:
    """Of a run's data, or of data alone."""
    from chainrule.runs.folder import load
    from chainrule.runs.prepare import prepare_data
    from chainrule.runs.recipe import Recipe
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.label_errors import find_label_errors

    if (Path(source) / "recipe.json").is_file():
        if target is not None:
            hint = "leaving it out: the run knows its column"
            raise OptionError("--target", "data, not a run", source, hint)
        model = load(source)
        found = find_label_errors(load_run_data(model), model, seed=seed)
    else:
        recipe = Recipe(source, target=target, dev="none", test="none")
        found = find_label_errors(prepare_data(recipe), seed=seed)
    return found, found.csv()


def _check_together(*, tags: str | None, suspects: bool, target: str | None, **others: Any) -> None:
    """Refuse options of which one means nothing beside the other."""
    if tags is not None:
        given = [f"--{name}" for name, value in {**others, "suspects": suspects}.items() if value]
        if given:
            raise OptionError("--tags", "it alone", ", ".join(given), "one after the other")
    if suspects and others["gallery"]:
        raise OptionError("--gallery", "mistakes", "--suspects", "-o suspects.csv")
    if target is not None and not suspects:
        raise OptionError("--target", "--suspects beside it", "none", "leaving it out")
