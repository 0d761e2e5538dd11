"""What was found, as sections of a report: the diagnosis, the ladder, transfer, importance.

Each takes what is told and gives its markup, or None where its record is missing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.inspection.class_names import short
from chainrule.inspection.report_charts import intervals
from chainrule.inspection.report_html import Html, element, table, together
from chainrule.inspection.report_told import Told, metric_name, number, sentence
from chainrule.strategy.diagnosis import Diagnosis
from chainrule.strategy.findings import Finding, PartError, amount

MOST = 20
"""Columns whose importance is drawn."""


def diagnosis(told: Told) -> Html | None:
    """What to do next, the errors it was read from, what was found, and what was not."""
    made = told.diagnosis
    if made is None:
        return None
    steps = [element("li", sentence(step)) for step in made.next_steps]
    others = [_not_found(one) for one in made.findings if not one.found]
    return together(
        [
            element("ol", *steps, class_="steps"),
            _errors(made),
            *(part for one in made.found for part in _found(one)),
            element("h3", "Looked for, and not found") if others else None,
            element("ul", *others) if others else None,
        ]
    )


def ladder(told: Told) -> Html | None:
    """The rungs, from the simplest on, and which of them stands."""
    rungs = told.ladder or told.run.facts.get("ladder", ())
    if not rungs:
        return None
    metric = rungs[0]["metric"]
    pictures = any(rung.get("network") for rung in rungs)
    head = [
        "network" if pictures else "hidden layers",
        "parameters",
        "tried",
        "train",
        "dev",
        "gain",
        "noise",
        "seconds",
    ]
    rows = [_rung(rung) for rung in rungs]
    chosen = [i for i, rung in enumerate(rungs) if "chosen" in rung["verdict"]]
    more = "a larger network" if pictures else "a hidden layer more"
    words = (
        f"From the simplest network on, {more} at each rung, as long as dev gains more "
        "than its own noise: the standard error of the difference between two networks on the same "
        "examples."
    )
    caption = f"The best candidate of each rung; train and dev by {metric_name(metric)}"
    body = table(caption, [*head, "verdict"], rows, words=(0, 8), marked=chosen)
    return together([element("p", words), body])


def transfer(told: Told) -> Html | None:
    """Which layers were taken over, which of them trained and why; the notes' three conditions."""
    found = told.run.facts.get("transfer")
    if not found:
        return None
    base, trained = found["base"], f"{found['trained']} of {found['layers']} layers were trained"
    holds = {True: "holds", False: "does not hold", None: "cannot be said"}
    conditions = [[one["name"], holds[one["holds"]], one["words"]] for one in found["conditions"]]
    return together(
        [
            element("p", f"It starts from {base}, trained on {found['base_data']}; {trained}."),
            element("p", f"{sentence(found['why'])}."),
            table("The notes' three conditions", ["", "", ""], conditions, words=(0, 1, 2)),
        ]
    )


def importance(told: Told) -> Html | None:
    """By how much the cost rises where a column is shuffled, the most important first."""
    made = told.importances
    if made is None or not made.columns:
        return None
    shown = [(one.column, one.cost, one.cost_low, one.cost_high) for one in made.columns[:MOST]]
    lost = "accuracy" if made.task == "classification" else "RMSE"
    rows = [
        (short(name, 20), *sizes, f"{sizes[0]:.3f}, {lost} {_lost(one.loss, made.task)}")
        for (name, *sizes), one in zip(shown, made.columns, strict=False)
    ]
    rest = len(made.columns) - len(shown)
    more = f" {rest:,} more columns count less." if rest else ""
    words = (
        f"Each column was shuffled {made.repeats} times among {made.m:,} examples of {made.part}: "
        f"what the network then loses is what the column is worth to it.{more}"
    )
    chart = intervals(rows, "By how much the cost rises without a column, surely between the ends")
    return together([element("p", words), chart])


def _lost(loss: float, task: str) -> str:
    """Accuracy lost in points, RMSE gained."""
    said = f"{-100 * loss:+.1f} points" if task == "classification" else f"{loss:+.3g}"
    return said.replace("-", "−")


def _errors(made: Diagnosis) -> Html:
    """A line for each error, with its interval."""
    at = made.reference or 0.0
    said = "assumed" if made.reference is None else "given"
    parts = [PartError(f"reference, {said}", None, at, at, at), *made.errors]
    shown = [
        (part.name, part.error, part.low, part.high, amount(part.error, made.unit))
        for part in parts
    ]
    by = {"accuracy": "Error", "rmse": "RMSE"}
    what = by.get(made.metric, f"Error by {metric_name(made.metric)}")
    words = f"{what} of each part, and where the true one surely lies (95 of 100 samples)"
    return intervals(shown, words)


def _found(one: Finding) -> Iterator[Html]:
    """Its name and size, what was seen, and the cures in the notes' order."""
    size = element("span", f" {one.sizes}", class_="note") if one.sizes else None
    yield element("h3", one.name.capitalize(), size)
    yield element("p", f"{sentence(one.words)}.")
    if one.cures:
        cures = "; ".join(one.cures)
        yield element("p", f"The notes' cures, in the order to try them: {cures}.", class_="note")


def _not_found(one: Finding) -> Html:
    size = f" {one.sizes}" if one.sizes else ""
    return element("li", element("strong", one.name), f"{size}: {one.words}", class_="note")


def _rung(rung: Mapping[str, Any]) -> list[str]:
    gain, noise = rung["gain"], rung["standard_error"]
    step = ["", ""] if gain is None else [f"{gain:+.4f}".replace("-", "−"), f"{noise:.4f}"]
    return [
        rung["name"],
        number(rung["parameters"]),
        number(rung["tried"]),
        f"{rung['train']:.4f}",
        f"{rung['dev']:.4f}",
        *step,
        f"{rung['seconds']:.1f}",
        rung["verdict"],
    ]
