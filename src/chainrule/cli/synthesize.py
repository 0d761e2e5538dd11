"""The commands `chainrule synthesize` and `chainrule average`.

`synthesize` adds noise to examples, and writes them to a file of additional training data.
`average` computes exponentially weighted averages of a column, and shows a table and a plot.
"""

from dataclasses import MISSING
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.cli.options import JSON, LABELLED
from chainrule.cli.output import say, say_json, write, write_file
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import joined, option, read_image_size, read_number, read_numbers

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset

WHITE = "white"
NOISY_SETS = ("all", "train")
OWN_ROWS = "its dev and test rows would be trained on, with noise; --split train avoids that"


def synthesize(
    source: str = LABELLED,
    noise: str = option(
        MISSING,
        "File or folder with the noise that is added; white generates white noise.",
        "Data",
        "FILE|white",
    ),
    snr: tuple[float, float] = option(
        (10.0, 10.0),
        "Signal-to-noise ratio in decibels; two numbers, such as 0,20, are the limits of a range "
        "from which a ratio is drawn for each example.",
        "Data",
        "NUMBER|0,20",
        parse=lambda flag, text: decibels(text),
        default_text="10",
    ),
    split: str = shared_options.choice(
        "all",
        NOISY_SETS,
        "Examples to which noise is added: all of them, or only those that chainrule train SOURCE "
        "with the same --seed uses for training (train).",
    ),
    target: str | None = shared_options.column(
        "Name of the column with the labels, if SOURCE is a table."
    ),
    weight: str | None = shared_options.column(
        "Name of the column with the weights of the examples, if SOURCE is a table."
    ),
    image_size: tuple[int, int] | None = option(
        None,
        "Height and width in pixels to which the images of a folder are resized, such as 64x64.",
        "Images",
        "HxW",
        parse=read_image_size,
    ),
    seed: int = shared_options.seed(
        "Random seed for the noise and for the split of the data.", "Data"
    ),
    output: str = shared_options.output(
        "File to which the examples are written: .csv if SOURCE is a table, otherwise .npz.",
        default="noisy.npz",
    ),
    as_json: bool = JSON,
) -> None:
    """Add noise to the examples of SOURCE and keep their labels, to create more training data.

    The new file can be passed to the option --extra of chainrule train. If SOURCE is the data on
    which you will train, use --split train, so that no dev or test examples get into the new file.

    Example: chainrule synthesize studio.npz --noise car.npz --snr 5,15 -o noisy.npz

    Example: chainrule train voices.npz --extra noisy.npz
    """
    from chainrule.data.load import load
    from chainrule.data.synthesis import count_distinct_pieces, numbers_of
    from chainrule.data.synthesis import synthesize as mix
    from chainrule.runs.prepare import read_and_split
    from chainrule.runs.recipe import Recipe

    columns = {"target": target, "weight": weight, "image_size": image_size}
    if split == "all":
        examples = load(source, **columns)
    else:
        examples = read_and_split(Recipe(source, **columns, seed=seed))[0]["train"]
    clips = None if noise == WHITE else load(noise, labelled=False)
    check_output(output, examples)
    mixed = mix(examples, clips, snr, seed=seed)
    write(file_of(mixed, weight), output)
    pieces = (
        None
        if clips is None
        else count_distinct_pieces(numbers_of(clips), numbers_of(examples).shape[1:])
    )
    if as_json:
        line = {"file": output, "examples": len(mixed), "noises": pieces, "snr": snr}
        say_json(line)
        return
    over = "white noise" if pieces is None else f"{pieces:,} different pieces of {clips.name}"  # pyright: ignore
    ratio = joined(sorted(set(snr)))
    from chainrule.formatting import count_of

    say(f"{count_of(len(mixed), 'example')} of {mixed.name} with {over} at {ratio} dB")
    if split == "all":
        note = f"note: use the file with --extra for other data than {mixed.name}: {OWN_ROWS}"
        say(note, err=True)


def decibels(text: str) -> tuple[float, float]:
    """Convert the typed text to the lower and the upper limit of the signal-to-noise ratio.

    >>> decibels("10"), decibels("0,20")
    ((10.0, 10.0), (0.0, 20.0))
    """
    ends = list(read_numbers("--snr", text, float, "10, or 0,20"))
    if len(ends) > 2:
        raise OptionError("--snr", "one or two numbers", text, "10, or 0,20")
    return ends[0], ends[-1]


def check_output(output: str, examples: "Dataset") -> None:
    """Refuse an output file of a type that `train --extra` could not combine with the input."""
    suffix = ".csv" if examples.is_table else ".npz"
    if Path(output).suffix.lower() != suffix:
        hint = f"{Path(output).stem}{suffix}"
        kind = "is a table" if examples.is_table else "is not a table"
        expected = f"a name that ends in {suffix}, since {examples.name} {kind}"
        raise OptionError("--output", expected, output, hint)


def file_of(mixed: "Dataset", weight: str | None) -> bytes:
    """Return the content of a file with the examples and their labels, in a format for `train`."""
    import numpy as np

    from chainrule.data.csv_cells import write_table

    y = np.asarray(mixed.y)
    if mixed.is_table:
        several = [name.strip() for name in (mixed.target or "").split(",")]
        columns = dict(zip(several, y.T, strict=True)) if y.ndim == 2 else {str(mixed.target): y}
        if weight is not None:
            columns[weight] = np.asarray(mixed.weights)
        return write_table(mixed.X.assign(**columns)).encode()
    arrays = {"X": mixed.X, "y": y.astype(str) if y.dtype == object else y}
    if mixed.classes is not None:
        arrays["classes"] = np.array(mixed.classes)
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


FIRST, LAST = 5, 3
"""The numbers of first and of last rows that the table shows of a long series."""


def average(
    file: str = shared_options.argument(
        "A .csv, .tsv, .txt or .parquet file with a column of numbers.", "FILE"
    ),
    column: str | None = option(
        None,
        "Name of the column to average; required if several columns contain numbers.",
        "Data",
        "COLUMN",
    ),
    beta: list[str] | None = option(
        None,
        "Weight β of the previous average, at least 0 and less than 1; several values are "
        "separated by commas.",
        "Data",
        "0.9,0.98",
        default_text="0.9",
    ),
    correction: bool = option(
        True, "Also compute the averages with bias correction, v / (1 − βᵗ).", "Data"
    ),
    out: str | None = option(
        None,
        "PNG file to which the plot is written.",
        "Output",
        "FILE.png",
        default_text="FILE-averages.png",
        writes=True,
    ),
    as_json: bool = JSON,
) -> None:
    """Compute exponentially weighted averages of a column, v = β v + (1 − β) θ, and plot them.

    Example: chainrule average temperatures.csv --beta 0.9,0.98
    """
    texts = beta or ["0.9"]
    betas = [read_number("--beta", b, float, "0.9") for text in texts for b in text.split(",")]
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
    write_file(picture, png, "--out")
    if as_json:
        line = {"file": file, "column": name, "picture": str(picture), "values": values.tolist()}
        say_json(line | {"averages": averages})
        return
    say(f"{title}: {len(values):,} value{'' if len(values) == 1 else 's'}\n")
    say(table(name, values, averages))
    windows = ", ".join(f"{1 / (1 - b):.4g} at β = {b:g}" for b in betas)
    say(f"\neach is about the mean of the last 1 / (1 − β) values: {windows}")
    say(f"plot: {picture}")


def averages_of(values: Any, betas: list[float], *, correction: bool) -> list[dict[str, Any]]:
    """Return the averages for each β, with and without bias correction, as plain data for JSON."""
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
    """Return a table of the first and last values of a series, with their averages."""
    from chainrule.formatting import aligned

    heads = ["corrected" if a["corrected"] else f"β = {a['beta']:g}" for a in averages]
    columns = [values, *(a["values"] for a in averages)]
    n = len(values)
    rows = [[f"{i + 1:,}", *(f"{column[i]:.6g}" for column in columns)] for i in shown(n)]
    if n > FIRST + LAST:
        rows.insert(FIRST, ["…"] * len(rows[0]))
    return "\n".join(aligned([["t", name, *heads], *rows], right=range(len(rows[0]))))


def shown(n: int) -> list[int]:
    """Return the indices of the rows that the table shows: for a short series, all of them.

    >>> shown(3), shown(100)
    ([0, 1, 2], [0, 1, 2, 3, 4, 97, 98, 99])
    """
    return [i for i in range(n) if i < FIRST or i >= n - LAST]
