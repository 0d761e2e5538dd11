"""Gradient checking: compare a hand-written derivative with the numerical slope of the cost.

Notes: "Gradient checking", "Numerical approximation of gradients" (course 2, week 1).

    difference   ‖grad − slope‖ / (‖grad‖ + ‖slope‖)

A difference of about 1e-7 is right, about 1e-5 deserves a careful look, and about 1e-3 indicates a
mistake. Entries that are zero are first nudged, since symmetric weights hide mistakes. A difference
that the rounding error of J can explain counts as at most 1e-7, so a parameter without influence,
such as a bias before batch norm, passes.

Everything is computed in float64, whatever the caller's setting: θ is cast to it, and arrays that J
closes over are promoted when they are combined with θ. A J that casts to a narrower type inside
cannot be checked: its value changes in steps, so that even a correct gradient would look wrong.

The slope along single entries of θ:

    s(ε) = (J(θ + ε eᵢ) − J(θ − ε eᵢ)) / 2ε          slope = (4 s(ε) − s(2ε)) / 3

s(ε) is the notes' two-sided slope. Its error is of order ε²: near the minimum of a cost of pixels
from 0 to 255 that is 1e-5 of the slope, so it is removed by extrapolation. The rounding error
remains and is measured: it is the scatter of J along a line too short for J to curve. The entries
go one after another through one compiled program, so θ is not copied for each entry.

Gradient checking assumes that J is smooth between θ − ε and θ + ε. ReLU, max pooling, |z| and the
hinge are not: they are piecewise functions, and where the piece changes, the slope over the
interval is a mean of two derivatives. If J has such a kink between θ − 2ε and θ + 2ε, a tenth of ε
is tried, then a hundredth; an entry that still has a kink nearby is dropped and counted.

Kinks are found without any declaration by the author of J: `pattern(J)` evaluates the program of J
one primitive after another and records

    comparisons, argmax, top_k, casts to an integer   their result
    floor, ceil, round, sign                          their result
    max, min, |z|, clip, sort, pooling, …             the active piece: they are linear on each
                                                      piece, so their derivative identifies it

It looks inside `jit`, `custom_vjp`, `checkpoint`, `cond` (all branches) and `scan`. It does not see
comparisons inside a `while` loop, a shard, a hand-written kernel or a call into another language.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun
from jaxtyping import PyTree

from chainrule.errors import NotFiniteError, OptionError, ShapeError
from chainrule.formatting import count_of
from chainrule.host.machine import check_process
from chainrule.types import Cost, Key

# The check

RIGHT, WRONG = 1e-7, 1e-3
NUDGE = 0.01
ALLOWANCE, LARGEST_NOISE = 5.0, 1e-12  # in standard deviations; relative to J where |J| > 1
VERDICTS = ("right", "unchecked", "doubtful", "wrong")  # from best to worst


class Slopes(NamedTuple):
    """For each checked entry: the gradient, the finite-difference slope, ε, and if J is smooth.

    J counts as smooth if it has no kink within 2ε of the entry.
    """

    J: float
    noise: float  # the standard deviation of the rounding error of J
    grad: np.ndarray
    slope: np.ndarray
    step: np.ndarray
    kept: np.ndarray


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
    check_process()
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
    check_process()
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
    """Return ‖grad − slope‖ / (‖grad‖ + ‖slope‖); 0 if both are 0, 1 if one is not finite."""
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
            f"{count_of(len(found), 'name')}, one for each of {', '.join(found)}",
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
    """Trace J once; the program gives its value, the outcomes of its comparisons, its gradient."""
    program, output = jax.make_jaxpr(J, return_shape=True)(parameters)
    shapes = [tuple(leaf.shape) for leaf in jax.tree.leaves(output)]
    if shapes != [()]:
        got = str(shapes[0]) if len(shapes) == 1 else f"{len(shapes)} outputs"
        raise ShapeError("J", "one number, of shape ()", got, "a sum or a mean over its axes")
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


# The slope along single entries of θ, away from kinks

LAST_TRY = 50.0  # tries ε, ε/10 and ε/100: goes on while the step is above ε/50
LINE = np.arange(16) * 1e-9


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
    """Return the slope of J along entry i, and whether all comparisons agree at the four points."""
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


# The decisions of J, which change at a kink

CALLS = {"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "custom_jvp_call"}
CALLS |= {"custom_vjp_call", "custom_vjp_call_jaxpr"}
STEPS = {"floor", "ceil", "round", "sign"}
PIECEWISE_LINEAR = {"max", "min", "abs", "clamp", "rem", "sort", "cummax", "cummin"}
PIECEWISE_LINEAR |= {"reduce_max", "reduce_min", "reduce_window_max", "reduce_window_min"}


def pattern(J: Cost) -> Callable[[Any], list[jax.Array]]:
    """Return a function of θ that lists the outcome of every comparison made by J(θ).

    The outcomes are in the order of execution.

    >>> import jax.numpy as jnp
    >>> [sides] = pattern(lambda theta: jnp.sum(jnp.where(theta > 0, theta, 0.0)))(
    ...     jnp.array([-1.0, 0.0, 2.0])
    ... )
    >>> sides.tolist()
    [False, False, True]
    """

    def decisions(theta):
        program = jax.make_jaxpr(J)(theta)
        return evaluate(program.jaxpr, program.consts, jax.tree.leaves(theta))[1]

    return decisions


def evaluate(program: Jaxpr | ClosedJaxpr, consts, inputs) -> tuple[list, list[jax.Array]]:
    """Return the outputs of a program, and the outcomes of its comparisons."""
    jaxpr = program.jaxpr if isinstance(program, ClosedJaxpr) else program
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

    def read(variables):
        return [v.val if isinstance(v, Literal) else values[v] for v in variables]

    found = []
    for eqn in jaxpr.eqns:
        outputs, decisions = _evaluate_one(eqn, read(eqn.invars))
        values.update(zip(eqn.outvars, outputs, strict=True))
        found += decisions
    return read(jaxpr.outvars), found


def _evaluate_one(eqn: JaxprEqn, inputs: list) -> tuple[list, list[jax.Array]]:
    name, params = eqn.primitive.name, eqn.params
    if name in CALLS:
        return _inside(params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"], inputs)
    if name == "scan":
        return _scan(eqn, inputs)
    if name == "cond":  # the comparison that chose the branch is already recorded
        return _bind(eqn, inputs), [
            decision for branch in params["branches"] for decision in _inside(branch, inputs[1:])[1]
        ]
    if name in PIECEWISE_LINEAR and all(_is_float_variable(v) for v in [*eqn.invars, *eqn.outvars]):
        return _piece(eqn, inputs)
    outputs = _bind(eqn, inputs)
    if name in STEPS:
        return outputs, outputs
    if name == "bitcast_convert_type" or not any(_is_float_variable(v) for v in eqn.invars):
        return outputs, []
    return outputs, [o for v, o in zip(eqn.outvars, outputs, strict=True) if _is_whole(v)]


def _inside(program, inputs):
    return evaluate(program, getattr(program, "consts", ()), inputs)


def _piece(eqn, inputs):
    """Identify the input that each output came from by pulling back the cotangents 1, 2, 3, ….

    A scalar bound, as in max(Z, 0), is held constant: the other inputs are enough.
    """
    axes = max(jnp.ndim(x) for x in inputs)
    free = [i for i, x in enumerate(inputs) if jnp.ndim(x) == axes]

    def outputs_of(*chosen):
        filled = dict(zip(free, chosen, strict=True))
        return _bind(eqn, [filled.get(i, x) for i, x in enumerate(inputs)])

    outputs, pull = jax.vjp(outputs_of, *(inputs[i] for i in free))
    numbered = [jnp.arange(1, o.size + 1, dtype=o.dtype).reshape(o.shape) for o in outputs]
    return outputs, list(pull(numbered))


def _scan(eqn, inputs):
    """Run the loop, and return its outputs and the outcomes of comparisons in each iteration."""
    params = eqn.params
    n, k = params["num_consts"], params["num_carry"]
    consts, carry, xs = inputs[:n], inputs[n : n + k], inputs[n + k :]

    def iteration(carry, x):
        outputs, found = _inside(params["jaxpr"], [*consts, *carry, *x])
        return outputs[:k], (outputs[k:], found)

    carry, (ys, found) = jax.lax.scan(
        iteration, carry, xs, length=params["length"], reverse=params["reverse"]
    )
    return [*carry, *ys], found


def _bind(eqn, inputs) -> list:
    outputs = eqn.primitive.bind(*inputs, **eqn.primitive.get_bind_params(eqn.params))
    return list(outputs) if eqn.primitive.multiple_results else [outputs]


def _is_float_variable(variable) -> bool:
    return jnp.issubdtype(getattr(variable.aval, "dtype", object), jnp.floating)


def _is_whole(variable) -> bool:
    dtype = getattr(variable.aval, "dtype", object)
    return jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_)
