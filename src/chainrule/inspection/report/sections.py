"""The sections of the report of `chainrule train`.

results, data, training, shapes, signal, repeat    the results, the data, and the training
answers                                            the confusion matrix, or a plot of predictions
diagnosis, ladder, transfer, importance            explanations of the result, and what to do next
mistakes                                           the mistakes with the highest cost

Each function returns the HTML of its section, or None if there is nothing to show.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.formatting import count_of
from chainrule.inspection.image_plots import as_colours, overlaid
from chainrule.inspection.plots import codes, short
from chainrule.inspection.report import content
from chainrule.inspection.report.charts import SMALL, chart, intervals, scatter
from chainrule.inspection.report.content import (
    ReportContext,
    cost_chart,
    listed,
    measured,
    metric_name,
    network_table,
    number,
    sentence,
    set_name,
    share,
    training_sentence,
    used,
)
from chainrule.inspection.report.html import Html, element, picture, png, table, together
from chainrule.models.ensemble import Ensemble
from chainrule.runs.defaults import NO_DECAY
from chainrule.runs.prepare import labels_of_set
from chainrule.runs.preprocessing import Preprocessor, picture_shape
from chainrule.runs.recipe import augments
from chainrule.runs.run import Run
from chainrule.strategy.diagnosis import Diagnosis
from chainrule.strategy.error_analysis import Mistake, format_error
from chainrule.strategy.findings import Finding, PartError, amount
from chainrule.train.health import verdicts
from chainrule.train.outputs import network_outputs

LISTED_COLUMNS = 200
"""The maximum number of rows in the table of columns."""
CLASSES = 20
"""The maximum number of rows in the table of classes."""
SCALES = {
    "standard": "Inputs are normalised to mean 0 and variance 1 on the training set.",
    "robust": "Inputs are normalised to median 0 and interquartile range 1 on the training set, "
    "and extreme values are clipped smoothly at ±3.",
    "piecewise": "Inputs are normalised to median 0 and interquartile range 1 on the training "
    "set, and extreme values are clipped smoothly at ±3. Beside each number is its "
    "piecewise-linear encoding by quantile bins; the network has {n_x:,} inputs.",
    "pixels": "Pixels are divided by {scale:g}.",
    "none": "The inputs are not normalised.",
}


def results(context: ReportContext) -> Html:
    """Return the section with the goal, its conditions, and a table of all scores on each set."""
    results = context.run.results
    names = dict.fromkeys(name for scores in results.values() for name in scores)
    first = ["m", context.metric, *(name for name in names if name not in ("m", context.metric))]
    rows = [
        [_score_name(name), *(measured(scores.get(name)) for scores in results.values())]
        for name in first
    ]
    head = [used(name) for name in results]
    body = table("Scores on each set", ["", *head], rows, marked=[1])
    return together([*_goal(context), body, *_probabilities(context.run)])


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
    run, labels = context.run, context.run.preprocessor.labels
    facts, sizes = run.facts.get("data", {}), run.facts.get("sizes", {})
    total = sum(sizes.values()) or sum(int(part["m"]) for part in run.results.values())
    shape = " × ".join(map(str, run.preprocessor.shape))
    target = (
        f"{len(labels.classes)} classes: {listed(labels.names)}" if labels.classes else "a number"
    )
    name = facts.get("name", run.recipe.source)
    summary = f"{name}: {count_of(total, 'example')} with {shape} inputs. The output is {target}."
    return together(
        [
            element("p", summary),
            element("p", _scaling(run.preprocessor)),
            *content.duplicates(context.run.facts, "row"),
            _columns(context),
            _classes(context) if labels.classes and context.data else _sizes(sizes),
        ]
    )


def _scaling(preprocessor: Preprocessor) -> str:
    """Return a sentence that describes how the inputs are scaled."""
    inputs = preprocessor.inputs
    return SCALES[inputs.kind].format(scale=float(np.ravel(inputs.scale)[0]), n_x=preprocessor.n_x)


def _columns(context: ReportContext) -> Html | None:
    """Return the table of how each column is read, or None if the data is not a table."""
    columns = context.run.preprocessor.columns
    if columns is None:
        return None
    rows = [list(one) for one in columns.table[:LISTED_COLUMNS]]
    hidden = len(columns.table) - len(rows)
    more = f"; {count_of(hidden, 'further column')} left out" if hidden else ""
    head = ["column", "read as", "inputs", "note", "option that overrides it"]
    return table(f"How the columns are read{more}", head, rows, words=(0, 1, 3, 4))


def training(context: ReportContext) -> Html | None:
    """Return the section with the cost curves, the optimiser, and changes during training."""
    history = context.run.history
    if not history.epochs:
        return None
    summary = f"{training_sentence(history)} {_optimiser(context)}"
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
    caption = "Training images, each with augmented versions beside it"
    return picture(context.pictures["augmented.png"], caption, class_="card")


def shapes(context: ReportContext) -> Html:
    """Return the table of the layers with their formulas and shapes."""
    shown = network_table(context.run.network, context.run.preprocessor.cost)
    spread = member_disagreement(context)
    return shown if spread is None else together([shown, spread])


def member_disagreement(context: ReportContext) -> Html | None:
    """Return a sentence on how much the members of an ensemble disagree, if it is one."""
    run, data, name = context.run, context.data, context.result_set
    if data is None or not isinstance(run.network, Ensemble):
        return None
    found = np.asarray(run.disagreement_on(data.parts[name].X))
    what = "probabilities of the predicted class" if run.classes else "predictions"
    text = f"The table shows the layers of one of the {run.network.count} members. On the "
    text += f"{set_name(name)}, the members' {what} differ by {found.mean():.3g} on average "
    text += f"and by {np.quantile(found, 0.95):.3g} for one row in twenty (standard deviations)."
    return element("p", text)


def signal(context: ReportContext) -> Html | None:
    """Return the section with training problems, and charts of activations and gradients."""
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
    return content.repeat(context.run.recipe, context.run.facts)


def _sizes(sizes: dict[str, int]) -> Html | None:
    total = sum(sizes.values())
    rows = [[name, number(n), share(n / total)] for name, n in sizes.items()]
    head = ["set", "examples", "share"]
    return table("How the data is split", head, rows) if rows else None


def _classes(context: ReportContext) -> Html:
    """Return a table with the number and share of the examples of each class in each set."""
    assert context.data is not None
    sources, labels = context.data.sources, context.run.preprocessor.labels
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
    more = f"; {count_of(hidden, 'rarer class')} left out" if hidden else ""
    caption = f"Examples of each class in each set, and their share of the set{more}"
    return table(caption, ["class", *counts], rows, marked=[len(rows) - 1])


def _optimiser(context: ReportContext) -> str:
    recipe, size = context.run.recipe, context.run.facts.get("batch_size")
    rate = f" with a learning rate of {recipe.learning_rate:g}" if recipe.learning_rate else ""
    batches = f", in batches of {count_of(size, 'example')}" if size else ""
    against = [f"L2 with λ = {recipe.l2:g}"] if recipe.l2 else []
    against += [f"L1 with λ = {recipe.l1:g}"] if recipe.l1 else []
    against += [f"dropout with keep_prob {recipe.keep_prob}"] if recipe.keep_prob != 1 else []
    against += ["batch norm"] if recipe.batch_norm else []
    against += [f"data augmentation ({recipe.augment})"] if augments(recipe) else []
    against = f" Regularisation: {', '.join(against)}." if against else ""
    falls = f" and the decay {recipe.decay}" if recipe.decay not in (None, NO_DECAY) else ""
    return f"The optimiser was {recipe.optimizer}{rate}{falls}{batches}.{against}"


def _probabilities(run: Run) -> Iterator[Html]:
    """Yield sentences on the weights of the classes and the calibration of the probabilities."""
    T, weights = run.preprocessor.temperature, run.recipe.class_weight
    if weights is not None:
        yield element("p", f"Class weights in training: {weights}. The scores are not weighted.")
    if T != 1:
        text = "The probabilities are calibrated on the dev set: the outputs are divided by the "
        yield element("p", f"{text}temperature {T:.3g}.")


def _change(line: dict) -> Html:
    change = ", ".join(f"{name} {value:g}" for name, value in line["change"].items())
    return element("li", f"Changed from epoch {line['epoch']:,} on: {change}")


def _signals(context: ReportContext) -> Iterator[Html]:
    """Yield a chart for each quantity, with a line for each layer, over the measured epochs."""
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


MOST_CLASSES = 20
"""The maximum number of classes for which the confusion matrix is drawn."""
PAIRS = 6


class Confusion(NamedTuple):
    """A confusion matrix: the true classes are its rows, the predicted classes its columns."""

    counts: np.ndarray
    names: Sequence[str]

    @property
    def right(self) -> int:
        """Return the number of correct predictions, which are on the diagonal."""
        return int(np.trace(self.counts))

    def pairs(self) -> list[tuple[str, str, int, float]]:
        """Return the pairs of classes that are confused most often, the most frequent one first.

        Each item is (true class, predicted class, count, share of the true class).
        """
        wrong = self.counts * ~np.eye(len(self.counts), dtype=bool)
        order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
        found = [divmod(int(place), len(wrong)) for place in order]
        return [
            (self.names[i], self.names[j], int(wrong[i, j]), wrong[i, j] / self.counts[i].sum())
            for i, j in found
            if wrong[i, j]
        ]


def answers(context: ReportContext) -> Html | None:
    """Return the section with the predictions for the examples of the dev or training set."""
    data, preprocessor, name = context.data, context.run.preprocessor, context.example_set
    if data is None or name not in data.parts:
        return None
    y_pred = preprocessor.answers(network_outputs(context.run.network, data.parts[name].X))
    true = labels_of_set(data.sources[name])
    if preprocessor.labels.classes:
        counts = _counts(
            codes(true, preprocessor.labels.classes), codes(y_pred, preprocessor.labels.classes)
        )
        return together(
            [*_confusion(Confusion(counts, preprocessor.labels.names), name), *_plane(context)]
        )
    true = np.asarray(true, np.float64).reshape(len(y_pred), -1)
    if true.shape[1] > 1:
        return None
    caption = (
        f"Predicted against true values of the {set_name(name)}; on the dashed line both agree"
    )
    return scatter(true[:, 0], np.ravel(y_pred), caption)


def _counts(true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    C = int(max(true.max(), y_pred.max())) + 1
    return np.bincount(true * C + y_pred, minlength=C * C).reshape(C, C)


def _confusion(found: Confusion, part: str) -> Iterator[Html]:
    """Yield the number of correct predictions, and the most frequent confusions.

    If there are few classes, the confusion matrix is added.
    """
    total = int(found.counts.sum())
    yield element("p", f"{found.right:,} of {count_of(total, f'{part} example')} are correct.")
    most = None
    if pairs := found.pairs():
        lines = [
            element(
                "li",
                _bold(true),
                " is predicted as ",
                _bold(other),
                f": {count_of(n, 'example')}, {share(of)} of the class",
            )
            for true, other, n, of in pairs
        ]
        most = together([element("p", "Confused most often:"), element("ul", *lines)])
    matrix = _matrix(found, part) if len(found.names) <= MOST_CLASSES else None
    yield element("div", matrix, element("div", most), class_="sides")


def _matrix(found: Confusion, part: str) -> Html:
    """Return the confusion matrix as a table, coloured by the share of each cell in its row."""
    shares = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1)
    caption = f"Confusion matrix of the {set_name(part)}: rows are true, columns predicted classes"
    head = [element("td"), *(element("th", short(n), scope="col") for n in found.names)]
    rows = []
    for i, name in enumerate(found.names):
        cells = [_cell(int(n), shares[i, j], i == j) for j, n in enumerate(found.counts[i])]
        rows.append(element("tr", element("th", short(name), scope="row"), *cells))
    inside = (element("thead", element("tr", *head)), element("tbody", *rows))
    body = element("table", element("caption", caption), *inside, class_="confusion")
    return element("div", body, class_="frame", tabindex="0", role="region", aria_label=caption)


def _cell(n: int, of_row: float, right: bool) -> Html:
    if n == 0:
        return element("td", "0", class_="none")
    strength = f"--v:{0.12 + 0.5 * of_row**0.5:.2f}"
    return element("td", f"{n:,}", class_="right" if right else "wrong", style=strength)


def _bold(name: str) -> Html:
    return element("strong", name)


def _plane(context: ReportContext) -> Iterator[Html]:
    """Yield the plot of the decision boundary, if the network has two inputs."""
    if "boundary.png" in context.pictures:
        caption = "The predicted class at each point of the plane, and the examples"
        image = picture(context.pictures["boundary.png"], caption, class_="card")
        yield element("figure", element("figcaption", caption), image)


MOST = 20
"""The maximum number of columns whose importance is drawn."""


def diagnosis(context: ReportContext) -> Html | None:
    """Return the section with the next steps, the errors of each set, and the problems found."""
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
    """Return the section on the ladder: a table of its networks, with the chosen one marked."""
    rungs = context.ladder or context.run.facts.get("ladder", ())
    if not rungs:
        return None
    metric = rungs[0]["metric"]
    images = any(rung.get("network") for rung in rungs)
    on_folds = rungs[0].get("on") == "folds"
    compared_on = "held-out rows of the folds" if on_folds else "dev set"
    head = [
        "network" if images else "hidden layers",
        "parameters",
        "candidates",
        "train",
        "folds" if on_folds else "dev",
        "gain",
        "standard error",
        "seconds",
    ]
    rows = [_rung(rung) for rung in rungs]
    chosen = [i for i, rung in enumerate(rungs) if "chosen" in rung["verdict"]]
    larger = "a larger network" if images else "one more hidden layer"
    explanation = (
        f"The ladder starts with the simplest network; each step tries {larger}. It continues "
        f"while the gain on the {compared_on} exceeds its standard error, which is that of the "
        "difference between two networks on the same examples."
    )
    if any(rung.get("members", 1) > 1 for rung in rungs):
        explanation += " The last line is the mean prediction of several networks."
    where = "the rows it was trained on and on held-out rows" if on_folds else "train and dev"
    caption = f"The best candidate of each step, with its {metric_name(metric)} on {where}"
    body = table(caption, [*head, "verdict"], rows, words=(0, 8), marked=chosen)
    notes = [element("p", note, class_="note") for note in _ladder_notes(context.run.facts)]
    return together([element("p", explanation), body, *notes])


def _ladder_notes(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield notes on rungs beyond the budget, and on a network kept although it was retrained."""
    for one in facts.get("ladder_left_out", ()):
        what = "; ".join(one["shortened"]) if one["trained"] else f"{one['name']} was not tried"
        yield f"Left out because of the budget: {what} (about {one['minutes']:.1f} minutes)."
    result = facts.get("ladder_result", {})
    if result.get("kept") == "candidate":
        values = f"{result['candidate']:.4f}, compared with {result['retrained']:.4f}"
        members = result.get("members", 1)
        again = "after it was trained again" if members == 1 else f"for {members} such networks"
        yield (
            f"The network that won on the ladder is kept: its {metric_name(result['metric'])} on "
            f"the dev set is {values} {again}."
        )


def transfer(context: ReportContext) -> Html | None:
    """Return the section on transfer learning: the base run, the trained layers, the conditions."""
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
    """Return the section with the increase in cost that shuffling each column causes."""
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
    are = "is" if rest == 1 else "are"
    more = f" {count_of(rest, 'less important column')} {are} not shown." if rest else ""
    times, examples = count_of(made.repeats, "time"), count_of(made.m, "example")
    explanation = (
        f"Each column was shuffled {times} among {examples} of the "
        f"{set_name(made.part)}; the increase in cost is the importance of the column.{more}"
    )
    caption = "Increase in cost when a column is shuffled, with its 95 % confidence interval"
    return together([element("p", explanation), intervals(rows, caption)])


def _lost(loss: float, task: str) -> str:
    """Return the loss of accuracy in percentage points, or the increase in RMSE."""
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
    """Yield the name and size of a problem, its description, and its remedies in order."""
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


PIXELATED = 64
"""The side length in pixels up to which an image is enlarged without smoothing."""
COLUMNS = 7


def mistakes(context: ReportContext) -> Html | None:
    """Return the section with the mistakes, in the order of decreasing cost."""
    found = context.mistakes
    if found is None:
        return None
    title = element("p", f"{found.title}.")
    if not found.listed:
        return title
    if context.data is not None and (shape := picture_shape(context.run.preprocessor)):
        return together([title, _images(context, shape)])
    return together([title, _rows(context)])


def _images(context: ReportContext, shape: tuple[int, ...]) -> Html:
    """Draw the image of each mistake, and beside it the saliency map, if there is one."""
    listed, data = context.mistakes.listed, context.data
    assert data is not None
    X = np.asarray(data.sources[context.mistakes.part].X[[one.index for one in listed]])
    pixels = as_colours(X.reshape(-1, *shape))
    drawn = (
        [pixels] if context.saliencies is None else [pixels, overlaid(pixels, context.saliencies)]
    )
    items = []
    for one, *images in zip(listed, *drawn, strict=True):
        shown = [
            _image(image, text)
            for image, text in zip(images, _alt_texts(context, one), strict=False)
        ]
        items.append(element("li", element("div", *shown, class_="looks"), *_caption(context, one)))
    legend = (
        "Beside each image, pixels that support the prediction are orange, and pixels that "
        "contradict it are blue."
    )
    return together(
        [
            element("p", legend, class_="note") if context.saliencies is not None else None,
            element("ul", *items, class_="gallery" if len(drawn) == 1 else "gallery wide"),
        ]
    )


def _image(pixels: np.ndarray, alt_text: str) -> Html:
    small = "pixels" if max(pixels.shape[:2]) <= PIXELATED else None
    return picture(png(np.round(255 * pixels)), alt_text, class_=small)


def _rows(context: ReportContext) -> Html:
    found = context.mistakes
    classes = found.task == "classification"
    names = list(found.listed[0].row)[:COLUMNS]
    head = [found.place_name, "true", "predicted", "probability" if classes else "error", "cost"]
    rows = [
        [
            number(one.place),
            _label(context, one.true),
            _label(context, one.predicted),
            format_error(one) if one.sure is None else share(one.sure),
            number(one.cost, 3),
            *(number(one.row[name]) for name in names),
        ]
        for one in found.listed
    ]
    words = (1, 2) if classes else ()
    caption = f"Mistakes in the {set_name(found.part)} of {found.source}"
    return table(caption, [*head, *names], rows, words=words)


def _caption(context: ReportContext, one: Mistake) -> list[Html]:
    """Return the caption of an image: its true and predicted labels, and its place in the data."""
    true, predicted = (
        element("strong", short(_label(context, v))) for v in (one.true, one.predicted)
    )
    detail = format_error(one) if one.sure is None else f"probability {share(one.sure)}"
    return [
        element("div", true, " predicted as ", predicted),
        element("div", detail, class_="note"),
        element("div", f"{context.mistakes.place_name} {one.place}", class_="note"),
    ]


def _alt_texts(context: ReportContext, one: Mistake) -> tuple[str, str]:
    """Return the alternative texts of an image and of its saliency map."""
    true, predicted = _label(context, one.true), _label(context, one.predicted)
    place = f"{context.mistakes.place_name} {one.place}"
    return f"{place}: {true}, predicted as {predicted}", f"{place}: saliency map"


def _label(context: ReportContext, value: object) -> str:
    """Return the name of a class, or a number as text."""
    labels = context.run.preprocessor.labels
    if value in labels.classes:
        return labels.names[labels.classes.index(value)]
    return ", ".join(map(number, value)) if isinstance(value, list) else number(value)
