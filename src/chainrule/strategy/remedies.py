"""The remedies of the course notes for each problem, in their order, adapted to the run.

Notes: "Improving your model performance" (course 3, week 1), "Addressing data mismatch" (course 3,
week 2), "Basic recipe for machine learning" (course 2, week 1).

    avoidable bias   a bigger network; longer training or a better optimiser; another architecture
    variance         more data; regularisation (L2, dropout, augmentation); another architecture
    data mismatch    error analysis; training data more like the dev set, synthetic data included
    dev overfitting  a bigger dev set

A remedy that the run applies already is left out or reversed: with λ > 0, the first remedy for
bias is a smaller λ. Settings that the ladder has searched (λ, the hidden layers, and dropout when
there are many inputs; for images the network and its augmentation) are not suggested again, and no
suggestion counteracts another.

The next bigger or smaller network is suggested as a command line option:

    hidden layers          twice the units, or half of them; a second layer where there was one
    convolutional network  the next of its family, or twice or half its channels

Problems of the training itself are dead units, a learning rate too high, or a vanishing signal, as
reported by `train/health.py`. They only count where the training error is too high:
a network that fits its training set has no problem. Units that were alive at the first step and
died after steps larger than a tenth of ‖W‖ are attributed to the learning rate; a signal that
vanishes because of λ is attributed to λ. Units that were dead before the first step need another
seed or initialisation, since no learning rate revives them. Problems that exclude each other, such
as a learning rate that is too low and one that is too high, give one direction: that of the more
serious problem.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chainrule.choices import CUSTOM
from chainrule.models.zoo import options_of
from chainrule.runs.defaults import OPTIMIZERS
from chainrule.runs.recipe import augments
from chainrule.runs.run import Run
from chainrule.strategy.findings import (
    BIAS,
    DEV_OVERFITTING,
    LEAK,
    MISMATCH,
    VARIANCE,
    WRONG_LABELS,
    Finding,
)
from chainrule.strategy.ladder_candidates import MANY_INPUTS
from chainrule.train.health import (
    RATE,
    SHARE,
    SLOW,
    Verdict,
    in_one_direction,
    last_epochs,
    step_size,
    verdicts,
)
from chainrule.train.history import History

MOST_UNITS = 1024
SIZES: tuple[tuple[str, ...], ...] = (
    ("lenet", "convnet", "resnet20", "resnet32", "resnet44", "resnet56"),
    ("resnet18", "resnet34", "resnet50"),
)
"""Networks for small images and for large ones, in order of capacity."""
BIGGER = {one: other for sizes in SIZES for one, other in pairwise(sizes)}
SMALLER = {one: other for sizes in SIZES for other, one in pairwise(sizes)}


def bigger_network(network: str, width: float) -> tuple[str, str]:
    """Return the option for a bigger network, and its value.

    >>> bigger_network("lenet", 1), bigger_network("mobilenet_v2", 0.5)
    (('network', 'convnet'), ('width', '1'))
    """
    return _another(network, BIGGER, 2 * width)


def smaller_network(network: str, width: float) -> tuple[str, str]:
    """Return the option for a smaller network, and its value.

    >>> smaller_network("resnet20", 1), smaller_network("lenet", 1)
    (('network', 'convnet'), ('width', '0.5'))
    """
    return _another(network, SMALLER, width / 2)


def bigger(hidden: tuple[int, ...] | None) -> str:
    """Return twice the units, with a second layer where there was one or none."""
    if hidden is None:
        return ""
    wider = [min(MOST_UNITS, max(16, 2 * n)) for n in hidden] or [64]
    return ",".join(map(str, wider if len(wider) > 1 else [*wider, max(16, wider[0] // 2)]))


def smaller(hidden: tuple[int, ...] | None) -> str:
    """Return half the units; a layer with few units is removed."""
    if hidden is None:
        return ""
    return ",".join(str(n // 2) for n in hidden if n >= 8) or "none"


def _another(network: str, others: dict[str, str], width: float) -> tuple[str, str]:
    if network == CUSTOM:  # whose sizes are in its list of layers
        return "layers", ""
    if network in others:
        return "network", others[network]
    return "width", f"{width:g}"


STILL_FALLING = 0.02
"""More epochs would help when the last tenth of them still lowered the cost by this share."""
FEATURES = "more informative features: what people look at to find the answer"
ANOTHER = "another architecture or other hyperparameters: chainrule tune"
LOOSER = (
    "less regularisation",
    "less augmentation",
    "a bigger network",
    "train longer",
    "train more layers",
)
TIGHTER = (
    "L2",
    "dropout",
    "augmentation: --",
    "a smaller network",
    "early stopping",
    "train fewer layers",
)


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run that decide which remedies apply to it.

    The defaults stand for a run about which nothing is known (its errors were typed in).

    unfinished  the cost was still falling at the end
    ended       the dev cost was lowest before the end, so more epochs would not help
    retrain     with transfer learning, which layers of the other run are trained
    searched    the settings that the ladder has searched: "l2", "hidden", "keep_prob", "augment"
    network     the name of a convolutional network; width is the multiplier of its channels
    augments    whether its images are augmented
    """

    hidden: tuple[int, ...] | None = None
    l2: float = 0.0
    l1: float = 0.0
    keep_prob: float = 1.0
    epochs: int | None = None
    unfinished: bool | None = None
    ended: bool | None = None
    adam: bool = False
    images: bool = True
    retrain: str | None = None
    searched: frozenset[str] = frozenset()
    network: str | None = None
    augments: bool = False
    width: float = 1.0

    @property
    def drops(self) -> bool:
        """Return whether the network has units to which dropout can be applied."""
        if self.network is not None:
            return "keep_prob" in options_of(self.network)
        return self.hidden != ()

    @classmethod
    def of(cls, run: Run) -> "RunSettings":
        """Read the settings from the recipe and the history of a run."""
        recipe, history = run.recipe, run.history
        keep = recipe.keep_prob
        return cls(
            None if recipe.schedule == "images" else recipe.hidden_sizes,
            recipe.l2,
            recipe.l1,
            min(keep, default=1.0) if isinstance(keep, tuple) else keep,
            len(history.epochs),
            history.stopped != "patience" and still_learns(history),
            history.stopped == "patience" or not best_is_late(history),
            recipe.optimizer == "adam",
            len(run.preprocessor.shape) > 1,
            recipe.retrain,
            searched_by_ladder(run),
            recipe.network if recipe.schedule == "images" else None,
            augments(recipe),
            recipe.width or 1.0,
        )


def searched_by_ladder(run: Run) -> frozenset[str]:
    """Return the settings that the ladder has searched; none where it was not run."""
    if not run.facts.get("ladder"):
        return frozenset()
    if run.recipe.schedule == "sequences":
        return frozenset(("hidden", "keep_prob"))
    if run.recipe.network is not None:
        return frozenset(("hidden", "augment"))
    return frozenset(
        ("l2", "hidden", *(("keep_prob",) if run.preprocessor.n_x >= MANY_INPUTS else ()))
    )


def still_learns(history: History) -> bool:
    """Return whether the training cost and the dev cost still fell at the end of the training.

    Training of fewer than ten epochs always counts as unfinished.
    """
    costs = history.costs
    if len(costs) < 10:
        return True
    late = costs[-last_epochs(history) - 1]
    return best_is_late(history) and costs[-1] < (1 - STILL_FALLING) * late


def best_is_late(history: History) -> bool:
    """Return whether the dev cost was still improving at the end, or there is no dev set."""
    return history.best_epoch is None or history.best_epoch > 0.9 * len(history.epochs)


UNKNOWN = RunSettings()


def remedies(name: str, settings: RunSettings = UNKNOWN) -> tuple[str, ...]:
    """Return the remedies for a problem in the order in which to try them."""
    return tuple(remedy for remedy in REMEDIES[name](settings) if remedy)


def compatible_steps(chosen: tuple[str, ...], offered: Iterable[str], most: int) -> tuple[str, ...]:
    """Add up to `most` of the offered steps to the chosen ones, without repeats or opposites."""
    full = len(chosen) + most
    for step in offered:
        if len(chosen) < full and step not in chosen and agrees(step, chosen):
            chosen = (*chosen, step)
    return chosen


def agrees(step: str, others: Iterable[str]) -> bool:
    """Return whether a step can be taken together with each of the other steps.

    Two steps exclude each other if they change the capacity in different directions, or set an
    option to different values.

    >>> agrees("three times: --learning-rate 0.006", ["a third: --learning-rate 0.00067"])
    False
    """
    change, values = capacity_change(step), options_in(step)
    for other in others:
        theirs = options_in(other)
        if change * capacity_change(other) < 0:
            return False
        if any(values[name] != theirs[name] for name in values.keys() & theirs.keys()):
            return False
    return True


VALUE = re.compile(r"(--[a-z][a-z0-9-]*) (?!-)(\S+)")


def options_in(step: str) -> dict[str, str]:
    """Return the options that a step sets, with their values.

    >>> options_in("less regularisation: --l2 0.18 --keep-prob 1")
    {'--l2': '0.18', '--keep-prob': '1'}
    """
    return dict(VALUE.findall(step))


def with_consistent_remedies(findings: Iterable[Finding]) -> list[Finding]:
    """Remove from each problem found the remedies that counteract those of the problems before."""
    chosen: tuple[str, ...] = ()
    kept = []
    for one in findings:
        if one.found:
            one = replace(one, cures=tuple(step for step in one.cures if agrees(step, chosen)))
            chosen += one.cures
        kept.append(one)
    return kept


def capacity_change(step: str) -> int:
    """Return 1 if a step lets the network fit the training set more closely, −1 if less, or 0.

    >>> steps = "L2: --l2 18", "less regularisation: --l2 0.18", "more training data"
    >>> [capacity_change(step) for step in steps]
    [-1, 1, 0]
    """
    return step.startswith(LOOSER) - step.startswith(TIGHTER)


def _bias(settings: RunSettings) -> tuple[str, ...]:
    longer = "" if settings.ended else f"train longer{_flag('epochs', _times(settings.epochs, 4))}"
    optimiser = "" if settings.adam else "a better optimiser: --optimizer adam"
    loosens = settings.augments and "augment" not in settings.searched
    first = (
        "" if "l2" in settings.searched else _less(settings),
        longer if settings.unfinished else "",
    )
    rest = (
        _more_capacity(settings),
        "less augmentation: --augment none" if loosens else "",
        "" if settings.unfinished else longer,
        optimiser,
        FEATURES if settings.searched and not settings.images else "",
        ANOTHER,
    )
    return (*first, *rest)


def _variance(settings: RunSettings) -> tuple[str, ...]:
    dropout = settings.drops and "keep_prob" not in settings.searched
    return (
        "more training data",
        "" if "l2" in settings.searched else f"L2: --l2 {10 * settings.l2 or 1:.2g}",
        f"dropout: --keep-prob {_lower(settings.keep_prob):g}" if dropout else "",
        _augmentation(settings),
        _less_capacity(settings) if settings.hidden != () else "",
        "early stopping: --early-stopping" if settings.ended is False else "",
        ANOTHER,
    )


def _mismatch(settings: RunSettings) -> tuple[str, ...]:
    return (
        "error analysis: chainrule errors RUN, to see how dev differs from the training data",
        "more training data like the dev set",
        "synthesis: add the noise, lighting or blur of the dev set to the training data",
    )


def _dev_overfitting(settings: RunSettings) -> tuple[str, ...]:
    return (
        "a bigger dev set",
        "fewer choices made on the dev set: every model compared on it overfits to it a little",
    )


def _leak(settings: RunSettings) -> tuple[str, ...]:
    return (
        "remove what leaks the answer and train again: "
        "until then the errors of this run mean nothing",
    )


def _wrong_labels(settings: RunSettings) -> tuple[str, ...]:
    return (
        "inspect the probable label errors: chainrule errors RUN --label-errors",
        "correct the labels of dev and test by the same rule, correct predictions included",
        *(remedy for remedy in _variance(settings) if remedy.startswith(("L2", "early"))),
    )


REMEDIES: dict[str, Callable[[RunSettings], tuple[str, ...]]] = {
    BIAS: _bias,
    VARIANCE: _variance,
    MISMATCH: _mismatch,
    DEV_OVERFITTING: _dev_overfitting,
    LEAK: _leak,
    WRONG_LABELS: _wrong_labels,
}


def _less(settings: RunSettings) -> str:
    """Suggest less regularisation, if the run uses any."""
    flags = [
        f"--{name} {strength / 10:.2g}"
        for name, strength in (("l2", settings.l2), ("l1", settings.l1))
        if strength
    ]
    flags += ["--keep-prob 1"] if settings.keep_prob < 1 else []
    return f"less regularisation: {' '.join(flags)}" if flags else ""


def _augmentation(settings: RunSettings) -> str:
    """Suggest augmentation; only a convolutional network has an option for it."""
    if settings.network is None:
        return "augmentation: rotated, cropped or mirrored images" if settings.images else ""
    return (
        ""
        if settings.augments or "augment" in settings.searched
        else "augmentation: --augment auto"
    )


def _more_capacity(settings: RunSettings) -> str:
    """Suggest a bigger network, or training more of the layers taken from another run."""
    if "hidden" in settings.searched:
        return ""
    if settings.retrain is None:
        if settings.network is None:
            return f"a bigger network{_flag('hidden', bigger(settings.hidden))}"
        return f"a bigger network{_flag(*bigger_network(settings.network, settings.width))}"
    if settings.retrain == "all":
        return "a bigger network: without --from, or --from a bigger one"
    return "train more layers: --retrain all"


def _less_capacity(settings: RunSettings) -> str:
    """Suggest a smaller network, or training fewer of the layers taken from another run."""
    if "hidden" in settings.searched or settings.retrain == "last":
        return ""
    if settings.retrain is not None:
        return "train fewer layers: --retrain last"
    if settings.network is None:
        return f"a smaller network{_flag('hidden', smaller(settings.hidden))}"
    return f"a smaller network{_flag(*smaller_network(settings.network, settings.width))}"


def _lower(keep_prob: float) -> float:
    """Return the keep_prob that drops twice as many units, at most half of them."""
    return max(0.5, 0.8 if keep_prob == 1 else 2 * keep_prob - 1)


def _flag(name: str, value: str) -> str:
    return f": --{name} {value}" if value else ""


def _times(epochs: int | None, factor: int) -> str:
    return "" if epochs is None else str(factor * epochs)


STEEP = 0.1
"""A step is too large above this share of ‖W‖; a thousandth is usual."""
LITTLE = 0.9
"""The cost has hardly fallen if it is still above this share of the first one."""
TOO_HIGH, TOO_LOW = "learning rate too high", "learning rate too low"
RATES = {TOO_HIGH: 1 / 3, TOO_LOW: 3, "dead": 1 / 3}
RELU, BATCH_NORM = "--activation relu", "--batch-norm"
FLAGS = {
    "exploding": ("--clip-norm 1",),
    "dead": (BATCH_NORM,),
    "saturated": (RELU,),
    "vanishing": (RELU, BATCH_NORM),
}
HARMLESS = "; this did no harm"
LEFT = 0.5
"""Without a reference, a training R² below this is too low."""


def training_problems(run: Run, gaps: Sequence[Finding]) -> list[Finding]:
    """Return each problem of the training once, the most severe first, with its remedy."""
    underfits = _underfits(run, gaps)
    first: dict[str, Verdict] = {}
    history = run.history
    problems = (*_died(history), *verdicts(history), *_steps_too_small(history))
    for verdict in in_one_direction(problems):
        first.setdefault(verdict.name, verdict)
    return [_finding(run, one, underfits and _counts(run, one.name)) for one in first.values()]


def _counts(run: Run, name: str) -> bool:
    """Return whether this problem can be the cause of a training error that is too high."""
    history = run.history
    if name == TOO_LOW:
        return best_is_late(history) or _hardly_fell(history)
    if name == "vanishing" and (run.recipe.l2 or run.recipe.l1):
        start = replace(history, signals=history.signals[:1])
        return any(one.name == name for one in verdicts(start))
    return True


def _hardly_fell(history: History) -> bool:
    return history.costs[-1] > LITTLE * history.costs[0]


def _steps_too_small(history: History) -> Iterator[Verdict]:
    """Detect steps so small that the cost hardly fell, or still falls as fast as at the start."""
    costs = history.costs
    step, last = step_size(history), last_epochs(history)
    straight = len(costs) > last and costs[-last - 1] - costs[-1] > 0.05 * (costs[0] - costs[-1])
    if step < SLOW and costs[-1] < costs[0] and (straight or _hardly_fell(history)):
        fall = f"the cost fell from {costs[0]:.3g} to {costs[-1]:.3g}"
        yield Verdict(TOO_LOW, f"{fall}, in steps of {step:.0e} times W")


def _died(history: History) -> Iterator[Verdict]:
    """Detect units that died after large first steps."""
    if not history.signals:
        return
    before, after = (history.signals[i]["signal"] for i in (0, -1))
    for l, (start, end) in enumerate(zip(before, after, strict=True), 1):
        step = start.get("update", 0.0)
        if step > STEEP and end.get("dead", 0.0) >= SHARE > start.get("dead", 0.0):
            words = f"the units of layer {l} died after steps of {step:.0%} of W"
            yield Verdict(TOO_HIGH, words, l)


def _finding(run: Run, verdict: Verdict, harm: bool) -> Finding:
    words = verdict.words + ("" if harm else HARMLESS)
    flags = " ".join(filter(None, (*_changes(run, verdict), *_flags(run, verdict.name))))
    advice = (f"{verdict.remedy}: {flags}" if flags else verdict.remedy,)
    return Finding(verdict.name, 0.0, 0.0, 0.0, "none", harm, words, advice)


def _changes(run: Run, verdict: Verdict) -> Iterator[str]:
    """Yield the --learning-rate to try, or the --seed where units were dead from the start."""
    name = verdict.name
    if name in RATES and RATE not in verdict.ruled_out:
        rate = run.recipe.learning_rate or OPTIMIZERS[run.recipe.optimizer].learning_rate
        yield f"--learning-rate {rate * RATES[name]:.2g}"
    elif name == "dead":
        yield f"--seed {run.recipe.seed + 1}"


def _flags(run: Run, name: str) -> Iterator[str]:
    """Yield the options that are a remedy, without those that the run uses already."""
    recipe = run.recipe
    in_use = {RELU: recipe.activation == "relu", BATCH_NORM: recipe.batch_norm}
    for flag in FLAGS.get(name, ()):
        settled = flag in in_use and recipe.network is not None  # also one for sequences
        if not (settled or in_use.get(flag, False)):
            yield flag


def _underfits(run: Run, gaps: Sequence[Finding]) -> bool:
    """Return whether the training error is too high; for regression without a reference, by R²."""
    bias = next(one for one in gaps if one.name == BIAS)
    if run.preprocessor.labels.task == "regression" and run.recipe.reference is None:
        return bias.found or run.results["train"]["r2"] < LEFT
    return bias.found
