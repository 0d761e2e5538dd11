"""Saliency maps: how much each pixel contributes to a prediction.

    saliency    X ⊙ (1/K) Σ_k ∂f/∂X at (k − ½)/K · X        integrated gradients, K = 32

The gradients are averaged along a straight line from the average image (0 after normalisation) to
X and multiplied by the change of each pixel. The sum over the pixels is f(X) − f(0), up to the
error of K steps; the gradient at X alone does not have this sum, and its map is noisier. f is in
`spoken.py`.

Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (2017).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import padded
from chainrule.errors import OptionError
from chainrule.strategy.spoken import answer_value, answers_of
from chainrule.train.outputs import FEWEST, chunk_rows, network_outputs
from chainrule.train.pixels import picture_shape
from chainrule.train.run import Run

STEPS = 32
ROWS = 256
"""The number of images that are computed at a time."""


def saliency(run: Run, X: Any, *, steps: int = STEPS) -> np.ndarray:
    """Return maps (m, n_H, n_W), positive where a pixel supports the prediction.

    The contributions of the colours of a pixel are summed.
    """
    shape = picture_shape(run.door)
    if shape is None:
        hint = "explain_rows, which explains columns"
        raise OptionError("saliency", "a network for images", "one for named columns", hint)
    rows = run.door.rows(X)
    cost = run.door.cost
    found = [np.zeros((0, rows.shape[1]), np.float32)]
    at_a_time = min(ROWS, chunk_rows(run.network, rows.shape[1:]))
    for i in range(0, len(rows), at_a_time):
        some = np.asarray(rows[i : i + at_a_time])
        size = padded(max(len(some), min(FEWEST, at_a_time)))
        filled = np.pad(some, ((0, size - len(some)), (0, 0)))
        answer = answers_of(network_outputs(run.network, filled).T, run.door)
        gradients = _mean_gradient(run.network, filled.T, answer, steps, cost=cost)
        found.append((filled * np.asarray(gradients).T)[: len(some)])
    pixels = np.concatenate(found).reshape(-1, *shape)
    return pixels.sum(axis=-1) if len(shape) == 3 else pixels


@partial(jax.jit, static_argnames="cost")
def _mean_gradient(network: Any, X: Any, answer: Any, steps: int, *, cost: str) -> Any:
    """Average the gradient of f along the line from 0 to X (n_x, m)."""

    def f(A):
        return answer_value(network(A), answer, cost, xp=jnp).sum()

    def add(k, total):
        share = (k + 0.5) / steps
        return total + jax.grad(f)(share.astype(X.dtype) * X)

    return jax.lax.fori_loop(0, steps, add, jnp.zeros_like(X)) / steps
