"""chainrule report: the page of a run, made anew."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chainrule.errors import OptionError


def report(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="An HTML file, instead of report.html in the run."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Make report.html of a run: its result, why it is what it is, and what to do next.

    Example: chainrule report runs/digits-1 -o digits.html
    """
    from chainrule.cache import keep_compiled_programs
    from chainrule.inspection.report_file import keep, report_again
    from chainrule.train.partial import system_of
    from chainrule.train.store import load
    from chainrule.vision.report import page_again

    keep_compiled_programs()
    page, why = page_again(run) if system_of(run) else report_again(load(run))
    path = keep(Path(run), page) if output is None else written(Path(output), page)
    if json_:
        typer.echo(json.dumps({"report": str(path), "bytes": len(page), "data": not why}))
        return
    if why:
        typer.echo(f"note: without the data the report says less.\n{why}", err=True)
    typer.echo(f"wrote {path}")


def written(path: Path, page: bytes) -> Path:
    """The file, whole or not at all."""
    from chainrule.durable import words, write

    try:
        write(path, page)
    except OSError as error:
        hint = "another" if path.parent.is_dir() else f"making the folder {path.parent} first"
        raise OptionError("--output", "a file that can be written", words(error), hint) from None
    return path
