"""From what was asked for to the trained run: the ladder, transfer, or the network that was named.

train_model    a training in memory, or with `out` one that is written and can be resumed
resume         goes on with one that was interrupted

open_data      the data, read and split; nothing is trained
make_plan      which network is trained: as said, or as the ladder or transfer finds
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.cache import keep_compiled_programs
from chainrule.strategy.goal import goal_for
from chainrule.strategy.ladder import Rung, climb
from chainrule.strategy.part_errors import check_reference, unit_of
from chainrule.strategy.rungs import Watch
from chainrule.strategy.threshold import choose_threshold
from chainrule.strategy.transfer import begin_transfer, choose
from chainrule.strategy.transfer_base import load_base
from chainrule.train import job
from chainrule.train.prepare import Data, Prepared, prepare_data, prepare_network
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run, remeasured, train_prepared
from chainrule.train.run_folder import check_free
from chainrule.train.store import save
from chainrule.train.unfinished import Unfinished


class Opened(NamedTuple):
    """What was asked for, its data, and the network that was named; None where the ladder finds it.

    `base` is the run that a transfer starts from. Whatever is wrong with options and data is said
    by now, before anything is written or trained.
    """

    recipe: Recipe
    data: Data
    prepared: Prepared | None
    base: Run | None = None

    @property
    def digests(self) -> dict[str, str]:
        """The sha256 of the data, part by part."""
        return {name: part.digest for name, part in self.data.sources.items()}


class Plan(NamedTuple):
    """What is trained, and how the run comes of it.

    prepared    the whole network on the data
    training    the same, or the part of it that is trained (transfer)
    finish      from the run of `training` to that of the whole
    words       why it is this one, where that was found out
    """

    prepared: Prepared
    training: Prepared
    finish: Callable[[Run], Run]
    words: str = ""


def train_model(source: str, *, out: str | Path | None = None, **options: Any) -> Run:
    """Train on a bundled name, a file or a folder; options as in `Recipe`.

    Without `hidden` the ladder is climbed. With `out` the run is saved in that folder, and `resume`
    goes on where it was interrupted; else nothing is written.

    >>> run = train_model("iris", hidden=(8,), epochs=50)
    >>> run.predict(np.array([[5.1, 3.5, 1.4, 0.2]])).shape
    (1,)
    """
    keep_compiled_programs()
    recipe = Recipe.from_dict({"source": source, **options})
    if out is not None:
        check_free(Path(out))
    opened = open_data(recipe)
    if out is None:
        plan = make_plan(opened)
        return plan.finish(train_prepared(plan.training))
    with job.begin(opened, Path(out)) as unfinished:
        plan = make_plan(opened, unfinished)
        return save(plan.finish(job.train(plan.training, unfinished)), out)


def resume(run: str | Path) -> Run:
    """Go on with an interrupted training, and save it; a run that is done is only loaded.

    `run` is its folder, or that of RUN.partial. Raises RunError where there is none, or where the
    data is not what it began with.
    """
    keep_compiled_programs()
    if (done := job.finished(run)) is not None:
        return done
    opened, unfinished = job.reopen(run, lambda said: open_data(Recipe.from_dict(said)))
    with unfinished:
        plan = make_plan(opened, unfinished)
        return save(plan.finish(job.train(plan.training, unfinished)), unfinished.run)


def open_data(recipe: Recipe) -> Opened:
    """Read and split, as the recipe or the run that it starts from says."""
    if recipe.base is not None:
        base = load_base(recipe)
        prepared = begin_transfer(recipe, base)
        opened = Opened(prepared.recipe, prepared.data, prepared, base)
    else:
        data = prepare_data(recipe)
        climbs = not recipe.is_named and "dev" in data.parts
        opened = Opened(recipe, data, None if climbs else prepare_network(recipe, data))
    goal = goal_for(recipe.goal, opened.data.door)
    check_reference(recipe.reference, unit_of(opened.data.door, goal))
    return opened


def make_plan(
    opened: Opened,
    unfinished: Unfinished | None = None,
    heard: Callable[[Rung], None] | None = None,
    watch: Watch | None = None,
) -> Plan:
    """Which network is trained. What the ladder finds is kept with an unfinished training.

    `heard` and `watch` as in `climb`.
    """
    recipe, data, prepared, base = opened
    if base is not None and prepared is not None:
        transfer = choose(prepared, base)
        finish = with_goal(recipe, data, transfer.finish)
        return Plan(transfer.prepared, transfer.training, finish, transfer.report.text())
    facts: dict[str, Any] = {}
    if prepared is None:
        recipe, facts = climbed(opened, unfinished, heard, watch)
        prepared = prepare_network(recipe, data)
    return Plan(prepared, prepared, with_goal(recipe, data, lambda run: with_facts(run, facts)))


def climbed(
    opened: Opened,
    unfinished: Unfinished | None,
    heard: Callable[[Rung], None] | None,
    watch: Watch | None,
) -> tuple[Recipe, dict[str, Any]]:
    """The recipe that the ladder finds, and its record; or those that it found before."""
    found = unfinished.ladder() if unfinished else None
    if found is not None:
        return Recipe.from_dict(found[0]), found[1]
    ladder = climb(opened.recipe, opened.data, heard, watch)
    facts = {"ladder": ladder.to_dict()}
    if unfinished is not None:
        unfinished.keep_ladder(ladder.recipe.to_dict(), facts)
    return ladder.recipe, facts


def with_goal(recipe: Recipe, data: Data, finish: Callable[[Run], Run]) -> Callable[[Run], Run]:
    """The same, with the threshold that the goal asks for, chosen on the dev part."""

    def finished(run: Run) -> Run:
        run = finish(run)
        if recipe.goal is None:
            return run
        goal = goal_for(recipe.goal, run.door)
        if "dev" in data.parts:
            run = choose_threshold(run, data.parts["dev"], goal)
        return with_facts(remeasured(run, data.parts), {"goal": goal.to_dict()})

    return finished


def with_facts(run: Run, facts: dict[str, Any]) -> Run:
    """The run that also knows this."""
    return replace(run, facts=run.facts | facts) if facts else run
