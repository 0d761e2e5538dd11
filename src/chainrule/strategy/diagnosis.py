"""What is wrong with a run, how sure that is, and what to do next.

Notes: "Error analysis" and "Bias and variance with mismatched data distributions" (course 3,
week 2), "Improving your model performance" (course 3, week 1).

    leak             the errors mean nothing: it comes first
    training         dead units, a bad learning rate, …, where the training error is too high
    wrong labels     unless a gap is far larger
    gaps             bias, variance, mismatch, overfitting to the dev set: the largest first

What is not found stands below, with what is known of it. `verdict_of` is the same for errors that
somebody types in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from chainrule.errors import OptionError
from chainrule.strategy.contradictions import contradictions
from chainrule.strategy.cures import UNKNOWN, Does, agreeing, cures
from chainrule.strategy.findings import (
    BIAS,
    GAPS,
    LEAK,
    VARIANCE,
    WRONG_LABELS,
    Finding,
    PartError,
    Unit,
    amount,
)
from chainrule.strategy.gaps import gaps, too_few
from chainrule.strategy.goal import goal_for
from chainrule.strategy.part_errors import (
    check_reference,
    misses,
    outputs_of,
    part_errors,
    typed_error,
    unit_of,
)
from chainrule.strategy.repeats import near_rows, repeated_rows
from chainrule.strategy.table import aligned
from chainrule.strategy.telling import telling_column
from chainrule.strategy.troubles import troubles
from chainrule.train.prepare import Data
from chainrule.train.run import Run

PARTS = ("train", "train-dev", "dev", "test")
LABELS = 3
STEPS = 3
"""How many things to do next are said."""
SAY_REFERENCE = "find out which error people reach, or none can avoid, and give it: --reference"
TOO_FEW = ": these are too few to tell where the error comes from"
MORE_EXAMPLES = f"more dev and test examples{TOO_FEW}"
NOTHING = "nothing: what is left is no more than chance"


@dataclass(frozen=True)
class Diagnosis:
    """The errors of the parts, what they say, and what to do next.

    reference  what people reach or Bayes error; None: nobody said, 0 is assumed
    unit       of the errors: a "share", the "rmse" in the target's units, or another "number"
    metric     what the errors are made of: "accuracy", "rmse", or the metric of the goal
    findings   those that are there, the gravest first, then what was looked for and not found
    """

    errors: tuple[PartError, ...]
    reference: float | None
    unit: Unit
    metric: str
    findings: tuple[Finding, ...]

    @property
    def found(self) -> tuple[Finding, ...]:
        """What is there."""
        return tuple(one for one in self.findings if one.found)

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do next, one to three lines."""
        if not self.found:
            unsure = any(one.low <= 0 < one.size for one in self.findings if one.name in GAPS)
            few = f"more {', '.join(too_few(*self.errors))} examples{TOO_FEW}"
            return (few if too_few(*self.errors) else MORE_EXAMPLES if unsure else NOTHING,)
        first, *others = self.found
        steps = agreeing((), first.cures, STEPS - bool(others))
        steps = agreeing(steps, others[0].cures if others else (), 1)
        if self.reference is None and first.name == BIAS:
            return (SAY_REFERENCE, *steps[: STEPS - 1])
        return steps

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "next": list(self.next_steps)}

    def text(self) -> str:
        """For a terminal."""
        return "\n".join([*self._table(), "", *self._findings(), "", *self._next()])

    def _table(self) -> list[str]:
        rows = [["part", "examples", self._error_name, "surely between"]]
        said = "0 is assumed: nobody gave one" if self.reference is None else ""
        rows.append(["reference", "", amount(self.reference or 0.0, self.unit), said])
        for part in self.errors:
            ends = [amount(end, self.unit) for end in (part.low, part.high)]
            between = "" if part.m is None else f"{ends[0]} and {ends[1]}"
            m = "" if part.m is None else f"{part.m:,}"
            rows.append([part.name, m, amount(part.error, self.unit), between])
        return aligned(rows, right=[1, 2])

    @property
    def _error_name(self) -> str:
        if self.unit != "share":
            return self.metric
        return "error" if self.metric == "accuracy" else f"1 - {self.metric}"

    def _findings(self) -> list[str]:
        lines = []
        for one in self.findings:
            mark = "!" if one.found else " "
            size = f" {one.sizes}" if one.sizes else ""
            lines.append(f"{mark} {one.name}{size}: {one.words}")
        return lines

    def _next(self) -> list[str]:
        return ["Do next:", *(f"  {i}. {step}" for i, step in enumerate(self.next_steps, 1))]


def diagnose(run: Run, data: Data, *, reference: float | None = None) -> Diagnosis:
    """The errors of a run's parts beside the reference, or that of its recipe; and what they say.

    `data` is that of the run: `chainrule.train.again.data_of(run)`.
    """
    reference = run.recipe.reference if reference is None else reference
    goal = goal_for(run.recipe.goal, run.door)
    unit, metric = unit_of(run.door, goal), "rmse" if goal.metric == "r2" else goal.metric
    check_reference(reference, unit)
    Z = outputs_of(run, data)
    errors = part_errors(run, data, Z)
    each = {name: misses(Z[name], part, run.door) for name, part in data.parts.items()}
    between = gaps(errors, reference, unit)
    causes = [telling_column(data), repeated_rows(data, each), near_rows(data)]
    cleaner = any(one.name == VARIANCE and one.high < 0 for one in between)
    cleaner = cleaner and not too_few(*errors[:2])
    causes = [one for one in (*causes, contradictions(data, dev_is_cleaner=cleaner)) if one]
    found = with_cures([*causes, *troubles(run, between), *between], Does.of(run))
    return Diagnosis(tuple(errors), reference, unit, metric, tuple(by_gravity(found)))


def verdict_of(
    errors: Mapping[str, float],
    sizes: Mapping[str, int] | None = None,
    reference: float | None = None,
) -> list[Finding]:
    """What errors from elsewhere say: shares of the parts, and how many examples each had.

    >>> [(one.name, one.found) for one in verdict_of({"train": 0.08, "dev": 0.1}, reference=0.01)]
    [('avoidable bias', True), ('variance', True)]
    """
    return list(diagnosis_of(errors, sizes, reference).findings)


def diagnosis_of(
    errors: Mapping[str, float],
    sizes: Mapping[str, int] | None = None,
    reference: float | None = None,
) -> Diagnosis:
    """The same, with its table and what to do next."""
    check_reference(reference, "share")
    for name, error in errors.items():
        if name not in PARTS or not 0 <= error <= 1:
            expected = f"shares from 0 to 1 of {', '.join(PARTS)}"
            hint = "0.08, where 8 of 100 are wrong"
            raise OptionError("the errors", expected, f"{name} {error:g}", hint)
    parts = [
        typed_error(name, errors[name], (sizes or {}).get(name)) for name in PARTS if name in errors
    ]
    found = with_cures(gaps(parts, reference), UNKNOWN)
    return Diagnosis(tuple(parts), reference, "share", "accuracy", tuple(by_gravity(found)))


def with_cures(findings: Sequence[Finding], does: Does) -> list[Finding]:
    """Each with what the notes advise; some bring their own."""
    return [one if one.cures else replace(one, cures=cures(one.name, does)) for one in findings]


def by_gravity(findings: Sequence[Finding]) -> list[Finding]:
    """Leaks, what went wrong in training, then by size; what is not found last.

    Wrong labels count threefold: learned by heart they are wrong on train-dev and dev again, and
    near them, so that a gap of up to about three times their share is theirs.
    """
    return sorted(findings, key=_gravity)


def _gravity(one: Finding) -> tuple[bool, int, float]:
    size = -one.size * (LABELS if one.name == WRONG_LABELS else 1)
    if not one.found:
        return True, int(one.unit == "none"), size
    return False, 0 if one.name == LEAK else 1 if one.unit == "none" else 2, size
