"""The forward and backward pass in detail: each quantity with its formula, shape and values.

Notes: "Forward and backward propagation" (course 1, week 4).

    forward     l = 1 … L:   Z[l], A[l], the arrays in the cache
    cost        J
    backward    l = L … 1:   dZ[l], dW[l], db[l], dA[l−1]

The values are those recorded by `chainrule.layers.trace.trace`; nothing is computed here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jax
import numpy as np

from chainrule.formatting import aligned, format_bytes
from chainrule.inspection.formulas import Place, backward_formulas, forward_formulas, inside, places
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.residual import Projection
from chainrule.layers.trace import LayerTrace, Trace, has_formulas

SMALL = 64
"""Arrays of at most this many numbers are written to JSON completely, others as a summary."""


@dataclass(frozen=True)
class Quantity:
    """A quantity of the notes: its formula for layer l, and its value."""

    formula: str
    value: np.ndarray

    @property
    def name(self) -> str:
        """Return the left-hand side of the formula, such as dW[2]."""
        return self.formula.split(" ")[0].removesuffix(",")


@dataclass(frozen=True)
class Step:
    """The quantities that a layer computes in one direction; `cached` names the arrays it keeps."""

    number: int
    title: str
    quantities: list[Quantity]
    cached: tuple[str, ...] = ()


def show_trace(trace: Trace, *, digits: int = 4, max_values: int = 3) -> str:
    """Return the forward and backward pass as text, with a line for each quantity.

    An array of at most `max_values` numbers is shown completely, row by row. For a larger array,
    the first values are shown with its min, mean and max. Numbers have `digits` significant digits.
    """
    X, forward, backward = _X(trace), _forward(trace), _backward(trace)
    quantities = [X, *(q for step in forward + backward for q in step.quantities)]
    cells = [_cells(quantity, digits, max_values) for quantity in quantities]
    numbers = range(2, max_values + 6)
    head, first, *rest = aligned([_head(max_values), *cells], right=numbers)
    lines = iter(f"    {line}" for line in rest)

    def described(step: Step) -> list[str]:
        return [f"  layer {step.number}, {step.title}", *islice(lines, len(step.quantities))]

    text = [f"    {head}", "Forward", f"    {first}"]
    for step in forward:
        text += [*described(step), f"    kept for backward: {', '.join(step.cached)}"]
    text += ["Cost", f"    {_cost(trace)} = {_number(trace.J, digits)}"]
    text += ["Backward", f"    {_convention(backward)}"]
    for step in backward:
        text += described(step)
    return "\n".join(text)


def trace_to_dict(trace: Trace) -> dict[str, Any]:
    """Return the forward and backward pass as plain data for JSON.

    Small arrays are written completely, large ones as their min, mean and max. JSON has no numbers
    that are not finite; these become "nan", "inf" or "-inf".
    """
    forward, backward = _forward(trace), _backward(trace)
    return {
        "convention": _convention(backward),
        "X": _quantity_to_dict(_X(trace)),
        "forward": [_step_to_dict(step) | {"cached": list(step.cached)} for step in forward],
        "J": _plain(float(trace.J)),
        "backward": [_step_to_dict(step) for step in backward],
    }


def _X(trace: Trace) -> Quantity:
    X = jax.tree.leaves(trace.X)[0]  # of sequences, the values without the lengths
    return Quantity("A[0] = X", np.asarray(X))


def _placed(trace: Trace) -> list[tuple[Place, LayerTrace]]:
    layer_places = places([t.layer for t in trace.layers])
    return [
        step
        for place, record in zip(layer_places, trace.layers, strict=True)
        for step in _with_inside(place, record)
    ]


def _with_inside(place: Place, record: LayerTrace) -> Iterator[tuple[Place, LayerTrace]]:
    """Yield the layers inside a residual block, then the block; yield any other layer itself."""
    if record.main:
        shortcut = [record.shortcut] if record.shortcut else []
        for inner, step in zip(inside(place), [*record.main, *shortcut], strict=True):
            yield from _with_inside(inner, step)
    yield place, record


def _cost(trace: Trace) -> str:
    """Return the cost as a function of the network's output, such as "J(A[2], Y)"."""
    last, _ = _placed(trace)[-1]
    return f"J({last.A}, Y)"


def _convention(backward: list[Step]) -> str:
    first = backward[0].quantities[0].name
    return f"dV is ∂J/∂V; J is the mean over the examples, so 1/m enters in {first} only"


def _forward(trace: Trace) -> list[Step]:
    steps = []
    for place, record in _placed(trace):
        values = dict(record.forward)
        if place.gives_Z and has_formulas(record.layer):
            del values["A"]  # a linear layer's A is Z
        formulas = forward_formulas(place, training=trace.training)
        quantities = _quantities(formulas, values, place.l)
        steps.append(Step(place.l, record.layer.title, quantities, _cached(place, record)))
    return steps


def _backward(trace: Trace) -> list[Step]:
    """Return the layers from L to 1; the first step begins with the gradient of the cost."""
    steps = []
    for place, record in reversed(_placed(trace)):
        formulas, from_cost = backward_formulas(place, training=trace.training), []
        if record is trace.layers[-1]:
            from_cost = [Quantity(f"d{place.A} = ∂J/∂{place.A}", np.asarray(trace.dZ))]
        shown = {"dA", "dZ"} if place.gives_Z else {"dA"}  # computed by the layer after this one
        if record.main:  # the layers inside the block have shown theirs
            shown |= {name for name in record.backward if "." in name}
        values = {name: value for name, value in record.backward.items() if name not in shown}
        quantities = from_cost + _quantities(formulas, values, place.l)
        steps.append(Step(place.l, record.layer.title, quantities))
    return steps


def _quantities(formulas: dict[str, str], values: dict[str, Any], l: int) -> list[Quantity]:
    """Pair each value with its formula; a gradient without a formula is written as ∂J/∂name."""
    return [
        Quantity(formulas.get(name, f"{name}[{l}] = ∂J/∂{name[1:]}[{l}]"), np.asarray(value))
        for name, value in values.items()
    ]


def _cached(place: Place, record: LayerTrace) -> tuple[str, ...]:
    """Return the names of the cached arrays, or their size if JAX keeps them without names."""
    leaves = jax.tree_util.tree_flatten_with_path(record.cache)[0]
    if not has_formulas(record.layer):
        return (f"the residuals of JAX, {format_bytes(sum(leaf.nbytes for _, leaf in leaves))}",)
    names, l = {"A_prev": place.A_prev}, place.l
    if isinstance(record.layer, BatchNorm):  # the activation's Z differs from the input Z
        names |= {"0.Z": place.A_prev, "1.Z": f"Z_tilde[{l}]"}
    if isinstance(record.layer, Projection):
        l = f"{l}s"
    cached = []
    for path, _ in leaves:
        name = path[-1].name
        full_path = jax.tree_util.keystr(path, simple=True, separator=".")
        cached.append(names.get(name) or names.get(full_path) or f"{name}[{l}]")
    return tuple(cached) or ("nothing",)


def _head(max_values: int) -> list[str]:
    values = ["values", *[""] * max_values][: max_values + 1]
    return ["", "shape", *values, "min", "mean", "max"]


def _cells(quantity: Quantity, digits: int, max_values: int) -> list[str]:
    """Return the cells of a row: formula, shape, and all values, or the first and the spread."""
    value = quantity.value
    values = [_number(x, digits) for x in value.flat[:max_values]]
    values += [""] * (max_values - len(values))
    more = value.size > max_values
    spread = [_number(x, digits) if more else "" for x in _spread(value).values()]
    return [quantity.formula, str(value.shape), *values, "…" if more else "", *spread]


def _spread(value: np.ndarray) -> dict[str, float]:
    return {"min": value.min(), "mean": value.mean(), "max": value.max()}


def _number(x, digits: int) -> str:
    return f"{float(x):.{digits}g}"


def _step_to_dict(step: Step) -> dict[str, Any]:
    quantities = [_quantity_to_dict(quantity) for quantity in step.quantities]
    return {"layer": step.number, "title": step.title, "quantities": quantities}


def _quantity_to_dict(quantity: Quantity) -> dict[str, Any]:
    value = quantity.value
    description = {"name": quantity.name, "formula": quantity.formula, "shape": list(value.shape)}
    if value.size <= SMALL:
        return description | {"values": _plain(value.tolist())}
    return description | {word: _plain(float(x)) for word, x in _spread(value).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(x) for x in value]
    return value if math.isfinite(value) else str(value)
