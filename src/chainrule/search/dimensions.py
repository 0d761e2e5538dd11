"""The dimensions of a search space: the range of a hyperparameter, and the scale to sample it on.

Notes: "Using an appropriate scale to pick hyperparameters" (course 2, week 3). With u ~ U(0, 1):

    uniform(a, b)          a + (b − a) u                                 keep_prob from 0.5 to 1
    log(a, b)              e^r, r = log a + (log b − log a) u            α from 1e-4 to 1
    one_minus_log(a, b)    1 − e^r, r = log(1 − a) + (log(1 − b) − log(1 − a)) u
                                                                         β from 0.9 to 0.999
    integers(a, b)         a, a + 1, …, b, each as likely; integers(a, b, log) on a log scale
    choices(v, w, …)       one of them

`at(u)` is the value at position u of the scale, and `position(value)` is its inverse. Coarse to
fine search, importance and plots use positions, so they respect the scale of each dimension.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import exp, floor, isfinite, log
from typing import Any

from chainrule.errors import OptionError


class Dimension(ABC):
    """A dimension: values and their scale; `str` returns its form on the command line."""

    @abstractmethod
    def at(self, u: float) -> Any:
        """Return the value at position u, from 0 to 1."""

    @abstractmethod
    def position(self, value: Any) -> float:
        """Return the position of a value, from 0 to 1."""

    @abstractmethod
    def ends(self) -> tuple:
        """Return the lower and the upper bound, or all choices."""


@dataclass(frozen=True)
class Range(Dimension):
    """All numbers from `low` to `high`; a subclass gives them a scale."""

    low: float
    high: float

    def ends(self) -> tuple:
        """Return the lower and the upper bound."""
        return self.low, self.high


@dataclass(frozen=True)
class Uniform(Range):
    """A dimension on a linear scale: a + (b − a) u."""

    def __post_init__(self):
        """Raise OptionError for an empty range."""
        _check_range(self, self.low, self.high)

    def __str__(self) -> str:
        return f"uniform({as_text(self.low)}, {as_text(self.high)})"

    def at(self, u: float) -> float:
        """Return the value at position u."""
        return within(self, self.low + (self.high - self.low) * u)

    def position(self, value: float) -> float:
        """Return the position of a value within the dimension, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Log(Range):
    """A dimension on a log scale: e^r, r = log a + (log b − log a) u."""

    def __post_init__(self):
        """Raise OptionError for an empty range, and for one that begins at 0 or below."""
        _check_range(self, self.low, self.high)
        if self.low <= 0:
            hint = "uniform, which allows numbers of 0 or less"
            if self.high > 0:
                hint = f"log({as_text(1e-4 * self.high)}, {as_text(self.high)})"
            raise OptionError(str(self), "a range above 0", as_text(self.low), hint)

    def __str__(self) -> str:
        return f"log({as_text(self.low)}, {as_text(self.high)})"

    def at(self, u: float) -> float:
        """Return the value at position u."""
        return within(self, exp(log(self.low) + (log(self.high) - log(self.low)) * u))

    def position(self, value: float) -> float:
        """Return the position of a value within the dimension, from 0 to 1."""
        return (log(value) - log(self.low)) / (log(self.high) - log(self.low))


@dataclass(frozen=True)
class OneMinusLog(Range):
    """A dimension near 1: 1 − e^r, r = log(1 − a) + (log(1 − b) − log(1 − a)) u."""

    def __post_init__(self):
        """Raise OptionError for an empty range, and for one that reaches 1."""
        _check_range(self, self.low, self.high)
        if self.high >= 1:
            hint = f"one_minus_log({as_text(min(self.low, 0.9))}, 0.999)"
            raise OptionError(str(self), "a range below 1", as_text(self.high), hint)

    def __str__(self) -> str:
        return f"one_minus_log({as_text(self.low)}, {as_text(self.high)})"

    def at(self, u: float) -> float:
        """Return the value at position u."""
        low, high = log(1 - self.low), log(1 - self.high)
        return within(self, 1 - exp(low + (high - low) * u))

    def position(self, value: float) -> float:
        """Return the position of a value within the dimension, from 0 to 1."""
        low, high = log(1 - self.low), log(1 - self.high)
        return (log(1 - value) - low) / (high - low)


@dataclass(frozen=True)
class Integers(Range):
    """The whole numbers a, a + 1, …, b, on a linear scale or, with `log`, on a log scale.

    Each number stands for the interval of the scale around it.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self):
        """Raise OptionError for fractions, an empty range, and a log scale that begins below 1."""
        for end in (self.low, self.high):
            if isinstance(end, bool) or not isinstance(end, int):
                hint = "integers(8, 128), or uniform for fractions"
                raise OptionError(str(self), "whole numbers", as_text(end), hint)
        _check_range(self, self.low, self.high)
        if self.log and self.low < 1:
            hint = f"integers({self.low}, {self.high})"
            expected = "a lower bound of at least 1 on a log scale"
            raise OptionError(str(self), expected, str(self.low), hint)

    def __str__(self) -> str:
        return f"integers({as_text(self.low)}, {as_text(self.high)}{', log' if self.log else ''})"

    def at(self, u: float) -> int:
        """Return the value at position u."""
        low, high = self._edges()
        r = low + (high - low) * u
        return within(self, floor((exp(r) if self.log else r) + 0.5))

    def position(self, value: int) -> float:
        """Return the position of a value within the dimension, from 0 to 1."""
        low, high = self._edges()
        return ((log(value) if self.log else value) - low) / (high - low)

    def _edges(self) -> tuple[float, float]:
        low, high = self.low - 0.5, self.high + 0.5
        return (log(low), log(high)) if self.log else (low, high)


@dataclass(frozen=True)
class Choices(Dimension):
    """A list of values: strings, numbers, true or false, or tuples such as (64, 32)."""

    values: tuple

    def __post_init__(self):
        """Raise OptionError for fewer than two choices, and for a choice that is repeated."""
        if len(self.values) > MOST_CHOICES:
            hint = "a range such as integers(8, 128)"
            expected, got = f"at most {MOST_CHOICES:,} choices", f"{len(self.values):,}"
            raise OptionError("choices(…)", expected, got, hint)
        texts = [as_text(value) for value in self.values]
        if repeated := sorted({text for text in texts if texts.count(text) > 1}):
            got, hint = f"{repeated[0]} twice", f"{repeated[0]} only once"
            raise OptionError(str(self), "distinct choices", got, hint)
        if len(texts) < 2:
            hint = "choices(relu, tanh), or setting the option to one value, without a search"
            raise OptionError(str(self), "at least two choices", str(len(texts)), hint)

    def __str__(self) -> str:
        return f"choices({', '.join(map(as_text, self.values))})"

    def at(self, u: float) -> Any:
        """Return the value at position u."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def position(self, value: Any) -> float:
        """Return the position of a value: the middle of its share of the scale."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def ends(self) -> tuple:
        """Return all choices."""
        return self.values


def as_text(value: Any) -> str:
    """Return a value as it is written on the command line and in the file of a space.

    >>> as_text(1e-4), as_text(1.0), as_text(True), as_text((64, 32)), as_text("relu")
    ('0.0001', '1', 'true', '(64, 32)', 'relu')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"({', '.join(map(as_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str) and not value.isidentifier():
        return repr(value)
    if isinstance(value, float) and isfinite(value) and value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return str(value)


def within(dimension: Any, value: Any) -> Any:
    """Clip a value to the range of a dimension, since rounding may have moved it outside."""
    return min(max(value, dimension.low), dimension.high)


MOST_CHOICES = 1000
LARGEST = 1e300
"""The largest bound of a range, whose width can then be computed."""


def _check_range(dimension: Dimension, low: Any, high: Any) -> None:
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, int | float) or not abs(end) <= LARGEST:
            hint = f"{str(dimension).split('(')[0]}(0.1, 0.9)"
            raise OptionError(str(dimension), "two numbers", as_text(end), hint)
    if low > high:
        name, tail = str(dimension).split("(")[0], ", log" if "log)" in str(dimension) else ""
        hint = f"{name}({as_text(high)}, {as_text(low)}{tail})"
        got = f"{as_text(low)} before {as_text(high)}"
        raise OptionError(str(dimension), "the lower bound first", got, hint)
    if low == high:
        hint = "a wider range, or setting the option to one value, without a search"
        raise OptionError(str(dimension), "two different bounds", f"{as_text(low)} twice", hint)
