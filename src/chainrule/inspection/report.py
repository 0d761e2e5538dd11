"""report.html of a run: one file that says what was done, how good it is, and what to do next.

What was not recorded has no section. The page itself is made in `report_page.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.inspection import report_answers, report_findings, report_gallery, report_run
from chainrule.inspection.report_html import Html, element
from chainrule.inspection.report_page import page
from chainrule.inspection.report_told import (
    Told,
    count,
    metric_name,
    metric_words,
    number,
    sentence,
    share,
)
from chainrule.strategy.shares import wilson
from chainrule.train.prepare import Data
from chainrule.train.run import Run

SECTIONS: dict[str, tuple[str, Callable[[Told], Html | None]]] = {
    "next": ("What to do next", report_findings.diagnosis),
    "results": ("Results", report_run.results),
    "data": ("The data and its split", report_run.data),
    "ladder": ("The ladder", report_findings.ladder),
    "transfer": ("Transfer", report_findings.transfer),
    "training": ("Training", report_run.training),
    "answers": ("What it answers", report_answers.answers),
    "mistakes": ("The worst examples", report_gallery.mistakes),
    "importance": ("What the inputs are worth", report_findings.importance),
    "shapes": ("The network", report_run.shapes),
    "signal": ("Health of the signal", report_run.signal),
    "repeat": ("To repeat it", report_run.repeat),
}


def report(
    run: Run,
    data: Data | None = None,
    *,
    ladder: Sequence[Mapping[str, Any]] = (),
    diagnosis: Any = None,
    mistakes: Any = None,
    saliencies: np.ndarray | None = None,
    importances: Any = None,
    pictures: Mapping[str, bytes] | None = None,
) -> bytes:
    """The page, from the run and whatever else is known of it; see `Told`."""
    found = (diagnosis, mistakes, saliencies, importances)
    told = Told(run, data, ladder, *found, pictures or {})
    made = {key: (title, make(told)) for key, (title, make) in SECTIONS.items()}
    there = {key: (title, inside) for key, (title, inside) in made.items() if inside}
    title = f"{_name(run)}: {_headline(told)}"
    return page(title, _header(told), there)


def _header(told: Told) -> Html:
    """The first screen: the result in one line and one sentence, its numbers, what to do next."""
    return element(
        "header",
        element("p", f"{_name(told.run)} · trained with chainrule", class_="eyebrow"),
        element("h1", _headline(told)),
        element("p", _sentence(told).replace(" %", "\u00a0%"), class_="sentence"),
        *_missed(told),
        _figures(told),
        _next(told),
    )


def _name(run: Run) -> str:
    return str(run.facts.get("data", {}).get("name", run.recipe.source))


def _headline(told: Told) -> str:
    part = told.run.results[told.judged]
    return f"{metric_words(told.metric, part[told.metric])} on {told.judged}"


def _sentence(told: Told) -> str:
    """What was measured, of which network, on which examples."""
    run, name = told.run, told.judged
    part = run.results[name]
    m, units = int(part["m"]), run.recipe.layers
    hidden = f"hidden layers of {' and '.join(map(str, units))} units"
    network = f"A network with {hidden}" if units else "A network without hidden layers"
    if run.recipe.network is not None:
        network = f"The network {run.recipe.network}"
    if len(units) == 1:
        network = f"A network with one hidden layer of {units[0]:,} units"
    seen = "which it was trained on" if name == "train" else "which it had not seen"
    if "r2" in part:
        spread = f"explains {share(max(part['r2'], 0))} of the variance of"
        return f"{network} {spread} {count(m, f'{name} example')}, {seen}."
    if run.recipe.weight:
        return f"{network}, measured on {count(m, f'{name} example')} by their weights, {seen}."
    right = round(part["accuracy"] * m)
    low, high = (share(end) for end in wilson(right / m, m))
    sure = (
        ""
        if name == "train"
        else f" Of new examples like these it would name {low} to {high} right."
    )
    return f"{network} names {right:,} of {count(m, f'{name} example')} right, {seen}.{sure}"


def _missed(told: Told) -> list[Html]:
    """The conditions of the goal that do not hold on the part that is told of."""
    judged = told.goal.judgements(told.run.results[told.judged])
    words = "; ".join(f"{one}" for one in judged if not one.met)
    return [element("p", f"Of the goal: {words}.", class_="sentence caution")] if words else []


def _figures(told: Told) -> Html:
    """The few numbers of the first screen."""
    run, metric = told.run, told.metric
    write = share if metric == "accuracy" else "{:.3f}".format
    shown = {name: write(part[metric]) for name, part in run.results.items()}
    shown = {f"{metric_name(metric)} on {name}": value for name, value in shown.items()}
    shown["parameters"] = number(run.parameters)
    if run.history.epochs:
        shown["seconds of training"] = f"{run.history.epochs[-1].seconds:.1f}"
    pairs = [element("div", element("dt", k), element("dd", v)) for k, v in shown.items()]
    return element("dl", *pairs, class_="figures")


def _next(told: Told) -> Html | None:
    """The first advice, where a diagnosis was made."""
    if told.diagnosis is None:
        return None
    found = " and ".join(one.name for one in told.diagnosis.found[:2])
    words = f"Found: {found}. Do next" if found else "Do next"
    return element(
        "p", element("strong", words), sentence(told.diagnosis.next_steps[0]), class_="next"
    )
