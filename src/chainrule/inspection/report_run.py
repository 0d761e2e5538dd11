"""The sections of a report that every run has: results, data, training, layers, signal, recipe.

Each function returns the HTML of its section, or None if there is nothing to show.
"""

import shlex
from collections import Counter
from collections.abc import Iterator

from chainrule.inspection.report_charts import SMALL, chart
from chainrule.inspection.report_html import Html, element, picture, table, together
from chainrule.inspection.report_parts import (
    ENDINGS,
    cost_chart,
    made_with,
    measured,
    network_table,
    used,
)
from chainrule.inspection.report_told import (
    ReportContext,
    count,
    listed,
    metric_name,
    number,
    share,
)
from chainrule.train.network_options import augments
from chainrule.train.recipe import Recipe
from chainrule.train.verdicts import verdicts

CLASSES = 20
"""The number of rows in the table of classes."""
SCALES = {
    "standard": "Inputs are normalised to mean 0 and variance 1 on the training set.",
    "pixels": "Pixels are divided by 255.",
    "none": "The inputs are not normalised.",
}


def results(context: ReportContext) -> Html:
    """Return the goal and its conditions, and all scores in a table with a column for each set."""
    results = context.run.results
    names = dict.fromkeys(name for scores in results.values() for name in scores)
    first = ["m", context.metric, *(name for name in names if name not in ("m", context.metric))]
    rows = [
        [_score_name(name), *(measured(scores.get(name)) for scores in results.values())]
        for name in first
    ]
    head = [used(name) for name in results]
    body = table("Scores on each set", ["", *head], rows, marked=[1])
    return together([*_goal(context), body])


def _score_name(metric: str) -> str:
    return "examples" if metric == "m" else metric_name(metric)


def _goal(context: ReportContext) -> Iterator[Html]:
    """Yield the goal, if one was given, and whether each of its conditions is met."""
    if context.run.recipe.goal is None:
        return
    goal, name = context.goal, context.result_set
    yield element("p", "Goal: ", element("strong", goal), ".")
    conditions = [
        element("li", f"{name}, {one}", class_=None if one.met else "caution")
        for one in goal.judgements(context.run.results[name])
    ]
    if conditions:
        yield element("ul", *conditions)


def data(context: ReportContext) -> Html:
    """Return the section on the data: its size, split and classes, and duplicate rows."""
    run, labels = context.run, context.run.door.labels
    facts, sizes = run.facts.get("data", {}), run.facts.get("sizes", {})
    total = sum(sizes.values()) or sum(int(part["m"]) for part in run.results.values())
    shape = " × ".join(map(str, run.door.shape))
    target = (
        f"{len(labels.classes)} classes: {listed(labels.names)}" if labels.classes else "a number"
    )
    name = facts.get("name", run.recipe.source)
    summary = f"{name}: {count(total, 'example')} with {shape} inputs. The output is {target}."
    return together(
        [
            element("p", summary),
            element("p", SCALES[run.door.inputs.kind]),
            *_duplicates(context),
            _classes(context) if labels.classes and context.data else _sizes(sizes),
        ]
    )


def training(context: ReportContext) -> Html | None:
    """Return the cost curves, why training ended, the optimiser, and changes during training."""
    history = context.run.history
    if not history.epochs:
        return None
    ended = ENDINGS.get(history.stopped, "Training ran for")
    summary = f"{ended} {count(len(history.epochs), 'epoch')}, in "
    summary += f"{history.epochs[-1].seconds:.1f} s. {_optimiser(context)}"
    changes = [_change(line) for line in history.changes]
    return together(
        [
            element("p", summary),
            cost_chart(history),
            element("ul", *changes) if changes else None,
            _augmented(context),
        ]
    )


def _augmented(context: ReportContext) -> Html | None:
    """Return the gallery of augmented training images, or None without augmentation."""
    if "augmented.png" not in context.pictures:
        return None
    caption = "Training images, and augmented versions beside each of them"
    return picture(context.pictures["augmented.png"], caption, class_="card")


def shapes(context: ReportContext) -> Html:
    """Return the table of the layers with their formulas and shapes."""
    return network_table(context.run.network, context.run.door.cost)


def signal(context: ReportContext) -> Html | None:
    """Return the health of the signal: warnings, and charts of activations and gradients."""
    history = context.run.history
    found = verdicts(history)
    if not history.signals and not found:
        return None
    warnings = [element("li", f"{one}", class_="caution") for one in found]
    healthy = element(
        "p",
        "No vanishing or exploding signals and no dead units; the learning rate is suitable.",
    )
    charts = list(_signals(context))
    return together(
        [
            element("ul", *warnings) if warnings else healthy,
            element("div", *charts, class_="pair") if charts else None,
        ]
    )


def repeat(context: ReportContext) -> Html:
    """Return the command that repeats the training, the versions, and the sha256 of the data."""
    run = context.run
    versions = made_with(run.facts)
    digests = run.facts.get("digests", {})
    sets = {one: [name for name in digests if digests[name] == one] for one in digests.values()}
    files = [[", ".join(names), element("code", one)] for one, names in sets.items() if one]
    return together(
        [
            element("pre", command(run.recipe)),
            element("p", versions, class_="note"),
            table("sha256 of the data", ["set", "sha256"], files, words=(0, 1)) if files else None,
        ]
    )


def command(recipe: Recipe) -> str:
    """Return the command line of a recipe; only values that differ from the defaults are options.

    >>> command(Recipe("digits", hidden=(64, 32), batch_norm=True, batch_size=0))
    'chainrule train digits --hidden 64,32 --batch-size all --batch-norm'
    """
    default = Recipe("").to_dict()
    changed = {k: v for k, v in recipe.to_dict().items() if k != "source" and v != default[k]}
    options = [word for name, value in changed.items() for word in _option(name, value)]
    return shlex.join(["chainrule", "train", recipe.source, *options])


def _option(name: str, value: object) -> list[str]:
    """Return the command-line words that set an entry of a recipe."""
    option = "--" + {"base": "from"}.get(name, name).replace("_", "-")
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    if name == "batch_size" and value == 0:
        return [option, "all"]
    if isinstance(value, tuple):
        return [option, ("x" if name == "image_size" else ",").join(map(str, value)) or "none"]
    return [option, str(value)]


def _duplicates(context: ReportContext) -> Iterator[Html]:
    """Yield a warning for each pair of sets that share rows."""
    for first, second, n in context.run.facts.get("duplicates", []):
        text = f"{second} shares {count(n, 'row')} with {first}, so its score is optimistic."
        yield element("p", text, class_="caution")


def _sizes(sizes: dict[str, int]) -> Html | None:
    total = sum(sizes.values())
    rows = [[name, number(n), share(n / total)] for name, n in sizes.items()]
    head = ["set", "examples", "share"]
    return table("How the data is split", head, rows) if rows else None


def _classes(context: ReportContext) -> Html:
    """Return the table of how many examples of each class are in each set, and their share."""
    assert context.data is not None
    sources, labels = context.data.sources, context.run.door.labels
    counts = {name: Counter(one.y.tolist()) for name, one in sources.items() if one.y is not None}
    sums = {name: sum(n.values()) for name, n in counts.items()}
    commonest = sorted(labels.classes, key=lambda label: -counts["train"][label])[:CLASSES]
    shown = [label for label in labels.classes if label in commonest]
    names = dict(zip(labels.classes, labels.names, strict=True))
    rows = [
        [names[label], *(f"{n[label]:,} ({share(n[label] / sums[p])})" for p, n in counts.items())]
        for label in shown
    ]
    rows.append(["all", *(number(n) for n in sums.values())])
    hidden = len(labels.classes) - len(shown)
    more = f"; {hidden:,} rarer classes are left out" if hidden else ""
    caption = f"Examples of each class in each set, and their share of the set{more}"
    return table(caption, ["class", *counts], rows, marked=[len(rows) - 1])


def _optimiser(context: ReportContext) -> str:
    recipe, size = context.run.recipe, context.run.facts.get("batch_size")
    rate = f" at a learning rate of {recipe.learning_rate:g}" if recipe.learning_rate else ""
    batches = f", batches of {size:,}" if size else ""
    against = [f"L2 with λ = {recipe.l2:g}"] if recipe.l2 else []
    against += [f"L1 with λ = {recipe.l1:g}"] if recipe.l1 else []
    against += [f"dropout with keep_prob {recipe.keep_prob}"] if recipe.keep_prob != 1 else []
    against += ["batch norm"] if recipe.batch_norm else []
    against += [f"data augmentation ({recipe.augment})"] if augments(recipe) else []
    against = f" Regularisation: {', '.join(against)}." if against else ""
    return f"Optimiser: {recipe.optimizer}{rate}{batches}.{against}"


def _change(line: dict) -> Html:
    change = ", ".join(f"{name} {value:g}" for name, value in line["change"].items())
    return element("li", f"From epoch {line['epoch']:,} on: {change}")


def _signals(context: ReportContext) -> Iterator[Html]:
    """Yield a chart for each quantity, with a line for each layer over the epochs measured."""
    measured = context.run.history.signals
    names = {float(i): f"{line['epoch']:,}" for i, line in enumerate(measured)}
    for quantity, caption in (
        ("A", "Root mean square of the activations A[l]"),
        ("dA", "Root mean square of the gradients dA[l]"),
        ("update", "Relative update ‖ΔW[l]‖ / ‖W[l]‖ of a step; about 0.001 is usual"),
        ("dead", "Share of dead units"),
        ("saturated", "Share of saturated values"),
    ):
        lines = {
            f"l = {l + 1}": [
                (float(i), line["signal"][l][quantity])
                for i, line in enumerate(measured)
                if quantity in line["signal"][l]
            ]
            for l in range(len(measured[0]["signal"]))
        }
        if any(any(y for _, y in points) for points in lines.values()):
            layout = {"x_label": "epoch", "y_label": "", "names": names, "width": SMALL}
            yield chart(lines, words=caption, **layout)
