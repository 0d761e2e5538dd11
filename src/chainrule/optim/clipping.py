"""Gradient clipping: a gradient that is too long is shortened, and keeps its direction.

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
    """The longest gradient that is let through; the state of the optimiser behind."""

    max_norm: Float[Array, ""]
    inner: Any


@dataclass(frozen=True)
class ClippedUpdate:
    """Clip, then update. Equal where the update behind is, so that jit knows it again."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: ClippedState, theta: Params = None
    ) -> tuple[Params, ClippedState]:
        """The updates for the clipped gradients, and the state after them."""
        clipped = shortened(gradients, state.max_norm)
        updates, inner = self.update(clipped, state.inner, theta)
        return updates, state._replace(inner=inner)


def clip_by_norm(optimizer: Optimizer, max_norm: float | Array) -> Optimizer:
    """The optimiser, given dθ · min(1, max_norm / ‖dθ‖).

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


def shortened(gradients: Params, max_norm: Float[Array, ""]) -> Params:
    """dθ · min(1, max_norm / ‖dθ‖).

    The norm is counted in units of 2³⁰ max_norm, since the square of an exploded gradient has no
    place in float32; what vanishes in that unit is too small to matter.
    """
    in_units = [d.astype(max_norm.dtype) / (UNIT * max_norm) for d in jax.tree.leaves(gradients)]
    times_too_long = UNIT * jnp.sqrt(sum(jnp.vdot(d, d) for d in in_units))
    factor = 1 / jnp.maximum(1, times_too_long)
    return jax.tree.map(lambda d: d * factor.astype(d.dtype), gradients)
