"""The ladder: the simplest network that does as well as any, found from logistic regression up.

Notes: "Build your first system quickly, then iterate" (course 3, week 2); Occam's razor.

    rung 0    logistic, softmax or linear regression
    rung 1    one hidden layer: a narrow and a wide one
    rung l    one layer more on the best of the rung below

Pictures have rungs of their own: a LeNet, a ResNet (`rungs_images.py`).

Each rung is a short search over width and regularisation (`rungs.py`). It is climbed while the goal
on the dev set rises by more than its own noise: the standard error of the difference between two
networks on the same examples. Accuracy counts in whole examples: where it rises by less than its
noise, a log loss that falls by two standard errors is a gain too. The rung below the first that
does not gain is chosen; where the dev set has no error left, none above is tried. The test part is
not looked at.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite, nan
from typing import Any, NamedTuple

from chainrule.errors import OptionError
from chainrule.layers.layer import count_parameters
from chainrule.strategy.goal import Goal, goal_for
from chainrule.strategy.measured import measure
from chainrule.strategy.noise import gain
from chainrule.strategy.rungs import Tried, Watch, name_of, on_all_rows, search_rung
from chainrule.strategy.rungs_images import (
    as_asked,
    climbs_by_pictures,
    few_pictures,
    search_picture_rung,
)
from chainrule.strategy.table import aligned
from chainrule.strategy.threshold import at_its_best
from chainrule.train.outputs import network_outputs
from chainrule.train.prepare import Data
from chainrule.train.recipe import Recipe

HIGHEST = 4
"""Hidden layers at most."""
SURE = 2.0
"""Standard errors by which the log loss must fall where accuracy rises within its noise."""


@dataclass(frozen=True)
class Rung:
    """One rung: the best of its candidates.

    name                  its hidden layers in words, or the network of images
    hidden … keep_prob    what it is
    tried                 candidates of this rung
    dev_cost              the cost on the dev part
    metric, train, dev    the goal, and its number on both parts
    conditions            of the goal, and whether they are met on the dev part
    gain, standard_error  of the dev number against the best rung below, on the same examples
    verdict               "better", "no better than its noise", "worse"; "chosen" at the end of one
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
    """All rungs that were climbed, and the recipe of the one that was chosen."""

    rungs: tuple[Rung, ...]
    recipe: Recipe

    def to_dict(self) -> list[dict[str, Any]]:
        """For JSON, a rung after the other; without the recipe, which the run has."""
        return [asdict(rung) for rung in self.rungs]

    def text(self) -> str:
        """A table with a line for each rung."""
        return "\n".join(aligned([HEADS, *map(cells, self.rungs)], right=range(1, 8)))


class Step(NamedTuple):
    """What a rung is worth beside the best below it.

    gain, standard_error    of the goal, and the noise of that
    missed                  by how much more it misses the goal's conditions
    surer                   more accurate, if within the noise, and its log loss lower beyond doubt
    """

    gain: float
    standard_error: float
    missed: float = 0.0
    surer: bool = False

    @property
    def up(self) -> bool:
        """Beyond the noise; but first come the conditions that one of them misses."""
        return self.missed < 0 or (not self.missed and (self.rises or self.surer))

    @property
    def rises(self) -> bool:
        """By the goal alone."""
        return self.gain > self.standard_error


def climb(
    recipe: Recipe,
    data: Data,
    heard: Callable[[Rung], None] | None = None,
    watch: Watch | None = None,
) -> Ladder:
    """Rung after rung, until the dev part no longer gains more than its noise.

    `heard(rung)` is told of each as it is done, `watch(name, share)` about four times a second of
    what is being trained. Raises OptionError where there is no dev part.
    """
    if "dev" not in data.parts:
        hint = "leaving out --dev none, or --hidden 64,32"
        raise OptionError("the ladder", "a dev set to compare its rungs on", "none", hint)
    goal = goal_for(recipe.goal, data.door)
    rungs: list[Rung] = []
    best: Tried | None = None
    chosen = 0
    pictures = climbs_by_pictures(recipe, data)
    if pictures:
        data = few_pictures(data, recipe.seed)
    while True:
        began = time.perf_counter()
        below = best and best.prepared.recipe
        search = search_picture_rung if pictures else search_hidden_rung
        found = search(recipe, data, below, watch)
        if not found:
            break
        one = on_all_rows(pick(found, recipe, goal, data), data, watch)
        step = step_up(goal, data, one, best)
        seconds = time.perf_counter() - began
        rungs.append(described(goal, data, one, len(found), step, seconds))
        if heard is not None:
            heard(rungs[-1])
        if step is not None and not step.up:
            break
        best, chosen = one, len(rungs) - 1
        if nothing_left(goal, rungs[-1].dev):
            break
    assert best is not None
    rungs[chosen] = replace(rungs[chosen], verdict=f"{rungs[chosen].verdict}, chosen")
    return Ladder(tuple(rungs), as_asked(plain(best.prepared.recipe), recipe))


def nothing_left(goal: Goal, dev: float) -> bool:
    """Whether no rung above can gain: the metric is at its best, and nothing else is asked.

    >>> nothing_left(Goal("accuracy"), 1.0), nothing_left(Goal("log_loss"), 1.0)
    (True, False)
    """
    return not goal.conditions and dev == (0.0 if goal.sign < 0 else 1.0)


def search_hidden_rung(
    recipe: Recipe, data: Data, below: Recipe | None, watch: Watch | None = None
) -> list[Tried]:
    """The candidates with a hidden layer more than `below`; none above the highest rung."""
    if below is not None and len(below.layers) >= HIGHEST:
        return []
    return search_rung(recipe, data, None if below is None else below.layers, watch)


def pick(found: Sequence[Tried], recipe: Recipe, goal: Goal, data: Data) -> Tried:
    """The best candidate of a rung: by the dev cost, or by a goal if one was said.

    The cost is the finer measure: of a few examples the same are right in many candidates.
    """
    finite = [one for one in found if isfinite(one.dev_cost)] or found
    best = min(finite, key=lambda one: one.dev_cost)
    if recipe.goal is not None:
        best = finite[goal.choose([dev_scores(goal, data, one) for one in finite]) or 0]
    return best


def step_up(goal: Goal, data: Data, one: Tried, best: Tried | None) -> Step | None:
    """How much better it is than the best below, on the same examples of the dev part."""
    if best is None:
        return None
    dev = data.parts["dev"]
    new, old = (network_outputs(tried.network, dev.X) for tried in (one, best))
    doors = [at_its_best(goal, data.door, Z, dev.Y, dev.weights) for Z in (new, old)]
    risen = gain(goal, doors[0], new, old, dev.Y, dev.weights, old_door=doors[1])
    if goal == Goal("accuracy"):
        cost = gain(Goal("log_loss"), data.door, new, old, dev.Y, dev.weights)
        surer = risen.gain > 0 and cost.gain > SURE * cost.standard_error
        return Step(*risen, surer=surer)
    if not goal.conditions:
        return Step(*risen)
    told = [dev_scores(goal, data, tried) for tried in (one, best)]
    return Step(*risen, goal.shortfall(told[0]) - goal.shortfall(told[1]))


def dev_scores(goal: Goal, data: Data, one: Tried) -> dict[str, float]:
    """All that the goal asks of it on the dev part, at its own best threshold."""
    dev = data.parts["dev"]
    Z = network_outputs(one.network, dev.X)
    door = at_its_best(goal, data.door, Z, dev.Y, dev.weights)
    return measure(goal, one.network, door, dev)


def described(
    goal: Goal, data: Data, one: Tried, tried: int, step: Step | None, seconds: float
) -> Rung:
    """The record of a rung."""
    parts = {name: data.parts[name] for name in ("train", "dev")}
    Z = {name: network_outputs(one.network, part.X) for name, part in parts.items()}
    door = at_its_best(goal, data.door, Z["dev"], parts["dev"].Y, parts["dev"].weights)
    numbers = {
        name: goal.scores(door, Z[name], part.Y, part.weights).get(goal.metric, nan)
        for name, part in parts.items()
    }
    recipe = plain(one.prepared.recipe)
    kept = goal.judgements(dev_scores(goal, data, one)) if goal.conditions else []
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
        conditions=tuple(map(str, kept)),
        gain=step and step.gain,
        standard_error=step and step.standard_error,
        seconds=round(seconds, 3),
        verdict=verdict(step),
        network=recipe.network,
        augment=recipe.augment,
    )


def verdict(step: Step | None) -> str:
    """What the gain says.

    >>> [verdict(Step(gain, 0.008)) for gain in (0.02, 0.005, -0.01)]
    ['better', 'no better than its noise', 'worse']
    """
    if step is None:
        return "to begin with"
    if step.missed:
        return f"{'nearer to' if step.up else 'further from'} the conditions"
    if step.up:
        return "better" if step.rises else "surer of its answers"
    return "worse" if step.gain < -step.standard_error else "no better than its noise"


def plain(recipe: Recipe) -> Recipe:
    """Without a dropout that keeps all."""
    kept = isinstance(recipe.keep_prob, tuple) and set(recipe.keep_prob) <= {1.0}
    return replace(recipe, keep_prob=1.0) if kept else recipe


HEADS = ["", "parameters", "tried", "train", "dev", "gain", "noise", "seconds", ""]


def cells(rung: Rung) -> list[str]:
    """Of its line in the table."""
    step = ["", ""]
    if rung.gain is not None and rung.standard_error is not None:
        step = [f"{rung.gain:+.4f}", f"{rung.standard_error:.4f}"]
    numbers = [f"{rung.train:.4f}", f"{rung.dev:.4f}", *step, f"{rung.seconds:.1f}"]
    return [rung.name, f"{rung.parameters:,}", str(rung.tried), *numbers, rung.verdict]
