"""What the commands say: plain text that reads well in a terminal and in a log.

What a beginner would read wrong in the results, said under them.

pictures        which could not be read and were left out, as was asked
few examples    with ten of them, one more or less that is right is 0.1 of the accuracy
one class       where most are of one class, always saying that class is right most often
"""

import shutil
import sys

import numpy as np

from chainrule.cli.options import as_written
from chainrule.data.dataset import Dataset
from chainrule.gradcheck import GradientReport
from chainrule.inspection.summary import summarize
from chainrule.models.deep_network import ACTIVATIONS, recommended_initializer
from chainrule.runs.defaults import DECAY_EPOCHS, DECAY_RATES, LEARNING_RATES
from chainrule.runs.prepare import Data, Prepared
from chainrule.runs.recipe import Recipe, augments
from chainrule.runs.run import Run
from chainrule.strategy.ladder import Rung
from chainrule.train.health import verdicts
from chainrule.train.history import History

NORMALIZED = {
    "standard": "mean 0 and variance 1, by the training part",
    "pixels": "pixels divided by 255",
    "none": "as they are",
}
ALWAYS_SAID = ("hidden", "activation", "optimizer", "seed")
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 48


def columns() -> int | None:
    """How wide the terminal is; a file is as wide as it must be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def silent(text: str) -> None:
    """Say nothing."""


def data(data: Data) -> str:
    """The data and its split."""
    preprocessor, sources = data.preprocessor, data.sources
    labels = preprocessor.labels
    total = sum(len(part) for part in sources.values())
    shape = "×".join(map(str, preprocessor.shape)) + (
        " input" if preprocessor.shape == (1,) else " inputs"
    )
    if labels.task == "regression":
        what = "numbers to predict" if labels.n_outputs > 1 else "a number to predict"
    else:
        names = ", ".join(labels.names[:6]) + (", …" if len(labels.names) > 6 else "")
        what = f"{len(labels.classes)} classes ({names})"
    lines = [
        f"{sources['train'].name}: {total:,} examples, {shape}, {what}",
        "  " + " · ".join(f"{name} {len(part):,}" for name, part in sources.items()),
    ]
    for (first, second), n in data.duplicates.items():
        if n:
            rows = "1 row" if n == 1 else f"{n:,} rows"
            lines.append(f"  note: {second} shares {rows} with {first}: its score flatters")
    return "\n".join(lines)


def ladder_begins() -> str:
    """What is done where no network was named."""
    return "\nno network was named (--hidden): climbing from logistic regression up"


def rung(rung: Rung) -> str:
    """One rung of the ladder, as it is done."""
    step = ""
    if rung.gain is not None:
        step = f" ({rung.gain:+.4f}, noise {rung.standard_error:.4f})"
    kept = "".join(f", {condition}" for condition in rung.conditions)
    return (
        f"  {rung.name:16} best of {rung.tried:>2}: dev {rung.metric} {rung.dev:.4f}{step}{kept}, "
        f"{rung.seconds:.1f} s: {rung.verdict}"
    )


def plan(prepared: Prepared) -> str:
    """The table of shapes, and how it will be trained: what was said, and what the notes advise."""
    summary = summarize(
        prepared.network, m=prepared.batch_size, cost_name=prepared.preprocessor.cost
    )
    recipe = prepared.recipe
    said = (_inputs(prepared), _start(recipe), _steps(prepared), _against(recipe))
    return f"\n{summary.text(columns())}\n\n" + "\n".join(filter(None, said))


def _inputs(prepared: Prepared) -> str:
    """How the inputs are brought to one scale."""
    kind = prepared.preprocessor.inputs.kind
    if prepared.recipe.base is not None:
        return f"inputs: {NORMALIZED[kind].partition(',')[0]}, as the base took them"
    said = "" if prepared.recipe.normalize else ", as the notes advise"
    return f"inputs: {NORMALIZED[kind]}{said if kind != 'none' else ''}"


def _start(recipe: Recipe) -> str:
    """Where the weights start."""
    g = recipe.activation
    if recipe.base is not None:
        return f"first weights: those of {recipe.base}, the last layer fresh"
    if recipe.init is not None:
        return f"first weights: {recipe.init}"
    if recipe.network is not None:
        return f"first weights: as those of {recipe.network} are drawn, for {g}"
    name = recommended_initializer(ACTIVATIONS[g]).__name__
    return f"first weights: {name}, as the notes advise for {g}"


def _steps(prepared: Prepared) -> str:
    """The optimiser, its rate, the mini-batches, and when it ends."""
    recipe, m = prepared.recipe, len(prepared.sources["train"])
    rate = recipe.learning_rate or LEARNING_RATES[recipe.optimizer]
    more = [f"β {recipe.beta:g}"] if recipe.beta is not None else []
    more += [_decay(recipe)] if recipe.decay else []
    more += [f"gradients clipped at {recipe.clip_norm:g}"] if recipe.clip_norm else []
    whole = " (the whole set)" if prepared.batch_size == m else ""
    waits = prepared.patience
    stop = f", until the dev cost has not improved for {waits}" if waits else ""
    return (
        f"{', '.join([recipe.optimizer, f'learning rate {rate:g}', *more])}, batches of "
        f"{prepared.batch_size:,}{whole}, up to {prepared.epochs:,} epochs{stop}"
    )


def _decay(recipe: Recipe) -> str:
    """How the rate decays, with its k and n, which may be ours."""
    kind = str(recipe.decay)
    if kind not in DECAY_RATES:
        return f"decay {kind}"
    k = DECAY_RATES[kind] if recipe.decay_rate is None else recipe.decay_rate
    steps = f" every {recipe.decay_epochs or DECAY_EPOCHS} epochs" if kind == "staircase" else ""
    return f"decay {kind} with k {k:g}{steps}"


def _against(recipe: Recipe) -> str:
    """What works against overfitting, where anything does."""
    keep = as_written("keep_prob", recipe.keep_prob)
    said = [f"L2 with λ {recipe.l2:g}"] if recipe.l2 else []
    said += [f"L1 with λ {recipe.l1:g}"] if recipe.l1 else []
    said += [f"pictures changed at each step ({recipe.augment})"] if augments(recipe) else []
    if recipe.layers or recipe.network is not None:
        said += [f"dropout that keeps {keep}"] if recipe.keep_prob not in (1, (1.0,)) else []
        said += ["batch norm"] if recipe.batch_norm else []
    return f"regularised by {', '.join(said)}" if said else ""


def curves(history: History) -> str:
    """The cost curve as a line of bars, from the first epoch to the last."""
    lines = [""]
    series = {"train": history.costs, "dev": history.dev_costs}
    series = {name: values for name, values in series.items() if values}
    top = max(max(values) for values in series.values()) if series else 0
    for name, values in series.items():
        lines.append(f"cost, {name:5} {values[0]:8.4f} {_bars(values, top)} {values[-1]:.4f}")
    health = [f"  health: {verdict}" for verdict in verdicts(history)]
    changes = [f"  epoch {c['epoch']:,}: {_changed(c['change'])}" for c in history.changes]
    return "\n".join([*lines, _ending(history), *changes, *health])


def _changed(change: dict[str, float]) -> str:
    return "changed to " + ", ".join(f"{name} {value:g}" for name, value in change.items())


def _bars(values: list[float], top: float) -> str:
    step = max(1, -(-len(values) // WIDTH))
    picked = values[::step]
    return "".join(BARS[min(7, int(8 * max(v, 0) / top)) if top > 0 else 0] for v in picked)


def _ending(history: History) -> str:
    n = len(history.epochs)
    why = {
        "epochs": f"{n:,} epochs done",
        "patience": f"stopped after {n:,} epochs: the dev cost no longer improves",
        "interrupted": f"interrupted after {n:,} epochs",
    }[history.stopped]
    if not history.best_epoch:
        return why
    return f"{why}; epoch {history.best_epoch:,} is kept, the best by dev cost"


def results(results: dict[str, dict[str, float]]) -> str:
    """A table of the parts."""
    metric = next(name for name in ("accuracy", "r2") if name in next(iter(results.values())))
    wide = max(6, *map(len, results))
    lines = ["", f"{'':{wide}} {'examples':>9} {'cost':>10} {metric:>10}"]
    for name, part in results.items():
        lines.append(f"{name:{wide}} {part['m']:>9,} {part['cost']:>10.4f} {part[metric]:>10.4f}")
    return "\n".join(lines)


def known_rows(run: Run, rows: Dataset) -> str:
    """A note where the rows are those that the run's parts were cut from."""
    digests, sizes = run.facts["digests"], run.facts["sizes"]
    cut = [name for name in digests if digests[name] == rows.digest]
    if "train" not in cut or sum(sizes[name] for name in cut) != len(rows):
        return ""
    return f"\n  note: the run was trained on rows of {rows.name}: its score flatters"


def recipe(run: Run) -> str:
    """How a run was made, as on the command line, and by what."""
    usual = Recipe("").to_dict()
    said = {
        name: value
        for name, value in run.recipe.to_dict().items()
        if value is not None and (value != usual[name] or name in ALWAYS_SAID)
    }
    versions = run.facts["versions"]
    return (
        "\nrecipe: " + ", ".join(f"{k} {as_written(k, v)}" for k, v in said.items()) + "\n"
        f"made by chainrule {versions['chainrule']} with jax {versions['jax']} on "
        f"{run.facts['cores']} {run.facts['device']} cores"
    )


def gradients(report: GradientReport) -> str:
    """One line of a gradient check."""
    checked = sum(p.checked for p in report.parameters)
    return (
        f"\ngradients: {report.verdict}; relative difference {report.difference:.1e} "
        f"over {checked:,} entries"
    )


def gradient_table(report: GradientReport) -> str:
    """The relative difference of each W[l] and b[l], and the verdict."""
    lines = [f"{'':8} {'shape':>14} {'difference':>11} {'checked':>8} {'dropped':>8}  verdict"]
    for p in report.parameters:
        shape = "×".join(map(str, p.shape))
        counts = f"{p.checked:>8} {p.dropped:>8}"
        lines.append(f"{p.name:8} {shape:>14} {p.difference:>11.1e} {counts}  {p.verdict}")
    lines.append(
        f"\nall: {report.difference:.1e}, {report.verdict} "
        "(up to 1e-7 right, beyond 1e-3 wrong; dropped: a kink lay within ε)"
    )
    return "\n".join(lines)


def saved(run: Run) -> str:
    """Where the run lies, and what can be done with it."""
    files = sorted(file.name for file in run.path.iterdir()) if run.path else []
    page = f"open {run.path}/report.html in a browser\n" if "report.html" in files else ""
    listed = ", ".join(files)
    return f"\nsaved in {run.path}: {listed}\n{page}next: chainrule describe {run.path}"


FEW = 20  # examples
MOST = 0.8  # share of one class


def cautions(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """A line for each, under the table of the results."""
    held_out = {name: part for name, part in results.items() if name != "train"}
    lines = [_skipped(prepared), _few(held_out), _one_class(prepared, held_out)]
    return "\n".join(f"  note: {line}" for line in lines if line)


def _skipped(prepared: Prepared) -> str:
    skipped = dict.fromkeys(
        f"{part.name}/{name}" for part in prepared.sources.values() for name in part.skipped
    )
    if not skipped:
        return ""
    pictures = "1 picture" if len(skipped) == 1 else f"{len(skipped):,} pictures"
    return f"left out {pictures} that cannot be read, the first {next(iter(skipped))}"


def _few(results: dict[str, dict[str, float]]) -> str:
    few = [f"{name} {part['m']:.0f}" for name, part in results.items() if part["m"] < FEW]
    return f"so few examples ({', '.join(few)}) measure little" if few else ""


def _one_class(prepared: Prepared, results: dict[str, dict[str, float]]) -> str:
    """The accuracy of always saying the commonest class of the training, where it is not beaten."""
    if prepared.preprocessor.labels.task == "regression":
        return ""
    at = int(np.argmax(_shares(prepared, "train")))
    shares = {name: _shares(prepared, name)[at] for name in results}
    told = {n: s for n, s in shares.items() if s >= min(MOST, results[n]["accuracy"])}
    listed = ", ".join(f"{name} {share:.4f}" for name, share in told.items())
    if not told:
        return ""
    return f"accuracy of always saying {prepared.preprocessor.labels.names[at]}: {listed}"


def _shares(prepared: Prepared, name: str) -> np.ndarray:
    """The share of each class in a part, by the weights of its examples."""
    part = prepared.parts[name]
    Y = np.hstack([1 - part.Y, part.Y]) if part.Y.shape[1] == 1 else part.Y
    return np.average(Y, axis=0, weights=part.weights)
