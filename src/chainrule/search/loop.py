"""The search itself: ask for a candidate, train it, tell what became of it; until all are done.

Any number of workers run this side by side, on one machine or on many, and may come and go: all
they know of one another is in the storage. A candidate's number decides what is drawn for it, not
who draws it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from chainrule.search.candidates import recipe_of
from chainrule.search.objective import Objective
from chainrule.search.samplers import OWN, PRUNERS, AtRandom, optunas_sampler
from chainrule.search.space import Space
from chainrule.search.stored import suggest
from chainrule.search.tried import DONE, INTERRUPTED, PRUNED, RESULT, Outcome, tried
from chainrule.search.workers import Worker, put_back
from chainrule.search.zoom import Region, Result, region_of

WAIT = 0.1  # seconds between two looks at what the others do
OPEN = (TrialState.RUNNING, TrialState.WAITING)


class Plan(NamedTuple):
    """How candidates are chosen, and how many there are to be in all."""

    space: Space
    sampler: str
    pruner: str
    seed: int
    round_size: int
    trials: int


def work(
    study: Study,
    plan: Plan,
    objective: Objective,
    worker: Worker,
    look: Callable[[], bool] = lambda: False,
) -> bool:
    """Train candidates until there are as many as planned; whether it was ended before.

    `look()` is called between two candidates, and while waiting; it says whether to end now.
    """
    study.pruner = PRUNERS[plan.pruner]()
    while not look():
        worker.bring_back()
        trials = study.get_trials(deepcopy=False)
        number = next_number(trials, plan)
        if number is None and not any(t.state in OPEN for t in trials[: plan.trials]):
            return False
        if number is None or not is_ready(trials, plan, number):
            time.sleep(WAIT)
            continue
        trial = study.ask()
        worker.sign(trial)
        if trial.number >= plan.trials or not is_ready(trials, plan, trial.number):
            put_back(study, trial._trial_id)  # others were faster
            continue
        if try_candidate(study, plan, objective, trial).state == INTERRUPTED:
            put_back(study, trial._trial_id)
            return True
    return True


def next_number(trials: list[FrozenTrial], plan: Plan) -> int | None:
    """The candidate that is next: one that waits, or a new one; None if all are given out."""
    planned = trials[: plan.trials]
    waiting = [trial.number for trial in planned if trial.state == TrialState.WAITING]
    if waiting:
        return waiting[0]
    return len(trials) if len(trials) < plan.trials else None


def is_ready(trials: list[FrozenTrial], plan: Plan, number: int) -> bool:
    """Coarse to fine, a round begins when those before it are done."""
    if plan.sampler != "coarse_to_fine":
        return True
    first = number - number % plan.round_size
    return len(trials) >= first and not any(t.state in OPEN for t in trials[:first])


def try_candidate(study: Study, plan: Plan, objective: Objective, trial: Trial) -> Outcome:
    """Choose its values, train it, and tell."""
    study.sampler = _sampler(study, plan, trial.number)
    values = suggest(trial, plan.space)
    before = study._storage.get_trial(trial._trial_id).intermediate_values

    def report(percent: int, dev_cost: float) -> bool:
        if plan.pruner == "none":
            return False
        if percent not in before:  # by a worker that did not finish it
            with suppress(UpdateFinishedTrialError):
                trial.report(dev_cost, percent)
        return trial.should_prune()

    outcome = objective(recipe_of(objective.base, values), report)
    if outcome.state != INTERRUPTED:
        tell(study, trial, outcome)
    return outcome


def tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Into the storage; a candidate that failed is the worst there is, for samplers that learn."""
    with suppress(UpdateFinishedTrialError):
        trial.set_user_attr(RESULT, outcome.to_dict())
        if outcome.state == DONE:
            study.tell(trial, outcome.dev_cost, TrialState.COMPLETE, skip_if_finished=True)
        else:
            study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)


def _sampler(study: Study, plan: Plan, number: int):
    """Whoever chooses for this candidate."""
    if plan.sampler not in OWN:
        return optunas_sampler(plan.sampler, plan.seed, number)
    region = Region.whole(plan.space)
    if plan.sampler == "coarse_to_fine":
        results = [
            Result(t.number, t.values, t.outcome.dev_cost)
            for t in tried(study, plan.space)
            if t.outcome.state in (DONE, PRUNED)
        ]
        region = region_of(plan.space, results, number, plan.round_size)
    return AtRandom(plan.space, plan.seed, number, region)
