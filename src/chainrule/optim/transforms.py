"""Wrappers of an optimiser: gradient clipping, and a learning rate for each array.

Notes: "Vanishing and exploding gradients" (course 2, week 1): a gradient whose norm is too large is
scaled down and keeps its direction. "Vanishing gradients with RNNs" (course 5, week 1): in the
exercise, every number of an exploding gradient is limited by itself, which changes the direction.
"Transfer learning" (course 3, week 2): pretrained layers should change less.

    clip_by_norm    ‖dθ‖ = √(Σ dθ²), over all parameters together
                    dθ = dθ · min(1, max_norm / ‖dθ‖)
    clip_by_value   dθ = max(−max_value, min(dθ, max_value)), each number by itself
    layerwise       θ = θ + r · update,  r a number for each array of θ

r = 1 is the wrapped optimiser, bit for bit; r = 0 leaves the array unchanged. Since the update
rules add −α times a direction, r · update is the step with the learning rate r · α. max_norm,
max_value and the factors r are arrays in the state: changing them does not recompile the program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chainrule.errors import OptionError
from chainrule.optim.optimizer import Optimizer, as_array, check_above_zero
from chainrule.types import Params

# Clipping

UNIT = 2.0**30


class ClippedState(NamedTuple):
    """The state of `clip_by_norm`: the maximal norm, and the state of the wrapped optimiser."""

    max_norm: Float[Array, ""]
    inner: Any


@dataclass(frozen=True)
class ClippedUpdate:
    """The update of `clip_by_norm`, in a class so that jit recognises equal updates."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: ClippedState, theta: Params = None
    ) -> tuple[Params, ClippedState]:
        """Return the updates for the clipped gradients, and the new state."""
        updates, inner = self.update(clip(gradients, state.max_norm), state.inner, theta)
        return updates, state._replace(inner=inner)


def clip_by_norm(optimizer: Optimizer, max_norm: float | Array) -> Optimizer:
    """Wrap an optimiser so that it gets dθ · min(1, max_norm / ‖dθ‖) instead of dθ.

    >>> from chainrule.optim.gradient_descent import gradient_descent
    >>> optimizer, theta = clip_by_norm(gradient_descent(1.0), max_norm=1.0), jnp.zeros(2)
    >>> updates, _ = optimizer.update(jnp.array([3.0, 4.0]), optimizer.init(theta))
    >>> updates.round(4).tolist()
    [-0.6, -0.8]
    """
    check_above_zero("clip_by_norm(max_norm=…)", max_norm, "1.0")
    return Optimizer(partial(_init, optimizer.init, max_norm), ClippedUpdate(optimizer.update))


def _init(init, max_norm, theta: Params) -> ClippedState:
    return ClippedState(as_array(max_norm, theta), init(theta))


def clip(gradients: Params, max_norm: Float[Array, ""]) -> Params:
    """Return dθ · min(1, max_norm / ‖dθ‖).

    The norm is computed in units of 2³⁰ max_norm, since the square of an exploding gradient would
    overflow in float32; a number that underflows in this unit is too small to matter.
    """
    in_units = [d.astype(max_norm.dtype) / (UNIT * max_norm) for d in jax.tree.leaves(gradients)]
    excess = UNIT * jnp.sqrt(sum(jnp.vdot(d, d) for d in in_units))  # ‖dθ‖ / max_norm
    factor = 1 / jnp.maximum(1, excess)
    return jax.tree.map(lambda d: d * factor.astype(d.dtype), gradients)


class ValueClippedState(NamedTuple):
    """The state of `clip_by_value`: the limit, and the state of the wrapped optimiser."""

    max_value: Float[Array, ""]
    inner: Any


@dataclass(frozen=True)
class ValueClippedUpdate:
    """The update of `clip_by_value`, in a class so that jit recognises equal updates."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: ValueClippedState, theta: Params = None
    ) -> tuple[Params, ValueClippedState]:
        """Return the updates for the clipped gradients, and the new state."""
        updates, inner = self.update(clipped(gradients, state.max_value), state.inner, theta)
        return updates, state._replace(inner=inner)


def clip_by_value(optimizer: Optimizer, max_value: float | Array) -> Optimizer:
    """Wrap an optimiser so that it gets every number of dθ limited to ±max_value.

    >>> from chainrule.optim.gradient_descent import gradient_descent
    >>> optimizer, theta = clip_by_value(gradient_descent(1.0), max_value=1.0), jnp.zeros(2)
    >>> updates, _ = optimizer.update(jnp.array([0.5, 4.0]), optimizer.init(theta))
    >>> updates.tolist()
    [-0.5, -1.0]
    """
    check_above_zero("clip_by_value(max_value=…)", max_value, "5.0")
    init = partial(_init_value_clipped, optimizer.init, max_value)
    return Optimizer(init, ValueClippedUpdate(optimizer.update))


def _init_value_clipped(init: Callable, max_value: Any, theta: Params) -> ValueClippedState:
    return ValueClippedState(as_array(max_value, theta), init(theta))


def clipped(gradients: Params, max_value: float | Float[Array, ""]) -> Params:
    """Return dθ = max(−max_value, min(dθ, max_value)), each number by itself.

    >>> clipped({"dW": jnp.array([-20.0, 3.0]), "db": jnp.array([11.0])}, 10.0)
    {'dW': Array([-10.,   3.], dtype=float64), 'db': Array([10.], dtype=float64)}
    """

    def limit(d: Array) -> Array:
        largest = jnp.asarray(max_value).astype(d.dtype)
        return jnp.clip(d, -largest, largest)

    return jax.tree.map(lambda d: limit(jnp.asarray(d)), gradients)


# A learning rate for each array


class LayerwiseState(NamedTuple):
    """The state of `layerwise`: r for each array of θ, and the state of the wrapped optimiser."""

    factors: Params
    inner: Any


@dataclass(frozen=True)
class LayerwiseUpdate:
    """The update of `layerwise`, in a class so that jit recognises equal updates."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: LayerwiseState, theta: Params = None
    ) -> tuple[Params, LayerwiseState]:
        """Return r · update for each array, and the new state."""
        updates, inner = self.update(gradients, state.inner, theta)
        scaled = jax.tree.map(lambda r, u: r.astype(u.dtype) * u, state.factors, updates)
        return scaled, state._replace(inner=inner)


def layerwise(optimizer: Optimizer, factors: Params) -> Optimizer:
    """Wrap an optimiser to use r · α instead of α; `factors` has a number for each array of θ.

    >>> from chainrule.optim.gradient_descent import gradient_descent
    >>> theta = {"W": jnp.ones(2), "b": jnp.ones(1)}
    >>> optimizer = layerwise(gradient_descent(1.0), {"W": 0.5, "b": 0.0})
    >>> updates, _ = optimizer.update(theta, optimizer.init(theta), theta)
    >>> updates["W"].tolist(), abs(updates["b"]).tolist()
    ([-0.5, -0.5], [0.0])
    """
    for factor in jax.tree.leaves(factors):
        if not isinstance(factor, jax.Array | np.ndarray) and not 0 <= factor < np.inf:
            expected, hint = "a number of at least 0", "1, or 0.1 for arrays that change less"
            raise OptionError("layerwise(factors=…)", expected, f"{factor:g}", hint)
    return Optimizer(
        partial(_init_layerwise, optimizer.init, factors), LayerwiseUpdate(optimizer.update)
    )


def _init_layerwise(init: Callable, factors: Params, theta: Params) -> LayerwiseState:
    if jax.tree.structure(factors) != jax.tree.structure(theta):
        n, got = len(jax.tree.leaves(theta)), len(jax.tree.leaves(factors))
        hint = "starting from jax.tree.map(lambda p: 1.0, theta) and changing its values"
        expected = f"a number for each of the {n} arrays of θ"
        raise OptionError("layerwise(factors=…)", expected, f"{got}", hint)
    return LayerwiseState(jax.tree.map(lambda r: as_array(r, theta), factors), init(theta))
