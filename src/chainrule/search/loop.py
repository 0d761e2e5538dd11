"""The search loop: ask for a candidate, train it, store its outcome, until all are finished.

Any number of workers run this loop in parallel, on one machine or on several, and may start and
stop at any time; they share state only through the storage. The values of a candidate depend on
its number, not on the worker that draws them.
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
from chainrule.search.samplers import OWN, PRUNERS, RandomSampler, optunas_sampler
from chainrule.search.space import Space
from chainrule.search.stored import suggest
from chainrule.search.tried import DONE, INTERRUPTED, PRUNED, RESULT, Outcome, finished_candidates
from chainrule.search.workers import Worker, put_back
from chainrule.search.zoom import Region, Result, region_of
from chainrule.train.recipe import Recipe

WAIT = 0.1  # seconds between two polls of the storage
MOST = 64  # candidates in a batch
MOST_OPERATIONS = 1e13  # operations in a batch: about a minute on two cores
OPEN = (TrialState.RUNNING, TrialState.WAITING)


class Plan(NamedTuple):
    """How candidates are chosen and trained, and how many there are in total.

    round_size    the number of candidates in a round of a coarse to fine search
    together      whether compatible candidates are trained at once in one program
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
    """Train candidates until all planned ones are finished; return whether it stopped earlier.

    `look()` is called between two trainings and while waiting; it returns whether to stop.
    """
    study.pruner = PRUNERS[plan.pruner]()
    while not look():
        worker.bring_back()
        batch = gather(study, plan, objective, worker)
        if batch:
            unfinished = try_candidates(study, plan, objective, batch, look)
            for trial in unfinished:
                put_back(study, trial._trial_id)
            if unfinished:
                return True
        elif not any(t.state in OPEN for t in study.get_trials(deepcopy=False)[: plan.trials]):
            return False
        else:
            time.sleep(WAIT)
    return True


def gather(
    study: Study, plan: Plan, objective: Objective, worker: Worker
) -> list[tuple[Trial, Recipe]]:
    """Return the next candidate, or a batch to train at once.

    A batch is at most this worker's share of the remaining candidates, and takes about a minute.
    """
    batch: list[tuple[Trial, Recipe]] = []
    planned = study.get_trials(deepcopy=False)[: plan.trials]
    left = plan.trials - sum(trial.state not in OPEN for trial in planned)
    most = min(MOST, -(-left // worker.beside())) if plan.together else 1
    operations = MOST_OPERATIONS
    while len(batch) < most and operations > 0 and (trial := take(study, plan, worker)):
        study.sampler = _sampler(study, plan, trial.number)
        recipe = recipe_of(objective.base, suggest(trial, plan.space))
        batch.append((trial, recipe))
        operations -= objective.operations(recipe) if plan.together else 0
    return batch


def take(study: Study, plan: Plan, worker: Worker) -> Trial | None:
    """Claim and return the next trial, or None if no candidate can begin now."""
    trials = study.get_trials(deepcopy=False)
    number = next_number(trials, plan)
    if number is None or not is_ready(trials, plan, number):
        return None
    trial = study.ask()
    worker.sign(trial)
    if trial.number < plan.trials and is_ready(trials, plan, trial.number):
        return trial
    put_back(study, trial._trial_id)  # another worker was faster
    return None


def next_number(trials: list[FrozenTrial], plan: Plan) -> int | None:
    """Return the number of the next candidate, a waiting one first; None if all are assigned."""
    planned = trials[: plan.trials]
    waiting = [trial.number for trial in planned if trial.state == TrialState.WAITING]
    if waiting:
        return waiting[0]
    return len(trials) if len(trials) < plan.trials else None


def is_ready(trials: list[FrozenTrial], plan: Plan, number: int) -> bool:
    """Return whether a candidate can begin: in rounds, once all earlier rounds are finished."""
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
    """Train a batch and store the outcomes; return the trials left unfinished if it is stopped."""
    unfinished = dict(enumerate(trial for trial, _ in batch))
    if plan.together:
        results = objective.together([r for _, r in batch], halve=plan.pruner == "halving")
    else:
        [(trial, recipe)] = batch
        results = iter([{0: objective(recipe, reporter(study, plan, trial))}])
    for outcomes in results:
        for i, outcome in outcomes.items():
            if outcome.state != INTERRUPTED:
                tell(study, unfinished.pop(i), outcome)
        if unfinished and look():
            break
    return list(unfinished.values())


def reporter(study: Study, plan: Plan, trial: Trial) -> Report:
    """Return a function that reports a candidate's cost and asks the pruner whether to end it."""
    before = study._storage.get_trial(trial._trial_id).intermediate_values

    def report(percent: int, dev_cost: float) -> bool:
        if plan.pruner == "none":
            return False
        if percent not in before:  # not reported before by a worker that was stopped
            with suppress(UpdateFinishedTrialError):
                trial.report(dev_cost, percent)
        return trial.should_prune()

    return report


def tell(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Store the outcome of a trial; a failure is stored as pruned, so that samplers avoid it."""
    with suppress(UpdateFinishedTrialError):
        trial.set_user_attr(RESULT, outcome.to_dict())
        if outcome.state == PRUNED and not trial.storage.get_trial(trial._trial_id).last_step:
            trial.report(
                outcome.dev_cost, 1
            )  # optuna reads the cost of a pruned trial from its reports
        if outcome.state == DONE:
            study.tell(trial, outcome.dev_cost, TrialState.COMPLETE, skip_if_finished=True)
        else:
            study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)


def _sampler(study: Study, plan: Plan, number: int):
    """Return the sampler that chooses the values of a candidate."""
    if plan.sampler not in OWN:
        return optunas_sampler(plan.sampler, plan.seed, number)
    region = Region.whole(plan.space)
    if plan.sampler == "coarse_to_fine":
        results = [
            Result(t.number, t.values, t.outcome.dev_cost)
            for t in finished_candidates(study, plan.space)
            if t.outcome.state in (DONE, PRUNED)
        ]
        region = region_of(plan.space, results, number, plan.round_size)
    return RandomSampler(plan.space, plan.seed, number, region)
