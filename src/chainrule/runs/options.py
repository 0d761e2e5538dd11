"""The declaration of an option, made once: on a field of a recipe or a parameter of a command.

    epochs: int | None = option(None, "Maximum number of epochs.", "Training", "N", minimum=1)

The declaration contains the name, the type, the default, the range and the help text of an option.
It is used for the command line and its help (`cli/options.py`), for checking a recipe, a saved
recipe and the parameters of an estimator, for the search spaces, and for the reference page.

    option               declare an option
    options_of           return the options that a recipe declares, by name
    check_options        check the values of a recipe
    check_parameters     check those parameters of an estimator that have the name of an option
    restore              build a recipe from plain data, such as JSON

This file is imported for `--help`, so it imports neither NumPy nor JAX.
"""

import csv
import dataclasses
import inspect
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from chainrule.errors import OptionError, check_choice, check_integer, check_number, did_you_mean

PANELS = (
    *("Data", "Model", "Training", "Regularisation", "Images"),
    *("Search", "Output", "Options"),
)
"""The groups of options in the help of a command, in the order in which they are shown."""
AUTO = "auto"
"""The default of those parameters of an estimator whose value is chosen to suit the data."""


@dataclass(frozen=True)
class Option:
    """The declaration of an option.

    help           the sentence in the help of a command, without the default value
    panel          the group in which the help shows the option: one of PANELS
    metavar        the placeholder for the value in the help, such as "N"
    default        the default value; None if chainrule chooses the value, or the option is off
    default_text   the description of the default in the help, if it is not the value itself
    example        a valid value as it is typed, which error messages suggest
    choices        all valid values, if there are only a few
    suggestions    values that the shell completes, although others are valid too
    minimum …      the range of a number, which includes `minimum` and `maximum`, but excludes
                   `above` and `below`
    flags          the names of the option at the command line, if not --name-of-the-field
    parse          a function that converts the flag and the typed text to a value
    spell          the inverse of `parse`, which converts a value to text
    positional     whether the option is an argument without a flag, such as SOURCE
    searchable     whether `chainrule tune` may search over the option
    listed         whether the command line has the option
    writes         whether it names a file that the command writes, so that --force is offered too
    name, type     the name and the type of the field or parameter
    """

    help: str
    panel: str = "Options"
    metavar: str | None = None
    default: Any = None
    default_text: str | None = None
    example: str = ""
    choices: Sequence[Any] = ()
    suggestions: Sequence[str] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    flags: Sequence[str] = ()
    parse: Callable[[str, str], Any] | None = None
    spell: Callable[[Any], str] | None = None
    positional: bool = False
    searchable: bool = True
    listed: bool = True
    writes: bool = False
    name: str = ""
    type: Any = str

    @property
    def flag(self) -> str:
        """The option as it is typed at the command line, such as "--learning-rate"."""
        longest = max(self.flags, key=len) if self.flags else "--" + self.name.replace("_", "-")
        return self.name.upper() if self.positional else longest.split("/")[0]

    @property
    def types(self) -> tuple[Any, ...]:
        """The possible types of a value, except None."""
        union = get_origin(self.type) in (Union, UnionType)
        members = get_args(self.type) if union else (self.type,)
        return tuple(one for one in members if one is not NoneType)

    @property
    def is_optional(self) -> bool:
        """Whether None is a valid value of the option."""
        return NoneType in get_args(self.type)

    @property
    def valid(self) -> tuple[Any, ...]:
        """All valid values, or an empty tuple for numbers and text."""
        return tuple(self.choices) or ((True, False) if bool in self.types else ())

    @property
    def type_words(self) -> str:
        """A description of the types, such as "a whole number"."""
        return ", or ".join(_type_words(one, alone=i == 0) for i, one in enumerate(self.types))

    def read(self, text: str) -> Any:
        """Convert the typed text to a value; raise OptionError if it is not valid."""
        value = self.parse(self.flag, text) if self.parse else self._read(text)
        self.check(value)
        return value

    def _read(self, text: str) -> Any:
        kind = next((one for one in self.types if one in (int, float)), str)
        return text if kind is str else read_number(self.flag, text, kind, self.example)

    def text(self, value: Any) -> str:
        """Return a value as text, as it is typed at the command line."""
        if isinstance(value, bool):
            return str(value).lower()
        if self.spell is not None:
            return self.spell(value)
        return number_text(value) if isinstance(value, float) else str(value)

    def check(self, value: Any, where: str | None = None, hint: str | None = None) -> None:
        """Refuse a value outside the choices or the range.

        In the message, `where` names the option (by default its flag), and `hint` is what to try.
        """
        where, hint = self.flag if where is None else where, self.example if hint is None else hint
        several = isinstance(value, Iterable) and not isinstance(value, str)
        for one in value if several else (value,):
            if self.valid:
                check_choice(where, one, self.valid)
            elif int in self._item_types:
                check_integer(where, one, int(self.minimum or 0), hint)
            elif float in self._item_types and self._bounds:
                check_number(where, one, hint=hint, **self._bounds)

    @property
    def _bounds(self) -> dict[str, float]:
        bounds = {name: getattr(self, name) for name in ("minimum", "above", "maximum", "below")}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    @property
    def _item_types(self) -> set[Any]:
        return {item for one in self.types for item in (get_args(one) or [one])}

    def convert(self, value: Any, where: str, hint: str) -> Any:
        """Convert a value from JSON to the type of the option, or raise OptionError."""
        for one in self.types:
            found = _converted(value, one)
            if found is not None:
                return found
        raise OptionError(where, self.type_words, repr(value), hint)


def option(
    default: Any,
    help: str,
    panel: str = "Options",
    metavar: str | None = None,
    **declaration: Any,
) -> Any:
    """Declare an option, as the default of a dataclass field or of a command's parameter.

    `declaration` contains further attributes of `Option`, such as `minimum` or `choices`.
    """
    if isinstance(flags := declaration.get("flags", ()), str):
        declaration["flags"] = (flags,)
    declared = Option(help, panel, metavar, default=default, **declaration)
    required = {} if default is dataclasses.MISSING else {"default": default}
    return field(**required, metadata={"option": declared})


def bound(name: str, type_: Any, declared: dataclasses.Field) -> Option:
    """Return the option that is declared on a field or parameter, with its name and type."""
    return replace(declared.metadata["option"], name=name, type=type_)


@cache
def options_of(recipe: type) -> dict[str, Option]:
    """Return the options that are declared on the fields of a recipe, by name."""
    return {one.name: bound(one.name, one.type, one) for one in dataclasses.fields(recipe)}


def check_options(recipe: Any) -> None:
    """Refuse a recipe with a value outside the choices or the range of its option."""
    for name, declared in options_of(type(recipe)).items():
        value = getattr(recipe, name)
        if value is not None or not declared.is_optional:
            declared.check(value)


def check_parameters(estimator: Any, recipe: type) -> None:
    """Refuse parameters of an estimator that are invalid for the option of the same name.

    None is valid if the annotation in the estimator's `__init__` allows it, and "auto" is valid if
    it is the default of the parameter.
    """
    declared = options_of(recipe)
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if name in declared:
            _check_parameter(declared[name], parameter, getattr(estimator, name))


def _check_parameter(declared: Option, parameter: inspect.Parameter, value: Any) -> None:
    may_be_none = NoneType in get_args(parameter.annotation)
    may_be_auto = isinstance(parameter.default, str) and parameter.default == AUTO
    is_auto = isinstance(value, str) and value == AUTO
    if (value is None and may_be_none) or (is_auto and may_be_auto):
        return
    example = declared.example
    if may_be_auto:
        example = f'"{AUTO}", or {example}'
    elif isinstance(parameter.default, tuple):
        example = repr(parameter.default)
    choices = [choice for choice in declared.valid if not (choice == "none" and may_be_none)]
    if choices:
        auto = [AUTO] if may_be_auto and AUTO not in choices else []
        check_choice(parameter.name, value, [*choices, *auto])
    else:
        declared.check(value, parameter.name, example)


R = TypeVar("R")


def restore(recipe: type[R], saved: Mapping[str, Any], renamed: Mapping[str, str]) -> R:
    """Build a recipe from plain data, in which None means that an option was not set.

    An unknown name and a value of the wrong type raise OptionError; for an earlier name in
    `renamed`, the message gives the current name.
    """
    declared = options_of(recipe)
    if not isinstance(saved, Mapping):
        raise OptionError("the recipe", "options with their values", repr(saved))
    given = {name: value for name, value in saved.items() if value is not None}
    for name in sorted(given.keys() - declared.keys()):
        new = renamed.get(name)
        unused = sorted(declared.keys() - given.keys())
        hint = did_you_mean(name, unused) if new not in declared else str(new)
        got = repr(name) if new not in declared else f"{name!r}, which is now called {new!r}"
        raise OptionError("the recipe", "the name of an option", got, hint)
    hint = "the unchanged recipe.json of a run"
    for name, one in declared.items():
        if one.default is dataclasses.MISSING and name not in given:
            raise OptionError("the recipe", f"a value of {name}", "none", hint)
    return recipe(
        **{
            name: declared[name].convert(value, f"the recipe, {name}", hint)
            for name, value in given.items()
        }
    )


def read_number(where: str, text: str, kind: type, hint: str) -> Any:
    """Convert the typed text to a number, or raise OptionError.

    >>> read_number("--epochs", "many", int, "100")
    Traceback (most recent call last):
    chainrule.errors.OptionError: --epochs: expected a whole number; got 'many'.
    Try 100.
    """
    try:
        return kind(text.strip())
    except ValueError:
        raise OptionError(where, _type_words(kind), repr(text.strip()), hint) from None


def read_numbers(
    where: str, text: str, kind: type, hint: str, separator: str = ","
) -> tuple[Any, ...]:
    """Convert a typed list of numbers to a tuple.

    >>> read_numbers("--hidden", "64,32", int, "64,32")
    (64, 32)
    """
    return tuple(read_number(where, part, kind, hint) for part in text.split(separator))


def read_names(where: str, text: str) -> tuple[str, ...]:
    """Convert the typed list to names; a name with a comma is quoted.

    >>> read_names("--drop", 'id, "name, first"')
    ('id', 'name, first')
    """
    try:
        names = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error:
        names = []
    found = tuple(name.strip() for name in names if name.strip())
    if not found:
        expected = "names of columns, separated by commas"
        raise OptionError(where, expected, repr(text), "id,name")
    return found


def spell_names(names: str | Sequence[str]) -> str:
    """Return names as text, as they are typed at the command line.

    >>> spell_names(("id", "name, first"))
    'id,"name, first"'
    """
    if isinstance(names, str):
        return names
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def joined(values: Iterable[Any], separator: str = ",") -> str:
    """Return a list of numbers as text, as it is typed at the command line.

    >>> joined((64, 32)), joined((0.8, 1.0))
    ('64,32', '0.8,1')
    """
    return separator.join(map(number_text, values))


def number_text(value: float) -> str:
    """Return the shortest text that represents a number exactly.

    >>> number_text(1.0), number_text(0.1 + 0.2), number_text(64)
    ('1', '0.30000000000000004', '64')
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def read_image_size(where: str, text: str) -> tuple[int, int]:
    """Convert the typed text to a height and a width; a single number is used for both.

    >>> read_image_size("--image-size", "64x48"), read_image_size("--image-size", "32")
    ((64, 48), (32, 32))
    """
    sizes = read_numbers(where, text.lower(), int, "64x64", "x")
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise OptionError(where, "HEIGHTxWIDTH, each at least 1", text, "64x64")
    return sizes[0], sizes[-1]


def alternatives(names: Sequence[Any]) -> str:
    """Return a list of names as text, with "or" before the last one.

    >>> alternatives(("he", "xavier", "zeros"))
    'he, xavier or zeros'
    """
    *first, last = map(str, names)
    return f"{', '.join(first)} or {last}" if first else last


def spell_image_size(size: Sequence[int]) -> str:
    """Return a height and a width as text, as they are typed at the command line."""
    return joined(size, "x")


WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _type_words(kind: Any, *, alone: bool = True) -> str:
    """Return a description of a type; a list that follows another type is "a list of them"."""
    if kind in WORDS:
        return WORDS[kind]
    items = get_args(kind)
    several = WORDS[items[0]].removeprefix("a ") + "s"
    if not alone:
        return "a list of them"
    return f"a list of {several}" if Ellipsis in items else f"a list of two {several}"


def _converted(value: Any, kind: Any) -> Any:
    """Return a value converted to this type, or None if it has a different type."""
    if kind is float:
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            return None
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if numeric else None
    if kind in WORDS:
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        return value if right else None
    items = get_args(kind)
    if not isinstance(value, list | tuple) or (Ellipsis not in items and len(value) != len(items)):
        return None
    found = tuple(_converted(one, items[0]) for one in value)
    return None if None in found else found
