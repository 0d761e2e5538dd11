"""Problems of the training itself: dead units, a learning rate too high, a vanishing signal.

The verdicts are those of `train/verdicts.py`. They only count where the training error is too high:
a network that fits its training set has no problem. Units that were alive at the first step and
died after steps larger than a tenth of ‖W‖ are attributed to the learning rate; a signal that
vanishes because of λ is attributed to λ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainrule.strategy.cures import best_is_late
from chainrule.strategy.findings import BIAS, Finding
from chainrule.train.defaults import LEARNING_RATES
from chainrule.train.history import History
from chainrule.train.run import Run
from chainrule.train.verdicts import SHARE, SLOW, Verdict, verdicts

STEEP = 0.1
"""A step is too large above this share of ‖W‖; a thousandth is usual."""
LITTLE = 0.9
"""The cost has hardly fallen if it is still above this share of the first one."""
TOO_HIGH, TOO_LOW = "learning rate too high", "learning rate too low"
RATES = {TOO_HIGH: 1 / 3, TOO_LOW: 3, "dead": 1 / 3}
FLAGS = {
    "exploding": "--clip-norm 1",
    "dead": "--batch-norm",
    "saturated": "--activation relu",
    "vanishing": "--activation relu --batch-norm",
}
HARMLESS = "; this did no harm"
LEFT = 0.5
"""Without a reference, a training R² below this is too low."""


def training_problems(run: Run, gaps: Sequence[Finding]) -> list[Finding]:
    """Return each problem of the training once, the most severe first, with its remedy."""
    underfits = _underfits(run, gaps)
    first: dict[str, Verdict] = {}
    history = run.history
    for verdict in (*_died(history), *verdicts(history), *_steps_too_small(history)):
        first.setdefault(verdict.name, verdict)
    return [_finding(run, one, underfits and _counts(run, one.name)) for one in first.values()]


def _counts(run: Run, name: str) -> bool:
    """Return whether a problem can explain a training error that is too high."""
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
    last = history.signals[-1]["signal"] if history.signals else []
    step = max((layer.get("update", 0.0) for layer in last), default=SLOW)
    tenth = max(1, len(costs) // 10)
    straight = len(costs) > tenth and costs[-tenth - 1] - costs[-1] > 0.05 * (costs[0] - costs[-1])
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
    flags = " ".join(flag for flag in (_rate(run, verdict.name), FLAGS.get(verdict.name)) if flag)
    return Finding(verdict.name, 0.0, 0.0, 0.0, "none", harm, words, (f"{verdict.cure}: {flags}",))


def _rate(run: Run, name: str) -> str:
    """Return the flag of the learning rate to try, where that is the remedy."""
    if name not in RATES:
        return ""
    rate = run.recipe.learning_rate or LEARNING_RATES[run.recipe.optimizer]
    return f"--learning-rate {rate * RATES[name]:.2g}"


def _underfits(run: Run, gaps: Sequence[Finding]) -> bool:
    """Return whether the training error is too high; for regression without a reference, by R²."""
    bias = next(one for one in gaps if one.name == BIAS)
    if run.door.labels.task == "regression" and run.recipe.reference is None:
        return bias.found or run.results["train"]["r2"] < LEFT
    return bias.found
