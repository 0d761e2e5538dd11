"""Gradient clipping: a gradient whose norm is too large is scaled down and keeps its direction.

Notes: "Vanishing and exploding gradients" (course 2, week 1).

    ‖dθ‖ = √(Σ dθ²), over all parameters together
    dθ = dθ · min(1, max_norm / ‖dθ‖)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.optim.optimizer import Optimizer, as_array, check_above_zero
from chainrule.types import Params

UNIT = 2.0**30


class ClippedState(NamedTuple):
    """The maximal norm, and the state of the wrapped optimiser."""

    max_norm: Float[Array, ""]
    inner: Any


@dataclass(frozen=True)
class ClippedUpdate:
    """Clip, then update. Two with the same `update` are equal, so that jit does not recompile."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: ClippedState, theta: Params = None
    ) -> tuple[Params, ClippedState]:
        """Return the updates for the clipped gradients, and the new state."""
        clipped = clip(gradients, state.max_norm)
        updates, inner = self.update(clipped, state.inner, theta)
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
    """dθ · min(1, max_norm / ‖dθ‖).

    The norm is computed in units of 2³⁰ max_norm, since the square of an exploding gradient would
    overflow in float32; a number that underflows in this unit is too small to matter.
    """
    in_units = [d.astype(max_norm.dtype) / (UNIT * max_norm) for d in jax.tree.leaves(gradients)]
    excess = UNIT * jnp.sqrt(sum(jnp.vdot(d, d) for d in in_units))  # ‖dθ‖ / max_norm
    factor = 1 / jnp.maximum(1, excess)
    return jax.tree.map(lambda d: d * factor.astype(d.dtype), gradients)
