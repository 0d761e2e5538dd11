"""Transfer learning: reuse the layers of a trained network (the base) for a new task.

Notes: "Transfer learning" (course 3, week 2; course 4, week 2: download the weights, and start from
there).

    prepare_transfer   preprocess the data as the base does, add a new head, choose what is trained
    Transfer.training  what is trained: the head on the outputs of the frozen layers, or all layers
    Transfer.finish    join the layers again, and add the report to the facts of the run

The base is a run, or published weights. Published weights are loaded as a run that was not trained
here: its preprocessor scales pixels as in the original training, and nothing is known about its
data.
"""

import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.labels import Labels
from chainrule.data.scaling import Normalizer
from chainrule.errors import DataWarning, OptionError, RunError, in_option
from chainrule.host.randomness import key_from_seed
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.custom import with_outputs
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.ensemble import Ensemble
from chainrule.models.pretrained import load_published
from chainrule.models.pretrained_files import refuse_pickle
from chainrule.models.sequence_network import SequenceNetwork
from chainrule.runs.folder import load
from chainrule.runs.networks import augmented
from chainrule.runs.prepare import Prepared, prepare_network
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.recipe import Recipe, augments
from chainrule.runs.run import Run
from chainrule.strategy.transfer_layers import cut, data_like, depth, joined, new_head
from chainrule.strategy.transfer_report import (
    Comparison,
    TransferReport,
    best_choice,
    choices,
    layers_of,
    make_report,
    rows_seen_by_base,
    training_of,
    trials,
)
from chainrule.train.history import History

SUFFIX = ".safetensors"
PIXEL = 255.0


def load_base(recipe: Recipe) -> Run:
    """Load the base named by `--from`: a run, or published weights for images of this size."""
    name = str(recipe.base)
    with in_option("--from"):
        refuse_pickle(Path(name))
    if not is_published(name):
        return load(name, "train")
    published = load_published(name, image_size=recipe.image_size)
    n_H, n_W, n_C = published.network.shape
    scale = Normalizer("standard", PIXEL * published.mean, PIXEL * published.std)
    names = published.classes or tuple(f"class {i}" for i in range(published.network.n_L))
    labels = Labels("classification", names, names, published.network.n_L)
    outputs = Normalizer("none", np.zeros(()), np.ones(()))
    preprocessor = Preprocessor(
        None, scale, labels, outputs, (n_H, n_W, n_C) if n_C > 1 else (n_H, n_W)
    )
    facts = {"data": {"name": f"published weights, {published.network.name}"}}
    return Run(published.network, preprocessor, Recipe(name), History(), {}, facts, Path(name))


def is_published(name: str) -> bool:
    """Return whether the name is a file of published weights and not a run.

    >>> is_published("resnet18.safetensors"), is_published("runs/digits-1")
    (True, False)
    """
    return name.lower().endswith(SUFFIX)


@dataclass(frozen=True)
class Transfer:
    """A transfer that is ready to be trained.

    prepared   the whole network before training, and the preprocessed data
    training   the layers of it that are trained
    report     which layers are trained, why, and whether transfer makes sense here
    """

    prepared: Prepared
    training: Prepared
    report: TransferReport

    def finish(self, run: Run) -> Run:
        """Return the run of `training` with the whole network, and with the report in its facts."""
        facts = {**run.facts, "transfer": self.report.to_dict()}
        network: Any = self.prepared.network
        frozen, _ = cut(network, self.report.trained)
        if not frozen.layers:
            return replace(run, facts=facts)
        head: Any = run.network
        history = replace(run.history, signals=[])  # their layers are numbered differently now
        return replace(run, network=joined(frozen, head), history=history, facts=facts)


def prepare_transfer(recipe: Recipe, base: Run | None = None) -> Transfer:
    """Read the data, preprocess it as the base does, add a new head and choose what is trained.

    `base` is the run `recipe.base`, if it is loaded already. Raises ChainruleError where the data
    or the options do not fit the base.
    """
    base = load_base(recipe) if base is None else base
    return choose(begin_transfer(recipe, base), base)


def begin_transfer(recipe: Recipe, base: Run) -> Prepared:
    """Prepare the data and the initial network, without training anything."""
    if isinstance(base.network, Ensemble):
        expected, got = "a run of a single network", f"an ensemble, {base.network.title}"
        raise RunError(f"--from {recipe.base}", expected, got, "a run trained with --members 1")
    recipe = adapt_recipe(recipe, base)
    data = data_like(recipe, base.preprocessor)
    if recipe.layers is not None:
        layers = with_outputs(recipe.layers, data.preprocessor.labels.n_outputs)
        recipe = replace(recipe, layers=layers)
    network: Any = base.network
    settings = {"keep_prob": recipe.keep_prob, "initializer": recipe.init}
    key = key_from_seed(recipe.seed)
    headed = new_head(network, data.preprocessor.labels.n_outputs, **settings, key=key)
    if recipe.retrain is not None:
        check_augment(recipe, layers_of(recipe.retrain, depth(headed)), depth(headed))
    if isinstance(headed, ConvNetwork):
        headed = augmented(headed, recipe.augment or "none", data.parts["train"].X)
    return replace(prepare_network(recipe, data), network=headed)


def choose(whole: Prepared, base: Run) -> Transfer:
    """Choose the layers to train: as given, by trials on the dev set, or by a rule of thumb."""
    network: Any = whole.network
    L = depth(network)
    asked = whole.recipe.retrain and layers_of(whole.recipe.retrain, L)
    asked = asked or (L if augments(whole.recipe) else None)
    compared = trials(whole, [asked] if asked else choices(network))
    k = asked or _best(compared, network, len(whole.parts["train"].X))
    report = make_report(whole, base, k, compared)
    _warn(report)
    for part, n in rows_seen_by_base(base, whole).items():
        rows = f"{n:,} of the {len(whole.sources[part]):,} rows of {part}"
        message = f"{rows} are training rows of {report.base}: the score on {part} is optimistic."
        warnings.warn(message, DataWarning, stacklevel=2)
    whole = replace(whole, recipe=replace(whole.recipe, retrain=report.retrain))
    return Transfer(whole, training_of(whole, k), report)


def _best(compared: Comparison | None, network: Any, m: int) -> int:
    """Return the number of layers to train by the trials, or by the rule of thumb without them."""
    if compared is None:
        return best_choice({}, network, m)
    return best_choice(compared.outcomes, network, m, compared.worse_choices())


def adapt_recipe(recipe: Recipe, base: Run) -> Recipe:
    """Set the recipe to the base's architecture and scale; raise OptionError on a conflict."""
    network: Any = base.network
    settings = network.settings
    where = f"--from {recipe.base}"
    if isinstance(network, SequenceNetwork):
        expected, hint = "a network on rows or images", "training from scratch, without --from"
        raise OptionError(where, expected, network.title, hint)
    if depth(network) < 2:
        hint = "a base with hidden layers, such as --hidden 64,32"
        raise OptionError(where, "a network with hidden layers to reuse", network.title, hint)
    usual = Recipe("")
    fixed = {"normalize": base.preprocessor.inputs.kind, **architecture(network)}
    for name, value in fixed.items():
        given = getattr(recipe, name)
        if given != getattr(usual, name) and given != value:
            option = "--" + name.replace("_", "-")
            expected = f"{value!r}, the setting of the --from run"
            raise OptionError(option, expected, repr(given), f"leaving {option} out")
    if recipe.keep_prob == usual.keep_prob and settings.get("keep_prob"):
        fixed["keep_prob"] = settings["keep_prob"]
    return replace(recipe, **fixed)


def architecture(network: Any) -> dict[str, Any]:
    """Return the entries of a recipe that describe the layers of the network."""
    settings = network.settings
    if isinstance(network, DeepNetwork):
        same = {name: settings[name] for name in ("activation", "batch_norm")}
        return {"hidden": tuple(network.sizes[1:-1]), **same}
    names = [field.name for field in fields(Recipe)]
    same = {name: settings[name] for name in names if name in settings}
    return {name: value for name, value in same.items() if name not in ("augment", "keep_prob")}


def check_augment(recipe: Recipe, k: int, L: int) -> None:
    """Raise OptionError for augmentation with frozen layers, whose outputs are computed once."""
    if augments(recipe) and k < L:
        expected = "--retrain all, since the outputs of frozen layers are computed only once"
        raise OptionError("--augment", expected, f"--retrain {recipe.retrain}", "--retrain all")


def _warn(report: TransferReport) -> None:
    """Warn if the conditions for transfer learning do not hold."""
    doubts = [one.doubt for one in report.conditions if one.holds is False]
    if doubts:
        reason = f"transfer from {report.base} may not help: {'; '.join(doubts)}."
        advice = "Compare with a training run without --from."
        warnings.warn(f"{reason} {advice}", DataWarning, stacklevel=3)
