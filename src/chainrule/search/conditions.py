"""Where a dimension has a meaning: units of layer 3 only where there is a layer 3."""

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
    """One comparison: layers >= 3."""

    name: str
    operator: str
    value: Any

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {as_text(self.value)}"

    def holds(self, value: Any) -> bool:
        """Whether it is true of this value; words have no order."""
        try:
            return COMPARE[self.operator](value, self.value)
        except TypeError:
            return False

    def can_hold(self, dimension: Dimension) -> bool:
        """Whether it is true of any value of the dimension."""
        candidates = list(dimension.ends())
        if not isinstance(dimension, Choices):
            candidates += self.value if self.operator == "in" else [self.value]
            low, high = dimension.ends()
            candidates = [v for v in candidates if isinstance(v, int | float) and low <= v <= high]
        return any(self.holds(value) for value in candidates)


@dataclass(frozen=True)
class Condition:
    """Comparisons that must all hold; none does where a name has no value.

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
        """What it asks about."""
        return [test.name for test in self.tests]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the dimension is there, for what was drawn before it."""
        return all(test.name in values and test.holds(values[test.name]) for test in self.tests)
