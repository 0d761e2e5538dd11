"""Train a network: the one given by the options, the ladder's choice, or a transferred one.

train_model    train in memory, or with `out` in a folder from which the training can be resumed
transfer       train on new data, starting from the layers of a trained run

open_data      read and split the data, without training
make_plan      decide which network is trained: as given, or by the ladder or transfer learning
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict

from chainrule.errors import OptionError, RunError
from chainrule.host.compilation_cache import enable_compilation_cache
from chainrule.host.reading import Count, Positive, convert, in_file, read_arrays
from chainrule.layers.layer import named_arrays
from chainrule.models.conv_network import ConvNetwork
from chainrule.runs.encodings import choose_for
from chainrule.runs.folder import array_bytes, check_free, save
from chainrule.runs.job import begin, train_prepared
from chainrule.runs.networks import network_settings, restore_network
from chainrule.runs.prepare import (
    Data,
    Prepared,
    check_early_stopping,
    prepare_data,
    prepare_network,
    preprocess_sets,
)
from chainrule.runs.recipe import Recipe
from chainrule.runs.run import Run, reevaluate
from chainrule.runs.unfinished import ANEW, LADDER, LADDER_WEIGHTS, Unfinished
from chainrule.strategy.comparison import comparison_for
from chainrule.strategy.findings import check_reference, unit_of
from chainrule.strategy.goal import goal_for
from chainrule.strategy.ladder import Candidate, Estimate, Rung, keep_better, run_ladder
from chainrule.strategy.ladder_candidates import OnProgress, kind_of_rungs
from chainrule.strategy.threshold import choose_threshold
from chainrule.strategy.transfer import begin_transfer, choose, load_base, prepare_transfer
from chainrule.train.history import History


class TrainingJob(NamedTuple):
    """A recipe, its data, and its network (None where the ladder will find it).

    `base` is the run that a transfer starts from, and `encoding_costs` has the cost of each
    encoding that was compared. All errors in the options and the data have been raised at this
    point, before anything is written or trained.
    """

    recipe: Recipe
    data: Data
    prepared: Prepared | None
    base: Run | None = None
    encoding_costs: Mapping[str, float] = MappingProxyType({})

    @property
    def digests(self) -> dict[str, str]:
        """Return the SHA-256 digest of each set."""
        return {name: part.digest for name, part in self.data.sources.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """Return what else is needed to resume the training: the costs of the encodings."""
        return {"encoding": dict(self.encoding_costs)} if self.encoding_costs else {}

    @property
    def convolves(self) -> bool:
        """Return whether there are convolutions: in the network, or in those of the ladder."""
        if self.prepared is None:
            return kind_of_rungs(self.recipe, self.data) == "images"
        return isinstance(self.prepared.network, ConvNetwork)

    def train(self, unfinished: Unfinished) -> Run:
        """Find the network if needed, train it with checkpoints, and save the run."""
        plan = make_plan(self, unfinished)
        run = plan.finish(train_prepared(plan.training, unfinished=unfinished))
        return save(run, unfinished.run, unfinished=unfinished)


class TrainingPlan(NamedTuple):
    """A plan of the training, and how its result becomes the final run.

    prepared    the whole network with the data
    training    `prepared` itself, or in transfer learning the layers of it that are trained
    finish      a function that converts the run of `training` to the final run
    words       in transfer learning, the reason why these layers are trained
    """

    prepared: Prepared
    training: Prepared
    finish: Callable[[Run], Run]
    words: str = ""


def train_model(source: str, *, out: str | Path | None = None, **options: Any) -> Run:
    """Train on a file, a folder or a built-in data set, with the options of `Recipe`.

    Without `hidden`, the network is chosen automatically (`strategy/ladder.py`). With `out` the run
    is saved in that folder, and `resume` continues it after an interruption; otherwise nothing is
    written.

    >>> run = train_model("iris", hidden=(8,), epochs=50)
    >>> run.predict(np.array([[5.1, 3.5, 1.4, 0.2]])).shape
    (1,)
    """
    enable_compilation_cache()
    recipe = Recipe.from_dict({"source": source, **options})
    if out is not None:
        check_free(Path(out))
    opened = open_data(recipe)
    if out is None:
        plan = make_plan(opened)
        return plan.finish(train_prepared(plan.training))
    with begin(opened, Path(out)) as unfinished:
        return opened.train(unfinished)


def open_data(recipe: Recipe) -> TrainingJob:
    """Read and split the data by the recipe, or by the run that a transfer starts from."""
    if recipe.base is not None:
        base = load_base(recipe)
        prepared = begin_transfer(recipe, base)
        opened = TrainingJob(prepared.recipe, prepared.data, prepared, base)
    else:
        data = prepare_data(recipe)
        kind = kind_of_rungs(recipe, data)
        on_folds = kind == "rows"
        comparison = None if recipe.is_named else comparison_for(recipe, data, on_folds=on_folds)
        by_ladder = comparison is not None
        if by_ladder and recipe.member_count > 1 and kind == "images":
            expected, hint = "1 if the ladder chooses a network for images", "--hidden 64,32"
            raise OptionError("--members", expected, f"{recipe.members}", hint)
        if by_ladder:
            check_early_stopping(recipe, has_dev="dev" in data.parts)
        recipe, data, costs = with_best_encoding(recipe, data)
        prepared = None if by_ladder else prepare_network(recipe, data)
        if prepared is not None:
            prepared.check_memory()  # before a folder is created
        opened = TrainingJob(recipe, data, prepared, encoding_costs=costs)
    goal = goal_for(recipe.goal, opened.data.preprocessor)
    check_reference(recipe.reference, unit_of(opened.data.preprocessor, goal))
    return opened


def with_best_encoding(recipe: Recipe, data: Data) -> tuple[Recipe, Data, Mapping[str, float]]:
    """Choose how numbers are encoded, if the user did not, and encode the data in this way.

    Return the recipe, which names the encoding, the data, and the cost of each encoding.
    """
    chosen = choose_for(recipe, data)
    if chosen is None:
        return recipe, data, {}
    recipe = replace(recipe, normalize=chosen.kind)
    if chosen.kind != data.preprocessor.inputs.kind:
        arguments = data.preprocessor.labels, chosen.kind, recipe.column_options
        data = preprocess_sets(data.sources, *arguments)
    return recipe, data, chosen.costs


def make_plan(
    opened: TrainingJob,
    unfinished: Unfinished | None = None,
    on_rung: Callable[[Rung], None] | None = None,
    on_progress: OnProgress | None = None,
    on_estimate: Callable[[Estimate], None] | None = None,
) -> TrainingPlan:
    """Decide which network to train; the result of the ladder is saved with `unfinished`.

    `on_rung`, `on_progress` and `on_estimate` are as in `run_ladder`.
    """
    recipe, data, prepared, base, costs = opened
    if not costs and unfinished is not None:
        costs = unfinished.facts.get("encoding", {})
    if base is not None and prepared is not None:
        transfer = choose(prepared, base)
        finish = with_goal(recipe, data, transfer.finish)
        return TrainingPlan(transfer.prepared, transfer.training, finish, transfer.report.text())
    if prepared is not None:
        return TrainingPlan(
            prepared, prepared, with_goal(recipe, data, adding({"encoding": costs}))
        )
    found = ladder_result(opened, unfinished, on_rung, on_progress, on_estimate)
    prepared = prepare_network(found.recipe, data)
    found.facts["encoding"] = dict(costs)
    return TrainingPlan(prepared, prepared, with_goal(found.recipe, data, found.finish(data)))


class LadderResult(NamedTuple):
    """The result of the ladder: the recipe to train, the record of the rungs, and the winner.

    The candidate is None if networks were compared on folds, if the user asked for several members,
    or if the ladder was run by a version that did not save it.
    """

    recipe: Recipe
    facts: dict[str, Any]
    candidate: Candidate | None

    def finish(self, data: Data) -> Callable[[Run], Run]:
        """Return a function that adds the facts to the run, and keeps the better network."""

        def finished(run: Run) -> Run:
            run = with_facts(run, self.facts)
            return run if self.candidate is None else keep_better(run, self.candidate, data)

        return finished

    def save(self, unfinished: Unfinished) -> None:
        """Save the result in the folder of an unfinished run."""
        if self.candidate is None:
            unfinished.keep_ladder(self.recipe.to_dict(), {"facts": self.facts}, b"")
            return
        recipe, network, history, *numbers = self.candidate
        candidate = {
            "recipe": recipe.to_dict(),
            "model": network_settings(network),
            "history": history.lines(),
            "best_epoch": history.best_epoch,
            "stopped": history.stopped,
            "numbers": numbers,
        }
        weights = array_bytes(named_arrays(network))
        facts = {"facts": self.facts, "candidate": candidate}
        unfinished.keep_ladder(self.recipe.to_dict(), facts, weights)

    @classmethod
    def load(cls, unfinished: Unfinished) -> "LadderResult | None":
        """Return the result that was saved, or None if there is none."""
        found = unfinished.ladder()
        if found is None:
            return None
        with in_file(unfinished.folder / LADDER, error=RunError, hint=ANEW):
            recipe, saved, weights = Recipe.from_saved(found[0]), found[1], found[2]
            if not weights:  # an earlier version saved only the facts
                return cls(recipe, convert(saved.get("facts", saved), dict[str, Any], "it"), None)
            convert(saved, SavedLadder, "the result")
            one = saved["candidate"]
            network = restore_network(one["model"], read_arrays(weights, LADDER_WEIGHTS))
            history = History.from_lines(one["history"], one["best_epoch"], one["stopped"])
            own = Recipe.from_saved(one["recipe"])
            return cls(recipe, saved["facts"], Candidate(own, network, history, *one["numbers"]))


class SavedCandidate(TypedDict):
    """The winner of the ladder as plain data, without its arrays."""

    recipe: dict[str, Any]
    model: dict[str, Any]
    history: list[Any]
    best_epoch: Positive | None
    stopped: str
    numbers: tuple[Count, Count]


class SavedLadder(TypedDict):
    """The entries that `LadderResult.save` stores beside the recipe."""

    facts: dict[str, Any]
    candidate: SavedCandidate


def ladder_result(
    opened: TrainingJob,
    unfinished: Unfinished | None,
    on_rung: Callable[[Rung], None] | None,
    on_progress: OnProgress | None,
    on_estimate: Callable[[Estimate], None] | None,
) -> LadderResult:
    """Run the ladder, or reload its saved result."""
    saved = LadderResult.load(unfinished) if unfinished else None
    if saved is not None:
        return saved
    ladder = run_ladder(opened.recipe, opened.data, on_rung, on_progress, on_estimate)
    assert ladder.best is not None
    facts: dict[str, Any] = {"ladder": ladder.to_dict(), "ladder_folds": ladder.folds}
    if ladder.left_out:
        facts["ladder_left_out"] = [one.to_dict() for one in ladder.left_out]
    alone = ladder.folds or opened.recipe.member_count > 1
    result = LadderResult(ladder.recipe, facts, None if alone else Candidate.of(ladder.best))
    if unfinished is not None:
        result.save(unfinished)
    return result


def with_goal(recipe: Recipe, data: Data, finish: Callable[[Run], Run]) -> Callable[[Run], Run]:
    """Extend `finish` with the choice of the threshold by the goal, on the dev set."""

    def finished(run: Run) -> Run:
        run = finish(run)
        if recipe.goal is None:
            return run
        goal = goal_for(recipe.goal, run.preprocessor)
        if "dev" in data.parts:
            run = choose_threshold(run, data.parts["dev"], goal)
        return with_facts(reevaluate(run, data.parts), {"goal": goal.to_dict()})

    return finished


def adding(facts: dict[str, Any]) -> Callable[[Run], Run]:
    """Return a function that adds those facts to a run that have a content."""
    return lambda run: with_facts(run, {name: dict(one) for name, one in facts.items() if one})


def with_facts(run: Run, facts: dict[str, Any]) -> Run:
    """Return the run with these facts added."""
    return replace(run, facts=run.facts | facts) if facts else run


MEMORY = "a run in memory"


def transfer(
    base: Run | str | Path, source: str, *, out: str | Path | None = None, **options: Any
) -> Run:
    """Train on the data set `source`, starting from the network of `base`; options as in `Recipe`.

    `retrain` is "last", "all" or a number of layers; by default it is chosen. With `out` the run is
    saved.

    >>> from chainrule.strategy.train_model import train_model
    >>> settings = {"hidden": (8,), "normalize": "standard", "dev": "none", "test": "none"}
    >>> base = train_model("moons", **settings, epochs=30)
    >>> run = transfer(base, "circles", retrain="last", dev="none", epochs=20)
    >>> run.facts["transfer"]["trained"], run.network.sizes
    (1, (2, 8, 1))
    """
    enable_compilation_cache()
    name = base if isinstance(base, str | Path) else base.path or MEMORY
    recipe = Recipe.from_dict({"source": source, **options, "base": str(name)})
    known = base if isinstance(base, Run) else load_base(recipe)
    if out is not None:
        if known.path is None:
            hint = "save(run, folder) first"
            raise RunError("transfer(out=…)", "a saved base run", MEMORY, hint)
        check_free(Path(out))
    ready = prepare_transfer(recipe, known)
    finish = with_goal(ready.prepared.recipe, ready.prepared.data, ready.finish)
    if out is None:
        return finish(train_prepared(ready.training))
    with begin(ready.prepared, Path(out)) as unfinished:
        run = finish(train_prepared(ready.training, unfinished=unfinished))
        return save(run, out, unfinished=unfinished)


class TrainTask:
    """The task of `chainrule train`: see `TASKS` in `runs/folder.py`."""

    recipe = Recipe

    def open(self, recipe: Recipe) -> TrainingJob:
        """Read the data of a recipe."""
        return open_data(recipe)


TASK = TrainTask()
