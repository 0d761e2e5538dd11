"""The health of a training run: the size of the signal in each layer, and the problems it reveals.

Notes: "Vanishing/exploding gradients", "Weight initialization" (course 2, week 1), "Learning rate
decay" (course 2, week 2).

`measure` returns the size of activations, gradients and updates in each layer:

    A, dA        ‖A[l]‖ / √size and ‖dA[l]‖ / √size: the root mean square forward and backward
    W, dW        ‖W[l]‖ and ‖dW[l]‖
    update       ‖ΔW[l]‖ / ‖W[l]‖, the relative change in a step; about a thousandth is usual
    dead         share of units that are 0 for every example, where g is ReLU
    saturated    share of values where g is nearly flat: within 0.01 of 0 or 1 for sigmoid, and of
                 −1 or 1 for tanh

It is measured on a sample of the training set, before the first epoch, after epochs 1, 2, 4, 8, …
and after the last one. Measuring it does not change the results of training.

`verdicts` diagnoses the problems of a training run from its history, with the notes' remedies:

    vanishing                the signal shrinks a thousandfold between the first and last layers
    exploding                the signal grows a thousandfold, or the cost is no longer finite
    dead                     half of a layer's units are 0 for every example
    saturated                half of a layer's values lie where the activation is flat
    learning rate too high   the cost jumps up and down, or ends above its initial value
    learning rate too low    the cost still falls steadily at the end, with tiny updates

The remedies agree with each other: the most serious problem decides whether the learning rate and
the initial weights should be larger or smaller.

`explain_not_finite` uses the same names for a step that produced nan or infinity. Such a cost is
the result of an earlier problem, so the step is repeated layer by layer to find the first quantity
that is not finite, and to name its likely cause.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from chainrule.blocks.activations import relu, sigmoid, tanh
from chainrule.errors import NotFiniteError
from chainrule.layers.layer import Layer, layer_numbers, named_arrays, split_parameters
from chainrule.layers.trace import LayerTrace, Trace, trace
from chainrule.train.epochs import Progress, Rows
from chainrule.train.history import History
from chainrule.train.step import Batch, Penalty, norm, penalty_cost
from chainrule.types import Key

# The size of the signal in each layer

SAMPLE = 256
FLAT = 0.01

Signal = dict[str, float]
"""The quantities that `measure` returns for one layer, without those that it does not have."""


def due(epoch: int) -> bool:
    """Return whether the signal is measured after this epoch: 0, 1, 2, 4, 8, …

    >>> [epoch for epoch in range(20) if due(epoch)]
    [0, 1, 2, 4, 8, 16]
    """
    return epoch & (epoch - 1) == 0


def measure(
    progress: Progress,
    rows: Rows,
    m: int,
    penalty: Penalty | None,
    key: Key,
    step: int,
    *,
    cost: Callable,
    update: Callable,
) -> list[Signal]:
    """Return the signal of each layer l = 1 … L on the first rows of the training set.

    Dropout and augmentation are those of `key` and the number of steps before.
    """
    sample = _sample(rows, np.arange(min(m, SAMPLE), dtype=np.int32))
    at = np.int32(step)
    found = _measure(progress.network, progress.state, sample, penalty, key, at, cost, update)
    return [{k: float(x) for k, x in layer.items()} for layer in jax.device_get(found)]


@jax.jit
def _sample(rows: Rows, index: Int[Array, " B"]) -> Batch:
    """Return these rows as a batch: a program of its own, since the number of all rows varies."""
    return rows.batch(index)


@partial(jax.jit, static_argnames=("cost", "update"))
def _measure(
    network: Layer,
    state: Any,
    batch: Batch,
    penalty: Penalty | None,
    key: Key,
    at: Int[Array, ""],
    cost: Callable,
    update: Callable,
) -> list[dict[str, Array]]:
    key = jax.random.fold_in(key, at)
    steps = trace(network, batch.X, batch.Y, cost, batch.weights, key=key)
    theta, _ = split_parameters(network)
    gradients = jax.tree.unflatten(jax.tree.structure(theta), steps.gradients())
    if penalty is not None:
        penalty_gradients = jax.grad(lambda theta: penalty_cost(theta, penalty))(theta)
        gradients = jax.tree.map(jnp.add, gradients, penalty_gradients)
    updates, _ = update(gradients, state, theta)
    layers = [{} for _ in range(max(layer_numbers(network.parts()), default=0))]
    pairs = zip(steps.layers, updates.parts(), strict=True)
    for step, d_theta in chain.from_iterable(_with_inside(*pair) for pair in pairs):
        if step.number > 0:
            part, signal = step.layer, layers[step.number - 1]
            signal |= (
                _unit_signals(step) | _weights(part, step, d_theta) | _saturated_signals(part, step)
            )
    return layers


def _with_inside(step: LayerTrace, d_theta: Any) -> Iterator[tuple[LayerTrace, Any]]:
    """Yield the layers inside a residual block and then the block, without its shortcut."""
    if step.main:
        for pair in zip(step.main, d_theta.main.parts(), strict=True):
            yield from _with_inside(*pair)
    yield step, d_theta


def _unit_signals(step: LayerTrace) -> dict[str, Array]:
    """Return the sizes of A and dA by layer number; the last part with a number counts."""
    return {"A": _size(step.forward["A"]), "dA": _size(step.backward["dA"])}


def _weights(part: Any, step: LayerTrace, d_theta: Any) -> dict[str, Array]:
    """Return the norms of W and dW, and the relative change of W in the step."""
    if "dW" not in step.backward:
        return {}
    length = jnp.linalg.norm(part.W)
    change = jnp.linalg.norm(d_theta.W) / jnp.where(length == 0, 1, length)
    return {"W": length, "dW": jnp.linalg.norm(step.backward["dW"]), "update": change}


def _saturated_signals(part: Layer, step: LayerTrace) -> dict[str, Array]:
    """Return the share of dead units or saturated values, which pass on no gradient."""
    g, A = getattr(part, "activation", None), step.forward["A"]
    if g is relu:
        examples = tuple(range(1, A.ndim)) if A.ndim == 2 else tuple(range(A.ndim - 1))
        return {"dead": (A == 0).all(axis=examples).mean(dtype=A.dtype)}
    if g in (sigmoid, tanh):
        middle = 0.5 if g is sigmoid else 0.0
        return {"saturated": (jnp.abs(A - middle) > 1 - middle - FLAT).mean(dtype=A.dtype)}
    return {}


def _size(values: Array) -> Array:
    """Return the root mean square of the values."""
    return jnp.sqrt((values**2).mean())


# The problems of a training run

FACTOR = 1e3
SHARE = 0.5
JUMP = 3.0  # a multiple of the first cost
RISES = 0.3  # share of epochs in which the cost rises by a tenth plus a fiftieth of the first cost
SLOW = 3e-4  # share of ‖W‖ that a step changes
UNFINISHED = 0.05  # share of the cost that the last tenth of the learning still gains
DECAYED = 0.1  # share of the largest step that is left at the end if the learning rate decays


class Advice(NamedTuple):
    """A remedy in words, and what it changes: the `aspect`, upwards (1) or downwards (−1).

    Two pieces of advice that change one aspect in different directions exclude each other.
    """

    words: str
    aspect: str = ""
    direction: int = 0


RATE, WEIGHTS = "learning rate", "initial weights"

REMEDIES = {
    "exploding": (
        Advice("smaller initial weights (he or xavier)", WEIGHTS, -1),
        Advice("clip_norm 1", RATE, -1),
        Advice("batch_norm"),
    ),
    "learning rate too high": (
        Advice("a third of the learning rate", RATE, -1),
        Advice("a learning rate that decays", RATE, -1),
    ),
    "dead": (
        Advice("a smaller learning rate", RATE, -1),
        Advice("another seed"),
        Advice("he initialisation"),
        Advice("leaky_relu"),
        Advice("batch_norm"),
    ),
    "saturated": (
        Advice("smaller initial weights", WEIGHTS, -1),
        Advice("inputs of mean 0 and variance 1"),
        Advice("relu"),
    ),
    "vanishing": (
        Advice("larger initial weights (he for relu, xavier for tanh)", WEIGHTS, 1),
        Advice("relu in place of sigmoid"),
        Advice("batch_norm"),
    ),
    "learning rate too low": (
        Advice("three times the learning rate", RATE, 1),
        Advice("more epochs", RATE, 1),
    ),
}
"""The remedies of each problem. The problems are ordered by how serious they are."""


@dataclass(frozen=True)
class Verdict:
    """A problem: its name, the evidence in words, and the layer (None for the whole network).

    `ruled_out` contains the aspects of the training that do not help here, so that no remedy that
    changes them is advised.
    """

    name: str
    words: str
    layer: int | None = None
    ruled_out: frozenset[str] = frozenset()

    @property
    def advice(self) -> tuple[Advice, ...]:
        """The remedies that the notes advise, without those that are ruled out."""
        return tuple(one for one in REMEDIES[self.name] if one.aspect not in self.ruled_out)

    @property
    def remedy(self) -> str:
        """The remedies as text."""
        *others, last = [one.words for one in self.advice]
        return f"{', '.join(others)}, or {last}" if others else last

    def __str__(self) -> str:
        return f"{self.name}: {self.words}. Try {self.remedy}."


def verdicts(history: History) -> list[Verdict]:
    """Return the problems of a training run, the most serious first, with consistent remedies."""
    signals = [line["signal"] for line in history.signals]
    problems = [*_through_verdicts(signals), *_flat_verdicts(history), *_rate(history)]
    return in_one_direction(problems)


def in_one_direction(problems: Iterable[Verdict]) -> list[Verdict]:
    """Sort problems by seriousness, and rule out remedies that oppose a more serious problem.

    A problem without any remedy left is dropped, since it follows from the more serious one: where
    units are dead, for example, the updates are small because hardly anything can be learned.

    >>> slow, dead = Verdict("learning rate too low", "slow"), Verdict("dead", "half of the units")
    >>> [one.name for one in in_one_direction([slow, dead])]
    ['dead']
    """
    order = list(REMEDIES)
    kept: list[Verdict] = []
    directions: dict[str, int] = {}
    for one in sorted(problems, key=lambda verdict: order.index(verdict.name)):
        opposed = {a.aspect for a in one.advice if directions.get(a.aspect, 0) * a.direction < 0}
        consistent = replace(one, ruled_out=one.ruled_out | opposed)
        if consistent.advice:
            kept.append(consistent)
        for aspect, direction in _directions(one).items():
            directions.setdefault(aspect, direction)
    return kept


def _directions(verdict: Verdict) -> dict[str, int]:
    """Return the directions in which a problem allows changes, also those that do not cure it."""
    return {one.aspect: one.direction for one in REMEDIES[verdict.name] if one.aspect}


def _through_verdicts(signals: list[list[Signal]]) -> Iterator[Verdict]:
    """Yield a vanishing or exploding signal, by comparing the first and the last layer."""
    worst = {"vanishing": (FACTOR, ""), "exploding": (FACTOR, "")}
    for layers in signals:
        if len(layers) < 2:
            continue
        first, last = layers[0], layers[-1]
        if first["dA"] == 0:
            continue  # a layer in between is dead, which is a problem of its own
        for name, quantity, ratio in (
            ("vanishing", "dA[1] is {:.0e} of dA[{L}]", _ratio(first["dA"], last["dA"])),
            ("exploding", "dA[1] is {:.0e} times dA[{L}]", _ratio(first["dA"], last["dA"])),
            ("vanishing", "A[{L}] is {:.0e} of A[1]", _ratio(last["A"], first["A"])),
            ("exploding", "A[{L}] is {:.0e} times A[1]", _ratio(last["A"], first["A"])),
        ):
            size = 1 / max(ratio, 1e-30) if name == "vanishing" else ratio
            if size > worst[name][0]:
                worst[name] = (size, quantity.format(ratio, L=len(layers)))
    for name, (_, words) in worst.items():
        if words:
            yield Verdict(name, words)


def _ratio(a: float, b: float) -> float:
    """Return a / b; if both are equal, also if both are 0, return 1."""
    return 1.0 if a == b else a / max(b, 1e-30)


def _flat_verdicts(history: History) -> Iterator[Verdict]:
    """Yield layers that are dead or saturated at the end of training.

    No learning rate revives units that were dead before the first step.
    """
    first, last = (history.signals[0], history.signals[-1]) if history.signals else ({}, {})
    at_start = first["signal"] if first.get("epoch") == 0 else []
    for l, layer in enumerate(last.get("signal", []), 1):
        born_dead = l <= len(at_start) and at_start[l - 1].get("dead", 0.0) >= SHARE
        for name, what in (
            ("dead", "units of layer {} are 0 for every example"),
            ("saturated", "values of layer {} lie where its activation is flat"),
        ):
            if layer.get(name, 0.0) >= SHARE:
                ruled_out = frozenset({RATE} if name == "dead" and born_dead else ())
                yield Verdict(name, f"{layer[name]:.0%} of the {what.format(l)}", l, ruled_out)


def _rate(history: History) -> Iterator[Verdict]:
    """Yield a learning rate that is too high or too low, by the costs and the size of updates.

    Yields nothing if there are few epochs, or negative costs, which cannot be compared by ratios.
    """
    costs = np.array(history.costs)
    if len(costs) < 5 or costs.min() < 0:
        return
    rises = float((costs[1:] > 1.1 * costs[:-1] + costs[0] / 50).mean())
    if costs[-1] > costs[0]:
        words = f"the cost ends at {costs[-1]:.3g}, above its first value {costs[0]:.3g}"
        yield Verdict("learning rate too high", words)
    elif costs.max() > JUMP * costs[0]:
        words = f"the cost jumped from {costs[0]:.3g} to {costs.max():.3g}"
        yield Verdict("learning rate too high", words)
    elif rises > RISES:
        yield Verdict("learning rate too high", f"the cost rises in {rises:.0%} of the epochs")
    elif _gains_by_epochs(history) and _unfinished(history) and (size := step_size(history)) < SLOW:
        words = f"the cost still falls, from {costs[0]:.3g} to {costs[-1]:.3g} so far, with "
        yield Verdict("learning rate too low", f"{words}updates of {size:.0e} of W per step")


def _gains_by_epochs(history: History) -> bool:
    """Return whether more epochs could help: not if the best dev epoch was long before the end."""
    best, late = history.best_epoch, 0.9 * len(history.epochs)
    return history.stopped == "epochs" and (best is None or best > late)


def _unfinished(history: History) -> bool:
    """Return whether the cost still falls at the end, or has hardly fallen."""
    costs, last = history.costs, last_epochs(history)
    return costs[-1] < (1 - UNFINISHED) * costs[-last - 1] or costs[-1] > 0.9 * costs[0]


def last_epochs(history: History) -> int:
    """Return the number of the last epochs in which about a tenth of the learning takes place.

    This is a tenth of the epochs, or two fifths if the learning rate has decayed by a cosine.
    """
    sizes = _step_sizes(history)
    decayed = len(sizes) > 1 and sizes[-1] < DECAYED * max(sizes)
    return max(1, len(history.epochs) * 2 // 5 if decayed else len(history.epochs) // 10)


def step_size(history: History) -> float:
    """Return the largest ‖ΔW‖ / ‖W‖ of all layers after the first quarter of the epochs.

    At the very end, all steps are tiny if the learning rate decays.
    """
    return max(_step_sizes(history), default=SLOW)


def _step_sizes(history: History) -> list[float]:
    """Return the largest ‖ΔW‖ / ‖W‖ of each measurement after the first quarter of the epochs."""
    late = (one for one in history.signals if 4 * one["epoch"] >= len(history.epochs))
    updates = ([layer["update"] for layer in one["signal"] if "update" in layer] for one in late)
    return [max(sizes) for sizes in updates if sizes]


# A step that is not finite

KINDS = {
    "X": (None, "checking the input: it contains nan, infinity or a far too large number"),
    "forward": (
        "exploding",
        "a smaller learning rate, or inputs scaled to mean 0 and variance 1: "
        "the activations have grown too large",
    ),
    "cost": (None, "labels and weights that are finite, or a smaller learning rate"),
    "slope": (None, "a different cost: the derivative of this one is not finite at this value"),
    "backward": ("exploding", "a smaller learning rate, clip_norm, or smaller initial weights"),
    "update": ("learning rate too high", "a smaller learning rate: the update itself is too large"),
}
"""For each kind of quantity: the name of the problem, as in `verdicts`, and the remedy."""


def explain_not_finite(
    network: Layer,
    after: Layer,
    batch: Batch,
    cost: Callable,
    *,
    step: int,
    key: Key | None = None,
) -> NotFiniteError:
    """Return the error that names the layer, the quantity and the likely cause.

    `network` is the network before the step, `after` the network after it; `key` is the step's key.
    """
    steps = trace(network, batch.X, batch.Y, cost, batch.weights, key=key)
    updated = (("update", f"the updated {name}", x) for name, x in named_arrays(after).items())
    not_finite = (
        (kind, quantity)
        for kind, quantity, value in chain(_in_order(steps), updated)
        if not bool(jnp.isfinite(value).all())
    )
    kind, quantity = next(not_finite, ("update", "the updated parameters"))
    name, remedy = KINDS[kind]
    got = f"nan or infinity ({name})" if name else "nan or infinity"
    return NotFiniteError(f"training step {step}, {quantity}", "finite numbers", got, remedy)


def _in_order(steps: Trace) -> Iterator[tuple[str, str, Array]]:
    """Yield (kind, quantity, value) for all that a step computes, forward and then backward."""
    for part in jax.tree.leaves(steps.X):
        yield "X", "the input A[0] = X", part
    numbered = [(f"of layer {t.number}, {t.layer.title}", t.number, t) for t in steps.steps()]
    for place, l, t in numbered:
        for name, value in t.forward.items():
            yield "forward", f"{name}[{l}] {place}", value
    yield "cost", "the cost J", steps.J
    yield "slope", "the derivative of the cost", steps.dZ
    for place, l, t in reversed(numbered):
        for name, value in t.backward.items():
            if t.main and (name == "dA_prev" or "." in name):
                continue  # already yielded for the layers inside
            number = f"dA[{l - 1}]" if name == "dA_prev" else f"{name}[{l}]"
            yield "backward", f"{number} {place}", value
    yield "backward", "the norm of the gradient ‖dθ‖", norm(steps.gradients())
