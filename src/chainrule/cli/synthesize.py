"""chainrule synthesize: noise laid over the examples of a source, as a file to train on.

chainrule average: exponentially weighted averages of a column, as a table and a picture.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.options import image_size, number, option
from chainrule.cli.output import write
from chainrule.errors import OptionError, check_choice

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset

WHITE = "white"
PARTS = ("all", "train")
BESIDE_ITSELF = "its own dev and test rows would be trained on, under noise (--part train: not)"


def synthesize(
    source: Annotated[str, typer.Argument(help="A labelled file, folder or bundled name.")],
    noise: Annotated[str, typer.Option(help="A file or folder of noises, or white.")],
    snr: Annotated[str, typer.Option(help="Decibels, or the least and the most: 0,20.")] = "10",
    output: Annotated[
        str, typer.Option("--output", "-o", help="A .npz file; a .csv for a table.")
    ] = "noisy.npz",
    part: Annotated[
        str,
        typer.Option(help="all, or train: only what train SOURCE with this seed sees."),
    ] = "all",
    target: str | None = option("Column with the labels, of a table.", "COLUMN"),
    weight: str | None = option("Column with the weights, of a table.", "COLUMN"),
    image_size_: str | None = option("Of the pictures of a folder.", "HxW", "--image-size"),
    seed: Annotated[int, typer.Option(help="Of what is drawn.", min=0)] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Lay noise over the examples of SOURCE, and keep their labels: more data for training.

    Example: chainrule synthesize studio.npz --noise car.npz --snr 5,15 -o noisy.npz
    then: chainrule train voices.npz --extra noisy.npz
    Of voices.npz itself with --part train: its dev and test rows are never trained on.
    """
    from chainrule.data.load import load
    from chainrule.data.synthesis import count_distinct_pieces, numbers_of
    from chainrule.data.synthesis import synthesize as lay_over
    from chainrule.runs.prepare import read_and_split
    from chainrule.runs.recipe import Recipe

    size = image_size(image_size_)
    check_choice("--part", part, PARTS)
    columns = {"target": target, "weight": weight, "image_size": size}
    if part == "all":
        examples = load(source, **columns)
    else:
        examples = read_and_split(Recipe(source, **columns, seed=seed))[0]["train"]
    clips = None if noise == WHITE else load(noise, labelled=False)
    check_output(output, examples)
    mixed = lay_over(examples, clips, decibels(snr), seed=seed)
    write(file_of(mixed, weight), output)
    heard = (
        None
        if clips is None
        else count_distinct_pieces(numbers_of(clips), numbers_of(examples).shape[1:])
    )
    if json_:
        line = {"file": output, "examples": len(mixed), "noises": heard, "snr": decibels(snr)}
        typer.echo(json.dumps(line))
        return
    over = "white noise" if heard is None else f"{heard:,} different pieces of {clips.name}"  # pyright: ignore
    typer.echo(f"{len(mixed):,} examples of {mixed.name} with {over} at {snr} dB")
    if part == "all":
        typer.echo(f"note: --extra for other data than {mixed.name}: {BESIDE_ITSELF}", err=True)


def decibels(text: str) -> tuple[float, float]:
    """The least and the most.

    >>> decibels("10"), decibels("0,20")
    ((10.0, 10.0), (0.0, 20.0))
    """
    ends = [number("--snr", part, float, "10, or 0,20") for part in text.split(",")]
    if len(ends) > 2:
        raise OptionError("--snr", "one number, or two", text, "10, or 0,20")
    return ends[0], ends[-1]


def check_output(output: str, examples: "Dataset") -> None:
    """A table goes into a table, arrays into arrays: `train --extra` takes nothing else."""
    suffix = ".csv" if examples.is_table else ".npz"
    if Path(output).suffix.lower() != suffix:
        hint = f"{Path(output).stem}{suffix}"
        expected = f"a name that ends in {suffix}, as {examples.name} is read"
        raise OptionError("--output", expected, output, hint)


def file_of(mixed: "Dataset", weight: str | None) -> bytes:
    """The examples and their labels, as `train` reads them."""
    import numpy as np

    y = np.asarray(mixed.y)
    if mixed.is_table:
        several = [name.strip() for name in (mixed.target or "").split(",")]
        columns = dict(zip(several, y.T, strict=True)) if y.ndim == 2 else {str(mixed.target): y}
        if weight is not None:
            columns[weight] = np.asarray(mixed.weights)
        return mixed.X.assign(**columns).to_csv(index=False).encode()
    arrays = {"X": mixed.X, "y": y.astype(str) if y.dtype == object else y}
    if mixed.classes is not None:
        arrays["classes"] = np.array(mixed.classes)
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


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
    from chainrule.data.load import read_series
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.inspection.plots import plot_averages
    from chainrule.optim.optimizer import check_beta

    enable_compilation_cache()
    for b in betas:
        check_beta("--beta", b)
    name, values = read_series(file, column)
    title = f"{Path(file).name}, {name}"
    png = plot_averages(values, betas, correction=correction, title=title, name=name)
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
    from chainrule.formatting import aligned

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
    from chainrule.host import files

    try:
        files.write_file(path, png)
    except OSError as error:
        hint = "another" if path.parent.is_dir() else f"making the folder {path.parent} first"
        raise OptionError(
            "--out", "a file that can be written", files.describe_error(error), hint
        ) from None
