"""Explain why a training step produced nan or infinity.

A cost that is not finite is the result of an earlier problem. The step is repeated layer by layer
to find the first quantity that is not finite, and to name its likely cause.
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
"""For each kind of quantity: the verdict, as named in `verdicts.py`, and the remedy."""


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
    yield "X", "the input A[0] = X", steps.X
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
