"""The outcomes of candidates, as they are stored in the trials of a search."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from chainrule.search.space import Space
from chainrule.search.stored import values_of

RESULT = "result"
POINTS = 100
"""The most points of a cost curve that are stored."""

DONE, PRUNED, FAILED, INTERRUPTED = "done", "ended early", "failed", "interrupted"
STATES = {TrialState.COMPLETE: DONE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}


@dataclass(frozen=True)
class Outcome:
    """The outcome of training a candidate.

    state      "done", "ended early" (by the pruner), "failed", or "interrupted"
    dev_cost   the lowest dev cost, which is that of the saved network; with folds, their mean
    scores     for each set: cost, and accuracy or r2
    curve      lists "epoch", "cost" and "dev_cost"
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
class Tried:
    """A finished candidate: its number, its values, and the outcome of its training."""

    number: int
    values: Mapping[str, Any]
    outcome: Outcome

    @property
    def done(self) -> bool:
        """Return whether the candidate was trained to the end, so that it can be compared."""
        return self.outcome.state == DONE


def finished_candidates(study: Study, space: Space) -> list[Tried]:
    """Return all finished candidates, ordered by number."""
    trials = study.get_trials(deepcopy=False, states=tuple(STATES))
    return [_from_trial(trial, space) for trial in trials]


def ranked(candidates: Sequence[Tried]) -> list[Tried]:
    """Sort candidates, the best first, then those that were ended early, then those that failed."""
    return sorted(candidates, key=lambda t: (not t.done, t.outcome.dev_cost, t.number))


def best_of(candidates: Sequence[Tried]) -> Tried | None:
    """Return the candidate with the lowest dev cost among those done, or None if none is done."""
    done = [candidate for candidate in candidates if candidate.done]
    return ranked(done)[0] if done else None


class CandidateNotifier:
    """A notifier that calls a function once for each candidate that any worker finishes."""

    def __init__(self, candidates: Callable[[], list[Tried]], heard: Callable | None):
        self._candidates, self._heard = candidates, heard
        self._notified = {candidate.number for candidate in candidates()} if heard else set()

    def notify(self) -> None:
        """Call the function for each candidate that has finished since the last call."""
        if self._heard is None:
            return
        for candidate in self._candidates():
            if candidate.number not in self._notified:
                self._notified.add(candidate.number)
                self._heard(candidate)


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
    """Reduce a curve to at most 100 points, including the first and the last, with five digits."""
    length = len(curve.get("epoch", ()))
    count = min(length, POINTS)
    places = [round(i * (length - 1) / max(count - 1, 1)) for i in range(count)]
    return {name: [float(f"{values[i]:.5g}") for i in places] for name, values in curve.items()}


def _from_trial(trial: FrozenTrial, space: Space) -> Tried:
    result = {"state": STATES[trial.state]} | trial.user_attrs.get(RESULT, {})
    has_cost = bool(trial.values) and result["state"] != FAILED
    outcome = Outcome(**result, dev_cost=trial.values[0] if has_cost else inf)
    return Tried(trial.number, values_of(trial.params, space), outcome)
