"""What may be said of a network of images: its name, its width, augmentation; and what may not.

Asked before anything is read.
"""

from collections.abc import Callable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from chainrule.data.augmentation import read_augmentation
from chainrule.errors import ChainruleError, OptionError, check_choice
from chainrule.models.conv_network import PRECISIONS
from chainrule.models.zoo import NETWORKS, options_of
from chainrule.train.defaults import HIDDEN

if TYPE_CHECKING:
    from chainrule.train.recipe import Recipe
AUTO = "auto"
"""Augmentation that is safe for pictures of this kind."""
SETTLED = {"width": None, "activation": "relu", "batch_norm": False, "keep_prob": 1.0}
"""What some networks of the zoo settle themselves, and what is not said is."""


def augments(recipe: "Recipe") -> bool:
    """Whether training changes its pictures."""
    return recipe.augment not in (None, "none")


def check_network_options(recipe: "Recipe") -> None:
    """Refuse a name that is none, and options that mean nothing together."""
    if recipe.precision is not None:
        check_choice("--precision", recipe.precision, PRECISIONS)
    _check_augment(recipe.augment)
    if recipe.network is None:
        _check_without(recipe)
    else:
        check_choice("--network", recipe.network, NETWORKS)
        _check_with(recipe)


def check_named(estimator: Any) -> None:
    """The same of an estimator's parameters."""
    network = estimator.network
    if network is not None:
        check_choice("network", network, NETWORKS)
        said = {name: getattr(estimator, name) for name in SETTLED}
        if tuple(estimator.hidden) != HIDDEN:
            hint = "leaving one of them out"
            raise OptionError("hidden", f'it, or network="{network}"', "both", hint)
        _check_settled(network, said, lambda name: name, f'network="{network}"')
        _check_width(estimator.width, "width")
    for name in ("width", "augment", "image_shape"):
        if getattr(estimator, name) is not None and network is None:
            raise OptionError(name, "a network of images beside it", "none", 'network="convnet"')
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
        raise OptionError("--hidden", f"it, or --network {recipe.network}", "both", hint)
    said = {name: getattr(recipe, name) for name in SETTLED}
    _check_settled(str(recipe.network), said, _flag, f"--network {recipe.network}")
    _check_width(recipe.width, "--width")


def _check_width(width: Any, where: str) -> None:
    number = isinstance(width, Real) and not isinstance(width, bool)
    if width is None or (number and 0 < float(width) < float("inf")):
        return
    expected = "a number above 0, by which all channels are multiplied"
    raise OptionError(where, expected, f"{width:g}" if number else repr(width), "0.5")


def _check_settled(
    network: str, said: Mapping[str, Any], spelled: Callable[[str], str], beside: str
) -> None:
    """Refuse what the network has its own of, and one number for each layer."""
    known = options_of(network)
    for name, value in said.items():
        if value != SETTLED[name] and (name not in known or isinstance(value, list | tuple)):
            expected = f"nothing beside {beside}, which has its own"
            if name in known:
                expected = "one number for all layers"
            option = spelled(name)
            raise OptionError(option, expected, f"{value}", f"leaving {option} out")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_without(recipe: "Recipe") -> None:
    for name in ("width", "augment", "precision"):
        if getattr(recipe, name) is not None and recipe.base is None:
            expected, hint = "a network of images beside it", "--network convnet"
            raise OptionError(f"--{name}", expected, "none", hint)
