"""What went wrong in training itself: dead units, a learning rate too high, a signal that vanishes.

The verdicts are those of `train/verdicts.py`. They count where the training error is higher than it
need be: a network that learned its examples all the same has no trouble. Units that were alive at
the first step and then died of steps larger than a tenth of ‖W‖ are the learning rate's doing.
"""

from collections.abc import Iterator, Sequence

from chainrule.strategy.cures import best_is_late
from chainrule.strategy.findings import BIAS, Finding
from chainrule.train.defaults import LEARNING_RATES
from chainrule.train.history import History
from chainrule.train.run import Run
from chainrule.train.verdicts import SHARE, Verdict, verdicts

STEEP = 0.1
"""Of ‖W‖ a step; a thousandth is usual."""
TOO_HIGH = "learning rate too high"
TOO_LOW = "learning rate too low"
FACTORS = {TOO_HIGH: 1 / 10, TOO_LOW: 3, "dead": 1 / 3}
HARMLESS = "; it did no harm"
LEFT = 0.5
"""Of the target's spread: so much left unexplained is too much where nobody gave a reference."""


def troubles(run: Run, gaps: Sequence[Finding]) -> list[Finding]:
    """Each verdict once, the gravest first, with its flag."""
    too_little = _learned_too_little(run, gaps)
    first: dict[str, Verdict] = {}
    for verdict in (*_killed(run.history), *verdicts(run.history)):
        first.setdefault(verdict.name, verdict)
    return [
        _finding(run, one, too_little and (one.name != TOO_LOW or best_is_late(run.history)))
        for one in first.values()
    ]


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
    cures = (*_rate(run, verdict.name), verdict.cure)
    return Finding(verdict.name, 0.0, 0.0, 0.0, "none", harm, words, cures)


def _rate(run: Run, name: str) -> tuple[str, ...]:
    """The learning rate to try, where that is the cure."""
    if name not in FACTORS:
        return ()
    rate = run.recipe.learning_rate or LEARNING_RATES[run.recipe.optimizer]
    return (f"another learning rate: --learning-rate {rate * FACTORS[name]:.2g}",)


def _learned_too_little(run: Run, gaps: Sequence[Finding]) -> bool:
    """Whether the training error is too high; of numbers without a reference, by R²."""
    bias = next(one for one in gaps if one.name == BIAS)
    if run.door.labels.task == "regression" and run.recipe.reference is None:
        return bias.found or run.results["train"]["r2"] < LEFT
    return bias.found
