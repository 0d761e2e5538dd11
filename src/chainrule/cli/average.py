"""chainrule average: exponentially weighted averages of a column, as a table and a picture."""

import json
from pathlib import Path
from typing import Any

import typer

from chainrule.cli.options import number, option
from chainrule.errors import OptionError

FIRST, LAST = 5, 3
"""Rows of a long series that the table shows."""


def average(
    file: str = typer.Argument(help="A .csv, .csv.gz or .parquet file.", show_default=False),
    column: str | None = option("Which column, where several have numbers.", "NAME"),
    beta: list[str] | None = option("From 0 to below 1; several with commas between.", "0.9"),
    correction: bool = typer.Option(
        True, "--correction/--no-correction", help="With bias correction beside."
    ),
    out: str | None = option("The picture; FILE-averages.png if left out.", "PICTURE.png"),
    json_: bool = typer.Option(False, "--json", help="One line of JSON."),
) -> None:
    """Exponentially weighted averages of a column: v = β v + (1 − β) θ, with bias correction.

    Example: chainrule average temperatures.csv --beta 0.9,0.98
    """
    betas = [number("--beta", b, float, "0.9") for text in beta or ["0.9"] for b in text.split(",")]
    picture = Path(out or f"{Path(file).name.split('.')[0]}-averages.png")
    if picture.suffix.lower() != ".png":
        raise OptionError("--out", "a name that ends in .png", repr(out), f"{picture.stem}.png")
    from chainrule.cache import keep_compiled_programs
    from chainrule.data.series import read_series
    from chainrule.inspection.averages import picture_of_averages
    from chainrule.optim.optimizer import check_beta

    keep_compiled_programs()
    for b in betas:
        check_beta("--beta", b)
    name, values = read_series(file, column)
    title = f"{Path(file).name}, {name}"
    png = picture_of_averages(values, betas, correction=correction, title=title, name=name)
    averages = averages_of(values, betas, correction=correction)
    save(png, picture)
    if json_:
        line = {"file": file, "column": name, "picture": str(picture), "values": values.tolist()}
        typer.echo(json.dumps(line | {"averages": averages}))
        return
    typer.echo(f"{title}: {len(values):,} value{'' if len(values) == 1 else 's'}\n")
    typer.echo(table(name, values, averages))
    windows = ", ".join(f"{1 / (1 - b):.4g} at β = {b:g}" for b in betas)
    typer.echo(f"\nabout the mean of the last 1 / (1 − β) values: {windows}")
    typer.echo(f"picture: {picture}")


def averages_of(values: Any, betas: list[float], *, correction: bool) -> list[dict[str, Any]]:
    """The averages for each β, as they are and corrected, for JSON."""
    from chainrule.optim.averages import weighted_averages

    return [
        {
            "beta": beta,
            "corrected": corrected,
            "values": weighted_averages(values, beta, corrected=corrected).tolist(),
        }
        for beta in betas
        for corrected in ((False, True) if correction else (False,))
    ]


def table(name: str, values: Any, averages: list[dict[str, Any]]) -> str:
    """A line for each of the first values and the last: the value and its averages."""
    from chainrule.strategy.table import aligned

    heads = ["corrected" if a["corrected"] else f"β = {a['beta']:g}" for a in averages]
    columns = [values, *(a["values"] for a in averages)]
    n = len(values)
    rows = [[f"{i + 1:,}", *(f"{column[i]:.6g}" for column in columns)] for i in shown(n)]
    if n > FIRST + LAST:
        rows.insert(FIRST, ["…"] * len(rows[0]))
    return "\n".join(aligned([["t", name, *heads], *rows], right=range(len(rows[0]))))


def shown(n: int) -> list[int]:
    """The rows of the table: all of a short series.

    >>> shown(3), shown(100)
    ([0, 1, 2], [0, 1, 2, 3, 4, 97, 98, 99])
    """
    return [i for i in range(n) if i < FIRST or i >= n - LAST]


def save(png: bytes, path: Path) -> None:
    """Write the picture, whole or not at all."""
    from chainrule import durable

    try:
        durable.write(path, png)
    except OSError as error:
        hint = "another" if path.parent.is_dir() else f"making the folder {path.parent} first"
        raise OptionError(
            "--out", "a file that can be written", durable.words(error), hint
        ) from None
