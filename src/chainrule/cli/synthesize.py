"""chainrule synthesize: noise laid over the examples of a source, as a file to train on."""

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.options import image_size, number, option
from chainrule.cli.output import write
from chainrule.errors import OptionError, check_choice

if TYPE_CHECKING:
    from chainrule.data.source import Source

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
    from chainrule.data.sources import load
    from chainrule.data.synthesis import different, numbers_of
    from chainrule.data.synthesis import synthesize as lay_over
    from chainrule.train.prepare import read_and_split
    from chainrule.train.recipe import Recipe

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
    heard = None if clips is None else different(numbers_of(clips), numbers_of(examples).shape[1:])
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


def check_output(output: str, examples: "Source") -> None:
    """A table goes into a table, arrays into arrays: `train --extra` takes nothing else."""
    suffix = ".csv" if examples.is_table else ".npz"
    if Path(output).suffix.lower() != suffix:
        hint = f"{Path(output).stem}{suffix}"
        expected = f"a name that ends in {suffix}, as {examples.name} is read"
        raise OptionError("--output", expected, output, hint)


def file_of(mixed: "Source", weight: str | None) -> bytes:
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
