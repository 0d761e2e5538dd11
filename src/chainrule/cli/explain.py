"""Why each prediction, for `chainrule predict --explain`: columns in words, pixels in a picture."""

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
"""Pictures on one page."""


def needs_a_file(run: Run, output: str | None) -> None:
    """Refuse pictures without a file to put theirs beside."""
    if picture_shape(run.preprocessor) is not None and output is None:
        expected = "-o FILE, since the picture of what was looked at is written beside it"
        raise OptionError("--explain", expected, "none", "-o predictions.csv")


def columns_of(run: Run, rows: Dataset) -> Contributions | None:
    """What each column adds, or None for pictures."""
    return None if picture_shape(run.preprocessor) is not None else explain_rows(run, rows.X)


def in_words(found: Contributions, count: int) -> list[list[str]]:
    """For each row, what speaks most for its answer, and what against."""
    return [
        [
            "; ".join(f"{name} {value:+.3g}" for name, value in some.items())
            for some in found.most(i, count)
        ]
        for i in range(len(found.values))
    ]


def as_table(rows: Dataset, answers: Any, likely: Any, words: list[list[str]], unit: str) -> str:
    """For a terminal."""
    heads = [rows.place_name, "prediction", *(["sure"] if likely is not None else []), *HEADS]
    lines = [heads]
    for i, answer in enumerate(answers.tolist()):
        sure = [f"{likely[i].max():.3f}"] if likely is not None else []
        said = f"{answer:.4g}" if isinstance(answer, float) else str(answer)
        lines.append([str(rows.where[i]), said, *sure, *words[i]])
    return "\n".join(aligned(lines, [0])) + f"\n\nfor and against: {unit}\n"


def unit_of(run: Run) -> str:
    """What the numbers are."""
    if run.preprocessor.labels.task == "regression":
        return "what each column adds to the prediction, from the average of the training rows on"
    return "what each column adds to the log odds of the prediction, from the average row on"


def draw(run: Run, rows: Dataset, answers: Any, likely: Any, output: str) -> None:
    """Each picture, and beside it what spoke for the answer (orange) and against it (blue)."""
    shape = picture_shape(run.preprocessor)
    if shape is None:
        return
    m = min(MOST, len(rows))
    pictures = as_colours(np.asarray(rows.X[:m]).reshape(-1, *shape))
    looked = overlaid(pictures, saliency(run, rows.X[:m]))
    tiles = []
    for i in range(m):
        sure = f" ({likely[i].max():.2f})" if likely is not None else ""
        caption = f"{short(answers[i], 12)}{sure}\n{rows.place_name} {short(rows.where[i], 12)}"
        tiles += [Tile(pictures[i], caption), Tile(looked[i], "")]
    title = "orange spoke for the answer, blue against it"
    title += f" (the first {m})" if m < len(rows) else ""
    write(gallery(tiles, title), str(Path(output).with_suffix(".png")), "--explain")
