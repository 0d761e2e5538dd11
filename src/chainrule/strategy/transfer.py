"""From one task to another: a trained network's layers, a new head, and few new examples.

Notes: "Transfer learning" (course 3, week 2).

    prepare_transfer   the data through the base's door, a new head, and which layers train
    Transfer.training  what is trained: the head on what the frozen layers give, or all
    Transfer.finish    the network put together, and what was found in the run's facts
"""

import warnings
from dataclasses import dataclass, fields, replace
from typing import Any

from chainrule.errors import DataWarning, OptionError
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.deep_network import DeepNetwork
from chainrule.randomness import key_from_seed
from chainrule.strategy.transfer_base import load_base
from chainrule.strategy.transfer_door import data_like
from chainrule.strategy.transfer_findings import chosen, findings, seen_before
from chainrule.strategy.transfer_layers import cut, depth, joined, new_head
from chainrule.strategy.transfer_report import TransferReport
from chainrule.strategy.transfer_trials import choices, layers_of, training_of, trials
from chainrule.train.network_options import augments
from chainrule.train.networks import augmented
from chainrule.train.prepare import Prepared, prepare_network
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run


@dataclass(frozen=True)
class Transfer:
    """A transfer that is ready to be trained.

    prepared   the whole network at its start, and the parts as its door brings them in
    training   what is trained of it
    report     which layers, why, and whether transfer makes sense here
    """

    prepared: Prepared
    training: Prepared
    report: TransferReport

    def finish(self, run: Run) -> Run:
        """The run of `training`, with the whole network and the report among its facts."""
        facts = {**run.facts, "transfer": self.report.to_dict()}
        network: Any = self.prepared.network
        frozen, _ = cut(network, self.report.trained)
        if not frozen.layers:
            return replace(run, facts=facts)
        head: Any = run.network
        history = replace(run.history, signals=[])  # of layers that now have other numbers
        return replace(run, network=joined(frozen, head), history=history, facts=facts)


def prepare_transfer(recipe: Recipe, base: Run | None = None) -> Transfer:
    """Read the data through the base's door, put a new head on, choose what trains.

    `base` is the run `recipe.base`, if it is loaded already. Raises an error where the data or the
    options do not fit the base.
    """
    base = load_base(recipe) if base is None else base
    return choose(begin_transfer(recipe, base), base)


def begin_transfer(recipe: Recipe, base: Run) -> Prepared:
    """The data and the network at its start; nothing is tried or trained yet."""
    recipe = resolved(recipe, base)
    data = data_like(recipe, base.door)
    network: Any = base.network
    settings = {"keep_prob": recipe.keep_prob, "initializer": recipe.init}
    key = key_from_seed(recipe.seed)
    headed = new_head(network, data.door.labels.n_outputs, **settings, key=key)
    if recipe.retrain is not None:
        check_augment(recipe, layers_of(recipe.retrain, depth(headed)), depth(headed))
    if isinstance(headed, ConvNetwork):
        headed = augmented(headed, recipe.augment or "none", data.parts["train"].X)
    return replace(prepare_network(recipe, data), network=headed)


def choose(whole: Prepared, base: Run) -> Transfer:
    """Which layers train: as asked, or as tried on the dev set, or by the rule of thumb."""
    network: Any = whole.network
    L = depth(network)
    asked = whole.recipe.retrain and layers_of(whole.recipe.retrain, L)
    asked = asked or (L if augments(whole.recipe) else None)
    tried = trials(whole, [asked] if asked else choices(network))
    k = asked or chosen(tried, network, len(whole.parts["train"].X))
    report = findings(whole, base, k, tried)
    _warn(report)
    for part, n in seen_before(base, whole).items():
        rows = f"{n:,} of the {len(whole.sources[part]):,} rows of {part}"
        words = f"{rows} are training rows of {report.base}: its score flatters."
        warnings.warn(words, DataWarning, stacklevel=2)
    whole = replace(whole, recipe=replace(whole.recipe, retrain=report.retrain))
    return Transfer(whole, training_of(whole, k), report)


def resolved(recipe: Recipe, base: Run) -> Recipe:
    """The recipe with the base's architecture and scale; refused where it says another one."""
    network: Any = base.network
    settings = network.settings
    where = f"--from {recipe.base}"
    if depth(network) < 2:
        hint = "a base with hidden layers: --hidden 64,32"
        raise OptionError(where, "a network with layers to take over", network.title, hint)
    usual = Recipe("")
    taken = {"normalize": base.door.inputs.kind, **architecture(network)}
    for name, value in taken.items():
        said = getattr(recipe, name)
        if said != getattr(usual, name) and said != value:
            option = "--" + name.replace("_", "-")
            expected = f"nothing beside --from, which brings {value!r}"
            raise OptionError(option, expected, repr(said), f"leaving {option} out")
    if recipe.keep_prob == usual.keep_prob and settings.get("keep_prob"):
        taken["keep_prob"] = settings["keep_prob"]
    return replace(recipe, **taken)


def architecture(network: Any) -> dict[str, Any]:
    """The entries of a recipe that make its layers."""
    settings = network.settings
    if isinstance(network, DeepNetwork):
        same = {name: settings[name] for name in ("activation", "batch_norm")}
        return {"hidden": tuple(network.sizes[1:-1]), **same}
    names = [field.name for field in fields(Recipe)]
    same = {name: settings[name] for name in names if name in settings}
    return {name: value for name, value in same.items() if name not in ("augment", "keep_prob")}


def check_augment(recipe: Recipe, k: int, L: int) -> None:
    """Refuse changed pictures where frozen layers see each picture once, before the training."""
    if augments(recipe) and k < L:
        expected = "--retrain all beside it: what frozen layers give is computed once"
        raise OptionError("--augment", expected, f"--retrain {recipe.retrain}", "--retrain all")


def _warn(report: TransferReport) -> None:
    """Where transfer makes no sense, say so and go on."""
    doubts = [one.doubt for one in report.conditions if one.holds is False]
    if doubts:
        words = f"transfer from {report.base} is doubtful: {'; '.join(doubts)}."
        warnings.warn(f"{words} Compare with a training without --from.", DataWarning, stacklevel=3)
