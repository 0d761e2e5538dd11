"""Where a network looks: what each pixel adds to the answer.

    saliency    X ⊙ (1/K) Σ_k ∂f/∂X at (k − ½)/K · X        integrated gradients, K = 32

From the average picture, 0 on the door's scale, to X in a straight line: the gradients on the way,
times how far each pixel goes. Summed over the pixels that is f(X) − f(0), up to the K steps; the
gradient at X alone has neither that sum nor a smooth picture. f is in `spoken.py`.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import padded
from chainrule.errors import OptionError
from chainrule.strategy.spoken import answers_of, spoken
from chainrule.train.outputs import FEWEST, chunk_rows, network_outputs
from chainrule.train.pixels import picture_shape
from chainrule.train.run import Run

STEPS = 32
ROWS = 256
"""Pictures at a time."""


def saliency(run: Run, X: Any, *, steps: int = STEPS) -> np.ndarray:
    """(m, n_H, n_W): what speaks for the answer is above 0, against it below; colours summed."""
    shape = picture_shape(run.door)
    if shape is None:
        hint = "explain_rows, which tells of columns"
        raise OptionError("saliency", "a network of pictures", "one of named columns", hint)
    rows = run.door.rows(X)
    cost = run.door.cost
    found = [np.zeros((0, rows.shape[1]), np.float32)]
    at_a_time = min(ROWS, chunk_rows(run.network, rows.shape[1:]))
    for i in range(0, len(rows), at_a_time):
        some = np.asarray(rows[i : i + at_a_time])
        size = padded(max(len(some), min(FEWEST, at_a_time)))
        filled = np.pad(some, ((0, size - len(some)), (0, 0)))
        answer = answers_of(network_outputs(run.network, filled).T, run.door)
        gradients = _along_the_way(run.network, filled.T, answer, steps, cost=cost)
        found.append((filled * np.asarray(gradients).T)[: len(some)])
    pixels = np.concatenate(found).reshape(-1, *shape)
    return pixels.sum(axis=-1) if len(shape) == 3 else pixels


@partial(jax.jit, static_argnames="cost")
def _along_the_way(network: Any, X: Any, answer: Any, steps: int, *, cost: str) -> Any:
    """The mean gradient of f on the way from 0 to X (n_x, m)."""

    def f(A):
        return spoken(network(A), answer, cost, xp=jnp).sum()

    def add(k, total):
        share = (k + 0.5) / steps
        return total + jax.grad(f)(share.astype(X.dtype) * X)

    return jax.lax.fori_loop(0, steps, add, jnp.zeros_like(X)) / steps
