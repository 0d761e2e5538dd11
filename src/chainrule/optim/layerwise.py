"""Each array its own learning rate: a factor for what an optimiser adds to it.

Notes: "Transfer learning" (course 3, week 2): layers that were trained before move less.

    θ = θ + r · update,  r a number for each array of θ

r = 1 is the optimiser behind, bit for bit; r = 0 leaves the array as it is. Since the rules add
−α times a direction, r · update is the step of a learning rate r · α. The factors are arrays in the
state: others are not another program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.errors import OptionError
from chainrule.optim.optimizer import Optimizer, as_array
from chainrule.types import Params


class LayerwiseState(NamedTuple):
    """r for each array of θ; the state of the optimiser behind."""

    factors: Params
    inner: Any


@dataclass(frozen=True)
class LayerwiseUpdate:
    """Update, then scale. Equal where the update behind is, so that jit knows it again."""

    update: Callable[..., tuple[Params, Any]]

    def __call__(
        self, gradients: Params, state: LayerwiseState, theta: Params = None
    ) -> tuple[Params, LayerwiseState]:
        """r · update for each array, and the state after it."""
        updates, inner = self.update(gradients, state.inner, theta)
        scaled = jax.tree.map(lambda r, u: r.astype(u.dtype) * u, state.factors, updates)
        return scaled, state._replace(inner=inner)


def layerwise(optimizer: Optimizer, factors: Params) -> Optimizer:
    """The optimiser with r · α in place of α; `factors` has a number for each array of θ.

    >>> from chainrule.optim.gradient_descent import gradient_descent
    >>> theta = {"W": jnp.ones(2), "b": jnp.ones(1)}
    >>> optimizer = layerwise(gradient_descent(1.0), {"W": 0.5, "b": 0.0})
    >>> updates, _ = optimizer.update(theta, optimizer.init(theta), theta)
    >>> updates["W"].tolist(), abs(updates["b"]).tolist()
    ([-0.5, -0.5], [0.0])
    """
    for factor in jax.tree.leaves(factors):
        if not isinstance(factor, jax.Array | np.ndarray) and not 0 <= factor < np.inf:
            expected, hint = "factors from 0 on", "1, and 0.1 for what should move less"
            raise OptionError("layerwise(factors=…)", expected, f"{factor:g}", hint)
    return Optimizer(partial(_init, optimizer.init, factors), LayerwiseUpdate(optimizer.update))


def _init(init: Callable, factors: Params, theta: Params) -> LayerwiseState:
    if jax.tree.structure(factors) != jax.tree.structure(theta):
        n, got = len(jax.tree.leaves(theta)), len(jax.tree.leaves(factors))
        hint = "jax.tree.map(lambda p: 1.0, theta), and then other numbers"
        raise OptionError(
            "layerwise(factors=…)", f"a number for each of θ's {n} arrays", f"{got}", hint
        )
    return LayerwiseState(jax.tree.map(lambda r: as_array(r, theta), factors), init(theta))
