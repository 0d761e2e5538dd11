"""What became of a candidate, as its trial in the storage says it; and all of them as a table."""

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
"""Of a cost curve that is kept."""

DONE, PRUNED, FAILED, INTERRUPTED = "done", "ended early", "failed", "interrupted"
STATES = {TrialState.COMPLETE: DONE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}


@dataclass(frozen=True)
class Outcome:
    """What training a candidate gave.

    state      "done", "ended early" (by the pruner), "failed", or "interrupted"
    dev_cost   of the network that is kept: the lowest; the mean over the folds, where there are
    scores     per part: cost, and accuracy or r2
    curve      "epoch", "cost", "dev_cost": a list each
    why        it failed, or where it was ended
    """

    state: str
    dev_cost: float = inf
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    curve: Mapping[str, list] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the storage."""
        return {
            "state": self.state,
            "scores": self.scores,
            "curve": thinned(self.curve),
            "seconds": round(self.seconds, 3),
            "why": self.why,
        }


@dataclass(frozen=True)
class Tried:
    """A candidate: its number, the values that were drawn for it, and what became of it."""

    number: int
    values: Mapping[str, Any]
    outcome: Outcome

    @property
    def done(self) -> bool:
        """Trained to its end, so that it can be compared."""
        return self.outcome.state == DONE


def tried(study: Study, space: Space) -> list[Tried]:
    """All candidates that are finished, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False, states=tuple(STATES))
    return [_tried(trial, space) for trial in trials]


def ranked(candidates: Sequence[Tried]) -> list[Tried]:
    """The best first; behind them those that were ended early, then those that failed."""
    return sorted(candidates, key=lambda t: (not t.done, t.outcome.dev_cost, t.number))


def best_of(candidates: Sequence[Tried]) -> Tried | None:
    """The one with the lowest dev cost of those that are done."""
    done = [candidate for candidate in candidates if candidate.done]
    return ranked(done)[0] if done else None


class Told:
    """Tells of each candidate that is finished, whoever finished it, once."""

    def __init__(self, candidates: Callable[[], list[Tried]], heard: Callable | None):
        self._candidates, self._heard = candidates, heard
        self._told = {candidate.number for candidate in candidates()} if heard else set()

    def tell(self) -> None:
        """Those that are new since the last time."""
        if self._heard is None:
            return
        for candidate in self._candidates():
            if candidate.number not in self._told:
                self._told.add(candidate.number)
                self._heard(candidate)


def mean_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Of one candidate on several folds: the mean cost, scores and curve."""
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
    """At most 100 points of a curve, the first and the last among them, five digits each."""
    length = len(curve.get("epoch", ()))
    count = min(length, POINTS)
    places = [round(i * (length - 1) / max(count - 1, 1)) for i in range(count)]
    return {name: [float(f"{values[i]:.5g}") for i in places] for name, values in curve.items()}


def _tried(trial: FrozenTrial, space: Space) -> Tried:
    said = {"state": STATES[trial.state]} | trial.user_attrs.get(RESULT, {})
    known = bool(trial.values) and said["state"] != FAILED
    outcome = Outcome(**said, dev_cost=trial.values[0] if known else inf)
    return Tried(trial.number, values_of(trial.params, space), outcome)
