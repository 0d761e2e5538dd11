"""Gradient checking: compare a hand-written derivative with the numerical slope of the cost.

Notes: "Gradient checking" (course 2, week 1).

    difference   ‖grad − slope‖ / (‖grad‖ + ‖slope‖)

About 1e-7 is right, about 1e-5 deserves a careful look, about 1e-3 indicates a mistake. The slope
and ε are computed by `chainrule.slopes`; an entry of θ with a kink of J nearby is dropped and
counted. Entries that are zero are first nudged, since symmetric weights hide mistakes. A difference
that the rounding error of J can explain counts as at most 1e-7, so a parameter without influence,
such as a bias before batch norm, passes.

Everything is computed in float64, whatever the caller's setting: θ is cast to it, and arrays that J
closes over are promoted when they are combined with θ. A J that casts to a narrower type inside
cannot be checked: its value changes in steps, so that even a correct gradient would look wrong.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr
from jaxtyping import PyTree

from chainrule.errors import NotFiniteError, OptionError, ShapeError
from chainrule.slopes import Slopes, slopes
from chainrule.types import Cost, Key

RIGHT, WRONG = 1e-7, 1e-3
NUDGE = 0.01
ALLOWANCE, LARGEST_NOISE = 5.0, 1e-12  # in standard deviations; relative to J where |J| > 1
VERDICTS = ("right", "unchecked", "doubtful", "wrong")  # from best to worst


@dataclass(frozen=True)
class ParameterCheck:
    """The result for one array of θ: the relative difference over its checked entries."""

    name: str
    shape: tuple[int, ...]
    difference: float
    checked: int
    dropped: int
    verdict: str


@dataclass(frozen=True)
class GradientReport:
    """The relative difference over all checked entries together, and for each parameter.

    The verdict is that of the worst parameter: "right" up to 1e-7, "wrong" above 1e-3,
    "doubtful" in between; "unchecked" if there was a kink at every entry. `noise` is the standard
    deviation of the rounding error of J.
    """

    difference: float
    verdict: str
    cost: float
    noise: float
    epsilon: float
    parameters: tuple[ParameterCheck, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return asdict(self)


def gradient_check(J: Cost, theta: PyTree) -> float:
    """Return the relative difference between the gradient of J and its slope, over all of θ.

    θ is a number or any pytree of arrays; at most 200 entries of each array are checked, at random.

    >>> gradient_check(lambda theta: theta**2 - 10 * theta + 25, 0.5) < 1e-7
    True
    """
    report = check_parameters(J, theta)
    if not any(parameter.checked for parameter in report.parameters):
        dropped = sum(parameter.dropped for parameter in report.parameters)
        raise OptionError(
            "θ",
            "an entry along which J has no kink within 2ε",
            f"a kink at each of {dropped}",
            "fewer examples, or check_parameters with a smaller epsilon",
        )
    return report.difference


def check_parameters(
    J: Cost,
    theta: PyTree,
    *,
    names: Sequence[str] | None = None,
    samples: int = 200,
    epsilon: float = 1e-5,
    key: Key | None = None,
    nudge: bool = True,
) -> GradientReport:
    """Check the gradient of J at θ, parameter by parameter, with at most `samples` entries of each.

    The floating-point arrays and numbers of θ are its parameters; everything else in it stays
    unchanged. ε is relative to the entry where |entry| > 1. `key` is the random key for choosing
    the entries and the nudges.
    """
    _check_positive(samples=samples, epsilon=epsilon)
    random = np.random.default_rng(0 if key is None else np.asarray(jax.random.key_data(key)))
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        found, parameters, rebuild = _parameters(theta)
        names = _check_names(names, found)
        if nudge:
            parameters = [_nudge_zeros(parameter, random) for parameter in parameters]
        program = _trace(lambda leaves: J(rebuild(leaves)), parameters)
        entries = [_sample(parameter.size, samples, random) for parameter in parameters]
        measured = slopes(program, parameters, entries, epsilon)
    if not np.isfinite(measured.J):
        raise NotFiniteError("J(θ)", "a finite cost", str(measured.J), "a θ where J is defined")
    ends = accumulate(map(len, entries))
    parts = [slice(end - len(e), end) for e, end in zip(entries, ends, strict=True)]
    checks = tuple(
        _check(name, parameter.shape, measured, part)
        for name, parameter, part in zip(names, parameters, parts, strict=True)
    )
    verdict = max((check.verdict for check in checks), key=VERDICTS.index)
    difference = _difference(measured, slice(None))
    return GradientReport(difference, verdict, measured.J, measured.noise, epsilon, checks)


def relative_difference(grad: PyTree, slope: PyTree) -> float:
    """‖grad − slope‖ / (‖grad‖ + ‖slope‖); 0 where both are 0, and 1 where one is not finite."""
    g, s = (np.concatenate([np.ravel(x) for x in jax.tree.leaves(t)]) for t in (grad, slope))
    scale = np.linalg.norm(g) + np.linalg.norm(s)
    if not np.isfinite(scale):
        return 1.0
    return float(np.linalg.norm(g - s) / scale) if scale > 0 else 0.0


def _parameters(theta):
    """Return the names and float64 values of the parameters, and a function from values to θ."""
    if isinstance(theta, int):
        theta = float(theta)
    paths, tree = jax.tree.flatten_with_path(theta)
    chosen = [i for i, (_, leaf) in enumerate(paths) if _is_float(leaf)]
    if not chosen:
        raise OptionError(
            "θ", "a number or arrays of floating-point numbers", "none", "jnp.asarray(θ, float)"
        )

    def rebuild(leaves):
        all_leaves = [leaf for _, leaf in paths]
        for i, leaf in zip(chosen, leaves, strict=True):
            all_leaves[i] = leaf
        return jax.tree.unflatten(tree, all_leaves)

    names = [jax.tree_util.keystr(paths[i][0], simple=True, separator=".") for i in chosen]
    values = [np.asarray(paths[i][1]).astype(np.float64) for i in chosen]
    return [name or "θ" for name in names], values, rebuild


def _is_float(leaf) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return isinstance(leaf, float) if dtype is None else jnp.issubdtype(dtype, jnp.floating)


def _check_names(names, found) -> tuple[str, ...]:
    if names is not None and len(names) != len(found):
        raise OptionError(
            "names",
            f"{len(found)}, one for each of {', '.join(found)}",
            f"{len(names)}",
            "listing them in the order of jax.tree.leaves(θ)",
        )
    return tuple(found if names is None else names)


def _check_positive(**options) -> None:
    for name, value in options.items():
        if not value > 0:
            raise OptionError(name, "a number greater than 0", str(value), "leaving it out")


def _nudge_zeros(parameter, random):
    return np.where(parameter == 0, NUDGE * random.standard_normal(parameter.shape), parameter)


def _sample(size, samples, random):
    if size <= samples:
        return np.arange(size)
    return np.sort(random.choice(size, samples, replace=False))


def _trace(J, parameters) -> ClosedJaxpr:
    """Trace J once; the program serves for its value, its decisions and its gradient."""
    program, output = jax.make_jaxpr(J, return_shape=True)(parameters)
    shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(output)]
    if shapes != [()]:
        got = str(shapes[0]) if len(shapes) == 1 else f"{len(shapes)} outputs"
        raise ShapeError("J", "one number, of shape ()", got, "a sum or a mean over the rest")
    if output.dtype != np.float64:
        hint = "removing the casts from J, so that its dtype follows that of θ"
        raise OptionError("J", "a cost in float64, as θ is", str(output.dtype), hint)
    return program


def _check(name, shape, measured: Slopes, part: slice) -> ParameterCheck:
    """Return the result of the check for the entries of one parameter."""
    checked, size = int(measured.kept[part].sum()), part.stop - part.start
    difference = _difference(measured, part)
    verdict = "unchecked" if size and not checked else _verdict(difference)
    return ParameterCheck(name, shape, difference, checked, size - checked, verdict)


def _verdict(difference: float) -> str:
    if difference <= RIGHT:
        return "right"
    return "doubtful" if difference <= WRONG else "wrong"


def _difference(measured: Slopes, part: slice) -> float:
    """Return the relative difference of the kept entries; rounding error counts as right."""
    kept = measured.kept[part]
    grad, slope = measured.grad[part][kept], measured.slope[part][kept]
    relative = relative_difference(grad, slope)
    distance = relative * (np.linalg.norm(grad) + np.linalg.norm(slope))
    noise = min(measured.noise, LARGEST_NOISE * max(1.0, abs(measured.J)))
    allowed = ALLOWANCE * noise * np.linalg.norm(1 / measured.step[part][kept])
    return min(relative, float(RIGHT * distance / allowed)) if distance < allowed else relative
