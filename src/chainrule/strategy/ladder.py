"""The ladder: try networks of growing size, and choose the simplest that is as good as any.

Notes: "Build your first system quickly, then iterate" (course 3, week 2); Occam's razor.

    rung 0    logistic, softmax or linear regression
    rung 1    one hidden layer, narrow or wide
    rung l    one more layer on top of the best network of the rung below

For images, the rungs after the first are a LeNet and a ResNet. Each rung is a short search over
width and regularisation (`strategy/ladder_candidates.py`). The ladder goes on while the goal's
metric on the dev set improves by more than the standard error of the difference between the two
networks on the same examples. Since accuracy changes in whole examples, an improvement within its
standard error also counts if the log loss falls by two standard errors. The ladder chooses the rung
below the first one that does not improve, and stops early when the dev set has no error left. The
test set is not used.

Before a rung is trained, its duration is estimated from the operations that it takes at most. The
first rung is always trained, and a further one only if the estimate is within what is left of the
budget (`--budget`); for images, a rung gets fewer epochs where that suffices. After a rung, the
operations that it took are subtracted. Only operations are counted and no time is measured, so the
same networks are tried on every machine.

The chosen network is trained once more, on all rows and for the usual number of epochs. If the
result is worse on the dev set than the network that won (`keep_better`), that network is kept.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from typing import Any, NamedTuple

from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.layers.layer import Layer, count_parameters
from chainrule.runs.prepare import Data
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run, calibrated, reevaluate
from chainrule.strategy.goal import OF_NETWORKS, Goal, Scores, goal_for
from chainrule.strategy.ladder_candidates import (
    OnProgress,
    PlannedRung,
    Result,
    name_of,
    on_all_rows,
    operations_used,
    plan_image_rung,
    plan_rung,
    sample_images,
    train_rung,
    uses_image_rungs,
    with_schedule_of,
)
from chainrule.strategy.threshold import gain_at_best_thresholds, measure, with_best_threshold
from chainrule.strategy.uncertainty import gain
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs

HIGHEST = 4
"""The largest number of hidden layers."""
SURE = 2.0
"""How many standard errors the log loss must fall if accuracy rises within its standard error."""


@dataclass(frozen=True)
class Rung:
    """A rung of the ladder: the best of its candidates.

    name                  the hidden layers as text, or the name of the convolutional network
    hidden … keep_prob    its settings
    tried                 the number of candidates of this rung
    dev_cost              the cost on the dev set
    metric, train, dev    the goal's metric, and its value on the training set and the dev set
    conditions            the goal's conditions, and whether they are met on the dev set
    gain, standard_error  the gain on dev over the best rung below, on the same examples
    verdict               "better", "no significant gain", "worse", …; one ends with "chosen"
    estimate              the estimated duration in minutes
    """

    name: str
    hidden: tuple[int, ...]
    parameters: int
    l2: float
    keep_prob: float | tuple[float, ...]
    learning_rate: float | None
    tried: int
    dev_cost: float
    metric: str
    train: float
    dev: float
    conditions: tuple[str, ...]
    gain: float | None
    standard_error: float | None
    seconds: float
    verdict: str
    network: str | None = None
    augment: str | None = None
    estimate: float | None = None


OPERATIONS_PER_MINUTE = 3.3e12
"""The speed measured with LeNet and ResNet-20 on two cores, without the native kernels."""


@dataclass(frozen=True)
class Estimate:
    """The estimated maximum duration of a rung in minutes, computed before it is trained.

    left        the minutes of the budget that are left before this rung
    shortened   a note for each candidate that is trained for fewer epochs than usual
    trained     whether the rung is trained; otherwise it is left out
    """

    name: str
    minutes: float
    left: float
    shortened: tuple[str, ...]
    trained: bool

    @property
    def text(self) -> str:
        """The estimate as a line of text, with a note on everything that is left out."""
        about = f"{self.minutes:.1f} minutes"
        if not self.trained:
            left = f"{self.left:.1f} minutes of the budget are left (--budget)"
            return f"left out, since it takes about {about}, but only {left}"
        return "; ".join([f"at most about {about}", *self.shortened])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Ladder:
    """All rungs that were trained, and the recipe of the chosen rung.

    best       the network that won
    left_out   the rungs that were shortened or left out because of the budget
    """

    rungs: tuple[Rung, ...]
    recipe: Recipe
    best: Result | None = field(default=None, compare=False, repr=False)
    left_out: tuple[Estimate, ...] = ()

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the rungs as plain data for JSON; the recipe is stored with the run."""
        return [asdict(rung) for rung in self.rungs]

    def text(self) -> str:
        """Return a table with a line for each rung."""
        return "\n".join(aligned([HEADS, *map(cells, self.rungs)], right=range(1, 8)))


class Step(NamedTuple):
    """The comparison of a rung with the best rung below it.

    gain, standard_error    the gain in the goal's metric, and its standard error
    missed                  by how much more the rung misses the goal's conditions
    lower_loss              whether accuracy rose and the log loss is significantly lower
    """

    gain: float
    standard_error: float
    missed: float = 0.0
    lower_loss: bool = False

    @property
    def up(self) -> bool:
        """Return whether the rung is better: by the goal's conditions first, then by its metric."""
        return self.missed < 0 or (not self.missed and (self.rises or self.lower_loss))

    @property
    def rises(self) -> bool:
        """Return whether the gain in the goal's metric is more than its standard error."""
        return self.gain > self.standard_error


def run_ladder(
    recipe: Recipe,
    data: Data,
    on_rung: Callable[[Rung], None] | None = None,
    on_progress: OnProgress | None = None,
    on_estimate: Callable[[Estimate], None] | None = None,
) -> Ladder:
    """Train rung after rung until the gain on the dev set is no longer significant.

    `on_estimate(estimate)` is called before each rung and `on_rung(rung)` after it,
    `on_progress(name, share)` about four times a second during training. Raises OptionError where
    there is no dev set.
    """
    if "dev" not in data.parts:
        hint = "leaving out --dev none, or --hidden 64,32"
        raise OptionError("choosing the network", "a dev set to compare networks on", "none", hint)
    goal = goal_for(recipe.goal, data.preprocessor)
    rungs: list[Rung] = []
    left_out: list[Estimate] = []
    best: Result | None = None
    chosen = 0
    images = uses_image_rungs(recipe, data)
    data = sample_images(data, recipe.seed) if images else data
    plan = plan_image_rung if images else plan_hidden_rung
    left = recipe.budget * OPERATIONS_PER_MINUTE
    while (planned := plan(recipe, data, best and best.prepared.recipe, left)) is not None:
        estimate = estimate_of(planned, left, first=best is None)
        (on_estimate or ignore)(estimate)
        if estimate.shortened or not estimate.trained:
            left_out.append(estimate)
        if not estimate.trained:
            break
        began = time.perf_counter()
        found = train_rung(planned, on_progress)
        one = on_all_rows(pick(found, recipe, goal, data), data, on_progress)
        left -= operations_used(planned, found, one)
        step = step_up(goal, data, one, best)
        seconds = time.perf_counter() - began
        rung = describe_rung(goal, data, one, len(found), step, seconds)
        rungs.append(replace(rung, estimate=estimate.minutes))
        (on_rung or ignore)(rungs[-1])
        if step is not None and not step.up:
            break
        best, chosen = one, len(rungs) - 1
        if nothing_left(goal, rungs[-1].dev):
            break
    assert best is not None
    rungs[chosen] = replace(rungs[chosen], verdict=f"{rungs[chosen].verdict}, chosen")
    found_recipe = with_schedule_of(plain(best.prepared.recipe), recipe)
    return Ladder(tuple(rungs), found_recipe, best, tuple(left_out))


def ignore(_: object) -> None:
    """Do nothing with a rung or an estimate: the default callback."""


def estimate_of(planned: PlannedRung, left: float, *, first: bool) -> Estimate:
    """Estimate a rung, and decide whether it is trained with the operations that are left."""
    fits = bool(planned.groups) and planned.operations <= left
    minutes, of_budget = (x / OPERATIONS_PER_MINUTE for x in (planned.operations, max(0.0, left)))
    return Estimate(
        planned.name, round(minutes, 3), round(of_budget, 3), planned.shortened, first or fits
    )


def nothing_left(goal: Goal, dev: float) -> bool:
    """Return whether no higher rung can be better.

    This is so if the metric is perfect and the goal has no conditions.

    >>> nothing_left(Goal("accuracy"), 1.0), nothing_left(Goal("log_loss"), 1.0)
    (True, False)
    """
    return not goal.conditions and dev == (0.0 if goal.sign < 0 else 1.0)


def plan_hidden_rung(
    recipe: Recipe, data: Data, below: Recipe | None, most: float = inf
) -> PlannedRung | None:
    """Plan candidates with one more hidden layer than `below`; return None at the highest rung."""
    if below is not None and len(below.hidden_sizes) >= HIGHEST:
        return None
    return plan_rung(recipe, data, None if below is None else below.hidden_sizes, most)


def pick(found: Sequence[Result], recipe: Recipe, goal: Goal, data: Data) -> Result:
    """Return the best candidate of a rung, by the goal if the user set one, else by the dev cost.

    The cost is the finer measure: on a small dev set many candidates have the same accuracy.
    """
    finite = [one for one in found if isfinite(one.dev_cost)] or found
    best = min(finite, key=lambda one: one.dev_cost)
    if recipe.goal is not None:
        best = finite[goal.choose([dev_scores(goal, data, one) for one in finite]) or 0]
    return best


def step_up(goal: Goal, data: Data, one: Result, best: Result | None) -> Step | None:
    """Compare a network with the best one below, on the same examples of the dev set."""
    if best is None:
        return None
    dev = data.parts["dev"]
    new, old = (network_outputs(result.network, dev.X) for result in (one, best))
    risen = gain_at_best_thresholds(goal, data.preprocessor, new, old, dev)
    if goal == Goal("accuracy"):
        cost = gain(Goal("log_loss"), data.preprocessor, new, old, dev.Y, dev.weights)
        lower_loss = risen.gain > 0 and cost.gain > SURE * cost.standard_error
        return Step(*risen, lower_loss=lower_loss)
    if not goal.conditions:
        return Step(*risen)
    scores = [dev_scores(goal, data, result) for result in (one, best)]
    return Step(*risen, goal.shortfall(scores[0]) - goal.shortfall(scores[1]))


def dev_scores(goal: Goal, data: Data, one: Result) -> dict[str, float]:
    """Measure the goal's metrics on the dev set, at the network's best threshold."""
    return scores_at_best_threshold(goal, data, one.network)


def scores_at_best_threshold(goal: Goal, data: Data, network: Layer) -> dict[str, float]:
    """Measure the goal's metrics of a network on the dev set, at its best threshold."""
    dev = data.parts["dev"]
    Z = network_outputs(network, dev.X)
    preprocessor = with_best_threshold(goal, data.preprocessor, Z, dev.Y, dev.weights)
    return measure(goal, network, preprocessor, dev)


ROUNDING = 1e-5
"""Scores that differ by less are taken as equal: the sums are computed in a different order."""


class Candidate(NamedTuple):
    """The network that won on the ladder, as it was trained there.

    recipe               its recipe, with the epochs and the decay with which it was trained
    network, history     the result of its training
    batch_size, rows     the batch size, and the number of training examples that it has seen
    """

    recipe: Recipe
    network: Layer
    history: History
    batch_size: int
    rows: int

    @classmethod
    def of(cls, best: Result) -> "Candidate":
        """Return the candidate with the schedule with which it was trained."""
        prepared = best.prepared
        recipe = replace(plain(prepared.recipe), epochs=prepared.epochs)
        rows = len(prepared.parts["train"].X)
        return cls(recipe, best.network, best.history, prepared.batch_size, rows)


def keep_better(run: Run, candidate: Candidate, data: Data) -> Run:
    """Return the run with the network of the candidate, if `run` is worse on the dev set.

    `run` is the result of training the network of the candidate again. The comparison is by the
    goal, each network at its best threshold, without the conditions on time and size, which are the
    same for both.
    """
    goal = goal_for(run.recipe.goal, run.preprocessor)
    goal = replace(
        goal, conditions=tuple(c for c in goal.conditions if c.metric not in OF_NETWORKS)
    )
    again, before = (
        scores_at_best_threshold(goal, data, network)
        for network in (run.network, candidate.network)
    )
    values = {"candidate": before.get(goal.metric, nan), "retrained": again.get(goal.metric, nan)}
    keeps = is_worse(goal, again, before)
    facts: dict[str, Any] = {"kept": "candidate" if keeps else "retrained", "metric": goal.metric}
    facts |= {**values, "rows": candidate.rows}
    run = replace(run, facts=run.facts | {"ladder_result": facts})
    if not keeps:
        return run
    history = candidate.history
    if run.history.stopped == "interrupted":
        history = replace(history, stopped="interrupted")
    kept = replace(
        run,
        network=candidate.network,
        recipe=candidate.recipe,
        history=history,
        facts=run.facts | {"batch_size": candidate.batch_size},
    )
    return reevaluate(calibrated(kept, data.parts["dev"]), data.parts)


def is_worse(goal: Goal, scores: Scores, other: Scores) -> bool:
    """Return whether the scores are worse than others by the goal, by more than rounding.

    >>> is_worse(Goal("rmse"), {"rmse": 2.0}, {"rmse": 1.9})
    True
    """
    missed = goal.shortfall(scores) - goal.shortfall(other)
    if abs(missed) > ROUNDING:
        return bool(missed > 0)
    behind = goal.value(other) - goal.value(scores)
    return bool(behind > ROUNDING * max(1.0, abs(goal.value(other))))


def describe_rung(
    goal: Goal, data: Data, one: Result, tried: int, step: Step | None, seconds: float
) -> Rung:
    """Build the record of a rung."""
    parts = {name: data.parts[name] for name in ("train", "dev")}
    Z = {name: network_outputs(one.network, part.X) for name, part in parts.items()}
    preprocessor = with_best_threshold(
        goal, data.preprocessor, Z["dev"], parts["dev"].Y, parts["dev"].weights
    )
    numbers = {
        name: goal.scores(preprocessor, Z[name], part.Y, part.weights).get(goal.metric, nan)
        for name, part in parts.items()
    }
    recipe = plain(one.prepared.recipe)
    conditions = goal.judgements(dev_scores(goal, data, one)) if goal.conditions else []
    return Rung(
        name=name_of(recipe),
        hidden=recipe.hidden_sizes,
        parameters=count_parameters(one.network),
        l2=recipe.l2,
        keep_prob=recipe.keep_prob,
        learning_rate=recipe.learning_rate,
        tried=tried,
        dev_cost=one.dev_cost,
        metric=goal.metric,
        **numbers,
        conditions=tuple(map(str, conditions)),
        gain=step and step.gain,
        standard_error=step and step.standard_error,
        seconds=round(seconds, 3),
        verdict=verdict_of_step(step),
        network=recipe.network,
        augment=recipe.augment,
    )


def verdict_of_step(step: Step | None) -> str:
    """Describe the gain of a rung in a few words.

    >>> [verdict_of_step(Step(gain, 0.008)) for gain in (0.02, 0.005, -0.01)]
    ['better', 'no significant gain', 'worse']
    """
    if step is None:
        return "baseline"
    if step.missed:
        return f"{'closer to' if step.up else 'further from'} the conditions"
    if step.up:
        return "better" if step.rises else "lower log loss"
    return "worse" if step.gain < -step.standard_error else "no significant gain"


def plain(recipe: Recipe) -> Recipe:
    """Return the recipe without dropout if its dropout keeps all units in every layer."""
    no_dropout = isinstance(recipe.keep_prob, tuple) and set(recipe.keep_prob) <= {1.0}
    return replace(recipe, keep_prob=1.0) if no_dropout else recipe


HEADS = ["", "parameters", "tried", "train", "dev", "gain", "std error", "seconds", ""]


def cells(rung: Rung) -> list[str]:
    """Return the cells of a rung's line in the table."""
    step = ["", ""]
    if rung.gain is not None and rung.standard_error is not None:
        step = [f"{rung.gain:+.4f}", f"{rung.standard_error:.4f}"]
    numbers = [f"{rung.train:.4f}", f"{rung.dev:.4f}", *step, f"{rung.seconds:.1f}"]
    return [rung.name, f"{rung.parameters:,}", str(rung.tried), *numbers, rung.verdict]
