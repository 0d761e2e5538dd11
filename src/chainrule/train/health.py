"""What the numbers of a step mean.

A cost that is not a finite number says that something went wrong earlier: here the step is walked
through layer by layer, to name the first quantity that is not finite and its likely cause.
"""

from collections.abc import Callable, Iterator
from itertools import chain

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.errors import NotFiniteError
from chainrule.layers.layer import Layer, named_arrays
from chainrule.layers.trace import Trace, trace
from chainrule.train.step import Batch, norm
from chainrule.types import Key

KINDS = {
    "X": (None, "a look at the input: a number in it is not finite, or far too large"),
    "forward": (
        "exploding",
        "a smaller learning rate, or inputs brought to mean 0 and variance 1: "
        "the activations have grown too large",
    ),
    "cost": (None, "labels and weights that are finite, or a smaller learning rate"),
    "slope": (None, "another cost: the slope of this one is not finite where its value is"),
    "backward": ("exploding", "a smaller learning rate, clip_norm, or smaller initial weights"),
    "update": ("learning rate too high", "a smaller learning rate: the update itself is too large"),
}
"""What it is called, by the names of `verdicts.py`, and what to try."""


def explain_not_finite(
    network: Layer,
    after: Layer,
    batch: Batch,
    cost: Callable,
    *,
    step: int,
    key: Key | None = None,
) -> NotFiniteError:
    """The error that names layer, quantity and likely cause of a step that was not finite.

    `network` is as it was before the step, `after` as it would have been after it; `key` is that of
    the step.
    """
    steps = trace(network, batch.X, batch.Y, cost, batch.weights, key=key)
    updated = (("update", f"the updated {name}", x) for name, x in named_arrays(after).items())
    not_finite = (
        (kind, quantity)
        for kind, quantity, value in chain(_in_order(steps), updated)
        if not bool(jnp.isfinite(value).all())
    )
    kind, quantity = next(not_finite, ("update", "the updated parameters"))
    name, cure = KINDS[kind]
    got = f"nan or infinity ({name})" if name else "nan or infinity"
    return NotFiniteError(f"training step {step}, {quantity}", "finite numbers", got, cure)


def _in_order(steps: Trace) -> Iterator[tuple[str, str, Array]]:
    """(kind, quantity, value) of all that a step computes, in the order of the notes' two loops."""
    yield "X", "the input A[0] = X", steps.X
    numbered = [(f"of layer {t.number}, {t.layer.title}", t.number, t) for t in steps.steps()]
    for place, l, t in numbered:
        for name, value in t.forward.items():
            yield "forward", f"{name}[{l}] {place}", value
    yield "cost", "the cost J", steps.J
    yield "slope", "the slope of the cost", steps.dZ
    for place, l, t in reversed(numbered):
        for name, value in t.backward.items():
            if t.main and (name == "dA_prev" or "." in name):
                continue  # its layers have said so
            number = f"dA[{l - 1}]" if name == "dA_prev" else f"{name}[{l}]"
            yield "backward", f"{number} {place}", value
    yield "backward", "the gradient's length ‖dθ‖", norm(steps.gradients())
