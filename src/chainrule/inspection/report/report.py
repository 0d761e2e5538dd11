"""The file report.html of a run, which shows how good a network is and what to do next.

report            return the page of a run of `chainrule train`
rebuild_report    return the page of a saved run, whose data is reloaded
keep              write a new report into the folder of its run

A section of the page is left out if the record that it shows is missing.

The manifest of a run lists every file with its sha256. When a report is replaced, its entry is
removed first, then the file is written, then its new entry is added. If the process is killed in
between, the run stays valid.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, OptionError
from chainrule.formatting import count_of
from chainrule.host.files import describe_error
from chainrule.inspection.report import sections
from chainrule.inspection.report.content import (
    ReportContext,
    metric_name,
    metric_text,
    number,
    records,
    report_page,
    sentence,
    set_name,
    share,
    training_seconds,
)
from chainrule.inspection.report.html import Html, element
from chainrule.runs.folder import REPORT, add_file
from chainrule.runs.prepare import Data
from chainrule.runs.run import Run, load_run_data
from chainrule.strategy.uncertainty import wilson

SECTIONS: dict[str, tuple[str, Callable[[ReportContext], Html | None]]] = {
    "next": ("Next steps", sections.diagnosis),
    "results": ("Results", sections.results),
    "data": ("The data and its split", sections.data),
    "ladder": ("The ladder of networks", sections.ladder),
    "transfer": ("Transfer learning", sections.transfer),
    "training": ("Training", sections.training),
    "answers": ("Predictions", sections.answers),
    "mistakes": ("The worst mistakes", sections.mistakes),
    "importance": ("Feature importance", sections.importance),
    "shapes": ("The network", sections.shapes),
    "signal": ("Activations and gradients", sections.signal),
    "repeat": ("How to reproduce the run", sections.repeat),
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
    """Return the HTML page of a run, with a section for each given record; see `ReportContext`."""
    analyses = (diagnosis, mistakes, saliencies, importances)
    context = ReportContext(run, data, ladder, *analyses, pictures or {})
    made = {key: (title, make(context)) for key, (title, make) in SECTIONS.items()}
    sentence = _sentence(context).replace(" %", "\u00a0%")
    return report_page(
        _name(run),
        _headline(context),
        sentence,
        _figures(context),
        made,
        _missed(context),
        _next(context),
    )


def _name(run: Run) -> str:
    return str(run.facts.get("data", {}).get("name", run.recipe.source))


def _headline(context: ReportContext) -> str:
    name = context.result_set
    value = context.run.results[name][context.metric]
    return f"{metric_text(context.metric, value)} on the {set_name(name)}"


def _sentence(context: ReportContext) -> str:
    """Return a sentence on the network, the evaluated examples, and the result."""
    run, name = context.run, context.result_set
    scores = run.results[name]
    m, units = int(scores["m"]), run.recipe.hidden_sizes
    hidden = f"hidden layers of {' and '.join(map(str, units))} units"
    network = f"A network with {hidden}" if units else "A network without hidden layers"
    if run.recipe.network is not None:
        custom = run.recipe.layers is not None
        network = f"The network {'of your layers' if custom else run.recipe.network}"
    if len(units) == 1:
        network = f"A network with one hidden layer of {count_of(units[0], 'unit')}"
    if run.recipe.member_count > 1:
        network = (
            f"An ensemble of {run.recipe.member_count} networks {network.partition('network ')[2]}"
        )
    examples = count_of(m, f"{'training' if name == 'train' else name} example")
    trained = " It was trained on these examples." if name == "train" else ""
    if "r2" in scores:
        explained = f"explains {share(max(scores['r2'], 0))} of the variance of"
        return f"{network} {explained} {examples}.{trained}"
    if run.recipe.weight:
        return f"{network} was evaluated on {examples}, weighted by their weights.{trained}"
    right = round(scores["accuracy"] * m)
    low, high = (share(end) for end in wilson(right / m, m))
    interval = f" 95 % confidence interval of the accuracy: {low} to {high}."
    note = trained or interval
    return f"{network} classifies {right:,} of {examples} correctly.{note}"


def _missed(context: ReportContext) -> list[Html]:
    """Return a paragraph on the conditions of the goal that are not met, if there are any."""
    judgements = context.goal.judgements(context.run.results[context.result_set])
    missed = "; ".join(f"{one}" for one in judgements if not one.met)
    text = f"The goal is not met: {missed}."
    return [element("p", text, class_="sentence caution")] if missed else []


def _figures(context: ReportContext) -> dict[str, str]:
    """Return the key figures of the header."""
    run, metric = context.run, context.metric
    write = share if metric == "accuracy" else "{:.3f}".format
    shown = {name: write(scores[metric]) for name, scores in run.results.items()}
    shown = {f"{metric_name(metric)} on {name}": value for name, value in shown.items()}
    return shown | {"parameters": number(run.parameters)} | training_seconds(run.history)


def _next(context: ReportContext) -> Html | None:
    """Return the first step that the diagnosis suggests, or None if there is no diagnosis."""
    if context.diagnosis is None:
        return None
    found = " and ".join(one.name for one in context.diagnosis.found[:2])
    heading = f"Found: {found}. Next step" if found else "Next step"
    return element(
        "p", element("strong", heading), sentence(context.diagnosis.next_steps[0]), class_="next"
    )


def rebuild_report(run: Run) -> tuple[bytes, str]:
    """Return the page, and the reason why sections are missing, or "" if none are missing."""
    data, reason = reload_data(run)
    return report(run, data, **records(run, data)), reason


def reload_data(run: Run) -> tuple[Data | None, str]:
    """Return the data of the run and "", or None and the reason why it cannot be loaded."""
    try:
        return load_run_data(run), ""
    except ChainruleError as error:
        return None, str(error)


def keep(run: Path, page: bytes) -> Path:
    """Write a report into the folder of its run and return the file's path."""
    try:
        add_file(run, REPORT, page)
    except OSError as error:
        hint = "-o FILE, which writes the report elsewhere"
        raise OptionError(str(run), "a writable folder", describe_error(error), hint) from None
    return run / REPORT
