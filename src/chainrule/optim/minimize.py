"""Minimise any cost that is written with JAX.

Notes: "TensorFlow" (course 2, week 3): a framework minimises J(w) = w² − 10 w + 25 from w = 0.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chainrule.errors import OptionError, check_integer
from chainrule.host.machine import check_process
from chainrule.optim.optimizer import Optimizer, apply_updates
from chainrule.types import Cost, Params


def minimize(
    J: Cost, theta: Params, optimizer: Optimizer, iterations: int
) -> tuple[Params, Float[Array, " iterations"]]:
    """Return θ after `iterations` steps of the optimiser, and J before each of them.

    J takes θ and returns one number; θ is any pytree of arrays or numbers. The loop is compiled.

    >>> from chainrule.optim.gradient_descent import gradient_descent
    >>> w, costs = minimize(lambda w: w**2 - 10 * w + 25, 0.0, gradient_descent(0.01), 1000)
    >>> round(float(w), 4), float(costs[0])
    (5.0, 25.0)
    """
    check_process()
    theta = _as_floats(theta)
    found = jax.eval_shape(J, theta)
    if getattr(found, "shape", None) != ():
        raise OptionError(
            "minimize(J, …)",
            "a cost that returns one number",
            f"an output of shape {getattr(found, 'shape', found)}",
            "a mean or a sum over the examples",
        )
    check_integer("minimize(iterations=…)", iterations, hint="1000")
    return _descend(J, optimizer.update, iterations, theta, optimizer.init(theta))


def _as_floats(theta: Params) -> Params:
    """Convert θ to floating-point arrays; refuse a θ that is empty or has other values."""
    where, hint = "minimize(theta=…)", "0.0, jnp.zeros(3), or a dictionary of arrays"
    leaves = jax.tree.leaves(theta)
    for leaf in leaves:
        kind = np.asarray(leaf).dtype
        if not jnp.issubdtype(kind, jnp.number) or jnp.issubdtype(kind, jnp.complexfloating):
            got = f"{leaf!r}" if isinstance(leaf, str) else f"an array of {kind}"
            raise OptionError(where, "real numbers", got, hint)
    if not sum(map(np.size, leaves)):
        raise OptionError(where, "at least one number", "none", hint)
    return jax.tree.map(lambda p: jnp.asarray(p, jnp.result_type(p, float)), theta)


@partial(jax.jit, static_argnames=("J", "update", "iterations"))
def _descend(J, update, iterations, theta, state):
    def step(carry, _):
        theta, state = carry
        cost, gradients = jax.value_and_grad(J)(theta)
        updates, state = update(gradients, state, theta)
        return (apply_updates(theta, updates), state), cost

    (theta, _), costs = jax.lax.scan(step, (theta, state), length=iterations)
    return theta, costs
