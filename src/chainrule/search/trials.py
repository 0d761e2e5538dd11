"""The trials of a search: the values of a candidate, its recipe, and its outcome.

A dimension has the name of an entry of the recipe, or one of these, which determine `hidden`:

    layers       the number of hidden layers
    units        the number of units of every hidden layer
    units1, …    the number of units of hidden layer 1, …, if the candidate has that layer

The values are converted to the form that optuna stores, and back. optuna supports numbers on a
linear or a log scale, whole numbers, and choices of strings. So a β on the scale of 1 − β is stored
as "1 - beta", and a choice is stored as text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Literal

from chainrule.errors import OptionError, RunError, did_you_mean
from chainrule.host.reading import check_entries, convert
from chainrule.runs.options import options_of
from chainrule.runs.recipe import Recipe
from chainrule.search.dimensions import (
    Choices,
    Dimension,
    Integers,
    Log,
    OneMinusLog,
    as_text,
    within,
)
from chainrule.search.space import Comparison, Condition, Space, error_context

if TYPE_CHECKING:  # optuna is imported by searches only: its import takes a tenth of a second
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

MOST_LAYERS = 1000
HIDDEN_NAMES = ("layers", "units", "units1", "units2", "units3")
NAMED_VALUES: dict[tuple[str, Any], Any] = {("hidden", "none"): (), ("batch_size", "all"): 0}
UNITS = re.compile(r"units([1-9][0-9]*)")


def searchable_names() -> list[str]:
    """Return the names that can be searched over, those of the hidden layers last."""
    declared = options_of(Recipe)
    return [name for name, one in declared.items() if one.searchable] + list(HIDDEN_NAMES)


def recipe_of(base: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a candidate: the base recipe with the candidate's values.

    >>> base = Recipe("digits", hidden=(64, 32))
    >>> recipe_of(base, {"learning_rate": 0.01, "layers": 3, "units": 16, "units2": 8}).hidden
    (16, 8, 16)
    """
    entries = {
        n: _recipe_value(n, value) for n, value in values.items() if not describes_hidden_layers(n)
    }
    if len(entries) < len(values):
        entries["hidden"] = _hidden(base.hidden_sizes, values)
    if base.network is None and "network" not in entries:
        entries = {"hidden": base.hidden_sizes} | entries
    return replace(base, **entries)


def describes_hidden_layers(name: str) -> bool:
    """Return whether a name describes the hidden layers: layers, units, units1, …"""
    return name in ("layers", "units") or _layer_number(name) > 0


def complete_space(space: Space, base: Recipe) -> Space:
    """Add the implied conditions to a space, and check that its candidates are valid recipes.

    For example, the units of layer 3 only exist if there is a layer 3. Recipes are built from the
    bounds of each dimension; OptionError is raised if one of them is not valid.
    """
    _check_names(space)
    conditions: dict[str, Any] = dict(space.conditions)
    if layers := space.dimensions.get("layers"):
        for value in layers.ends():
            with error_context(f"layers={layers}"):
                _check_value(base, "layers", value)
        for name in space.dimensions:
            number = 1 if name == "units" else _layer_number(name)
            if name not in conditions and number > min(layers.ends()):
                conditions[name] = Condition((Comparison("layers", ">=", number),))
    space = Space(space.dimensions, conditions)
    _check_hidden(space, base)
    for name, dimension in space.dimensions.items():
        for value in (*dimension.ends(), dimension.at(0.3)):
            with error_context(f"{name}={dimension}"):
                _check_value(base, name, value)
    return space


def check_not_fixed(space: Space, options: Mapping[str, Any]) -> None:
    """Raise OptionError for an option that is set and also searched over."""
    for name in options:
        hidden = [n for n in space.dimensions if name == "hidden" and describes_hidden_layers(n)]
        if name in space.dimensions or hidden:
            option, searched = options_of(Recipe)[name].flag, (hidden or [name])[0]
            hint = f"leaving out {option}, or the dimension {searched}"
            expected = f"either the option or {searched} in the space"
            raise OptionError(option, expected, "both", hint)


def _recipe_value(name: str, value: Any) -> Any:
    """Return a value in the form that the recipe stores."""
    if name == "hidden" and isinstance(value, int):
        return (value,)
    return NAMED_VALUES.get((name, value), value)


def _hidden(base: tuple[int, ...], values: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the units of each hidden layer: from `units1`, …, else `units`, else the base."""
    layers = values.get("layers", len(base))
    default = [values["units"]] * layers if "units" in values else list(base[:layers])
    default += [0] * (layers - len(default))
    return tuple(values.get(f"units{l}", default[l - 1]) for l in range(1, layers + 1))


def _layer_number(name: str) -> int:
    """Return the layer number in a name, such as 3 for "units3", or 0 if there is none."""
    number = UNITS.fullmatch(name)
    return int(number[1]) if number else 0


def _check_names(space: Space) -> None:
    known = searchable_names()
    for name in space.dimensions:
        if name in options_of(Recipe) and name not in known:
            hint = "learning_rate, which matters most" if name == "seed" else f"--{name} instead"
            got = "an option that is the same for all candidates"
            raise OptionError(f"the space, {name}", "a hyperparameter", got, hint)
        if name not in known and not describes_hidden_layers(name):
            got = "an unknown name"
            raise OptionError(
                f"the space, {name}", "a hyperparameter", got, did_you_mean(name, known)
            )


def _check_value(base: Recipe, name: str, value: Any) -> None:
    """Raise OptionError for a value of the wrong type or out of the range of its option."""
    if describes_hidden_layers(name):
        least = 0 if name == "layers" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            expected = f"whole numbers of at least {least}"
            raise OptionError(name, expected, as_text(value), f"{name}=integers({least + 1}, 3)")
        return
    hint = "integers for whole numbers, or choices for names"
    options_of(Recipe)[name].convert(_recipe_value(name, value), name, hint)
    recipe_of(base, {name: value})


def _check_hidden(space: Space, base: Recipe) -> None:
    """Raise OptionError if a possible layer has no units, or units belong to no possible layer."""
    found = [name for name in space.dimensions if describes_hidden_layers(name)]
    if found and "hidden" in space.dimensions:
        hint = "leaving one of them out"
        raise OptionError("the space, hidden", f"either hidden or {found[0]}", "both", hint)
    if found and base.schedule == "images":
        expected = f"a hyperparameter of {base.network}, whose layers are fixed"
        hint = "width=choices(0.5, 1, 2), or leaving out --network"
        raise OptionError(f"the space, {found[0]}", expected, "units of hidden layers", hint)
    layers = space.dimensions.get("layers")
    most = max(layers.ends()) if layers else len(base.hidden_sizes)
    if most > MOST_LAYERS:
        expected, hint = f"at most {MOST_LAYERS:,} layers", "layers=integers(1, 3)"
        raise OptionError("the space, layers", expected, f"{most:,}", hint)
    for l in range(len(base.hidden_sizes) + 1, most + 1):
        if "units" not in space.dimensions and f"units{l}" not in space.dimensions:
            hint = f"units{l}={Integers(8, 128, log=True)}, or units for all layers"
            raise OptionError("the space, layers", f"units for layer {l}", "none", hint)
    for name in found:
        if _layer_number(name) > most:
            hint = f"layers=integers(1, {_layer_number(name)})"
            expected = f"units of one of at most {most} hidden layers"
            raise OptionError(f"the space, {name}", expected, name, hint)


def suggest(trial: "Trial", space: Space) -> dict[str, Any]:
    """Return the values of a trial, chosen by the study's sampler unless already stored."""

    def pick(name: str, dimension: Dimension) -> Any:
        return from_optuna(
            dimension, trial._suggest(label(name, dimension), distribution(dimension))
        )

    return space.draw(pick)


def values_of(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the values that are stored for a candidate, in the order of the space."""
    labels = {name: label(name, dimension) for name, dimension in space.dimensions.items()}
    found = {name: params[label] for name, label in labels.items() if label in params}
    return {name: from_optuna(space.dimensions[name], value) for name, value in found.items()}


def label(name: str, dimension: Dimension) -> str:
    """Return the name under which optuna stores the values of a dimension."""
    return f"1 - {name}" if isinstance(dimension, OneMinusLog) else name


def distribution(dimension: Dimension) -> "BaseDistribution":
    """Return the optuna distribution of a dimension."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(dimension, Choices):
        return CategoricalDistribution([as_text(value) for value in dimension.values])
    low, high = dimension.ends()
    if isinstance(dimension, Integers):
        return IntDistribution(low, high, log=dimension.log)
    if isinstance(dimension, OneMinusLog):
        return FloatDistribution(1 - high, 1 - low, log=True)
    return FloatDistribution(low, high, log=isinstance(dimension, Log))


def to_optuna(dimension: Dimension, value: Any) -> Any:
    """Convert a value of a dimension to the form that optuna stores."""
    if isinstance(dimension, Choices):
        return as_text(value)
    if isinstance(dimension, OneMinusLog):
        return min(max(1 - value, 1 - dimension.high), 1 - dimension.low)
    return value


def from_optuna(dimension: Dimension, value: Any) -> Any:
    """Convert a value stored by optuna back; the inverse of `to_optuna`."""
    if isinstance(dimension, Choices):
        return next(choice for choice in dimension.values if as_text(choice) == value)
    return within(dimension, 1 - value) if isinstance(dimension, OneMinusLog) else value


RESULT = "result"
COPY = "an undamaged copy of the search"
POINTS = 100
"""The maximum number of points of a cost curve that are stored."""

DONE, PRUNED, FAILED, INTERRUPTED = "done", "ended early", "failed", "interrupted"
STATES = {"COMPLETE": DONE, "PRUNED": PRUNED, "FAIL": FAILED}
"""The names of optuna's states, and ours."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of training a candidate.

    state      "done", "ended early" (by the pruner), "failed", or "interrupted"
    dev_cost   the lowest dev cost, which is that of the saved network; with folds, their mean
    scores     for each set: cost, and accuracy or r2
    curve      the lists "epoch", "cost" and "dev_cost", with one value for each epoch
    why        the reason for the failure, or when the candidate was ended
    """

    state: str
    dev_cost: float = inf
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    curve: Mapping[str, list] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data for the storage."""
        return {
            "state": self.state,
            "scores": self.scores,
            "curve": thinned(self.curve),
            "seconds": round(self.seconds, 3),
            "why": self.why,
        }


@dataclass(frozen=True)
class CandidateResult:
    """A finished candidate: its number, its values, and the outcome of its training."""

    number: int
    values: Mapping[str, Any]
    outcome: Outcome

    @property
    def done(self) -> bool:
        """Return whether the candidate was trained to the end, so that it can be compared."""
        return self.outcome.state == DONE


def finished_candidates(study: "Study", space: Space) -> list[CandidateResult]:
    """Return all finished candidates, ordered by number."""
    from optuna.trial import TrialState

    states = tuple(TrialState[name] for name in STATES)
    trials = study.get_trials(deepcopy=False, states=states)
    return [_from_trial(trial, space) for trial in trials]


def ranked(candidates: Sequence[CandidateResult]) -> list[CandidateResult]:
    """Sort candidates, the best first, then those that were ended early, then those that failed."""
    return sorted(candidates, key=lambda t: (not t.done, t.outcome.dev_cost, t.number))


def best_of(candidates: Sequence[CandidateResult]) -> CandidateResult | None:
    """Return the candidate with the lowest dev cost among those done, or None if none is done."""
    done = [candidate for candidate in candidates if candidate.done]
    return ranked(done)[0] if done else None


class CandidateNotifier:
    """A notifier that calls a function once for each candidate that any worker finishes."""

    def __init__(self, candidates: Callable[[], list[CandidateResult]], on_result: Callable | None):
        self._candidates, self._on_result = candidates, on_result
        self._notified = {candidate.number for candidate in candidates()} if on_result else set()

    def notify(self) -> None:
        """Call the function for each candidate that has finished since the last call."""
        if self._on_result is None:
            return
        for candidate in self._candidates():
            if candidate.number not in self._notified:
                self._notified.add(candidate.number)
                self._on_result(candidate)


def mean_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the mean cost, scores and curve of a candidate over several folds."""
    n = len(outcomes)
    scores = {
        part: {name: sum(o.scores[part][name] for o in outcomes) / n for name in values}
        for part, values in outcomes[0].scores.items()
    }
    curve = {
        name: [sum(at) / n for at in zip(*(o.curve[name] for o in outcomes), strict=False)]
        for name in outcomes[0].curve
    }
    return Outcome(DONE, sum(o.dev_cost for o in outcomes) / n, scores, curve)


def thinned(curve: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Reduce a curve to at most 100 points, including both ends, rounded to five digits."""
    length = len(curve.get("epoch", ()))
    count = min(length, POINTS)
    places = [round(i * (length - 1) / max(count - 1, 1)) for i in range(count)]
    return {name: [float(f"{values[i]:.5g}") for i in places] for name, values in curve.items()}


def _from_trial(trial: "FrozenTrial", space: Space) -> CandidateResult:
    result = {"state": STATES[trial.state.name]} | trial.user_attrs.get(RESULT, {})
    has_cost = bool(trial.values) and result["state"] != FAILED
    outcome = Outcome(**result, dev_cost=trial.values[0] if has_cost else inf)
    return CandidateResult(trial.number, values_of(trial.params, space), outcome)


@dataclass(frozen=True)
class _Stored:
    """The result of a candidate as `Outcome.to_dict` returns it."""

    state: Literal["done", "ended early", "failed", "interrupted"] = "failed"
    scores: dict[str, dict[str, float | None]] = field(default_factory=dict)
    curve: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""


def check_stored(study: "Study", space: Space, where: str) -> None:
    """Refuse trials that no candidate of the space can have; raise RunError.

    The storage may be a damaged file, or a database that other programs write to.
    """
    for trial in study.get_trials(deepcopy=False):
        place, stored = f"{where}, candidate {trial.number + 1}", trial.user_attrs.get(RESULT, {})
        convert(stored, _Stored, place, error=RunError, hint=COPY)
        check_entries(stored, _Stored, place, error=RunError, hint=COPY)
        _check_values(trial, space, place)


def _check_values(trial: "FrozenTrial", space: Space, place: str) -> None:
    """Check the values and the cost of a trial, whichever program has stored them."""
    for name, dimension in space.dimensions.items():
        value = trial.params.get(label(name, dimension))
        if value is not None and not _can_have(dimension, value):
            raise RunError(f"{place}, {name}", f"a value of {dimension}", repr(value), COPY)
    cost = (trial.values or [0.0])[0]
    if not isfinite(cost):
        raise RunError(place, "a dev cost that is finite", repr(cost), COPY)


def _can_have(dimension: Dimension, value: Any) -> bool:
    """Return whether a value in the form that optuna stores is one of the dimension, or nearly."""
    stored: Any = distribution(dimension)
    if isinstance(dimension, Choices):
        return value in stored.choices
    low, high = (getattr(stored, bound) for bound in ("low", "high"))
    rounding = 1e-9 * max(abs(low), abs(high))
    kinds = int if isinstance(dimension, Integers) else int | float
    return isinstance(value, kinds) and low - rounding <= value <= high + rounding
