"""Elements shared by the reports of all runs: sets of the data, costs, layers and versions."""

from typing import Any

from chainrule.inspection.report_charts import chart
from chainrule.inspection.report_html import Html, element, table, together
from chainrule.inspection.report_told import count, number
from chainrule.inspection.summary import summarize
from chainrule.layers.layer import Layer
from chainrule.memory import in_words
from chainrule.train.history import History
from chainrule.train.machine import describe_machine

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
    """Draw the train and dev cost of each epoch, and mark the epoch whose parameters are kept."""
    costs = {"train": [(e.epoch, e.cost) for e in history.epochs]}
    dev = [(e.epoch, e.dev_cost) for e in history.epochs if e.dev_cost is not None]
    costs |= {"dev": dev} if dev else {}
    best, caption = history.best_epoch, "Cost J of each epoch"
    mark = (float(best), f"best: epoch {best:,}") if best and dev else None
    return chart(costs, words=caption, x_label="epoch", y_label="cost J", mark=mark)


def network_table(network: Layer, cost: str | None) -> Html:
    """Return the table of the layers: formulas, parameters and shapes."""
    summary = summarize(network, cost_name=cost)
    rows = []
    for layer in summary.layers:
        formulas = [element("span", line, class_="formula") for line in layer.formulas]
        arrays = ", ".join(f"{name} {_shape(shape)}" for name, shape in layer.arrays.items())
        sizes = [_shape(layer.A), number(layer.parameters) if layer.arrays else ""]
        rows.append([layer.number, together(formulas), arrays, *sizes])
    caption = f"{summary.title}: {count(summary.parameters, 'parameter')}, "
    caption += in_words(summary.parameter_bytes)
    head = ["layer", "formula", "shapes of the parameters", "A[l]", "parameters"]
    return table(caption, head, rows, words=(0, 1, 2, 3))


def made_with(facts: dict[str, Any]) -> str:
    """Return a sentence on the versions and the cores that the run was made with.

    A run that has not been saved describes the current machine.
    """
    machine = facts if "versions" in facts else describe_machine()
    made = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"Made with {made} on {machine['cores']} {machine['device']} cores."


def _shape(shape: tuple) -> str:
    return f"({', '.join(map(str, shape))})"
