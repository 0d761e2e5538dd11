"""The ladder: try networks of growing size, and choose the simplest that is as good as any.

Notes: "Build your first system quickly, then iterate" (course 3, week 2); Occam's razor.

    rung 0    logistic, softmax or linear regression
    rung 1    one hidden layer, narrow or wide
    rung l    one more layer on top of the best network of the rung below

    last      five networks of the best rung, whose predictions are averaged

For images, the rungs after the first are a LeNet and a ResNet, and for sequences a GRU and a larger
one; there is no last one. Each rung
is a short search over width and regularisation (`strategy/ladder_candidates.py`). The ladder goes
on while the goal's metric on the dev set, or on the folds of a small table
(`strategy/comparison.py`), improves by more than the standard error of the difference between the
two networks on the same examples. Since accuracy changes in whole examples, an improvement within
its standard error also counts if the log loss falls by two standard errors. The ladder chooses the
rung below the first one that does not improve, and stops early when there is no error left. The
test set is not used.

Before a rung is trained, its duration is estimated from the operations that it takes at most. The
first rung is always trained, and a further one only if the estimate is within what is left of the
budget (`--budget`); for images, a rung gets fewer epochs where that suffices. After a rung, the
operations that it took are subtracted. Only operations are counted and no time is measured, so the
same networks are tried on every machine.

The chosen network is trained once more, on all rows and for the usual number of epochs. With a dev
set, the network that won is kept (`keep_better`) if the result is worse than it on the dev set. On
a dev set, the last rung is this final training: its five networks are kept if they are better than
the one that won by more than the standard error.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, isfinite, nan
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.layers.layer import Layer, count_parameters
from chainrule.models.ensemble import Ensemble
from chainrule.runs.prepare import Data
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Evaluation, Run, calibrated, reevaluate
from chainrule.search.objective import operations_of
from chainrule.strategy.comparison import ONE_FOLD_ABOVE, Comparison, comparison_for, holding_out
from chainrule.strategy.goal import OF_NETWORKS, Goal, Scores, goal_for
from chainrule.strategy.ladder_candidates import (
    MEMBERS,
    OnProgress,
    PlannedRung,
    Result,
    ensemble_on_folds,
    kind_of_rungs,
    name_of,
    on_all_rows,
    operations_used,
    plan_named_rung,
    plan_rung,
    sample_rows,
    train_rung,
    with_schedule_of,
)
from chainrule.strategy.threshold import (
    gain_at_best_thresholds,
    measure_outputs,
    with_best_threshold,
)
from chainrule.strategy.uncertainty import Gain, gain
from chainrule.train.examples import Examples
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
    members               the number of networks whose predictions are averaged
    on                    what `dev` was measured on: "dev", or the held-out rows of "folds"
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
    members: int = 1
    on: str = "dev"


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
    folds      the number of folds on which networks were compared; 0 for the dev set
    left_out   the rungs that were shortened or left out because of the budget
    """

    rungs: tuple[Rung, ...]
    recipe: Recipe
    best: Result | None = field(default=None, compare=False, repr=False)
    left_out: tuple[Estimate, ...] = ()
    folds: int = 0

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the rungs as plain data for JSON; the recipe is stored with the run."""
        return [asdict(rung) for rung in self.rungs]

    def text(self) -> str:
        """Return a table with a line for each rung."""
        heads = ["folds" if head == "dev" and self.folds else head for head in HEADS]
        return "\n".join(aligned([heads, *map(cells, self.rungs)], right=range(1, 8)))


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
    """Train rung after rung until the gain on the dev set, or on the folds, is not significant.

    `on_estimate(estimate)` is called before each rung and `on_rung(rung)` after it,
    `on_progress(name, share)` about four times a second during training. Raises OptionError where
    there is no dev set, and the rows cannot be divided into folds.
    """
    callbacks = on_rung or ignore, on_progress, on_estimate or ignore
    state = LadderRun(recipe, judge_for(recipe, data), *callbacks)
    while state.next_rung():
        pass
    state.add_members()
    return state.result()


class LadderRun:
    """The state of a ladder that is being run: its rungs, the best network, and what is left."""

    def __init__(
        self,
        recipe: Recipe,
        judge: "Judge",
        on_rung: Callable[[Rung], Any],
        on_progress: OnProgress | None,
        on_estimate: Callable[[Estimate], Any],
    ):
        self.recipe = replace(recipe, members=1)  # single networks are compared
        self.given, self.judge, self.data = recipe.members, judge, judge.data
        self.on_rung, self.on_progress, self.on_estimate = on_rung, on_progress, on_estimate
        self.rungs: list[Rung] = []
        self.left_out: list[Estimate] = []
        self.best: Result | None = None
        self.chosen = 0
        self.members = recipe.member_count
        self.left = recipe.budget * OPERATIONS_PER_MINUTE

    def next_rung(self) -> bool:
        """Train the next rung, and return whether there may be a better one above it."""
        planned = self._plan()
        if planned is None:
            return False
        estimate = estimate_of(planned, self.left, first=self.best is None)
        self.on_estimate(estimate)
        if estimate.shortened or not estimate.trained:
            self.left_out.append(estimate)
        if not estimate.trained:
            return False
        began = time.perf_counter()
        found = train_rung(planned, self.on_progress)
        picked = self.judge.pick(found, self.recipe)
        one = on_all_rows(picked, self.data, self.on_progress)
        self.left -= operations_used(planned, found, one)
        step = self._add(one, len(found), began, estimate.minutes)
        if step is not None and not step.up:
            return False
        self.best, self.chosen = one, len(self.rungs) - 1
        return not self._is_perfect

    def add_members(self) -> None:
        """Compare the best network with the mean of several such networks, if there are folds.

        Without a dev set there are several in any case, since each holds out rows to stop early.
        """
        if self.given is not None or not self._may_gain_from_members:
            return
        assert self.best is not None
        self.members = MEMBERS
        if self.judge.comparison.folds and "dev" in self.data.parts:
            began = time.perf_counter()
            one = ensemble_on_folds(self.best, self.judge.comparison, self.on_progress)
            step = self._add(one, 1, began)
            if step is not None and step.up:
                self.chosen = len(self.rungs) - 1
            else:
                self.members = 1

    def result(self) -> Ladder:
        """Return the rungs and the recipe of the chosen network."""
        best, by_folds = self.best, bool(self.judge.comparison.folds)
        assert best is not None
        rungs = list(self.rungs)
        chosen = rungs[self.chosen]
        rungs[self.chosen] = replace(chosen, verdict=f"{chosen.verdict}, chosen")
        recipe = with_schedule_of(plain(best.prepared.recipe), self.recipe, always=by_folds)
        recipe = replace(recipe, members=self.members)
        return Ladder(tuple(rungs), recipe, best, tuple(self.left_out), self.judge.folds)

    def _plan(self) -> PlannedRung | None:
        below = None if self.best is None else self.best.prepared.recipe
        if self.judge.kind != "rows":
            return plan_named_rung(self.recipe, self.data, below, self.left)
        return plan_hidden_rung(self.recipe, self.data, below, self.left, self.judge.comparison)

    def _add(
        self, one: Result, tried: int, began: float, estimate: float | None = None
    ) -> "Step | None":
        """Record a rung, and return its comparison with the best one so far."""
        step = self.judge.step_up(one, self.best)
        rung = self.judge.describe(one, tried, step, time.perf_counter() - began)
        self.rungs.append(replace(rung, estimate=estimate))
        self.on_rung(self.rungs[-1])
        return step

    @property
    def _is_perfect(self) -> bool:
        """Whether the best network makes no error on the examples that decide."""
        return nothing_left(self.judge.goal, self.rungs[self.chosen].dev)

    @property
    def _may_gain_from_members(self) -> bool:
        """Whether several networks may be better than the best one, and fit into the budget."""
        assert self.best is not None
        prepared = self.best.prepared
        hidden = prepared.recipe.network is None and prepared.recipe.hidden_sizes
        times = MEMBERS * max(1, len(self.judge.comparison.folds))
        affordable = times * operations_of(prepared) <= self.left
        return bool(hidden) and affordable and not self._is_perfect


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
    recipe: Recipe,
    data: Data,
    below: Recipe | None,
    most: float = inf,
    comparison: Comparison | None = None,
) -> PlannedRung | None:
    """Plan candidates with one more hidden layer than `below`; return None at the highest rung."""
    if below is not None and len(below.hidden_sizes) >= HIGHEST:
        return None
    sizes = None if below is None else below.hidden_sizes
    return plan_rung(recipe, data, sizes, most, comparison)


def judge_for(recipe: Recipe, data: Data) -> "Judge":
    """Return what compares networks on this data; OptionError if there is nothing to compare on."""
    kind = kind_of_rungs(recipe, data)
    comparison = comparison_for(recipe, data, on_folds=kind == "rows")
    if comparison is None:
        hint = "leaving out --dev none, or --hidden 64,32"
        raise OptionError("choosing the network", "a dev set to compare networks on", "none", hint)
    if kind != "rows":
        data = sample_rows(data, recipe.seed)
        comparison = Comparison(data.parts["dev"])
    one_fold = bool(comparison.folds) and len(comparison.part.X) > ONE_FOLD_ABOVE
    if one_fold:
        data = holding_out(data, recipe.seed)
        comparison = Comparison(data.parts["dev"])
    goal = goal_for(recipe.goal, data.preprocessor)
    return Judge(goal, data, comparison, kind, one_fold)


class Judge(NamedTuple):
    """What compares networks: the goal, the data, and the examples on which it compares them.

    `one_fold` means that the dev set of `data` is a fold of the user's training set.
    """

    goal: Goal
    data: Data
    comparison: Comparison
    kind: str = "rows"
    one_fold: bool = False

    @property
    def folds(self) -> int:
        """The number of folds of the training set; 0 if the dev set is not a part of it."""
        return 1 if self.one_fold else len(self.comparison.folds)

    def pick(self, found: Sequence[Result], recipe: Recipe) -> Result:
        """Return the best candidate of a rung, by the goal if the user set one, else by the cost.

        The cost is the finer measure: on few examples many candidates have the same accuracy.
        """
        finite = [one for one in found if isfinite(one.dev_cost)] or found
        best = min(finite, key=lambda one: one.dev_cost)
        if recipe.goal is not None:
            best = finite[self.goal.choose([self.scores(one) for one in finite]) or 0]
        return best

    def step_up(self, one: Result, best: Result | None) -> Step | None:
        """Compare a network with the best one below, on the same examples.

        For several members of the same network a lower log loss suffices, if the accuracy does not
        fall by more than its standard error.
        """
        if best is None:
            return None
        goal, preprocessor = self.goal, self.data.preprocessor
        pairs = one.outputs(self.comparison), best.outputs(self.comparison)
        held_out, several = self.comparison.held_out, one.members > best.members
        step = compare(goal, preprocessor, *pairs, held_out, several=several)
        if not goal.conditions:
            return step
        missed = goal.shortfall(self.scores(one)) - goal.shortfall(self.scores(best))
        return step._replace(missed=missed)

    def scores(self, one: Result) -> dict[str, float]:
        """Measure the goal's metrics on the held-out examples, at the network's best threshold."""
        Z, part = one.outputs(self.comparison)[0], self.comparison.held_out[0]
        return scores_of_outputs(self.goal, self.data.preprocessor, one.network, Z, part)

    def describe(self, one: Result, tried: int, step: Step | None, seconds: float) -> Rung:
        """Build the record of a rung."""
        recipe = plain(one.prepared.recipe)
        conditions = self.goal.judgements(self.scores(one)) if self.goal.conditions else []
        train, dev = self._train_and_dev(one)
        return Rung(
            name=name_of(recipe, one.members),
            hidden=recipe.hidden_sizes,
            parameters=one.members * count_parameters(one.network),
            l2=recipe.l2,
            keep_prob=recipe.keep_prob,
            learning_rate=recipe.learning_rate,
            tried=tried,
            dev_cost=one.dev_cost,
            metric=self.goal.metric,
            train=train,
            dev=dev,
            conditions=tuple(map(str, conditions)),
            gain=step and step.gain,
            standard_error=step and step.standard_error,
            seconds=round(seconds, 3),
            verdict=verdict_of_step(step),
            network=recipe.network,
            augment=recipe.augment,
            members=one.members,
            on="folds" if self.folds else "dev",
        )

    def _train_and_dev(self, one: Result) -> tuple[float, float]:
        """Return the goal's metric on the training rows and on the held-out rows."""
        train = self.data.parts["train"]
        if one.trained_on is None:
            trained_on, parts = [network_outputs(one.network, train.X)], [train]
        else:
            trained_on, parts = one.trained_on, self.comparison.trained_on
        values = [
            self._values(*repetition)
            for repetition in zip(
                trained_on,
                parts,
                one.outputs(self.comparison),
                self.comparison.held_out,
                strict=True,
            )
        ]
        of_train, of_dev = zip(*values, strict=True)
        return float(np.mean(of_train)), float(np.mean(of_dev))

    def _values(
        self, Z_train: np.ndarray, train: Examples, Z_dev: np.ndarray, dev: Examples
    ) -> tuple[float, float]:
        """Return the goal's metric on two sets, at the best threshold on the second."""
        goal = self.goal
        preprocessor = with_best_threshold(goal, self.data.preprocessor, Z_dev, dev.Y, dev.weights)
        of_train, of_dev = (
            goal.scores(preprocessor, Z, part.Y, part.weights).get(goal.metric, nan)
            for Z, part in ((Z_train, train), (Z_dev, dev))
        )
        return of_train, of_dev


def compare(
    goal: Goal,
    preprocessor: Preprocessor,
    new: Sequence[np.ndarray],
    old: Sequence[np.ndarray],
    parts: Sequence[Examples],
    *,
    several: bool = False,
) -> Step:
    """Compare two networks by their outputs for the same examples, in each repetition.

    `several` means that the new one has several members like the old one.
    """
    triples = list(zip(new, old, parts, strict=True))
    risen = mean_gain([gain_at_best_thresholds(goal, preprocessor, *three) for three in triples])
    if goal != Goal("accuracy"):
        return Step(*risen)
    loss = Goal("log_loss")
    cost = mean_gain([gain(loss, preprocessor, a, b, e.Y, e.weights) for a, b, e in triples])
    no_worse = risen.gain >= -risen.standard_error if several else risen.gain > 0
    return Step(*risen, lower_loss=no_worse and cost.gain > SURE * cost.standard_error)


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Return the mean of the gains of several repetitions on the same rows.

    The mean of their standard errors is the standard error, since the repetitions share their rows.

    >>> mean_gain([Gain(0.25, 0.5), Gain(0.75, 1.0)])
    Gain(gain=0.5, standard_error=0.75)
    """
    return Gain(*map(float, np.mean(gains, axis=0)))


def scores_of_outputs(
    goal: Goal, preprocessor: Preprocessor, network: Layer, Z: np.ndarray, part: Examples
) -> dict[str, float]:
    """Measure the goal's metrics of a network by its outputs, at its best threshold."""
    preprocessor = with_best_threshold(goal, preprocessor, Z, part.Y, part.weights)
    return measure_outputs(goal, network, Evaluation(preprocessor, Z, part))


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

    `run` is the result of training the network of the candidate again, or of several such networks;
    these are kept only if they are better by more than the standard error. The comparison is by the
    goal, each network at its best threshold, without the conditions on time and size.
    """
    goal = goal_for(run.recipe.goal, run.preprocessor)
    goal = replace(
        goal, conditions=tuple(c for c in goal.conditions if c.metric not in OF_NETWORKS)
    )
    dev, networks = data.parts["dev"], (run.network, candidate.network)
    outputs = [network_outputs(network, dev.X) for network in networks]
    again, before = (
        scores_of_outputs(goal, run.preprocessor, *pair, dev)
        for pair in zip(networks, outputs, strict=True)
    )
    values = {"candidate": before.get(goal.metric, nan), "retrained": again.get(goal.metric, nan)}
    keeps = is_worse(goal, again, before)
    if isinstance(run.network, Ensemble) and not keeps:
        new, old = ([Z] for Z in outputs)
        keeps = not compare(goal, run.preprocessor, new, old, [dev], several=True).up
    facts: dict[str, Any] = {"kept": "candidate" if keeps else "retrained", "metric": goal.metric}
    facts |= {**values, "rows": candidate.rows, "members": run.recipe.member_count}
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
