"""A candidate's values as optuna stores them, and back.

optuna knows numbers on a linear or a log scale, whole numbers, and choices that are words. So a β
on the scale of 1 − β is stored as "1 - beta", and a choice as it is written.
"""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from chainrule.search.dimensions import (
    Choices,
    Dimension,
    Integers,
    Log,
    OneMinusLog,
    as_text,
    within,
)
from chainrule.search.space import Space


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """The values of this candidate, chosen by the study's sampler, or drawn before."""

    def pick(name: str, dimension: Dimension) -> Any:
        return read(dimension, trial._suggest(label(name, dimension), distribution(dimension)))

    return space.draw(pick)


def values_of(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The values that are stored for a candidate, in the space's order."""
    labels = {name: label(name, dimension) for name, dimension in space.dimensions.items()}
    there = {name: params[label] for name, label in labels.items() if label in params}
    return {name: read(space.dimensions[name], value) for name, value in there.items()}


def label(name: str, dimension: Dimension) -> str:
    """The name that optuna knows."""
    return f"1 - {name}" if isinstance(dimension, OneMinusLog) else name


def distribution(dimension: Dimension) -> BaseDistribution:
    """The dimension as optuna knows it."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution([as_text(value) for value in dimension.values])
    low, high = dimension.ends()
    if isinstance(dimension, Integers):
        return IntDistribution(low, high, log=dimension.log)
    if isinstance(dimension, OneMinusLog):
        return FloatDistribution(1 - high, 1 - low, log=True)
    return FloatDistribution(low, high, log=isinstance(dimension, Log))


def stored(dimension: Dimension, value: Any) -> Any:
    """A value as optuna has it."""
    if isinstance(dimension, Choices):
        return as_text(value)
    if isinstance(dimension, OneMinusLog):
        return min(max(1 - value, 1 - dimension.high), 1 - dimension.low)
    return value


def read(dimension: Dimension, value: Any) -> Any:
    """The value that `stored` made this of."""
    if isinstance(dimension, Choices):
        return next(choice for choice in dimension.values if as_text(choice) == value)
    return within(dimension, 1 - value) if isinstance(dimension, OneMinusLog) else value
