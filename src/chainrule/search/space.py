"""The space of a search: named dimensions, some of which exist only under a condition on others.

Notes: "Tuning process" (course 2, week 3): draw at random, not on a grid.

    Space({"learning_rate": Log(1e-4, 1), "layers": Integers(1, 3), "units": Integers(8, 128)})
    Space.parse(["learning_rate=log(1e-4, 1)", "units2=integers(8, 128) if layers >= 2"])
    Space.read("space.toml")      TOML with lines such as "learning_rate = 'log(1e-4, 1)'", or JSON

A dimension is drawn after those that its condition refers to. It has its own random generator,
which depends only on the seed, the number of the candidate and the name of the dimension. So the
same seed gives the same candidates for any number of workers, and adding a dimension does not
change the values of the others.

A dimension may have a condition: the units of layer 3 exist only if there is a layer 3. On the
command line and in a file, dimensions and conditions are Python expressions, which are parsed and
never evaluated:

    learning_rate=log(1e-4, 1)
    hidden=choices(none, (64,), (64, 32))
    units3=integers(8, 128) if layers >= 3

The default space has the hyperparameters in the notes' order of importance: first α; then the
hidden units and the mini-batch size; then the number of layers; λ of L2 regularisation comes last.
For a network on images: α, augmentation, λ, and keep_prob if it has dropout.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.batches import WHOLE_SET
from chainrule.errors import ChainruleError, OptionError, check_choice, did_you_mean
from chainrule.host.reading import read_bytes, read_json
from chainrule.models.zoo import options_of
from chainrule.runs.prepare import Prepared
from chainrule.runs.recipe import Recipe
from chainrule.search.dimensions import (
    Choices,
    Dimension,
    Integers,
    Log,
    OneMinusLog,
    Uniform,
    as_text,
)

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, values: value in values,
}


@dataclass(frozen=True)
class Comparison:
    """A comparison of a dimension's value with a constant, such as layers >= 3."""

    name: str
    operator: str
    value: Any

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {as_text(self.value)}"

    def holds(self, value: Any) -> bool:
        """Return whether the comparison is true for a value; strings are never less or greater."""
        try:
            return COMPARE[self.operator](value, self.value)
        except TypeError:
            return False

    def can_hold(self, dimension: Dimension) -> bool:
        """Return whether the comparison is true for any value of the dimension."""
        candidates = list(dimension.ends())
        if not isinstance(dimension, Choices):
            candidates += self.value if self.operator == "in" else [self.value]
            low, high = dimension.ends()
            candidates = [v for v in candidates if isinstance(v, int | float) and low <= v <= high]
        return any(self.holds(value) for value in candidates)


@dataclass(frozen=True)
class Condition:
    """A condition: comparisons that must all hold; one of a name without a value does not hold.

    >>> Condition((Comparison("layers", ">=", 3),)).holds({"layers": 3})
    True
    >>> Condition((Comparison("layers", ">=", 3),)).holds({})
    False
    """

    tests: tuple[Comparison, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.tests))

    @property
    def names(self) -> list[str]:
        """Return the names of the dimensions that are compared."""
        return [test.name for test in self.tests]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether the dimension exists, given the values drawn before it."""
        return all(test.name in values and test.holds(values[test.name]) for test in self.tests)


RANGES = {"uniform": Uniform, "log": Log, "one_minus_log": OneMinusLog}
KINDS = (*RANGES, "integers", "choices")
HINT = "log(1e-4, 1), uniform(0.5, 1), one_minus_log(0.9, 0.999), integers(8, 128), choices(a, b)"
OPERATORS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
}
WORDS = {"true": True, "false": False, "True": True, "False": False}


def read_pair(line: str) -> tuple[str, str]:
    """Split "name=dimension" into the name and the rest.

    >>> read_pair("units3 = integers(8, 128) if layers >= 3")
    ('units3', 'integers(8, 128) if layers >= 3')
    """
    name, equals, rest = line.partition("=")
    if not equals or not name.strip().isidentifier():
        raise OptionError("--search", "NAME=DIMENSION", repr(line), "learning_rate=log(1e-4, 1)")
    return name.strip(), rest.strip()


def read_dimension(text: str) -> tuple[Dimension, Condition | None]:
    """Parse a dimension and its condition, such as "integers(8, 128) if layers >= 3".

    Raises OptionError if the text is not valid.

    >>> dimension, condition = read_dimension("integers(8, 128) if layers >= 3")
    >>> dimension
    Integers(low=8, high=128, log=False)
    >>> str(condition)
    'layers >= 3'
    """
    dimension_text, has_condition, when = text.partition(" if ")
    call = _tree(dimension_text, "a dimension", HINT)
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.keywords:
        raise OptionError(repr(text), "a dimension", "another expression", HINT)
    check_choice(repr(text), call.func.id, KINDS)
    values = tuple(_value(node, text) for node in call.args)
    dimension = _dimension(call.func.id, values, text)
    return dimension, read_condition(when) if has_condition else None


def _toml(content: bytes, where: str, hint: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise OptionError(where, "valid TOML", "tables that are nested too deeply", hint) from None
    except ValueError as error:  # also for text that is not UTF-8
        raise OptionError(where, "valid TOML", f"an error in the file ({error})", hint) from None


def read_condition(text: str) -> Condition:
    """Parse a condition, such as "layers >= 3 and optimizer == adam"."""
    hint = "layers >= 3, optimizer == adam, or several with and"
    node = _tree(text, "a condition", hint)
    all_of = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
    return Condition(tuple(_test(n, text, hint) for n in (node.values if all_of else [node])))


def _tree(text: str, what: str, hint: str) -> Any:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two for deep nesting
        raise OptionError(repr(text), what, "invalid syntax", hint) from None


def _dimension(kind: str, values: tuple, text: str) -> Dimension:
    if kind == "choices":
        return Choices(values)
    on_log = kind == "integers" and len(values) == 3 and values[2] == "log"
    if len(values) != 2 and not on_log:
        got = ", ".join(map(as_text, values)) or "none"
        raise OptionError(repr(text), "two bounds", got, HINT)
    return Integers(*values[:2], log=on_log) if kind == "integers" else RANGES[kind](*values)


def _test(node: Any, text: str, hint: str) -> Comparison:
    """Parse a comparison of the form `name operator value`."""
    one = isinstance(node, ast.Compare) and len(node.ops) == 1
    if not one or not isinstance(node.left, ast.Name) or type(node.ops[0]) not in OPERATORS:
        raise OptionError(repr(text), "a condition", "another expression", hint)
    value = _value(node.comparators[0], text)
    operator = OPERATORS[type(node.ops[0])]
    if operator == "in" and not isinstance(value, tuple):
        hint = f"{node.left.id} in ({as_text(value)},)"
        raise OptionError(repr(text), "a tuple of values after in", as_text(value), hint)
    return Comparison(node.left.id, operator, value)


def _value(node: Any, text: str) -> Any:
    """Parse a number, a string, a name, or a tuple of them."""
    if isinstance(node, ast.Tuple):
        return tuple(_value(part, text) for part in node.elts)
    if isinstance(node, ast.Name):
        return WORDS.get(node.id, node.id)
    minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    constant = node.operand if minus else node
    if isinstance(constant, ast.Constant) and isinstance(constant.value, int | float | str):
        return -constant.value if minus and not isinstance(constant.value, str) else constant.value
    raise OptionError(repr(text), "numbers and names", ast.unparse(node), HINT)


class Space:
    """Dimensions by name, and the conditions of those that do not always exist."""

    def __init__(
        self, dimensions: Mapping[str, Dimension], conditions: Mapping[str, Any] | None = None
    ):
        """Check dimensions and conditions; raise OptionError for a condition that cannot hold.

        A condition is a `Condition` or a text, such as "layers >= 3".
        """
        if not dimensions:
            hint = "learning_rate=log(1e-4, 1)"
            raise OptionError("the space", "at least one dimension", "none", hint)
        self.dimensions = dict(dimensions)
        self.conditions: dict[str, Condition] = {}
        for name, condition in (conditions or {}).items():
            with error_context(name):
                parsed = isinstance(condition, Condition)
                self.conditions[name] = condition if parsed else read_condition(condition)
        for name in self.conditions:
            with error_context(name):
                self._check(name)
        self.order = self._ordered()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> "Space":
        """Parse lines "name=dimension" or "name=dimension if condition"."""
        texts: dict[str, str] = {}
        for line in lines:
            name, text = read_pair(line)
            if name in texts:
                hint = f"choices, or a single range such as {texts[name]}"
                raise OptionError(f"the space, {name}", "one dimension of this name", "two", hint)
            texts[name] = text
        return cls.from_dict(texts)

    @classmethod
    def from_dict(cls, texts: Mapping[str, str]) -> "Space":
        """Build a space from the texts of its dimensions, as `to_dict` returns them."""
        dimensions, conditions = {}, {}
        for name, text in texts.items():
            with error_context(name):
                if not isinstance(text, str):
                    hint = f'"choices({text}, …)", or setting the option to one value, '
                    hint += "without a search"
                    raise OptionError(repr(text), "a dimension in quotes", "a value", hint)
                dimensions[name], condition = read_dimension(text)
            if condition is not None:
                conditions[name] = condition
        return cls(dimensions, conditions)

    @classmethod
    def read(cls, path: str) -> "Space":
        """Read a space from a TOML file, or from a JSON file whose name ends in .json."""
        where = f"--space {path}"
        hint = "a line such as learning_rate = 'log(1e-4, 1)' for each dimension"
        try:
            content = read_bytes(Path(path), OptionError)
        except OptionError as error:
            raise OptionError(f"--space {error.where}", *error.args[1:]) from None
        if path.lower().endswith(".json"):
            texts = read_json(content, where, error=OptionError, hint=hint)
        else:
            texts = _toml(content, where, hint)
        if not isinstance(texts, dict):
            got = "another kind of value"
            raise OptionError(where, "an entry for each dimension", got, hint)
        try:
            return cls.from_dict(texts)
        except ChainruleError as error:
            raise error.inside(where) from None

    def to_dict(self) -> dict[str, str]:
        """Return the text of each dimension, for JSON."""
        return {name: self.text(name) for name in self.dimensions}

    def text(self, name: str) -> str:
        """Return a dimension and its condition as they are written on the command line."""
        condition = self.conditions.get(name)
        return f"{self.dimensions[name]}{f' if {condition}' if condition else ''}"

    def draw(self, pick: Callable[[str, Dimension], Any]) -> dict[str, Any]:
        """Return the values that `pick` chooses for all dimensions whose conditions hold."""
        drawn: dict[str, Any] = {}
        for name in self.order:
            if name not in self.conditions or self.conditions[name].holds(drawn):
                drawn[name] = pick(name, self.dimensions[name])
        return {name: drawn[name] for name in self.dimensions if name in drawn}

    def sample(self, seed: int, number: int = 0) -> dict[str, Any]:
        """Return the values of candidate `number`, drawn at random.

        >>> space = Space.parse(["learning_rate=log(1e-4, 1)", "units=integers(8, 128)"])
        >>> space.sample(seed=0) == space.sample(seed=0), len(space.sample(seed=0))
        (True, 2)
        """
        return self.draw(lambda name, dimension: dimension.at(uniform_number(seed, number, name)))

    def _check(self, name: str) -> None:
        """Check that a dimension's condition refers to other dimensions and can be met."""
        if name not in self.dimensions:
            hint = did_you_mean(name, self.dimensions)
            raise OptionError("its condition", "a dimension of this name", "none", hint)
        for test in self.conditions[name].tests:
            others = [other for other in self.dimensions if other != name]
            if test.name not in others:
                got = "itself" if test.name == name else repr(test.name)
                hint = did_you_mean(test.name, others) if others else "leaving the condition out"
                raise OptionError(f"if {test}", "the name of another dimension", got, hint)
            if not test.can_hold(self.dimensions[test.name]):
                got = f"{test.name}={self.dimensions[test.name]}"
                hint = "a condition that some of its values meet"
                raise OptionError(f"if {test}", "a condition that can hold", got, hint)

    def _ordered(self) -> list[str]:
        """Return the names in the order of drawing: after those that their conditions refer to."""
        order: list[str] = []
        path: list[str] = []

        def visit(name: str) -> None:
            if name in order:
                return
            if name in path:
                cycle = " → ".join([*path[path.index(name) :], name])
                hint = "leaving one of these conditions out"
                raise OptionError("the space", "conditions without a cycle", cycle, hint)
            path.append(name)
            for other in self.conditions[name].names if name in self.conditions else []:
                visit(other)
            order.append(path.pop())

        for name in self.dimensions:
            visit(name)
        return order


def uniform_number(seed: int, number: int, name: str) -> float:
    """Return u ~ U(0, 1) for a dimension of a candidate."""
    return np.random.default_rng([seed, number, *name.encode()]).random()


@contextmanager
def error_context(name: str) -> Iterator[None]:
    """Add the name of the dimension to the errors that are raised inside."""
    try:
        yield
    except ChainruleError as error:
        raise error.inside(f"the space, {name}") from None


RATES = {"adam": Log(1e-4, 0.1), "rmsprop": Log(1e-4, 0.1)}
RATE = Log(1e-4, 1)
"""The range of α for gradient descent and momentum, as in the notes."""

UNITS, MANY_UNITS = Choices((8, 16, 32, 64, 128)), Choices((16, 32, 64, 128, 256))
MANY_INPUTS = 200
BATCH_SIZES, SMALL_SET_BATCH_SIZES = Choices((64, 128, 256, 512)), Choices((64, "all"))
LAYERS = Integers(1, 3)
IMAGE_SPACE: dict[str, Dimension] = {
    "learning_rate": Log(3e-4, 1e-2),
    "augment": Choices(("none", "auto")),
    "l2": Log(1e-3, 10),
}
"""The space of a convolutional network, whose layers are fixed."""
KEEP_PROB = Choices((0.5, 0.8, 1.0))
"""The values of keep_prob for convolutional networks with dropout."""


def default_space(prepared: Prepared, options: Collection[str] = ()) -> Space:
    """Return the default search space for prepared data, without options that the user has set.

    Units and batch sizes are powers of two, because candidates that share them also share a
    compiled program.
    """
    m, recipe = len(prepared.sources["train"]), prepared.recipe
    if recipe.schedule == "sequences":
        return Space({n: one for n, one in _sequence_space(recipe).items() if n not in options})
    if recipe.network is not None:
        dropout = {"keep_prob": KEEP_PROB} if "keep_prob" in options_of(recipe.network) else {}
        images = IMAGE_SPACE | dropout
        return Space({name: one for name, one in images.items() if name not in options})
    space: dict[str, Dimension] = {"learning_rate": RATES.get(recipe.optimizer, RATE)}
    if "hidden" not in options:
        space["units"] = MANY_UNITS if prepared.preprocessor.n_x >= MANY_INPUTS else UNITS
    space["batch_size"] = SMALL_SET_BATCH_SIZES if m <= WHOLE_SET else BATCH_SIZES
    if "hidden" not in options:
        space["layers"] = LAYERS
    space["l2"] = Log(1e-3, 10)
    return Space({name: dimension for name, dimension in space.items() if name not in options})


def _sequence_space(recipe: Recipe) -> dict[str, Dimension]:
    """Return the space of a network for sequences, whose layers have equally many units."""
    space: dict[str, Dimension] = {"learning_rate": Log(1e-3, 1e-2), "l2": Log(1e-3, 10)}
    if recipe.hidden_sizes:
        space |= {"units": Choices((16, 32, 64, 128)), "layers": Integers(1, 2)}
        space["keep_prob"] = Choices((0.7, 1.0))
    return space
