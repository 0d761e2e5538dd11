"""Convert the values of a candidate to the form that optuna stores, and back.

optuna supports numbers on a linear or a log scale, whole numbers, and choices of strings. So a β
on the scale of 1 − β is stored as "1 - beta", and a choice is stored as text.
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
    """Return the values of a trial, chosen by the study's sampler unless already stored."""

    def pick(name: str, dimension: Dimension) -> Any:
        return from_optuna(
            dimension, trial._suggest(label(name, dimension), distribution(dimension))
        )

    return space.draw(pick)


def values_of(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the values that are stored for a candidate, in the order of the space."""
    labels = {name: label(name, dimension) for name, dimension in space.dimensions.items()}
    found = {name: params[label] for name, label in labels.items() if label in params}
    return {name: from_optuna(space.dimensions[name], value) for name, value in found.items()}


def label(name: str, dimension: Dimension) -> str:
    """Return the name under which optuna stores a dimension."""
    return f"1 - {name}" if isinstance(dimension, OneMinusLog) else name


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return the optuna distribution of a dimension."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution([as_text(value) for value in dimension.values])
    low, high = dimension.ends()
    if isinstance(dimension, Integers):
        return IntDistribution(low, high, log=dimension.log)
    if isinstance(dimension, OneMinusLog):
        return FloatDistribution(1 - high, 1 - low, log=True)
    return FloatDistribution(low, high, log=isinstance(dimension, Log))


def to_optuna(dimension: Dimension, value: Any) -> Any:
    """Convert a value of a dimension to the form that optuna stores."""
    if isinstance(dimension, Choices):
        return as_text(value)
    if isinstance(dimension, OneMinusLog):
        return min(max(1 - value, 1 - dimension.high), 1 - dimension.low)
    return value


def from_optuna(dimension: Dimension, value: Any) -> Any:
    """Convert a value stored by optuna back; the inverse of `to_optuna`."""
    if isinstance(dimension, Choices):
        return next(choice for choice in dimension.values if as_text(choice) == value)
    return within(dimension, 1 - value) if isinstance(dimension, OneMinusLog) else value
