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
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan
from typing import Any, NamedTuple

from chainrule.errors import OptionError
from chainrule.formatting import aligned
from chainrule.layers.layer import count_parameters
from chainrule.runs.prepare import Data
from chainrule.runs.recipe import Recipe
from chainrule.strategy.goal import Goal, goal_for
from chainrule.strategy.ladder_candidates import (
    OnProgress,
    Result,
    name_of,
    on_all_rows,
    sample_images,
    search_image_rung,
    search_rung,
    uses_image_rungs,
    with_schedule_of,
)
from chainrule.strategy.threshold import gain_at_best_thresholds, measure, with_best_threshold
from chainrule.strategy.uncertainty import gain
from chainrule.train.outputs import network_outputs

HIGHEST = 4
"""The largest number of hidden layers."""
SURE = 2.0
"""Standard errors by which the log loss must fall if accuracy rises within its standard error."""


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


@dataclass(frozen=True)
class Ladder:
    """All rungs that were trained, and the recipe of the chosen rung."""

    rungs: tuple[Rung, ...]
    recipe: Recipe

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
) -> Ladder:
    """Train rung after rung until the gain on the dev set is no longer significant.

    `on_rung(rung)` is called with each finished rung, `on_progress(name, share)` about four times
    a second during training. Raises OptionError where there is no dev set.
    """
    if "dev" not in data.parts:
        hint = "leaving out --dev none, or --hidden 64,32"
        raise OptionError("choosing the network", "a dev set to compare networks on", "none", hint)
    goal = goal_for(recipe.goal, data.preprocessor)
    rungs: list[Rung] = []
    best: Result | None = None
    chosen = 0
    images = uses_image_rungs(recipe, data)
    if images:
        data = sample_images(data, recipe.seed)
    while True:
        began = time.perf_counter()
        below = best and best.prepared.recipe
        search = search_image_rung if images else search_hidden_rung
        found = search(recipe, data, below, on_progress)
        if not found:
            break
        one = on_all_rows(pick(found, recipe, goal, data), data, on_progress)
        step = step_up(goal, data, one, best)
        seconds = time.perf_counter() - began
        rungs.append(describe_rung(goal, data, one, len(found), step, seconds))
        if on_rung is not None:
            on_rung(rungs[-1])
        if step is not None and not step.up:
            break
        best, chosen = one, len(rungs) - 1
        if nothing_left(goal, rungs[-1].dev):
            break
    assert best is not None
    rungs[chosen] = replace(rungs[chosen], verdict=f"{rungs[chosen].verdict}, chosen")
    return Ladder(tuple(rungs), with_schedule_of(plain(best.prepared.recipe), recipe))


def nothing_left(goal: Goal, dev: float) -> bool:
    """Return whether no higher rung can be better.

    This is so if the metric is perfect and the goal has no conditions.

    >>> nothing_left(Goal("accuracy"), 1.0), nothing_left(Goal("log_loss"), 1.0)
    (True, False)
    """
    return not goal.conditions and dev == (0.0 if goal.sign < 0 else 1.0)


def search_hidden_rung(
    recipe: Recipe, data: Data, below: Recipe | None, on_progress: OnProgress | None = None
) -> list[Result]:
    """Train candidates with one more hidden layer than `below`; return none at the highest rung."""
    if below is not None and len(below.layers) >= HIGHEST:
        return []
    return search_rung(recipe, data, None if below is None else below.layers, on_progress)


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
    dev = data.parts["dev"]
    Z = network_outputs(one.network, dev.X)
    preprocessor = with_best_threshold(goal, data.preprocessor, Z, dev.Y, dev.weights)
    return measure(goal, one.network, preprocessor, dev)


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
        hidden=recipe.layers,
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
