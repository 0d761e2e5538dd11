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
from chainrule.search.measure import Report
from chainrule.search.objective import Objective
from chainrule.search.samplers import OWN, PRUNERS, AtRandom, optunas_sampler
from chainrule.search.space import Space
from chainrule.search.stored import suggest
from chainrule.search.tried import DONE, INTERRUPTED, PRUNED, RESULT, Outcome, tried
from chainrule.search.workers import Worker, put_back
from chainrule.search.zoom import Region, Result, region_of
from chainrule.train.recipe import Recipe

WAIT = 0.1  # seconds between two looks at what the others do
MOST = 64  # candidates at once
ROOM = 1e13  # operations at once: about a minute on two cores
OPEN = (TrialState.RUNNING, TrialState.WAITING)


class Plan(NamedTuple):
    """How candidates are chosen and trained, and how many there are to be in all.

    round_size    candidates in a round, coarse to fine
    together      those of one kind are trained at once
    """

    space: Space
    sampler: str
    pruner: str
    seed: int
    round_size: int
    trials: int
    together: bool = False


def work(
    study: Study,
    plan: Plan,
    objective: Objective,
    worker: Worker,
    look: Callable[[], bool] = lambda: False,
) -> bool:
    """Train candidates until there are as many as planned; whether it was ended before.

    `look()` is called between two trainings, and while waiting; it says whether to end now.
    """
    study.pruner = PRUNERS[plan.pruner]()
    while not look():
        worker.bring_back()
        batch = gather(study, plan, objective, worker)
        if batch:
            untold = try_candidates(study, plan, objective, batch, look)
            for trial in untold:
                put_back(study, trial._trial_id)
            if untold:
                return True
        elif not any(t.state in OPEN for t in study.get_trials(deepcopy=False)[: plan.trials]):
            return False
        else:
            time.sleep(WAIT)
    return True


def gather(
    study: Study, plan: Plan, objective: Objective, worker: Worker
) -> list[tuple[Trial, Recipe]]:
    """The next candidate; or many, to be trained at once: our share of them, in about a minute."""
    batch: list[tuple[Trial, Recipe]] = []
    planned = study.get_trials(deepcopy=False)[: plan.trials]
    left = plan.trials - sum(trial.state not in OPEN for trial in planned)
    most, room = (min(MOST, -(-left // worker.beside())) if plan.together else 1), ROOM
    while len(batch) < most and room > 0 and (trial := take(study, plan, worker)):
        study.sampler = _sampler(study, plan, trial.number)
        recipe = recipe_of(objective.base, suggest(trial, plan.space))
        batch.append((trial, recipe))
        room -= objective.operations(recipe) if plan.together else 0
    return batch


def take(study: Study, plan: Plan, worker: Worker) -> Trial | None:
    """The next candidate, signed; None where none may begin now."""
    trials = study.get_trials(deepcopy=False)
    number = next_number(trials, plan)
    if number is None or not is_ready(trials, plan, number):
        return None
    trial = study.ask()
    worker.sign(trial)
    if trial.number < plan.trials and is_ready(trials, plan, trial.number):
        return trial
    put_back(study, trial._trial_id)  # others were faster
    return None


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


def try_candidates(
    study: Study,
    plan: Plan,
    objective: Objective,
    batch: list[tuple[Trial, Recipe]],
    look: Callable[[], bool],
) -> list[Trial]:
    """Train them and tell, kind by kind; those that were not told, where it was ended before."""
    left = dict(enumerate(trial for trial, _ in batch))
    if plan.together:
        found = objective.together([r for _, r in batch], halve=plan.pruner == "halving")
    else:
        [(trial, recipe)] = batch
        found = iter([{0: objective(recipe, reporter(study, plan, trial))}])
    for outcomes in found:
        for place, outcome in outcomes.items():
            if outcome.state != INTERRUPTED:
                tell(study, left.pop(place), outcome)
        if left and look():
            break
    return list(left.values())


def reporter(study: Study, plan: Plan, trial: Trial) -> Report:
    """Hands a candidate's cost so far to the pruner, which says whether to end it."""
    before = study._storage.get_trial(trial._trial_id).intermediate_values

    def report(percent: int, dev_cost: float) -> bool:
        if plan.pruner == "none":
            return False
        if percent not in before:  # by a worker that did not finish it
            with suppress(UpdateFinishedTrialError):
                trial.report(dev_cost, percent)
        return trial.should_prune()

    return report


def tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Into the storage; a candidate that failed is the worst there is, for samplers that learn."""
    with suppress(UpdateFinishedTrialError):
        trial.set_user_attr(RESULT, outcome.to_dict())
        if outcome.state == PRUNED and not trial.storage.get_trial(trial._trial_id).last_step:
            trial.report(outcome.dev_cost, 1)  # optuna takes a cost from there
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
