"""What went wrong in training itself: dead units, a learning rate too high, a signal that vanishes.

The verdicts are those of `train/verdicts.py`. They count where the training error is higher than it
need be: a network that learned its examples all the same has no trouble. Units that were alive at
the first step and then died of steps larger than a tenth of ‖W‖ are the learning rate's doing, and
a signal that λ has made vanish is λ's.
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
"""Of ‖W‖ a step; a thousandth is usual."""
LITTLE = 0.9
"""Of the first cost: more than that is left where little was won."""
TOO_HIGH, TOO_LOW = "learning rate too high", "learning rate too low"
RATES = {TOO_HIGH: 1 / 3, TOO_LOW: 3, "dead": 1 / 3}
FLAGS = {
    "exploding": "--clip-norm 1",
    "dead": "--batch-norm",
    "saturated": "--activation relu",
    "vanishing": "--activation relu --batch-norm",
}
HARMLESS = "; it did no harm"
LEFT = 0.5
"""R² below which too much is left unexplained where nobody gave a reference."""


def troubles(run: Run, gaps: Sequence[Finding]) -> list[Finding]:
    """Each verdict once, the gravest first, with its flag."""
    too_little = _learned_too_little(run, gaps)
    first: dict[str, Verdict] = {}
    history = run.history
    for verdict in (*_killed(history), *verdicts(history), *_crept(history)):
        first.setdefault(verdict.name, verdict)
    return [_finding(run, one, too_little and _counts(run, one.name)) for one in first.values()]


def _counts(run: Run, name: str) -> bool:
    """Whether it can be why too little was learned."""
    history = run.history
    if name == TOO_LOW:
        return best_is_late(history) or _little_won(history)
    if name == "vanishing" and (run.recipe.l2 or run.recipe.l1):
        start = replace(history, signals=history.signals[:1])
        return any(one.name == name for one in verdicts(start))
    return True


def _little_won(history: History) -> bool:
    return history.costs[-1] > LITTLE * history.costs[0]


def _crept(history: History) -> Iterator[Verdict]:
    """Steps so tiny that little was won, or as much at the end as at the start."""
    costs = history.costs
    last = history.signals[-1]["signal"] if history.signals else []
    step = max((layer.get("update", 0.0) for layer in last), default=SLOW)
    tenth = max(1, len(costs) // 10)
    straight = len(costs) > tenth and costs[-tenth - 1] - costs[-1] > 0.05 * (costs[0] - costs[-1])
    if step < SLOW and costs[-1] < costs[0] and (straight or _little_won(history)):
        words = f"the cost went from {costs[0]:.3g} to {costs[-1]:.3g}, in steps of {step:.0e} of W"
        yield Verdict(TOO_LOW, words)


def _killed(history: History) -> Iterator[Verdict]:
    """Units that died of their first steps."""
    if not history.signals:
        return
    before, after = (history.signals[i]["signal"] for i in (0, -1))
    for l, (start, end) in enumerate(zip(before, after, strict=True), 1):
        step = start.get("update", 0.0)
        if step > STEEP and end.get("dead", 0.0) >= SHARE > start.get("dead", 0.0):
            words = f"the units of layer {l} died of steps of {step:.0%} of W"
            yield Verdict(TOO_HIGH, words, l)


def _finding(run: Run, verdict: Verdict, harm: bool) -> Finding:
    words = verdict.words + ("" if harm else HARMLESS)
    flags = " ".join(flag for flag in (_rate(run, verdict.name), FLAGS.get(verdict.name)) if flag)
    return Finding(verdict.name, 0.0, 0.0, 0.0, "none", harm, words, (f"{verdict.cure}: {flags}",))


def _rate(run: Run, name: str) -> str:
    """The learning rate to try, where that is the cure."""
    if name not in RATES:
        return ""
    rate = run.recipe.learning_rate or LEARNING_RATES[run.recipe.optimizer]
    return f"--learning-rate {rate * RATES[name]:.2g}"


def _learned_too_little(run: Run, gaps: Sequence[Finding]) -> bool:
    """Whether the training error is too high; of numbers without a reference, by R²."""
    bias = next(one for one in gaps if one.name == BIAS)
    if run.door.labels.task == "regression" and run.recipe.reference is None:
        return bias.found or run.results["train"]["r2"] < LEFT
    return bias.found
