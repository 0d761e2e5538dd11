"""The sections of a report that tell what a record found: ladder, diagnosis, mistakes, importance.

Each takes what is told and gives its markup, or None where its record is missing.
"""

from chainrule.inspection.report_html import Html, element, table
from chainrule.inspection.report_told import Told, number


def ladder(told: Told) -> Html | None:
    """The rungs, from the simplest on, and which of them stands."""
    rungs = told.ladder or told.run.facts.get("ladder", ())
    if not rungs:
        return None
    names = list(rungs[0])
    rows = [[_cell(rung.get(name)) for name in names] for rung in rungs]
    kept = [i for i, rung in enumerate(rungs) if "chosen" in str(rung.get("verdict", ""))]
    caption = "The rungs of the ladder, each with its best candidate on dev"
    return table(caption, names, rows, words=(0, len(names) - 1), marked=kept)


def diagnosis(told: Told) -> Html | None:
    """Where the error comes from, and what to do next."""
    if told.diagnosis is None:
        return None
    return element("pre", told.diagnosis.text())


def importance(told: Told) -> Html | None:
    """What each input is worth."""
    if told.importances is None:
        return None
    return element("pre", told.importances.text())


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else number(value)
