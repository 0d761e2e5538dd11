"""Diagnose a run: what is wrong, how certain that is, and what to do next.

Notes: "Error analysis" and "Bias and variance with mismatched data distributions" (course 3,
week 2), "Improving your model performance" (course 3, week 1).

    leak             comes first, because the errors mean nothing then
    training         dead units, a bad learning rate, …, where the training error is too high
    wrong labels     unless a gap is far larger
    gaps             bias, variance, mismatch, overfitting to the dev set: the largest first

Problems that were not found come last, with their estimated sizes. `findings_of` diagnoses errors
that are given as numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.runs.prepare import Data
from chainrule.runs.run import Run
from chainrule.strategy.data_checks import (
    constant_inputs,
    contradictions,
    leaking_column,
    many_categories,
    near_rows,
    repeated_rows,
)
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
    check_reference,
    gaps,
    given_error,
    misses,
    outputs_of,
    part_errors,
    too_few,
    unit_of,
)
from chainrule.strategy.goal import goal_for
from chainrule.strategy.remedies import (
    UNKNOWN,
    RunSettings,
    compatible_steps,
    remedies,
    training_problems,
    with_consistent_remedies,
)

PARTS = ("train", "train-dev", "dev", "test")
LABEL_WEIGHT = 3
STEPS = 3
"""The number of next steps that are suggested."""
GIVE_REFERENCE = "estimate the human-level or Bayes error, and pass it with --reference"
TOO_FEW = ": these are too few to tell where the error comes from"
MORE_EXAMPLES = f"more dev and test examples{TOO_FEW}"
NOTHING = "nothing: no gap between the errors is larger than chance explains"


@dataclass(frozen=True)
class Diagnosis:
    """The errors of a run's sets, the problems found in them, and what to do next.

    errors     the error of each set, with its 95 % confidence interval
    reference  the human-level or Bayes error; None if it was not given, 0 is then assumed
    unit       the unit of the errors: "share", "rmse" (in the target's units) or "number"
    metric     the metric behind the errors: "accuracy", "rmse", or the metric of the goal
    findings   the problems that were found, the most severe first, then those not found
    """

    errors: tuple[PartError, ...]
    reference: float | None
    unit: Unit
    metric: str
    findings: tuple[Finding, ...]

    @property
    def found(self) -> tuple[Finding, ...]:
        """Return the problems that were found."""
        return tuple(one for one in self.findings if one.found)

    @property
    def next_steps(self) -> tuple[str, ...]:
        """Return one to three suggestions of what to do next."""
        if not self.found:
            unsure = any(one.low <= 0 < one.size for one in self.findings if one.name in GAPS)
            few = f"more {', '.join(too_few(*self.errors))} examples{TOO_FEW}"
            return (few if too_few(*self.errors) else MORE_EXAMPLES if unsure else NOTHING,)
        first, *others = self.found
        steps = compatible_steps((), first.cures, STEPS - bool(others))
        steps = compatible_steps(steps, others[0].cures if others else (), 1)
        if self.reference is None and first.name == BIAS:
            return (GIVE_REFERENCE, *steps[: STEPS - 1])
        return steps

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "next": list(self.next_steps)}

    def text(self) -> str:
        """Return the diagnosis as text for a terminal."""
        return "\n".join([*self._table(), "", *self._findings(), "", *self._next()])

    def _table(self) -> list[str]:
        rows = [["set", "examples", self._error_name, "95 % interval"]]
        note = "assumed, since none was given" if self.reference is None else ""
        rows.append(["reference", "", amount(self.reference or 0.0, self.unit), note])
        for part in self.errors:
            ends = [amount(end, self.unit) for end in (part.low, part.high)]
            interval = "" if part.m is None else f"{ends[0]} to {ends[1]}"
            m = "" if part.m is None else f"{part.m:,}"
            rows.append([part.name, m, amount(part.error, self.unit), interval])
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
    """Diagnose a run from the errors of its sets and a reference error.

    `data` is the data of the run, `chainrule.runs.run.load_run_data(run)`; `reference` defaults to
    that of the recipe.
    """
    reference = run.recipe.reference if reference is None else reference
    goal = goal_for(run.recipe.goal, run.preprocessor)
    unit, metric = unit_of(run.preprocessor, goal), "rmse" if goal.metric == "r2" else goal.metric
    check_reference(reference, unit)
    Z = outputs_of(run, data)
    errors = part_errors(run, data, Z)
    each = {name: misses(Z[name], part, run.preprocessor) for name, part in data.parts.items()}
    between = gaps(errors, reference, unit)
    causes = [repeated_rows(data, each)]
    if not run.preprocessor.takes_sequences:
        causes += _causes_in_columns(data, between, errors)
    causes = [one for one in causes if one]
    problems = training_problems(run, between)
    found = with_remedies([*causes, *problems, *between], RunSettings.of(run))
    return Diagnosis(tuple(errors), reference, unit, metric, in_order(found))


def _causes_in_columns(
    data: Data, between: Sequence[Finding], errors: Sequence[PartError]
) -> list[Finding | None]:
    """Return the causes that are looked for in the columns of a table, or in the pixels."""
    causes = [leaking_column(data), near_rows(data), constant_inputs(data)]
    if any(one.name == VARIANCE and one.found for one in between):
        causes.append(many_categories(data))
    cleaner = any(one.name == VARIANCE and one.high < 0 for one in between)
    cleaner = cleaner and not too_few(*errors[:2])
    return [*causes, contradictions(data, dev_is_cleaner=cleaner)]


def findings_of(
    errors: Mapping[str, float],
    sizes: Mapping[str, int] | None = None,
    reference: float | None = None,
) -> list[Finding]:
    """Return the findings for errors given as shares, with the number of examples of each set.

    >>> [(one.name, one.found) for one in findings_of({"train": 0.08, "dev": 0.1}, reference=0.01)]
    [('avoidable bias', True), ('variance', True)]
    """
    return list(diagnosis_of(errors, sizes, reference).findings)


def diagnosis_of(
    errors: Mapping[str, float],
    sizes: Mapping[str, int] | None = None,
    reference: float | None = None,
) -> Diagnosis:
    """Diagnose errors that are given as shares, with the number of examples of each set."""
    check_reference(reference, "share")
    for name, error in errors.items():
        if name not in PARTS or not 0 <= error <= 1:
            expected = f"errors from 0 to 1 for the sets {', '.join(PARTS)}"
            hint = "0.08 if 8 of 100 examples are predicted wrongly"
            raise OptionError("the errors", expected, f"{name} {error:g}", hint)
    parts = [
        given_error(name, errors[name], (sizes or {}).get(name)) for name in PARTS if name in errors
    ]
    found = with_remedies(gaps(parts, reference), UNKNOWN)
    return Diagnosis(tuple(parts), reference, "share", "accuracy", in_order(found))


def with_remedies(findings: Sequence[Finding], settings: RunSettings) -> list[Finding]:
    """Add the remedies of the course notes to the findings that have none of their own."""
    return [
        one if one.cures else replace(one, cures=remedies(one.name, settings)) for one in findings
    ]


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Sort findings by severity, and let the remedies of the first ones decide the direction."""
    return tuple(with_consistent_remedies(by_severity(findings)))


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings: leaks first, then training problems, then others by size, and those not found.

    Wrong labels count three times their size: a network that memorises them is wrong on similar
    examples of train-dev and dev too, so they explain a gap of up to about three times their share.
    """
    return sorted(findings, key=_severity)


def _severity(one: Finding) -> tuple[bool, int, float]:
    size = -one.size * (LABEL_WEIGHT if one.name == WRONG_LABELS else 1)
    if not one.found:
        return True, int(one.unit == "none"), size
    return False, 0 if one.name == LEAK else 1 if one.unit == "none" else 2, size
