"""The discrete decisions that a cost makes at θ: its gradient may jump where they change.

Notes: "Gradient checking" (course 2, week 1), which assumes that J is smooth between θ − ε and
θ + ε. ReLU, max pooling, |z| and the hinge are not: they are piecewise functions, and where the
piece changes, the slope over the interval is a mean of two derivatives.

`pattern(J)` evaluates the program of J one primitive after another and records

    comparisons, argmax, top_k, casts to an integer   their result
    floor, ceil, round, sign                          their result
    max, min, |z|, clip, sort, pooling, …             the active piece: they are linear on each
                                                      piece, so their derivative identifies it

so the author of J has to declare nothing. It looks inside `jit`, `custom_vjp`, `checkpoint`, `cond`
(all branches) and `scan`. It does not see decisions inside a `while` loop, a shard, a hand-written
kernel or a call into another language.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from chainrule.types import Cost

CALLS = {"jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint", "custom_jvp_call"}
CALLS |= {"custom_vjp_call", "custom_vjp_call_jaxpr"}
STEPS = {"floor", "ceil", "round", "sign"}
PIECEWISE_LINEAR = {"max", "min", "abs", "clamp", "rem", "sort", "cummax", "cummin"}
PIECEWISE_LINEAR |= {"reduce_max", "reduce_min", "reduce_window_max", "reduce_window_min"}


def pattern(J: Cost) -> Callable[[Any], list[jax.Array]]:
    """Return a function of θ that lists the decisions of J there, in the order of the program.

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
    """Return the outputs of a program and the decisions made while computing them."""
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
    if name in PIECEWISE_LINEAR and all(_is_float(v) for v in [*eqn.invars, *eqn.outvars]):
        return _piece(eqn, inputs)
    outputs = _bind(eqn, inputs)
    if name in STEPS:
        return outputs, outputs
    if name == "bitcast_convert_type" or not any(_is_float(v) for v in eqn.invars):
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
    """Run the loop, and return the decisions of each iteration together with its outputs."""
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


def _is_float(variable) -> bool:
    return jnp.issubdtype(getattr(variable.aval, "dtype", object), jnp.floating)


def _is_whole(variable) -> bool:
    dtype = getattr(variable.aval, "dtype", object)
    return jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_)
