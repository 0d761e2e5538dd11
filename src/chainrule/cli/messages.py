"""The text that commands print, in a form that is readable in a terminal and in a log.

`cautions` returns notes that are printed below results that are easily misread:

    unreadable images   The number of images that were left out at the user's request.
    few examples        With ten examples, one prediction changes the accuracy by 0.1.
    one class           If most examples belong to one class, always predicting it is often right.
"""

import math
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.cli import output
from chainrule.cli.options import as_written
from chainrule.data.dataset import Dataset
from chainrule.data.decoding import FULL
from chainrule.data.split import duplicate_notes
from chainrule.formatting import aligned, count_of, one_line, shortened
from chainrule.gradcheck import GradientReport
from chainrule.inspection.report.content import command
from chainrule.inspection.summary import summarize
from chainrule.models.deep_network import ACTIVATIONS, recommended_initializer
from chainrule.runs.defaults import DECAY_EPOCHS, DECAY_RATES, NO_DECAY, OPTIMIZERS
from chainrule.runs.folder import SavedRun
from chainrule.runs.networks import AS_GIVEN, BINARY, FRACTIONS, PixelScale
from chainrule.runs.prepare import HELD_OUT, Data, Prepared
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe, augments
from chainrule.runs.run import Run
from chainrule.strategy.ladder import Estimate, Rung
from chainrule.train.health import verdicts
from chainrule.train.history import History

NORMALIZED = {
    "standard": "mean 0 and variance 1 on the training set",
    "robust": "median 0 and interquartile range 1 on the training set, clipped smoothly at ±3",
    "piecewise": "robust scaling, and piecewise-linear encoding in up to {bins}: {made}",
    "pixels": "pixels divided by {scale:g}",
    "none": "not normalised",
}
MANY_COLUMNS = 20
MOST_CHARACTERS = 60
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 48


def columns() -> int | None:
    """Return the width of the terminal in characters, or None if the output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Print a text; if nobody reads the output any more, print nothing from then on.

    A training run must not be lost because its output is piped into a program that ended.
    """
    try:
        output.say(text)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def silent(text: str) -> None:
    """Print nothing; replaces `say` if only JSON is to be printed."""


def format_data(data: Data, recipe: Recipe) -> str:
    """Return a description of the data: its name, shape, classes, and the sizes of its sets."""
    preprocessor, sources = data.preprocessor, data.sources
    labels = preprocessor.labels
    total = sum(len(part) for part in sources.values())
    shape = "×".join(map(str, preprocessor.shape)) + (
        " input" if preprocessor.shape == (1,) else " inputs"
    )
    if labels.task == "regression":
        what = "numbers to predict" if labels.n_outputs > 1 else "a number to predict"
    else:
        more = ", …" if len(labels.names) > 6 else ""
        names = ", ".join(map(one_line, labels.names[:6])) + more
        what = f"{len(labels.classes)} classes ({names})"
    lines = [
        f"{sources['train'].name}: {count_of(total, 'example')}, {shape}, {what}",
        "  " + " · ".join(f"{name} {len(part):,}" for name, part in sources.items()),
    ]
    lines += [f"  {note}" for note in duplicate_notes(data.duplicates)]
    if _can_be_grouped(data, recipe):
        lines.append("  --group-duplicates keeps equal rows in one set")
    lines += _left_out(recipe, data)
    return "\n".join(lines)


def format_columns(preprocessor: Preprocessor, *, every: bool = False) -> str:
    """Return a table of how the columns are read, and the options that override it.

    If there are many columns, only those are shown about which there is something to say, unless
    `every` column is wanted. Without a table, return an empty text.
    """
    table = [] if preprocessor.columns is None else preprocessor.columns.table
    shown = table if every or len(table) <= MANY_COLUMNS else [x for x in table if not x.is_plain]
    if not shown:
        return ""
    lines = [["column", "read as", "inputs", "note", "to override"]]
    for one in shown:
        note = shortened(one.note, MOST_CHARACTERS)
        lines.append([one.name, one.read_as, str(one.inputs), note, one.option])
    left = len(table) - len(shown)
    others = [f"  {count_of(left, 'further column')} read as usual"] if left else []
    return "\n".join(["", *(f"  {line}" for line in aligned(lines, right=[2])), *others])


def columns_of(run: SavedRun) -> str:
    """Return the table of all columns of a run, or an empty text if its data is not a table."""
    table = format_columns(run.preprocessor, every=True) if isinstance(run, Run) else ""
    return f"{table}\n" if table else ""


def _can_be_grouped(data: Data, recipe: Recipe) -> bool:
    """Return whether --group-duplicates would help: a set split from SOURCE shares rows."""
    known = recipe.group_duplicates or recipe.time is not None
    shared = {second for (_, second), n in data.duplicates.items() if n}
    return not known and any(_is_split_off(name, data, recipe) for name in shared)


def _is_split_off(name: str, data: Data, recipe: Recipe) -> bool:
    """Return whether a set was split from SOURCE, rather than provided by the user."""
    sources = data.sources
    own = name in HELD_OUT and name in sources and getattr(recipe, name) is None
    return own and sources[name].name == sources["train"].name


def _left_out(recipe: Recipe, data: Data) -> list[str]:
    """Return a note if one of --dev none and --test none is given, but the other is not."""
    for name, other in (("dev", "test"), ("test", "dev")):
        if getattr(recipe, name) == "none" and _is_split_off(other, data, recipe):
            source = f"the {other} set was split from {recipe.source}"
            return [f"  note: {source}; use --{other} none to train on its rows as well"]
    return []


def ladder_begins(budget: float) -> str:
    """Return the lines that announce that networks of increasing size are compared."""
    return (
        "\nno network is given (--hidden): networks of increasing size are compared (the ladder)\n"
        f"  the budget is {budget:g} minutes (--budget); durations are estimated for two cores"
    )


def format_encoding(costs: Mapping[str, float], kind: str) -> str:
    """Return a line with the costs of the encodings that were compared, and the chosen one."""
    found = ", ".join(f"{name} {cost:.4g}" for name, cost in costs.items())
    return (
        f"\nencodings of the numbers (--normalize), by their cost on held-out rows: {found}: {kind}"
    )


def format_estimate(estimate: Estimate) -> str:
    """Return a line with the estimated duration of a rung, or the reason why it is left out."""
    return f"  {estimate.name}: {estimate.text}"


def format_kept(run: Run) -> str:
    """Return a line if the network of the ladder was kept, otherwise an empty string."""
    result = run.facts.get("ladder_result", {})
    if result.get("kept") != "candidate":
        return ""
    members = result.get("members", 1)
    again = "after it was trained again" if members == 1 else f"for {members} such networks"
    return (
        f"\nthe network that won on the ladder is kept: its dev {result['metric']} is "
        f"{result['candidate']:.4f}, compared with {result['retrained']:.4f} {again}"
    )


def format_rung(rung: Rung) -> str:
    """Return a line with the result of one rung of the ladder, which is a size of the network."""
    step = ""
    if rung.gain is not None:
        step = f" ({rung.gain:+.4f}, standard error {rung.standard_error:.4f})"
    conditions = "".join(f", {condition}" for condition in rung.conditions)
    return (
        f"  {rung.name:16} best of {rung.tried:>2}: {rung.on} {rung.metric} {rung.dev:.4f}{step}"
        f"{conditions}, {rung.seconds:.1f} s: {rung.verdict}"
    )


def format_plan(prepared: Prepared) -> str:
    """Return a table of the layers and a description of how the network will be trained."""
    summary = summarize(
        prepared.network, m=prepared.batch_size, cost_name=prepared.preprocessor.cost
    )
    recipe = prepared.recipe
    lines = (_inputs(prepared), _start(recipe), _steps(prepared), _regularisation(recipe))
    lines += (_class_weights(prepared),)
    return f"\n{summary.text(columns())}\n\n" + "\n".join(filter(None, lines))


def _class_weights(prepared: Prepared) -> str:
    """Return a line with the weights of the classes in training, or an empty string."""
    by_class = prepared.class_weights
    if by_class is None:
        return ""
    names = map(one_line, prepared.preprocessor.labels.names[:6])
    shown = [f"{name} {weight:.3g}" for name, weight in zip(names, by_class, strict=False)]
    more = ", …" if len(by_class) > len(shown) else ""
    return f"class weights: {', '.join(shown)}{more}; scores are not weighted by them"


def probabilities_of(run: SavedRun) -> str:
    """Return lines on how the probabilities of a run were obtained, or an empty string."""
    if not isinstance(run, Run) or not run.classes:
        return ""
    T, weights = run.preprocessor.temperature, run.recipe.class_weight
    lines = []
    if weights is not None:
        lines.append(
            f"class weights: {one_line(weights)}, in training only; scores are not weighted by them"
        )
    if T != 1:
        lines.append(f"probabilities: calibrated on dev, with the outputs divided by {T:.3g}")
    return "\n".join(lines)


def _inputs(prepared: Prepared) -> str:
    """Return a line that describes how the inputs are normalised."""
    kind, text = prepared.preprocessor.inputs.kind, normalization(prepared.preprocessor)
    if prepared.recipe.base is not None:
        return f"inputs: {text.partition(' on ')[0]}, as for the base run"
    why = "" if prepared.recipe.normalize else ", as the course notes advise"
    why = "" if prepared.preprocessor.vocabulary is not None else why
    return f"inputs: {text}{why if kind != 'none' else ''}"


def normalization(preprocessor: Preprocessor) -> str:
    """Return how the inputs are scaled, which is stored with the run."""
    if preprocessor.vocabulary is not None:
        return f"texts as sequences of {count_of(len(preprocessor.vocabulary) - 1, 'character')}"
    inputs = preprocessor.inputs
    numbers, made = count_of(preprocessor.n_numbers, "number"), count_of(preprocessor.n_x, "input")
    bins = 0 if inputs.bins is None else int(inputs.bins.counts.max())
    return NORMALIZED[inputs.kind].format(
        scale=float(np.ravel(inputs.scale)[0]),
        bins=count_of(bins, "quantile bin"),
        made=f"{numbers} made {made}",
    )


def scale_of(run: SavedRun) -> str:
    """Return a line that describes how a run of any kind scales its inputs."""
    if isinstance(run, Run):
        text, white = normalization(run.preprocessor), run.preprocessor.white
    elif tokenizer := getattr(run, "tokenizer", None):
        text, white = tokenizer.description, FULL
    else:
        model: Any = getattr(run, "model", None)
        text, white = pixel_scale_text(model.pixel_scale_), model.white_
    if white < FULL:
        text += f"; the value of white in 16-bit image files is {white:,}"
    return f"inputs: {text}"


def pixel_scale_text(scale: PixelScale) -> str:
    """Return how the pixels of an image model are scaled."""
    if isinstance(scale, str):
        return {
            FRACTIONS: "fractions from 0 to 1 are not scaled; bytes are divided by 255",
            BINARY: "pixels of 0 and 1 are not scaled; other pixels are divided by 255",
            AS_GIVEN: "the numbers are not scaled",
        }[scale]
    if scale is None:
        return "bytes are divided by 255; other numbers are not scaled"
    return f"pixels are divided by {scale:g}"


def _start(recipe: Recipe) -> str:
    """Return a line that describes how the weights are initialised."""
    g = recipe.activation
    if recipe.base is not None:
        return f"initial weights: from {recipe.base}; the last layer is initialised at random"
    if recipe.initial_weights is not None:
        return f"initial weights: from {recipe.initial_weights}"
    scale = "" if recipe.init_scale is None else f", multiplied by {recipe.init_scale:g}"
    if recipe.init is not None:
        return f"initial weights: {recipe.init}{scale}"
    if recipe.layers is not None:
        return f"initial weights: as the course notes advise for the activations{scale}"
    if recipe.reads_sequences:
        return f"initial weights: the initialisation of {recipe.network}{scale}"
    if recipe.network is not None:
        return f"initial weights: the initialisation of {recipe.network} for {g}{scale}"
    name = recommended_initializer(ACTIVATIONS[g]).__name__
    return f"initial weights: {name}, as the course notes advise for {g}{scale}"


def _steps(prepared: Prepared) -> str:
    """Return a line with the optimiser, its learning rate, the batch size and the epochs."""
    recipe, m = prepared.recipe, prepared.m
    rate = recipe.learning_rate or OPTIMIZERS[recipe.optimizer].learning_rate
    values = {"β": recipe.beta, "β2": recipe.beta2, "ε": recipe.epsilon}
    more = [f"{symbol} {value:g}" for symbol, value in values.items() if value is not None]
    more += [_decay(recipe)] if recipe.decay not in (None, NO_DECAY) else []
    more += [f"gradients clipped at {recipe.clip_norm:g}"] if recipe.clip_norm else []
    whole = " (the whole set)" if prepared.batch_size == m else ""
    waits = prepared.patience or prepared.epochs
    calibrated = " after calibration" if prepared.judge else ""
    stop = f"; stops after {count_of(waits, 'epoch')} without a lower dev cost{calibrated}"
    stop = stop if waits < prepared.epochs else ""
    return (
        f"{', '.join([recipe.optimizer, f'learning rate {rate:g}', *more])}, batches of "
        f"{prepared.batch_size:,}{whole}, up to {count_of(prepared.epochs, 'epoch')}{stop}"
    )


def _decay(recipe: Recipe) -> str:
    """Return a description of how the learning rate decays."""
    kind = str(recipe.decay)
    if recipe.warm_up:
        return f"decay {kind} after a warm-up over {100 * recipe.warm_up:g} % of the steps"
    if kind not in DECAY_RATES:
        return f"decay {kind}"
    k = DECAY_RATES[kind] if recipe.decay_rate is None else recipe.decay_rate
    n = recipe.decay_epochs or DECAY_EPOCHS[kind]
    return f"decay {kind} with k {k:g}" + (f" every {n} epochs" if n > 1 else "")


def _regularisation(recipe: Recipe) -> str:
    """Return a line with the regularisation methods, or an empty string if there are none."""
    keep = as_written("keep_prob", recipe.keep_prob)
    methods = [f"L2 with λ {recipe.l2:g}"] if recipe.l2 else []
    methods += [f"L1 with λ {recipe.l1:g}"] if recipe.l1 else []
    methods += [f"data augmentation ({recipe.augment})"] if augments(recipe) else []
    if recipe.hidden_sizes or recipe.network is not None:
        methods += [f"dropout with keep_prob {keep}"] if recipe.keep_prob not in (1, (1.0,)) else []
        methods += ["batch norm"] if recipe.batch_norm else []
    return f"regularisation: {', '.join(methods)}" if methods else ""


def format_curves(history: History) -> str:
    """Return the cost curves as lines of bars, the reason why training ended, and warnings."""
    lines = [""]
    series = {"train": history.costs, "dev": history.dev_costs}
    series = {name: values for name, values in series.items() if values}
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    top = max(finite, default=0)
    for name, values in series.items():
        lines.append(f"cost, {name:5} {values[0]:8.4f} {_bars(values, top)} {values[-1]:.4f}")
    health = [f"  health: {verdict}" for verdict in verdicts(history)]
    changes = [f"  epoch {c['epoch']:,}: {_changed(c['change'])}" for c in history.changes]
    return "\n".join([*lines, _ending(history), *changes, *health])


def _changed(change: dict[str, float]) -> str:
    return "changed to " + ", ".join(f"{name} {value:g}" for name, value in change.items())


def _bars(values: list[float], top: float) -> str:
    step = max(1, -(-len(values) // WIDTH))
    return "".join(BARS[_height(value, top)] for value in values[::step])


def _height(value: float, top: float) -> int:
    """Return the height of a bar from 0 to 7; a dev cost can also be infinite or nan."""
    if not math.isfinite(value):
        return 7
    return min(7, int(8 * (max(value, 0) / top))) if top > 0 else 0


def _ending(history: History) -> str:
    n = len(history.epochs)
    why = {
        "epochs": f"{count_of(n, 'epoch')} done",
        "patience": f"stopped after {count_of(n, 'epoch')}: the dev cost no longer improves",
        "interrupted": f"interrupted after {count_of(n, 'epoch')}",
    }.get(history.stopped, f"{count_of(n, 'epoch')}")
    if not history.best_epoch:
        return why
    return f"{why}; the network of epoch {history.best_epoch:,} is kept (lowest dev cost)"


TABLE = {"log_loss": "log loss", "brier": "Brier", "calibration_error": "cal. error"}
"""Scores of probabilities in the table of results, and the heads of their columns."""


def format_results(results: dict[str, dict[str, float]]) -> str:
    """Return a table with the cost, the main score and the scores of probabilities of each set."""
    if not results:
        return ""
    metric = next(name for name in ("accuracy", "r2") if name in next(iter(results.values())))
    heads = {"cost": "cost", metric: metric}
    heads |= {k: v for k, v in TABLE.items() if any(k in part for part in results.values())}
    wide = max(6, *map(len, results))
    columns = "".join(f" {head:>10}" for head in heads.values())
    lines = ["", f"{'':{wide}} {'examples':>9}{columns}"]
    for name, part in results.items():
        cells = (f"{part[key]:.4f}" if key in part else "-" for key in heads)
        columns = "".join(f" {cell:>10}" for cell in cells)
        lines.append(f"{name:{wide}} {part['m']:>9,}{columns}")
    return "\n".join(lines)


def known_rows(run: Run, rows: Dataset) -> str:
    """Return a note if the run was trained on some of these rows, or else an empty string."""
    digests, sizes = run.facts["digests"], run.facts["sizes"]
    cut = [name for name in digests if digests[name] == rows.digest]
    if "train" not in cut or sum(sizes[name] for name in cut) != len(rows):
        return ""
    return f"\n  note: the run was trained on rows of {rows.name}, so the score is optimistic"


def origin(run: SavedRun) -> str:
    """Return the command that repeats a run, with the package versions and the number of cores."""
    versions = run.facts["versions"]
    return (
        f"\nrecipe: {command(run.recipe)}\n"
        f"made by chainrule {versions['chainrule']} with jax {versions['jax']} on "
        f"{run.facts['cores']} {run.facts['device']} cores"
    )


def format_gradients(report: GradientReport) -> str:
    """Return the result of a gradient check in one line."""
    checked = sum(p.checked for p in report.parameters)
    return (
        f"\ngradients: {report.verdict}; relative difference {report.difference:.1e} "
        f"over {count_of(checked, 'entry')}"
    )


def gradient_table(report: GradientReport) -> str:
    """Return a table with the relative difference for each W[l] and b[l], and the verdict."""
    lines = [f"{'':8} {'shape':>14} {'difference':>11} {'checked':>8} {'dropped':>8}  verdict"]
    for p in report.parameters:
        shape = "×".join(map(str, p.shape))
        counts = f"{p.checked:>8} {p.dropped:>8}"
        lines.append(f"{p.name:8} {shape:>14} {p.difference:>11.1e} {counts}  {p.verdict}")
    lines.append(
        f"\nall: {report.difference:.1e}, {report.verdict} "
        "(up to 1e-7 means right, above 1e-3 wrong; entries with a kink within ε are dropped)"
    )
    return "\n".join(lines)


def results_of(run: SavedRun) -> str:
    """Return the table of results of a run of any kind."""
    if isinstance(run, Run):
        return format_results(run.results)
    from chainrule.inspection.report.task_report import results_text

    return results_text(run.kind, run.results, getattr(run, "names", ()))


NEXT = {
    "train": "describe {run}",
    "detect": "predict {run} IMAGES",
    "segment": "predict {run} IMAGES",
    "verify": "verify enrol {run} people.gallery NAME IMAGES",
    "generate": "generate sample {run}",
    "translate": "translate predict {run} TEXT",
}
"""The command that is suggested after training, for each kind of run."""


def format_saved(run: SavedRun) -> str:
    """Return the folder and the files of the saved run, and a suggestion for the next command."""
    files = sorted(file.name for file in run.path.iterdir()) if run.path else []
    page = f"open {run.path}/report.html in a browser\n" if "report.html" in files else ""
    following = NEXT[run.kind].format(run=run.path)
    return f"\nsaved in {run.path}: {', '.join(files)}\n{page}next: chainrule {following}"


FEW = 20  # examples
MOST = 0.8  # share of one class


def cautions(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """Return notes on results that are easily misread, one per line, or an empty string."""
    held_out = {name: part for name, part in results.items() if name != "train"}
    lines = [_skipped(prepared), _few(held_out), _one_class(prepared, held_out)]
    return "\n".join(f"  note: {line}" for line in lines if line)


def _skipped(prepared: Prepared) -> str:
    skipped = dict.fromkeys(
        f"{part.name}/{name}" for part in prepared.sources.values() for name in part.skipped
    )
    if not skipped:
        return ""
    images = "1 image" if len(skipped) == 1 else f"{len(skipped):,} images"
    left = "was left out" if len(skipped) == 1 else "were left out"
    return f"{images} that cannot be read {left}; the first is {next(iter(skipped))}"


def _few(results: dict[str, dict[str, float]]) -> str:
    few = [f"{name} {part['m']:.0f}" for name, part in results.items() if part["m"] < FEW]
    return f"scores on so few examples ({', '.join(few)}) are uncertain" if few else ""


def _one_class(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """Return a note if the network is hardly better than always predicting the same class."""
    if prepared.preprocessor.labels.task == "regression":
        return ""
    at = int(np.argmax(_shares(prepared, "train")))
    shares = {name: _shares(prepared, name)[at] for name in results}
    high = {n: s for n, s in shares.items() if s >= min(MOST, results[n]["accuracy"])}
    listed = ", ".join(f"{name} {share:.4f}" for name, share in high.items())
    if not high:
        return ""
    name = one_line(prepared.preprocessor.labels.names[at])
    return f"accuracy of always predicting {name}: {listed}"


def _shares(prepared: Prepared, name: str) -> np.ndarray:
    """Return the share of each class in a set, taking the weights of its examples into account."""
    part = prepared.parts[name]
    Y = np.hstack([1 - part.Y, part.Y]) if part.Y.shape[1] == 1 else part.Y
    return np.average(Y, axis=0, weights=part.weights)
