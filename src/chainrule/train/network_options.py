"""Check the options of a network for images before any data is read.

The options are its name, its width, its precision and augmentation.
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


def check_named(estimator: Any) -> None:
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
