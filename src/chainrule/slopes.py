"""The numerical slope of a cost along single entries of θ, away from kinks, and its accuracy.

Notes: "Numerical approximation of gradients" (course 2, week 1).

    s(ε) = (J(θ + ε eᵢ) − J(θ − ε eᵢ)) / 2ε          slope = (4 s(ε) − s(2ε)) / 3

s(ε) is the notes' two-sided slope. Its error is of order ε²: near the minimum of a cost of pixels
from 0 to 255 that is 1e-5 of the slope, so it is removed by extrapolation. The rounding error
remains and is measured: it is the scatter of J along a line too short for J to curve.

If J has a kink between θ − 2ε and θ + 2ε, a tenth of ε is tried, then a hundredth. The entries go
one after another through one compiled program, so θ is not copied for each entry.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from chainrule.kinks import evaluate

LAST_TRY = 50.0  # tries ε, ε/10 and ε/100: goes on while the step is above ε/50
LINE = np.arange(16) * 1e-9


class Slopes(NamedTuple):
    """For each chosen entry: the gradient, the slope, its ε, and whether it was free of kinks."""

    J: float
    noise: float  # the standard deviation of the rounding error of J
    grad: np.ndarray
    slope: np.ndarray
    step: np.ndarray
    kept: np.ndarray


def slopes(program: ClosedJaxpr, parameters, entries, epsilon: float) -> Slopes:
    """Measure the slopes of the program of J at the chosen entries, parameter by parameter."""
    flat = np.concatenate([parameter.ravel() for parameter in parameters])
    starts = np.cumsum([0, *(parameter.size for parameter in parameters)])[:-1]
    chosen = np.concatenate([start + e for start, e in zip(starts, entries, strict=True)])
    steps = epsilon * np.maximum(1.0, np.abs(flat[chosen]))
    direction = np.random.default_rng(0).standard_normal(flat.size)
    shapes = [parameter.shape for parameter in parameters]

    def leaves(flat):
        parts = jnp.split(flat, starts[1:])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    @jax.jit  # the constants of J are arguments; as literals they would be folded and copied
    def measure(consts, flat, direction, chosen, steps):
        J = jaxpr_as_fun(ClosedJaxpr(program.jaxpr, consts))

        def cost(flat):
            return J(*leaves(flat))[0]

        def at(i, step):
            (value,), decisions = evaluate(program, consts, leaves(flat.at[i].add(step)))
            return value, decisions

        scatter = jax.lax.map(lambda t: cost(flat + t * direction), LINE)
        grad = jax.grad(cost)(flat)[chosen]
        return scatter, grad, *jax.lax.map(lambda e: _away_from_kinks(at, *e), (chosen, steps))

    measured = measure(program.consts, flat, direction, chosen, steps)
    scatter, grad, steps, slope, kept = map(np.asarray, measured)
    return Slopes(float(scatter[0]), _noise(scatter), grad, slope, steps, kept)


def _away_from_kinks(at, i, step):
    """Return the first of ε, ε/10, ε/100 without a kink nearby, the slope, and whether it exists.

    The state of the loop is the step, the slope, and whether the step is free of kinks.
    """

    def try_smaller(state):
        smaller = state[0] / 10
        return smaller, *_slope(at, i, smaller)

    def has_kink(state):
        return ~state[2] & (state[0] > step / LAST_TRY)

    return jax.lax.while_loop(has_kink, try_smaller, (10 * step, 0.0, False))


def _slope(at, i, step):
    """Return the slope of J along entry i, and whether all four points give the same decisions."""
    J, decisions = jax.lax.map(lambda k: at(i, k * step), jnp.array([-2.0, -1.0, 1.0, 2.0]))
    near, far = (J[2] - J[1]) / (2 * step), (J[3] - J[0]) / (4 * step)
    same = [jnp.all(decision == decision[:1]) for decision in decisions]
    return (4 * near - far) / 3, jnp.all(jnp.array(same, bool))


def _noise(scatter) -> float:
    """Estimate the rounding error of J by fourth differences, which cancel a smooth curve.

    The median makes the estimate robust to a kink on the line.
    """
    differences = np.abs(np.diff(scatter, 4)) / np.sqrt(70)  # 70 = 1² + 4² + 6² + 4² + 1²
    return float(max(np.median(differences) / 0.6745, np.spacing(np.abs(scatter[0])) / 2))
