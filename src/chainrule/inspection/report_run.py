"""The sections of a report that every run has: results, data, training, shapes, signal, recipe.

Each takes what is told and gives its markup, or None where there is nothing to say.
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
from chainrule.inspection.report_told import Told, count, listed, metric_name, number, share
from chainrule.train.network_options import augments
from chainrule.train.recipe import Recipe
from chainrule.train.verdicts import verdicts

CLASSES = 20
"""Rows of the table of classes."""
SCALES = {
    "standard": "Each input has mean 0 and variance 1 in the training part.",
    "pixels": "Pixels are divided by 255.",
    "none": "The inputs are as they are.",
}


def results(told: Told) -> Html:
    """The goal and its conditions; a column for each part: every number that was measured there."""
    parts = told.run.results
    names = dict.fromkeys(name for part in parts.values() for name in part)
    first = ["m", told.metric, *(name for name in names if name not in ("m", told.metric))]
    rows = [
        [_named(name), *(measured(part.get(name)) for part in parts.values())] for name in first
    ]
    head = [used(name) for name in parts]
    body = table("What was measured in each part", ["", *head], rows, marked=[1])
    return together([*_goal(told), body])


def _named(metric: str) -> str:
    return "examples" if metric == "m" else metric_name(metric)


def _goal(told: Told) -> Iterator[Html]:
    """Where one was given: what was to be best, and which conditions are kept."""
    if told.run.recipe.goal is None:
        return
    goal, part = told.goal, told.judged
    yield element("p", "The goal: ", element("strong", goal), ".")
    kept = [
        element("li", f"{part}, {one}", class_=None if one.met else "caution")
        for one in goal.judgements(told.run.results[part])
    ]
    if kept:
        yield element("ul", *kept)


def data(told: Told) -> Html:
    """What was read, how it was split, which classes are in it, what stands twice."""
    run, labels = told.run, told.run.door.labels
    facts, sizes = run.facts.get("data", {}), run.facts.get("sizes", {})
    total = sum(sizes.values()) or sum(int(part["m"]) for part in run.results.values())
    shape = " × ".join(map(str, run.door.shape))
    what = (
        f"{len(labels.classes)} classes: {listed(labels.names)}" if labels.classes else "a number"
    )
    name = facts.get("name", run.recipe.source)
    said = f"{name}: {count(total, 'example')} of {shape} inputs, to predict {what}."
    return together(
        [
            element("p", said),
            element("p", SCALES[run.door.inputs.kind]),
            *_duplicates(told),
            _classes(told) if labels.classes and told.data else _sizes(sizes),
        ]
    )


def training(told: Told) -> Html | None:
    """The cost of each epoch, before and after; which epoch was kept, and why it ended."""
    history = told.run.history
    if not history.epochs:
        return None
    ended = ENDINGS.get(history.stopped, "It trained for")
    said = f"{ended} {count(len(history.epochs), 'epoch')}, in "
    said += f"{history.epochs[-1].seconds:.1f} s. {_optimiser(told)}"
    changes = [_change(line) for line in history.changes]
    return together(
        [
            element("p", said),
            cost_chart(history),
            element("ul", *changes) if changes else None,
            _augmented(told),
        ]
    )


def _augmented(told: Told) -> Html | None:
    """What training sees of a few pictures, where it changes them."""
    if "augmented.png" not in told.pictures:
        return None
    words = "Training pictures, and beside each what augmentation makes of it"
    return picture(told.pictures["augmented.png"], words, class_="card")


def shapes(told: Told) -> Html:
    """The table of shapes: what each layer computes."""
    return network_table(told.run.network, told.run.door.cost)


def signal(told: Told) -> Html | None:
    """How large everything is on its way, and what is wrong with it."""
    history = told.run.history
    found = verdicts(history)
    if not history.signals and not found:
        return None
    said = [element("li", f"{one}", class_="caution") for one in found]
    fine = element("p", "Nothing vanishes, explodes or is dead; the learning rate fits.")
    charts = list(_signals(told))
    return together(
        [
            element("ul", *said) if said else fine,
            element("div", *charts, class_="pair") if charts else None,
        ]
    )


def repeat(told: Told) -> Html:
    """The command that trains it again, and what it was made with."""
    run = told.run
    said = made_with(run.facts)
    digests = run.facts.get("digests", {})
    parts = {one: [name for name in digests if digests[name] == one] for one in digests.values()}
    files = [[", ".join(names), element("code", one)] for one, names in parts.items() if one]
    return together(
        [
            element("pre", command(run.recipe)),
            element("p", said, class_="note"),
            table("sha256 of the data", ["part", "sha256"], files, words=(0, 1)) if files else None,
        ]
    )


def command(recipe: Recipe) -> str:
    """The command line of a recipe: what is not as usual, each as an option.

    >>> command(Recipe("digits", hidden=(64, 32), batch_norm=True, batch_size=0))
    'chainrule train digits --hidden 64,32 --batch-size all --batch-norm'
    """
    usual = Recipe("").to_dict()
    said = {k: v for k, v in recipe.to_dict().items() if k != "source" and v != usual[k]}
    words = [word for name, value in said.items() for word in _option(name, value)]
    return shlex.join(["chainrule", "train", recipe.source, *words])


def _option(name: str, value: object) -> list[str]:
    """One entry of a recipe as the command line takes it."""
    option = "--" + {"base": "from"}.get(name, name).replace("_", "-")
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    if name == "batch_size" and value == 0:
        return [option, "all"]
    if isinstance(value, tuple):
        return [option, ("x" if name == "image_size" else ",").join(map(str, value)) or "none"]
    return [option, str(value)]


def _duplicates(told: Told) -> Iterator[Html]:
    """Rows that stand in two parts make the later one flatter."""
    for first, second, n in told.run.facts.get("duplicates", []):
        words = f"{second} shares {count(n, 'row')} with {first}: its score flatters."
        yield element("p", words, class_="caution")


def _sizes(sizes: dict[str, int]) -> Html | None:
    total = sum(sizes.values())
    rows = [[name, number(n), share(n / total)] for name, n in sizes.items()]
    head = ["part", "examples", "share"]
    return table("The parts of the data", head, rows) if rows else None


def _classes(told: Told) -> Html:
    """How many examples of each class are in each part, and their share of it."""
    assert told.data is not None
    sources, labels = told.data.sources, told.run.door.labels
    counts = {
        name: Counter(part.y.tolist()) for name, part in sources.items() if part.y is not None
    }
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
    caption = f"Examples of each class in each part, and their share of it{more}"
    return table(caption, ["class", *counts], rows, marked=[len(rows) - 1])


def _optimiser(told: Told) -> str:
    recipe, size = told.run.recipe, told.run.facts.get("batch_size")
    rate = f" at a learning rate of {recipe.learning_rate:g}" if recipe.learning_rate else ""
    batches = f", batches of {size:,}" if size else ""
    against = [f"L2 with λ {recipe.l2:g}"] if recipe.l2 else []
    against += [f"L1 with λ {recipe.l1:g}"] if recipe.l1 else []
    against += [f"dropout, kept {recipe.keep_prob}"] if recipe.keep_prob != 1 else []
    against += ["batch norm"] if recipe.batch_norm else []
    against += [f"pictures changed at each step ({recipe.augment})"] if augments(recipe) else []
    against = f" Against overfitting: {', '.join(against)}." if against else ""
    return f"Optimiser: {recipe.optimizer}{rate}{batches}.{against}"


def _change(line: dict) -> Html:
    said = ", ".join(f"{name} {value:g}" for name, value in line["change"].items())
    return element("li", f"From epoch {line['epoch']:,} on: {said}")


def _signals(told: Told) -> Iterator[Html]:
    """A chart for each quantity: a line a layer, over the epochs at which it was measured."""
    measured = told.run.history.signals
    names = {float(i): f"{line['epoch']:,}" for i, line in enumerate(measured)}
    for quantity, words in (
        ("A", "A[l], root mean square: what passes forward"),
        ("dA", "dA[l], root mean square: what passes back"),
        ("update", "‖ΔW[l]‖ / ‖W[l]‖ of a step; about 0.001 is usual"),
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
            how = {"x_label": "epoch", "y_label": "", "names": names, "width": SMALL}
            yield chart(lines, words=words, **how)
