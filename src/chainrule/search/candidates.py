"""From the values of a candidate to a recipe: which names a space may have, and what they mean.

A dimension has the name of an entry of the recipe, or one of these, which make `hidden`:

    layers       how many hidden layers
    units        units of each of them
    units1, …    units of hidden layer 1, …; only where there is such a layer
"""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from chainrule.errors import OptionError, did_you_mean
from chainrule.search.conditions import Comparison, Condition
from chainrule.search.dimensions import Integers, as_text
from chainrule.search.space import Space, said_of
from chainrule.train.recipe import KINDS_OF_VALUES, Recipe

COLUMNS = ("target", "group", "time", "weight")
PICTURES = ("images", "image_size", "skip_unreadable")
DATA = ("source", *COLUMNS, *PICTURES, "dev", "test", "extra", "train_dev", "task")
FIXED = (*DATA, "goal", "reference", "base", "retrain", "seed")
OF_HIDDEN = ("layers", "units", "units1", "units2", "units3")
WORDS: dict[tuple[str, Any], Any] = {("hidden", "none"): (), ("batch_size", "all"): 0}
UNITS = re.compile(r"units([1-9][0-9]*)")


def names() -> list[str]:
    """What can be searched over, the hidden layers last."""
    return [field.name for field in fields(Recipe) if field.name not in FIXED] + list(OF_HIDDEN)


def recipe_of(base: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe of a candidate.

    >>> base = Recipe("digits", hidden=(64, 32))
    >>> recipe_of(base, {"learning_rate": 0.01, "layers": 3, "units": 16, "units2": 8}).hidden
    (16, 8, 16)
    """
    entries = {n: _meant(n, value) for n, value in values.items() if not of_hidden(n)}
    if len(entries) < len(values):
        entries["hidden"] = _hidden(base.layers, values)
    if base.network is None and "network" not in entries:
        entries = {"hidden": base.layers} | entries
    return replace(base, **entries)


def of_hidden(name: str) -> bool:
    """Whether this is about the hidden layers."""
    return name in ("layers", "units") or _number(name) > 0


def ready(space: Space, base: Recipe) -> Space:
    """The space with what is meant but not said; OptionError where a candidate could be no recipe.

    Units of layer 3 are there only where there is a layer 3. The ends of each dimension are tried.
    """
    _check_names(space)
    conditions: dict[str, Any] = dict(space.conditions)
    if layers := space.dimensions.get("layers"):
        for name in space.dimensions:
            number = 1 if name == "units" else _number(name)
            if name not in conditions and number > min(layers.ends()):
                conditions[name] = Condition((Comparison("layers", ">=", number),))
    space = Space(space.dimensions, conditions)
    _check_hidden(space, base)
    for name, dimension in space.dimensions.items():
        for value in (*dimension.ends(), dimension.at(0.3)):
            with said_of(f"{name}={dimension}"):
                _check_value(base, name, value)
    return space


def check_not_said(space: Space, options: Mapping[str, Any]) -> None:
    """Refuse an option that is searched over as well."""
    for name in options:
        hidden = [n for n in space.dimensions if name == "hidden" and of_hidden(n)]
        if name in space.dimensions or hidden:
            option, searched = "--" + name.replace("_", "-"), (hidden or [name])[0]
            hint = f"leaving out {option}, or the dimension {searched}"
            raise OptionError(option, f"it, or {searched} in the space", "both", hint)


def _meant(name: str, value: Any) -> Any:
    """A value as the recipe has it."""
    if name == "hidden" and isinstance(value, int):
        return (value,)
    return WORDS.get((name, value), value)


def _hidden(base: tuple[int, ...], said: Mapping[str, Any]) -> tuple[int, ...]:
    """Units of each layer: its own, those for all, or the base's."""
    layers = said.get("layers", len(base))
    usual = [said["units"]] * layers if "units" in said else list(base[:layers])
    usual += [0] * (layers - len(usual))
    return tuple(said.get(f"units{l}", usual[l - 1]) for l in range(1, layers + 1))


def _number(name: str) -> int:
    """3 for units3, 0 for others."""
    number = UNITS.fullmatch(name)
    return int(number[1]) if number else 0


def _check_names(space: Space) -> None:
    known = names()
    for name in space.dimensions:
        if name in FIXED:
            hint = "learning_rate, the first to search over" if name == "seed" else f"--{name}"
            raise OptionError(f"the space, {name}", "a hyperparameter", "what is fixed", hint)
        if name not in known and not of_hidden(name):
            got = "another name"
            raise OptionError(
                f"the space, {name}", "a hyperparameter", got, did_you_mean(name, known)
            )


def _check_value(base: Recipe, name: str, value: Any) -> None:
    """A value that a recipe takes: of the right kind, and in its range."""
    if of_hidden(name):
        least = 0 if name == "layers" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            expected = f"whole numbers from {least} on"
            raise OptionError(name, expected, as_text(value), f"{name}=integers({least + 1}, 3)")
        return
    kind, words = KINDS_OF_VALUES.get(name, (str, "text"))
    if not isinstance(_meant(name, value), kind):
        hint = "integers for whole numbers, choices for words"
        raise OptionError(name, words, as_text(value), hint)
    recipe_of(base, {name: value})


def _check_hidden(space: Space, base: Recipe) -> None:
    """Each layer that there may be has its units, and each unit may have its layer."""
    made = [name for name in space.dimensions if of_hidden(name)]
    if made and "hidden" in space.dimensions:
        hint = "leaving one of them out"
        raise OptionError("the space, hidden", f"hidden or {made[0]}", "both", hint)
    if made and base.network is not None:
        expected = f"a hyperparameter of {base.network}, whose layers are settled"
        hint = "width=choices(0.5, 1, 2), or leaving out --network"
        raise OptionError(f"the space, {made[0]}", expected, "units of hidden layers", hint)
    layers = space.dimensions.get("layers")
    most = max(layers.ends()) if layers else len(base.layers)
    for l in range(len(base.layers) + 1, most + 1):
        if "units" not in space.dimensions and f"units{l}" not in space.dimensions:
            hint = f"units{l}={Integers(8, 128, log=True)}, or units for all layers"
            raise OptionError("the space, layers", f"units for layer {l}", "none", hint)
    for name in made:
        if _number(name) > most:
            hint = f"layers=integers(1, {_number(name)})"
            raise OptionError(f"the space, {name}", f"at most {most} hidden layers", name, hint)
