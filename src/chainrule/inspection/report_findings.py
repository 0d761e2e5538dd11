"""The report's sections on diagnosis, the ladder of networks, transfer learning and importance.

Each function returns the HTML of its section, or None if the record for it is missing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.inspection.class_names import short
from chainrule.inspection.report_charts import intervals
from chainrule.inspection.report_html import Html, element, table, together
from chainrule.inspection.report_told import ReportContext, metric_name, number, sentence, set_name
from chainrule.strategy.diagnosis import Diagnosis
from chainrule.strategy.findings import Finding, PartError, amount

MOST = 20
"""The number of columns whose importance is drawn."""


def diagnosis(context: ReportContext) -> Html | None:
    """Return the next steps, the errors of each set, and the problems found and not found."""
    made = context.diagnosis
    if made is None:
        return None
    steps = [element("li", sentence(step)) for step in made.next_steps]
    others = [_not_found(one) for one in made.findings if not one.found]
    return together(
        [
            element("ol", *steps, class_="steps"),
            _errors(made),
            *(part for one in made.found for part in _found(one)),
            element("h3", "Checked and not found") if others else None,
            element("ul", *others) if others else None,
        ]
    )


def ladder(context: ReportContext) -> Html | None:
    """Return the ladder's steps as a table from the simplest network on, the chosen one marked."""
    rungs = context.ladder or context.run.facts.get("ladder", ())
    if not rungs:
        return None
    metric = rungs[0]["metric"]
    images = any(rung.get("network") for rung in rungs)
    head = [
        "network" if images else "hidden layers",
        "parameters",
        "candidates",
        "train",
        "dev",
        "gain",
        "standard error",
        "seconds",
    ]
    rows = [_rung(rung) for rung in rungs]
    chosen = [i for i, rung in enumerate(rungs) if "chosen" in rung["verdict"]]
    larger = "a larger network" if images else "one more hidden layer"
    explanation = (
        f"The ladder starts with the simplest network; each step tries {larger}. It continues "
        "while the gain on the dev set exceeds its standard error, which is that of the difference "
        "between two networks on the same examples."
    )
    caption = f"The best candidate of each step, with its {metric_name(metric)} on train and dev"
    body = table(caption, [*head, "verdict"], rows, words=(0, 8), marked=chosen)
    return together([element("p", explanation), body])


def transfer(context: ReportContext) -> Html | None:
    """Return the base run, how many layers were trained and why, and the notes' conditions."""
    found = context.run.facts.get("transfer")
    if not found:
        return None
    base, data = found["base"], found["base_data"]
    trained = f"{found['trained']} of {found['layers']} layers were trained"
    holds = {True: "holds", False: "does not hold", None: "unknown"}
    conditions = [[one["name"], holds[one["holds"]], one["words"]] for one in found["conditions"]]
    return together(
        [
            element(
                "p",
                f"Training started from {base}, which was trained on {data}; {trained}.",
            ),
            element("p", f"{sentence(found['why'])}."),
            table(
                "The course notes' three conditions for transfer learning",
                ["condition", "holds", "reason"],
                conditions,
                words=(0, 1, 2),
            ),
        ]
    )


def importance(context: ReportContext) -> Html | None:
    """Return by how much the cost rises when each column is shuffled, the most important first."""
    made = context.importances
    if made is None or not made.columns:
        return None
    shown = [(one.column, one.cost, one.cost_low, one.cost_high) for one in made.columns[:MOST]]
    lost = "accuracy" if made.task == "classification" else "RMSE"
    rows = [
        (short(name, 20), *sizes, f"{sizes[0]:.3f}, {lost} {_lost(one.loss, made.task)}")
        for (name, *sizes), one in zip(shown, made.columns, strict=False)
    ]
    rest = len(made.columns) - len(shown)
    more = f" {rest:,} less important columns are not shown." if rest else ""
    explanation = (
        f"Each column was shuffled {made.repeats} times among {made.m:,} examples of the "
        f"{set_name(made.part)}; the increase in cost is the importance of the column.{more}"
    )
    caption = "Increase in cost when a column is shuffled, with its 95 % confidence interval"
    return together([element("p", explanation), intervals(rows, caption)])


def _lost(loss: float, task: str) -> str:
    """Return the change in accuracy, in percentage points, or in RMSE."""
    change = f"{-100 * loss:+.1f} points" if task == "classification" else f"{loss:+.3g}"
    return change.replace("-", "−")


def _errors(made: Diagnosis) -> Html:
    """Draw the error of each set with its confidence interval, and the reference error."""
    at = made.reference or 0.0
    origin = "assumed" if made.reference is None else "given"
    errors = [PartError(f"reference, {origin}", None, at, at, at), *made.errors]
    shown = [
        (one.name, one.error, one.low, one.high, amount(one.error, made.unit)) for one in errors
    ]
    names = {"accuracy": "Error", "rmse": "RMSE"}
    error = names.get(made.metric, f"Error by {metric_name(made.metric)}")
    return intervals(shown, f"{error} of each set, with its 95 % confidence interval")


def _found(one: Finding) -> Iterator[Html]:
    """Yield the name and size of a problem, its description, and the remedies in notes' order."""
    size = element("span", f" {one.sizes}", class_="note") if one.sizes else None
    yield element("h3", one.name.capitalize(), size)
    yield element("p", f"{sentence(one.words)}.")
    if one.cures:
        remedies = "; ".join(one.cures)
        text = f"Remedies from the course notes, in the order to try them: {remedies}."
        yield element("p", text, class_="note")


def _not_found(one: Finding) -> Html:
    size = f" {one.sizes}" if one.sizes else ""
    return element("li", element("strong", one.name), f"{size}: {one.words}", class_="note")


def _rung(rung: Mapping[str, Any]) -> list[str]:
    gain, error = rung["gain"], rung["standard_error"]
    step = ["", ""] if gain is None else [f"{gain:+.4f}".replace("-", "−"), f"{error:.4f}"]
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
