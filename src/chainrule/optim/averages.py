"""Exponentially weighted averages of all values so far, with smaller weights for older values.

Notes: "Exponentially weighted averages" and "Bias correction" (course 2, week 2).

    average      v = β v + (1 − β) θ          v = 0 before the first value
    corrected    v / (1 − βᵗ)                 t counts from 1

v is about the mean of the last 1 / (1 − β) values: 10 of them at β = 0.9, 50 at 0.98. It starts at
zero, so the first averages are biased towards zero; dividing by 1 − βᵗ, the sum of the weights,
removes the bias.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array
from numpy.typing import ArrayLike

from chainrule.errors import DataError
from chainrule.optim.optimizer import check_beta
from chainrule.types import Params

HINT = "a list or an array of numbers"


def weighted_average(v: Params, value: Params, beta: float | Array) -> Params:
    """Return v = β v + (1 − β) θ, the average with one more value, leaf by leaf."""
    return jax.tree.map(lambda v, x: beta * v + (1 - beta) * x, v, value)


def bias_corrected(v: Params, beta: float | Array, t: Array) -> Params:
    """Return v / (1 − βᵗ), the average of t values corrected for starting at zero, by leaf."""
    reciprocal = 1 / (1 - beta ** t.astype(jnp.result_type(beta)))  # dividing each v is slower
    return jax.tree.map(lambda v: v * reciprocal, v)


def weighted_averages(values: Any, beta: float | Array, *, corrected: bool = False) -> Any:
    """Return the average after each value of a series, along the first axis of `values`.

    The result has the shape of `values`. A JAX array gives a JAX array of its dtype; anything else
    is computed in float64 and gives a NumPy array. Raises DataError if there are no values or if
    they are not all finite numbers, and OptionError if β is outside [0, 1).

    >>> weighted_averages([10, 12, 14, 16, 18], beta=0.5).tolist()
    [5.0, 8.5, 11.25, 13.625, 15.8125]
    >>> weighted_averages([10, 12, 14, 16, 18], beta=0.5, corrected=True).round(2).tolist()
    [10.0, 11.33, 12.86, 14.53, 16.32]
    """
    check_beta("beta", beta)
    if isinstance(values, Array):
        _check_dtype(values.dtype)
        if not isinstance(values, Tracer):
            _check_series(np.asarray(values))
        floating = jnp.issubdtype(values.dtype, jnp.floating)
        values = values if floating else values.astype(float)
        return _averages(values, jnp.asarray(beta, values.dtype), corrected=corrected)
    series = _as_numbers(values)
    _check_series(series)
    with jax.enable_x64(True):
        found = _averages(series, np.asarray(beta, np.float64), corrected=corrected)
        return np.asarray(found)


@partial(jax.jit, static_argnames="corrected")
def _averages(values: Array, beta: Array, *, corrected: bool) -> Array:
    def one_more(v, value):
        v = weighted_average(v, value, beta)
        return v, v

    _, averages = jax.lax.scan(one_more, jnp.zeros_like(values[0]), values)
    t = jnp.arange(1, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))
    return bias_corrected(averages, beta, t) if corrected else averages


def _as_numbers(values: ArrayLike) -> np.ndarray:
    """Convert the values to float64, or refuse them."""
    try:
        series = np.asarray(values)
    except ValueError:
        raise DataError("values", "numbers", "rows of different lengths", HINT) from None
    _check_dtype(series.dtype)
    return series.astype(np.float64)


def _check_dtype(dtype: np.dtype) -> None:
    """Refuse strings, dates, objects and complex numbers."""
    kinds = (np.bool_, np.integer, jnp.floating)
    if not any(jnp.issubdtype(dtype, kind) for kind in kinds):
        raise DataError("values", "numbers", f"an array of {dtype}", HINT)


def _check_series(series: np.ndarray) -> None:
    """Refuse a series without values, and a series with a value that is not finite."""
    if series.ndim == 0 or series.size == 0:
        got = "a single number" if series.ndim == 0 else "none"
        raise DataError("values", "a series of at least one value", got, "[10, 12, 14, 16, 18]")
    not_finite = ~np.isfinite(series)
    if not_finite.any():
        index = tuple(int(i) for i in np.argwhere(not_finite)[0])
        where = f"values[{', '.join(map(str, index))}]"
        hint = "leaving it out, or repeating the value before it"
        raise DataError(where, "a finite number", str(series[index]), hint)
