"""Learning-rate decay: large steps at first, small ones near the end.

Notes: "Learning rate decay" (course 2, week 2).

    epoch = ⌊t / steps_per_epoch⌋, where t counts the steps from 0

    inverse_time_decay     α = α0 / (1 + k · epoch)
    exponential_decay      α = α0 · k^epoch
    square_root_decay      α = α0 · k / √(epoch + 1)
    staircase_decay        α = α0 · factor^⌊epoch / every⌋
    piecewise_constant     α as written by hand: the value of the last listed epoch reached
    cosine_decay           α = α0 · min(1, (t + 1) / (warm_up + 1)) · (1 + cos(π t / T)) / 2

The cosine, which is not in the notes, falls with every step, and is nearly 0 at the last of T
("SGDR", Loshchilov and Hutter 2017, without restarts). `piecewise_constant` is a list of pairs
(epoch, α): each α applies from its epoch on. k is `decay_rate`, α0 is `learning_rate`. Under the
root the notes count epochs from 1, hence + 1; with one step per epoch this is their k / √t. All
optimisers here take a schedule as their learning rate, and so do those of optax, since a schedule
is a function of t. It is also a pytree of numbers, which are part of the optimiser's state: another
decay does not recompile the program, and many can be trained at once.
"""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from operator import index
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chainrule.errors import OptionError
from chainrule.optim.optimizer import check_above_zero

EXAMPLES = {"learning_rate": "0.1", "decay_rate": "0.95", "factor": "0.5"}
WHOLE = {"every": "10", "steps_per_epoch": "1", "steps": "2000", "warm_up": "100"}
NEVER = 2**31 - 1
"""The largest step count of 32 bits: no training reaches a later epoch."""


class InverseTimeDecay(NamedTuple):
    """The schedule α = α0 / (1 + k · epoch)."""

    learning_rate: Any
    decay_rate: Any
    steps_per_epoch: Any = 1

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        return self.learning_rate / (1 + self.decay_rate * _epoch(self, t))


class ExponentialDecay(NamedTuple):
    """The schedule α = α0 · k^epoch."""

    learning_rate: Any
    decay_rate: Any
    steps_per_epoch: Any = 1

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        return self.learning_rate * self.decay_rate ** _epoch(self, t)


class SquareRootDecay(NamedTuple):
    """The schedule α = α0 · k / √(epoch + 1)."""

    learning_rate: Any
    decay_rate: Any
    steps_per_epoch: Any = 1

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        return self.learning_rate * self.decay_rate / jnp.sqrt(_epoch(self, t) + 1)


class StaircaseDecay(NamedTuple):
    """The schedule α = α0 · factor^⌊epoch / every⌋."""

    learning_rate: Any
    factor: Any
    every: Any
    steps_per_epoch: Any = 1

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        return self.learning_rate * self.factor ** _epoch(self, t, every=self.every)


class PiecewiseConstant(NamedTuple):
    """A schedule from a list of epochs: α0 times the factor of the last epoch reached."""

    learning_rate: Any
    factors: Any
    epochs: Any
    steps_per_epoch: Any = 1

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        epoch = jnp.asarray(t, jnp.int32) // self.steps_per_epoch
        place = jnp.searchsorted(jnp.asarray(self.epochs, jnp.int32), epoch, side="right") - 1
        return self.learning_rate * jnp.asarray(self.factors)[place]


class CosineDecay(NamedTuple):
    """The schedule α = α0 · min(1, (t + 1) / (warm_up + 1)) · (1 + cos(π t / T)) / 2."""

    learning_rate: Any
    steps: Any
    warm_up: Any = 0

    def __call__(self, t) -> Float[Array, ""]:
        """Return α at step t."""
        dtype = jnp.result_type(self.learning_rate)
        t, T, warm_up = (jnp.asarray(n, dtype) for n in (t, self.steps, self.warm_up))
        rising = jnp.minimum(1, (t + 1) / (warm_up + 1))
        return self.learning_rate * rising * (1 + jnp.cos(np.pi * jnp.minimum(1, t / T))) / 2


def inverse_time_decay(
    learning_rate: float | Array, decay_rate: float | Array, steps_per_epoch: int | Array = 1
) -> InverseTimeDecay:
    """Return the schedule α = α0 / (1 + k · epoch), which halves α0 by epoch 1/k.

    With k = 0, α is constant.

    >>> decay = inverse_time_decay(0.2, decay_rate=1.0)
    >>> [round(float(decay(t)), 4) for t in range(4)]
    [0.2, 0.1, 0.0667, 0.05]
    """
    schedule = InverseTimeDecay(learning_rate, decay_rate, steps_per_epoch)
    return _check_schedule("inverse_time_decay", schedule, may_be_zero="decay_rate")


def exponential_decay(
    learning_rate: float | Array, decay_rate: float | Array = 0.95, steps_per_epoch: int | Array = 1
) -> ExponentialDecay:
    """Return the schedule α = α0 · k^epoch, the notes' 0.95^epoch.

    >>> [round(float(exponential_decay(0.2)(t)), 4) for t in range(3)]
    [0.2, 0.19, 0.1805]
    """
    schedule = ExponentialDecay(learning_rate, decay_rate, steps_per_epoch)
    return _check_schedule("exponential_decay", schedule)


def square_root_decay(
    learning_rate: float | Array, decay_rate: float | Array = 1.0, steps_per_epoch: int | Array = 1
) -> SquareRootDecay:
    """Return the schedule α = α0 · k / √(epoch + 1).

    This is the notes' k / √epoch, whose epochs count from 1.

    >>> [round(float(square_root_decay(0.2)(t)), 4) for t in range(4)]
    [0.2, 0.1414, 0.1155, 0.1]
    """
    schedule = SquareRootDecay(learning_rate, decay_rate, steps_per_epoch)
    return _check_schedule("square_root_decay", schedule)


def staircase_decay(
    learning_rate: float | Array,
    every: int | Array,
    factor: float | Array = 0.5,
    steps_per_epoch: int | Array = 1,
) -> StaircaseDecay:
    """Return the schedule α = α0 · factor^⌊epoch / every⌋, by default halved each time.

    >>> [round(float(staircase_decay(0.2, every=2)(t)), 4) for t in range(5)]
    [0.2, 0.2, 0.1, 0.1, 0.05]
    """
    schedule = StaircaseDecay(learning_rate, factor, every, steps_per_epoch)
    return _check_schedule("staircase_decay", schedule)


def piecewise_constant(
    rates: Sequence[tuple[int, float]], steps_per_epoch: int | Array = 1
) -> PiecewiseConstant:
    """Return a schedule of pairs (epoch, α): each α applies from its epoch on, the first from 0.

    Replacing α0 later scales all of them.

    >>> by_hand = piecewise_constant([(0, 0.2), (2, 0.1), (3, 0.01)])
    >>> [round(float(by_hand(t)), 4) for t in range(5)]
    [0.2, 0.2, 0.1, 0.01, 0.01]
    """
    epochs, alphas = _pairs(rates)
    schedule = PiecewiseConstant(alphas[0], alphas / alphas[0], epochs, steps_per_epoch)
    return _check_schedule("piecewise_constant", schedule)


def cosine_decay(
    learning_rate: float | Array, steps: int | Array, warm_up: int | Array = 0
) -> CosineDecay:
    """Return a schedule that falls from α0 to nearly 0 over all T = `steps` steps.

    In the first `warm_up` steps, α rises linearly to the cosine; after step T it is 0.

    >>> [round(float(cosine_decay(0.2, steps=4)(t)), 4) for t in range(5)]
    [0.2, 0.1707, 0.1, 0.0293, 0.0]
    >>> [round(float(cosine_decay(0.2, steps=4, warm_up=1)(t)), 4) for t in range(2)]
    [0.1, 0.1707]
    """
    schedule = CosineDecay(learning_rate, steps, warm_up)
    return _check_schedule("cosine_decay", schedule, may_be_zero="warm_up")


def _epoch(schedule: Any, t, every=1) -> Array:
    """Return ⌊t / steps_per_epoch / every⌋ in the dtype of α."""
    whole = jnp.asarray(t, jnp.int32) // schedule.steps_per_epoch // every
    return whole.astype(jnp.result_type(schedule.learning_rate))


def _pairs(rates: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs and the values of α in a list of pairs."""
    where, example = "piecewise_constant(rates=…)", "[(0, 0.1), (10, 0.01)]"
    try:
        epochs, alphas = zip(*((index(epoch), alpha) for epoch, alpha in rates), strict=True)
    except (TypeError, ValueError):
        raise OptionError(where, "pairs (epoch, α)", repr(rates), example) from None
    if epochs[0] != 0 or any(later <= epoch for epoch, later in pairwise(epochs)):
        got = ", ".join(map(str, epochs))
        raise OptionError(where, "increasing epochs that start at 0", got, example)
    for alpha in alphas:
        check_above_zero(where, alpha, "0.1")
    return np.minimum(epochs, NEVER).astype(np.int32), np.array(alphas)


def _check_schedule(name: str, schedule: Any, may_be_zero: str = "") -> Any:
    """Check the numbers of a schedule, except arrays, and return it with plain numbers."""
    numbers = {}
    for field, value in schedule._asdict().items():
        where = f"{name}({field}=…)"
        if isinstance(value, Array | np.ndarray):
            continue
        if field in WHOLE:
            least = 0 if field == may_be_zero else 1
            numbers[field] = _check_whole(where, value, WHOLE[field], least)
            continue
        if field != may_be_zero or value != 0:
            check_above_zero(where, value, EXAMPLES[field])
        numbers[field] = float(value)
    return schedule._replace(**numbers)


def _check_whole(where: str, value: Any, example: str, least: int = 1) -> int:
    """Refuse a value that is not a whole number of at least `least`; return it, at most NEVER."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise OptionError(where, f"a whole number of at least {least}", f"{value}", example)
    return min(int(value), NEVER)
