"""The recipe of a training: all options that a user can set, with their defaults.

A recipe is plain data: it is stored in the run, and `chainrule train --recipe FILE` repeats it.

Check the options of a network for images before any data is read.

The options are its name, its width, its precision and augmentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any

from chainrule.data.augmentation import read_augmentation
from chainrule.data.labels import TASKS
from chainrule.data.scaling import KINDS
from chainrule.errors import ChainruleError, OptionError, check_choice, did_you_mean
from chainrule.models.conv_network import PRECISIONS
from chainrule.models.deep_network import ACTIVATIONS, INITIALIZERS, keep_probs
from chainrule.models.zoo import NETWORKS, options_of
from chainrule.runs.defaults import HIDDEN, OptimizerSettings
from chainrule.train.step import check_strength

AUTO = "auto"
"""Choose augmentation that is safe for this kind of image."""
SETTLED = {"width": None, "activation": "relu", "batch_norm": False, "keep_prob": 1.0}
"""The options that some networks set themselves, with their defaults."""


def augments(recipe: "Recipe") -> bool:
    """Return whether the images are augmented in training."""
    return recipe.augment not in (None, "none")


def check_network_options(recipe: "Recipe") -> None:
    """Refuse an unknown network, and options that cannot be combined."""
    if recipe.precision is not None:
        check_choice("--precision", recipe.precision, PRECISIONS)
    _check_augment(recipe.augment)
    if recipe.network is None:
        _check_without(recipe)
    else:
        check_choice("--network", recipe.network, NETWORKS)
        _check_with(recipe)


def check_estimator_network(estimator: Any) -> None:
    """Refuse an estimator's parameters if its network is unknown or they cannot be combined."""
    network = estimator.network
    if network is not None:
        check_choice("network", network, NETWORKS)
        options = {name: getattr(estimator, name) for name in SETTLED}
        if tuple(estimator.hidden) != HIDDEN:
            hint = "leaving one of them out"
            raise OptionError("hidden", f'either hidden or network="{network}"', "both", hint)
        _check_fixed_options(network, options, lambda name: name, f'network="{network}"')
        _check_width(estimator.width, "width")
    for name in ("width", "augment", "image_shape"):
        if getattr(estimator, name) is not None and network is None:
            raise OptionError(
                name, "a network for images, given by network", "none", 'network="convnet"'
            )
    _check_augment(estimator.augment, "augment")


def _check_augment(text: str | None, where: str = "--augment") -> None:
    if text in (None, AUTO):
        return
    try:
        read_augmentation(text)
    except ChainruleError as error:
        raise error.inside(where) from None


def _check_with(recipe: "Recipe") -> None:
    if recipe.hidden is not None:
        hint = "leaving one of them out"
        expected = f"either --hidden or --network {recipe.network}"
        raise OptionError("--hidden", expected, "both", hint)
    options = {name: getattr(recipe, name) for name in SETTLED}
    _check_fixed_options(str(recipe.network), options, _flag, f"--network {recipe.network}")
    _check_width(recipe.width, "--width")


def _check_width(width: Any, where: str) -> None:
    number = isinstance(width, Real) and not isinstance(width, bool)
    if width is None or (number and 0 < float(width) < float("inf")):
        return
    expected = "a number greater than 0, by which all channels are multiplied"
    raise OptionError(where, expected, f"{width:g}" if number else repr(width), "0.5")


def _check_fixed_options(
    network: str, options: Mapping[str, Any], spelling: Callable[[str], str], network_option: str
) -> None:
    """Refuse options that the network sets itself, and lists with one number per layer."""
    known = options_of(network)
    for name, value in options.items():
        if value != SETTLED[name] and (name not in known or isinstance(value, list | tuple)):
            expected = f"no value with {network_option}, which sets it itself"
            if name in known:
                expected = "one number for all layers"
            option = spelling(name)
            raise OptionError(option, expected, f"{value}", f"leaving {option} out")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_without(recipe: "Recipe") -> None:
    for name in ("width", "augment", "precision"):
        if getattr(recipe, name) is not None and recipe.base is None:
            expected, hint = "a network for images, given by --network", "--network convnet"
            raise OptionError(f"--{name}", expected, "none", hint)


KINDS_OF_VALUES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "hidden": ((list, tuple), "a list of whole numbers"),
    "image_size": ((list, tuple), "a list of two whole numbers"),
    "learning_rate": ((int, float), "a number"),
    "batch_size": (int, "a whole number"),
    **dict.fromkeys(("beta", "decay_rate", "clip_norm", "l2", "l1"), ((int, float), "a number")),
    "decay_epochs": (int, "a whole number"),
    "keep_prob": ((int, float, list, tuple), "a number, or a list of them"),
    "width": ((int, float), "a number"),
    "batch_norm": (bool, "true or false"),
    "train_dev": (bool, "true or false"),
    "skip_unreadable": (bool, "true or false"),
    "reference": ((int, float), "a number"),
    "epochs": (int, "a whole number"),
    "early_stopping": (bool, "true or false"),
    "seed": (int, "a whole number"),
}


@dataclass(frozen=True)
class Recipe:
    """The data, the network and the settings of a training; None is chainrule's choice.

    source … image_size   the data: see `chainrule.data.load.load`
    dev, test             separate files for the dev and test sets, or "none"
    extra                 additional training data from a different distribution, which is never
                          part of the dev and test sets
    train_dev             whether to set aside a train-dev set, which has the distribution of the
                          training set and is not trained on; None: only with `extra`
    task                  classification or regression
    goal                  the score to optimise, and conditions: "f1 with recall >= 0.9"
    reference             the human error, or the lowest possible error (Bayes)
    base, retrain         transfer learning: a run whose layers are reused, and which of them train
    hidden                units of the hidden layers; () is logistic, softmax or linear regression;
                          None: chosen by the ladder, or 64 and 32 without a ladder
    network               the name of a network for images: see `chainrule.models.zoo.NETWORKS`
    width                 the factor by which all channels of such a network are multiplied
    augment               changes to the images of each step: "mirror,crop=4", "auto", "none"
    precision             the compute precision of training: "float32" or "bfloat16"
    beta … clip_norm      the optimiser: see `chainrule.runs.defaults.OptimizerSettings`
    batch_size            examples per step; 0 is the whole training set
    l2, l1                λ of λ/(2m) Σ‖W‖² and of λ/m Σ|W|
    keep_prob             the share of hidden units that dropout keeps; one number, or one per layer
    early_stopping        whether to stop early; None: only with 500 or more examples
    """

    source: str
    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    images: str | None = None
    image_size: tuple[int, int] | None = None
    skip_unreadable: bool | None = None
    dev: str | None = None
    test: str | None = None
    extra: str | None = None
    train_dev: bool | None = None
    task: str | None = None
    goal: str | None = None
    reference: float | None = None
    base: str | None = None
    retrain: str | None = None
    hidden: tuple[int, ...] | None = None
    network: str | None = None
    width: float | None = None
    augment: str | None = None
    precision: str | None = None
    activation: str = "relu"
    init: str | None = None
    optimizer: str = "adam"
    learning_rate: float | None = None
    beta: float | None = None
    decay: str | None = None
    decay_rate: float | None = None
    decay_epochs: int | None = None
    clip_norm: float | None = None
    batch_size: int | None = None
    l2: float = 0.0
    l1: float = 0.0
    keep_prob: float | tuple[float, ...] = 1.0
    batch_norm: bool = False
    epochs: int | None = None
    early_stopping: bool | None = None
    normalize: str | None = None
    seed: int = 0

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        _check_whole("--hidden", self.hidden or (), 1, "units per hidden layer, such as 64,32")
        check_choice("--activation", self.activation, ACTIVATIONS)
        self.descent.check("--")
        _check_optional("--init", self.init, INITIALIZERS)
        _check_optional("--task", self.task, TASKS)
        _check_optional("--normalize", self.normalize, KINDS)
        _check_whole("--image-size", self.image_size or (), 1, "64x64")
        for option, value, least, hint in (
            ("--epochs", self.epochs, 1, "100"),
            ("--batch-size", self.batch_size, 0, "64, or all"),
            ("--seed", self.seed, 0, "0"),
        ):
            _check_whole(option, () if value is None else (value,), least, hint)
        check_strength("--l2", self.l2)
        check_strength("--l1", self.l1)
        check_network_options(self)
        keep_probs("--keep-prob", self.keep_prob, len(self.layers) if self.network is None else 1)
        if self.retrain is not None and self.base is None:
            hint = "--from RUN, or leaving --retrain out"
            raise OptionError("--retrain", "a run whose layers are reused", "none", hint)
        if self.reference is not None and not 0 <= self.reference < float("inf"):
            expected, hint = "an error of at least 0", "0.05, the share that people get wrong"
            raise OptionError("--reference", expected, f"{self.reference:g}", hint)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Recipe":
        """Restore a recipe from what `to_dict` returned; None means that an option was not set."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(saved.keys() - known)
        if unknown:
            hint = did_you_mean(unknown[0], sorted(known))
            raise OptionError("the recipe", "the options of a recipe", repr(unknown[0]), hint)
        given = {name: value for name, value in saved.items() if value is not None}
        for name, value in given.items():
            kind, words = KINDS_OF_VALUES.get(name, (str, "text"))
            if not isinstance(value, kind):
                hint = "the unchanged recipe.json of a run"
                raise OptionError(f"the recipe, {name}", words, repr(value), hint)
        tuples = {name: tuple(given[name]) for name in ("hidden", "image_size") if name in given}
        if isinstance(given.get("keep_prob"), list):
            tuples["keep_prob"] = tuple(given["keep_prob"])
        return cls(**{**given, **tuples})

    @property
    def layers(self) -> tuple[int, ...]:
        """The units of the hidden layers without the ladder; empty for a network with a name."""
        if self.network is not None:
            return ()
        return HIDDEN if self.hidden is None else self.hidden

    @property
    def is_named(self) -> bool:
        """Whether the recipe specifies the network, so that the ladder is not needed."""
        return self.hidden is not None or self.network is not None

    @property
    def descent(self) -> OptimizerSettings:
        """The settings of the optimiser."""
        return OptimizerSettings(
            **{field.name: getattr(self, field.name) for field in fields(OptimizerSettings)}
        )


def _check_optional(option: str, value: object, choices) -> None:
    if value is not None:
        check_choice(option, value, choices)


def _check_whole(option: str, values: tuple, least: int, hint: str) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise OptionError(option, f"a whole number of at least {least}", str(value), hint)
