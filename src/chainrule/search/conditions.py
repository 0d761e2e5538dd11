"""Conditions for a dimension to exist: units of layer 3 exist only if there is a layer 3."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.search.dimensions import Choices, Dimension, as_text

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
    """Comparisons that must all hold; a comparison of a name without a value does not hold.

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
