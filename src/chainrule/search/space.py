"""The space of a search: named dimensions, some of which exist only under a condition on others.

Notes: "Tuning process" (course 2, week 3): draw at random, not on a grid.

    Space({"learning_rate": Log(1e-4, 1), "layers": Integers(1, 3), "units": Integers(8, 128)})
    Space.parse(["learning_rate=log(1e-4, 1)", "units2=integers(8, 128) if layers >= 2"])
    Space.read("space.toml")      TOML with lines such as "learning_rate = 'log(1e-4, 1)'", or JSON

A dimension is drawn after those that its condition refers to. It has its own random generator,
which depends only on the seed, the number of the candidate and the name of the dimension. So the
same seed gives the same candidates for any number of workers, and adding a dimension does not
change the values of the others.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, OptionError, did_you_mean
from chainrule.search.conditions import Condition
from chainrule.search.dimensions import Dimension
from chainrule.search.text import read_condition, read_dimension, read_pair


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
                    hint = f'"choices({text}, …)", or the option itself instead of a search'
                    raise OptionError(repr(text), "a dimension in quotes", "a value", hint)
                dimensions[name], condition = read_dimension(text)
            if condition is not None:
                conditions[name] = condition
        return cls(dimensions, conditions)

    @classmethod
    def read(cls, path: str) -> "Space":
        """Read a space from a TOML file, or from a JSON file whose name ends in .json."""
        import tomllib

        hint = "learning_rate = 'log(1e-4, 1)', a line for each dimension"
        try:
            text = Path(path).read_text()
            texts = json.loads(text) if path.lower().endswith(".json") else tomllib.loads(text)
            if not isinstance(texts, dict):
                raise ValueError("not a table")
        except OSError as error:
            got = error.strerror or str(error)
            raise OptionError(f"--space {path}", "a readable file", got, hint) from None
        except ValueError as error:
            raise OptionError(f"--space {path}", "TOML or JSON", str(error), hint) from None
        return cls.from_dict(texts)

    def to_dict(self) -> dict[str, str]:
        """Return the text of each dimension, for JSON."""
        return {name: self.text(name) for name in self.dimensions}

    def text(self, name: str) -> str:
        """Return a dimension and its condition as they are written on the command line."""
        condition = self.conditions.get(name)
        return f"{self.dimensions[name]}{f' if {condition}' if condition else ''}"

    def draw(self, pick: Callable[[str, Dimension], Any]) -> dict[str, Any]:
        """Return a value that `pick` chooses for each dimension whose condition holds."""
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
        """Check that the condition of a dimension refers to other dimensions and can hold."""
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
