"""The common parts of all reports: their content, their page, and the format of their numbers.

ReportContext   a run of `chainrule train` and the records that its report shows
records         compute these records from a run and its data, in seconds and without training
report_page     return the page of any run: a header with the result, and sections
command         return the command that repeats a run
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.split import inspection_split, report_split
from chainrule.formatting import count_of, format_bytes
from chainrule.host.machine import describe_machine
from chainrule.inspection.report.charts import chart
from chainrule.inspection.report.html import Html, element, page, table, together
from chainrule.inspection.summary import summarize
from chainrule.layers.layer import Layer
from chainrule.runs.options import options_of
from chainrule.runs.prepare import Data
from chainrule.runs.preprocessing import picture_shape
from chainrule.runs.run import Run
from chainrule.strategy.diagnosis import Diagnosis, diagnose
from chainrule.strategy.error_analysis import Mistakes, find_mistakes
from chainrule.strategy.explain import importance, saliency
from chainrule.strategy.findings import Finding, PartError
from chainrule.strategy.goal import Goal, goal_for
from chainrule.train.history import History


class ReportContext(NamedTuple):
    """A run and the records computed from it; a record that is None has no section in the report.

    data          the sets of the run, if its data is still available
    ladder        the steps of the ladder, in order
    diagnosis     the causes of errors, and what to do next
    mistakes      the mistakes with the highest cost
    saliencies    (n, n_H, n_W) the saliency maps of the mistakes, if the examples are images
    importances   the importance of each input column
    pictures      the plots in the report: PNG files by name
    """

    run: Run
    data: Data | None = None
    ladder: Sequence[Mapping[str, Any]] = ()
    diagnosis: Any = None
    mistakes: Any = None
    saliencies: np.ndarray | None = None
    importances: Any = None
    pictures: Mapping[str, bytes] = {}

    @property
    def goal(self) -> Goal:
        """Return the goal of the run; by default the best accuracy or R²."""
        return goal_for(self.run.recipe.goal, self.run.preprocessor)

    @property
    def metric(self) -> str:
        """Return the metric of the goal, or else accuracy or R² if it was not computed."""
        metric = self.goal.metric
        return (
            metric if metric in self.run.results[self.result_set] else self.run.preprocessor.metric
        )

    @property
    def result_set(self) -> str:
        """Return the name of the set in the headline: test, or else dev, or else train."""
        return report_split(self.run.results)

    @property
    def example_set(self) -> str:
        """Return the name of the set whose examples are shown: dev if possible, never test."""
        return inspection_split(self.run.results)


def number(value: Any, most: int = 4) -> str:
    """Return a number in readable form; None is "", and other values are converted to text.

    >>> number(1797), number(0.123456), number(1234.5), number(1.0), number(None), number("a")
    ('1,797', '0.1235', '1,234', '1', '', 'a')
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{most}g}"


def share(value: float) -> str:
    """Return a share in per cent.

    >>> share(0.97222), share(1.0)
    ('97.2 %', '100.0 %')
    """
    return f"{100 * value:.1f} %"


def metric_text(name: str, value: float) -> str:
    """Return a metric with its name for a headline.

    >>> metric_text("accuracy", 0.972), metric_text("r2", 0.46), metric_text("f1", 0.9)
    ('97.2 % accuracy', 'R² 0.460', 'F1 0.900')
    """
    if name == "accuracy":
        return f"{share(value)} accuracy"
    return f"{metric_name(name)} {value:.3f}"


def set_name(name: str) -> str:
    """Return the usual name of a set of examples.

    >>> set_name("train"), set_name("dev")
    ('training set', 'dev set')
    """
    return "training set" if name == "train" else f"{name} set"


def metric_name(name: str) -> str:
    """Return the usual name of a metric.

    >>> metric_name("r2"), metric_name("macro_f1"), metric_name("rmse")
    ('R²', 'macro F1', 'RMSE')
    """
    names = {"r2": "R²", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "auc": "AUC"}
    names |= {"roc": "ROC", "pr": "PR", "brier": "Brier"}
    return " ".join(names.get(word, word) for word in re.split("[_ ]", name))


def listed(names: Sequence[object], most: int = 6) -> str:
    """Return the first names as text, followed by the number of the remaining names.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown


def sentence(words: str) -> str:
    """Return a text with its first letter in upper case.

    >>> sentence("more training data"), sentence("L2: --l2 3.5")
    ('More training data', 'L2: --l2 3.5')
    """
    return words[:1].upper() + words[1:]


WORST = 18
"""The number of mistakes in the gallery."""


def records(run: Run, data: Data | None) -> dict[str, Any]:
    """Compute the records that `report` takes as keyword arguments.

    Without data, only the saved diagnosis of the run is returned.
    """
    if data is None:
        return {"diagnosis": saved_diagnosis(run.facts.get("diagnosis"))}
    mistakes = find_mistakes(run, data, count=WORST)
    return {
        "diagnosis": diagnose(run, data),
        "mistakes": mistakes,
        "saliencies": _saliencies(run, data, mistakes),
        "importances": importance(run, data),
    }


def _saliencies(run: Run, data: Data, mistakes: Mistakes) -> np.ndarray | None:
    """Return the saliency maps of the mistakes, or None if the examples are not images."""
    if picture_shape(run.preprocessor) is None or not mistakes.listed:
        return None
    X = data.sources[mistakes.part].X[[one.index for one in mistakes.listed]]
    return saliency(run, np.asarray(X))


def saved_diagnosis(saved: dict[str, Any] | None) -> Diagnosis | None:
    """Return the diagnosis that a run has saved as plain data, or None without one."""
    if not saved:
        return None
    values = {field.name: saved[field.name] for field in fields(Diagnosis)}
    values["errors"] = tuple(PartError(**part) for part in saved["errors"])
    findings = ({**one, "cures": tuple(one["cures"])} for one in saved["findings"])
    values["findings"] = tuple(Finding(**one) for one in findings)
    return Diagnosis(**values)


ENDINGS = {
    "epochs": "Training ran for all",
    "patience": "Training stopped because the dev cost no longer improved, after",
    "interrupted": "Training was interrupted after",
}
USES = {
    "train": "used for training",
    "train-dev": "drawn from the training set, not used for training",
    "dev": "used to choose the model",
    "test": "evaluated once, at the end",
}


def command(recipe: Any) -> str:
    """Return the command line of a recipe, with the options that differ from their defaults.

    >>> from chainrule.runs.recipe import Recipe
    >>> command(Recipe("digits", hidden=(64, 32), batch_norm=True, batch_size=0))
    'chainrule train digits --hidden 64,32 --batch-size all --batch-norm'
    """
    kind = getattr(recipe, "kind", None)
    words = ["chainrule", *([kind] if kind else []), "train", recipe.source]
    for name, declared in options_of(type(recipe)).items():
        value = getattr(recipe, name)
        if declared.positional or value is None or value == declared.default:
            continue
        if isinstance(value, bool):
            words.append(declared.flag if value else declared.flag.replace("--", "--no-", 1))
        else:
            words += [declared.flag, declared.text(value)]
    return shlex.join(words)


def report_page(
    name: str,
    headline: str,
    sentence: str,
    figures: Mapping[str, str],
    sections: Mapping[str, tuple[str, Html | None]],
    cautions: Iterable[Html] = (),
    next_step: Html | None = None,
) -> bytes:
    """Return the page of a run: a header, and all sections that have content.

    The header shows the headline, a sentence about the result, warnings, key figures, and what to
    do next.
    """
    pairs = [element("div", element("dt", k), element("dd", v)) for k, v in figures.items()]
    header = element(
        "header",
        element("p", f"{name} · trained with chainrule", class_="eyebrow"),
        element("h1", headline),
        element("p", sentence, class_="sentence"),
        *cautions,
        element("dl", *pairs, class_="figures"),
        next_step,
    )
    present = {key: (title, inside) for key, (title, inside) in sections.items() if inside}
    return page(f"{name}: {headline}", header, present)


def training_seconds(history: History) -> dict[str, str]:
    """Return the training time as a key figure, or no figure if there is no epoch."""
    if not history.epochs:
        return {}
    return {"training time in seconds": f"{history.epochs[-1].seconds:.1f}"}


def training_sentence(history: History) -> str:
    """Return a sentence that says why training ended, after how many epochs and seconds."""
    ended = ENDINGS.get(history.stopped, "Training ran for")
    seconds = f"{history.epochs[-1].seconds:.1f} s"
    return f"{ended} {count_of(len(history.epochs), 'epoch')}, in {seconds}."


def repeat(recipe: Any, facts: Mapping[str, Any]) -> Html:
    """Return the command that repeats the training, the versions, and the sha256 of the data."""
    digests = facts.get("digests", {})
    sets = {one: [name for name in digests if digests[name] == one] for one in digests.values()}
    files = [[", ".join(names), element("code", one)] for one, names in sets.items() if one]
    return together(
        [
            element("pre", command(recipe)),
            element("p", made_with(facts), class_="note"),
            table("sha256 of the data", ["set", "sha256"], files, words=(0, 1)) if files else None,
        ]
    )


def duplicates(facts: Mapping[str, Any], what: str) -> Iterator[Html]:
    """Yield a warning for each pair of sets that share rows, or images."""
    for first, second, n in facts.get("duplicates", []):
        sets = f"shares {count_of(n, what)} with the {set_name(first)}"
        text = f"The {set_name(second)} {sets}, so the score on this set is optimistic."
        yield element("p", text, class_="caution")


def used(part: str) -> Html:
    """Return the name of a set, and below it what the set is used for."""
    return together([element("strong", part), element("span", USES.get(part, ""), class_="below")])


def measured(value: float | None) -> str:
    """Format a score with four decimals if possible, so that the numbers of a column align."""
    if value is None or value >= 1000 or value == int(value) > 1:
        return number(None if value is None else int(value))
    if value >= 10:
        return f"{value:.2f}"
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def cost_chart(history: History) -> Html:
    """Draw the cost on train and dev by epoch, and mark the epoch whose parameters are kept."""
    costs = {"train": [(e.epoch, e.cost) for e in history.epochs]}
    dev = [(e.epoch, e.dev_cost) for e in history.epochs if e.dev_cost is not None]
    costs |= {"dev": dev} if dev else {}
    best, caption = history.best_epoch, "Cost J of each epoch"
    mark = (float(best), f"best: epoch {best:,}") if best and dev else None
    return chart(costs, words=caption, x_label="epoch", y_label="cost J", mark=mark)


def network_table(network: Layer, cost: str | None) -> Html:
    """Return a table of the layers, with their formulas, parameters and shapes."""
    summary = summarize(network, cost_name=cost)
    rows = []
    for layer in summary.layers:
        formulas = [element("span", line, class_="formula") for line in layer.formulas]
        arrays = ", ".join(f"{name} {_shape(shape)}" for name, shape in layer.arrays.items())
        sizes = [_shape(layer.A), number(layer.parameters) if layer.arrays else ""]
        rows.append([layer.number, together(formulas), arrays, *sizes])
    caption = f"{summary.title}: {count_of(summary.parameters, 'parameter')}, "
    caption += format_bytes(summary.parameter_bytes)
    head = ["layer", "formula", "shapes of the parameters", "A[l]", "parameters"]
    return table(caption, head, rows, words=(0, 1, 2, 3))


def made_with(facts: Mapping[str, Any]) -> str:
    """Return a sentence on the versions and the cores with which the run was made.

    If the run has not been saved yet, the current machine is described.
    """
    machine = facts if "versions" in facts else describe_machine()
    made = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"Made with {made} on {machine['cores']} {machine['device']} cores."


def _shape(shape: tuple) -> str:
    return f"({', '.join(map(str, shape))})"
