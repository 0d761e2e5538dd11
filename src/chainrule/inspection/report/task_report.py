"""The report of a model on images or texts: how good it is, what it predicts, how it was trained.

report          the page report.html
results_text    a table of the results
advice          what to do next: the bias, the variance, and remedies for the larger gap

Notes: "Bias / Variance", "Basic Recipe for Machine Learning" (course 2, week 1).

    error                  1 − the main score; some scores, such as a cost, are errors themselves
    bias                   the error on the training set; the human error is not known here
    variance               the error on the dev set − the error on the training set
    overfitting to dev     the error on the test set − the error on the dev set
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.data.split import report_split
from chainrule.errors import RunError
from chainrule.formatting import aligned, count_of
from chainrule.host.reading import read_bytes
from chainrule.inspection.report import content
from chainrule.inspection.report.content import (
    cost_chart,
    network_table,
    number,
    report_page,
    set_name,
    training_seconds,
    training_sentence,
    used,
)
from chainrule.inspection.report.html import Html, element, picture, table, together
from chainrule.runs.folder import task_of
from chainrule.train.health import verdicts

SMALL = 0.02
"""The size below which a gap is too small to act on."""

NAMES = {
    "bias": "training error",
    "variance": "dev error − training error",
    "overfitting to dev": "test error − dev error",
}


def results_text(
    kind: str, results: Mapping[str, Mapping[str, Any]], names: tuple[str, ...] = ()
) -> str:
    """Return a table with a line for each set, and one with a line for each class.

    The classes are those of the set whose results are reported.
    """
    task = task_of(kind)
    words = task.words
    single = _keys(results, words, lists=False)
    rows = [["", f"{task.example}s", *(words[key] for key in single)]]
    for part, found in results.items():
        rows.append([part, f"{found['m']:,}", *(in_digits(found.get(key)) for key in single)])
    lines = ["", *(f"  {line}" for line in aligned(rows, right=range(1, len(rows[0]))))]
    by_class = _keys(results, words, lists=True)
    if by_class:
        part = report_split(results)
        rows = [[f"on {part}", *(words[key] for key in by_class)]]
        columns = (results[part][key] for key in by_class)
        for name, *values in zip(names, *columns, strict=True):
            rows.append([name, *map(in_digits, values)])
        lines += ["", *(f"  {line}" for line in aligned(rows, right=range(1, len(rows[0]))))]
    return "\n".join(lines)


def in_digits(value: float | None) -> str:
    """Return a score with four decimals, or "-" if it is not defined."""
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"


def _keys(
    results: Mapping[str, Mapping[str, Any]], words: Mapping[str, str], *, lists: bool
) -> list[str]:
    """Return the names of the scores in the results, in order; with `lists`, of those by class."""
    present = {k: v for found in results.values() for k, v in found.items()}
    return [key for key in words if key in present and isinstance(present[key], list) == lists]


class Advice(NamedTuple):
    """The gaps between errors by name, in the order of NAMES, and remedies for the largest gap.

    Where the error of the best possible model is not known, no gap is called bias; a larger model
    is then recommended if no other gap stands out.
    """

    gaps: dict[str, float]
    largest: str | None
    remedies: tuple[str, ...]

    def text(self) -> str:
        """Return the gaps and the remedies as lines of text."""
        gaps = " · ".join(f"{NAMES[name]} {gap:.3f}" for name, gap in self.gaps.items())
        if not self.remedies:
            return f"  {gaps}: {self.finding}"
        lines = [f"  {gaps}", f"{self.finding}; next steps:"]
        return "\n".join([*lines, *(f"  {i}. {one}" for i, one in enumerate(self.remedies, 1))])

    @property
    def finding(self) -> str:
        """The largest gap, in words."""
        if self.largest is not None:
            return f"the largest is {self.largest}"
        more = ", so that a larger model may be better" if self.remedies else ""
        return f"no gap stands out{more}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"gaps": self.gaps, "largest": self.largest, "next": list(self.remedies)}


def advice(kind: str, results: Mapping[str, Mapping[str, Any]]) -> Advice | None:
    """Compare the errors on the sets; None without a dev set or if a score is not defined."""
    task = task_of(kind)
    scores = {part: found.get(task.main) for part, found in results.items()}
    errors = {
        part: score if task.main in task.errors else 1 - score
        for part, score in scores.items()
        if score is not None
    }
    if not {"train", "dev"} <= errors.keys():
        return None
    gaps = {"bias": errors["train"]} if task.best_is_known else {}
    gaps["variance"] = errors["dev"] - errors["train"]
    if "test" in errors:
        gaps["overfitting to dev"] = errors["test"] - errors["dev"]
    largest = max(gaps, key=lambda name: gaps[name])
    if gaps[largest] <= SMALL:
        return Advice(gaps, None, () if task.best_is_known else task.remedies["bias"])
    return Advice(gaps, largest, task.remedies[largest])


def report(model: Any, plots: Mapping[str, bytes]) -> bytes:
    """Return the page of a `VisionModel` or `SequenceModel`, with plots that have captions."""
    part, what = report_split(model.results), model.task.example
    examples = f"{count_of(int(model.results[part]['m']), what)} of the {set_name(part)}"
    seen = f"It was trained on these {what}s." if part == "train" else "It was not trained on them."
    words, main = model.task.words, model.task.main
    figures = {
        f"{words[main]} on {name}": in_digits(found.get(main))
        for name, found in model.results.items()
    }
    return report_page(
        model.recipe.source,
        f"{words[main]} {in_digits(model.results[part].get(main))} on the {set_name(part)}",
        f"The {model.task.title} {model.network.title}, evaluated on {examples}. {seen}",
        figures | {"parameters": number(model.parameters)} | training_seconds(model.history),
        {
            "next": ("Next steps", _next(model)),
            "results": ("Results", _results(model)),
            "pictures": ("Predictions", _plots(model, plots)),
            **model.task.sections(model),
            "training": ("Training", _training(model)),
            "shapes": ("The network", network_table(model.network, None)),
            "repeat": ("How to reproduce the run", content.repeat(model.recipe, model.facts)),
        },
    )


def rebuild_report(model: Any) -> tuple[bytes, str]:
    """Return the page of a saved model with the plots in its folder, and "" for no message."""
    folder = Path(model.path or ".")
    files = {name: folder / name for name in model.task.captions}
    plots = {name: read_bytes(file, RunError) for name, file in files.items() if file.exists()}
    return report(model, plots), ""


def _results(model: Any) -> Html:
    """Return a table with a column for each set, and tables with a line for each class."""
    words, results = model.task.words, model.results
    keys = _keys(results, words, lists=False)
    counts = (number(found["m"]) for found in results.values())
    rows: list[list[object]] = [[f"{model.task.example}s", *counts]]
    for key in keys:
        rows.append([words[key], *(in_digits(found.get(key)) for found in results.values())])
    marked = [1 + keys.index(model.task.main)]
    body = table("Scores on each set", ["", *map(used, results)], rows, marked=marked)
    notes = content.duplicates(model.facts, model.task.example)
    return together(
        [*notes, body, *(_by_class(model, key) for key in _keys(results, words, lists=True))]
    )


def _by_class(model: Any, key: str) -> Html:
    columns = (found[key] for found in model.results.values())
    rows = [
        [name, *map(in_digits, values)] for name, *values in zip(model.names, *columns, strict=True)
    ]
    caption = f"{model.task.words[key]} of each class"
    return table(caption, ["class", *map(used, model.results)], rows)


def _next(model: Any) -> Html | None:
    """Return the gaps between the sets and the next steps, or None without a dev set."""
    found = advice(model.kind, model.results)
    if found is None:
        return None
    rows = [[f"{name}: {NAMES[name]}", f"{gap:.3f}"] for name, gap in found.gaps.items()]
    gaps = table("Bias and variance", ["", "error"], rows)
    remedies = [element("li", one) for one in found.remedies]
    sentence = f"{content.sentence(found.finding)}.{' Next steps:' if remedies else ''}"
    return together([gaps, element("p", sentence), element("ol", *remedies) if remedies else None])


def _plots(model: Any, plots: Mapping[str, bytes]) -> Html | None:
    shown = [
        element("figure", picture(plots[name], words, class_="card"), element("p", words))
        for name, words in model.task.captions.items()
        if name in plots
    ]
    return together(shown) if shown else None


def _training(model: Any) -> Html | None:
    """Return why and when training ended, the cost curve, and warnings."""
    history = model.history
    if not history.epochs:
        return None
    warnings = [element("li", f"{one}", class_="caution") for one in verdicts(history)]
    summary = element("p", training_sentence(history))
    listed = element("ul", *warnings) if warnings else None
    return together([summary, cost_chart(history), listed])
