"""The slope of a cost along single entries of θ, away from its kinks, and how exact it is.

Notes: "Numerical approximation of gradients" (course 2, week 1).

    s(ε) = (J(θ + ε eᵢ) − J(θ − ε eᵢ)) / 2ε          slope = (4 s(ε) − s(2ε)) / 3

s(ε) is the notes' two-sided slope. Its error is of order ε²: near the minimum of a cost of pixels
from 0 to 255 that is 1e-5 of the slope, so it is extrapolated away. Rounding remains, and is
measured: the scatter of J along a line too short for J to bend.

Where J takes another piece between θ − 2ε and θ + 2ε, a tenth of ε is tried, then a hundredth.
The entries go one after another through one compiled program: no copy of θ per entry.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from chainrule.kinks import evaluate

LAST_TRY = 50.0  # ε, ε/10 and ε/100: another try while the step is beyond ε/50
LINE = np.arange(16) * 1e-9


class Slopes(NamedTuple):
    """For each chosen entry: the gradient, the slope, its ε, and whether no kink was near."""

    J: float
    noise: float  # the standard deviation of the rounding error of J
    grad: np.ndarray
    slope: np.ndarray
    step: np.ndarray
    kept: np.ndarray


def slopes(program: ClosedJaxpr, parameters, entries, epsilon: float) -> Slopes:
    """The slopes of the program of J at the chosen entries of each parameter, one after another."""
    flat = np.concatenate([parameter.ravel() for parameter in parameters])
    starts = np.cumsum([0, *(parameter.size for parameter in parameters)])[:-1]
    chosen = np.concatenate([start + e for start, e in zip(starts, entries, strict=True)])
    steps = epsilon * np.maximum(1.0, np.abs(flat[chosen]))
    direction = np.random.default_rng(0).standard_normal(flat.size)
    shapes = [parameter.shape for parameter in parameters]

    def leaves(flat):
        parts = jnp.split(flat, starts[1:])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    @jax.jit  # the constants of J are arguments: compiled in, they would be folded and copied
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
    """The first of ε, ε/10, ε/100 with no kink near, its slope, and whether there was one."""

    def again(tried):
        smaller = tried[0] / 10
        return smaller, *_slope(at, i, smaller)

    def look_again(tried):
        return ~tried[2] & (tried[0] > step / LAST_TRY)

    return jax.lax.while_loop(look_again, again, (10 * step, 0.0, False))


def _slope(at, i, step):
    """The slope of J along entry i, and whether J decides the same at all four points."""
    J, decisions = jax.lax.map(lambda k: at(i, k * step), jnp.array([-2.0, -1.0, 1.0, 2.0]))
    near, far = (J[2] - J[1]) / (2 * step), (J[3] - J[0]) / (4 * step)
    same = [jnp.all(decision == decision[:1]) for decision in decisions]
    return (4 * near - far) / 3, jnp.all(jnp.array(same, bool))


def _noise(scatter) -> float:
    """From fourth differences: they leave nothing of a smooth curve. The median, for a kink."""
    differences = np.abs(np.diff(scatter, 4)) / np.sqrt(70)  # 70 = 1² + 4² + 6² + 4² + 1²
    return float(max(np.median(differences) / 0.6745, np.spacing(np.abs(scatter[0])) / 2))
