"""Explanations of predictions for `chainrule predict --explain`."""

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.cli.output import write
from chainrule.data.dataset import Dataset
from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.inspection.image_plots import Tile, as_colours, gallery, overlaid
from chainrule.inspection.plots import short
from chainrule.runs.preprocessing import picture_shape
from chainrule.runs.run import Run
from chainrule.strategy.explain import Contributions, explain_rows, saliency

HEADS = ["for", "against"]
MOST = 40
"""The maximum number of images in one plot."""


def needs_a_file(run: Run, output: str | None) -> None:
    """Refuse --explain without --output for images, whose plot is written beside that file."""
    if picture_shape(run.preprocessor) is not None and output is None:
        expected = "-o FILE, since the plot of the saliency maps is written beside it"
        raise OptionError("--explain", expected, "none", "-o predictions.csv")


def columns_of(run: Run, rows: Dataset) -> Contributions | None:
    """Return the contribution of each column, or None for images."""
    return None if picture_shape(run.preprocessor) is not None else explain_rows(run, rows.X)


def in_words(found: Contributions, count: int) -> list[list[str]]:
    """Return, for each row, the columns that contribute most for and against its prediction."""
    return [
        [
            "; ".join(f"{name} {value:+.3g}" for name, value in some.items())
            for some in found.most(i, count)
        ]
        for i in range(len(found.values))
    ]


def as_table(rows: Dataset, answers: Any, likely: Any, words: list[list[str]], unit: str) -> str:
    """Return the predictions and their explanations as a table for a terminal."""
    heads = [rows.place_name, "prediction", *(["sure"] if likely is not None else []), *HEADS]
    lines = [heads]
    for i, answer in enumerate(answers.tolist()):
        sure = [f"{likely[i].max():.3f}"] if likely is not None else []
        label = f"{answer:.4g}" if isinstance(answer, float) else str(answer)
        lines.append([str(rows.where[i]), label, *sure, *words[i]])
    return "\n".join(aligned(lines, [0])) + f"\n\nfor and against: {unit}\n"


def unit_of(run: Run) -> str:
    """Return a description of the unit in which the contributions are measured."""
    if run.preprocessor.takes_sequences:
        return "how much the prediction is weakened if a step is replaced by an average one"
    if run.preprocessor.labels.task == "regression":
        return "contribution of each column to the prediction, relative to the average training row"
    return (
        "contribution of each column to the log odds of the prediction, relative to the average row"
    )


def draw(run: Run, rows: Dataset, answers: Any, likely: Any, output: str) -> None:
    """Plot each image beside its saliency map.

    Orange pixels contributed to the prediction, blue pixels against it.
    """
    shape = picture_shape(run.preprocessor)
    if shape is None:
        return
    m = min(MOST, len(rows))
    pictures = as_colours(np.asarray(rows.X[:m]).reshape(-1, *shape))
    maps = overlaid(pictures, saliency(run, rows.X[:m]))
    tiles = []
    for i in range(m):
        sure = f" ({likely[i].max():.2f})" if likely is not None else ""
        caption = f"{short(answers[i], 12)}{sure}\n{rows.place_name} {short(rows.where[i], 12)}"
        tiles += [Tile(pictures[i], caption), Tile(maps[i], "")]
    title = "orange pixels support the prediction, blue pixels contradict it"
    title += f" (the first {m})" if m < len(rows) else ""
    write(gallery(tiles, title), str(Path(output).with_suffix(".png")), "--explain")
