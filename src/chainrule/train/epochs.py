"""Run many steps in one compiled program: epochs of mini-batches, each followed by the dev set.

One call runs `n` steps, which may begin and end anywhere in an epoch. At the end of each epoch it
computes the mean cost, the dev cost and metric, and keeps the best network so far. The number of
steps per call only decides how often the host sees the results; all numbers are computed in the
same order.

The program ends early if the dev cost has not improved for `patience` epochs, or at a step whose
cost is not finite. At its end it also checks all parameters, so that no gradient that is not finite
goes unnoticed. The bad step has then already been applied, so the host goes back to the state
before the call and repeats the steps before the bad one.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from chainrule.layers.layer import Layer, split_parameters
from chainrule.train.outputs import bytes_of_row, chunk_rows
from chainrule.train.step import (
    Augmenter,
    Batch,
    Penalty,
    augmented,
    columns,
    columns_of_outputs,
    counted,
    norm,
    row_of,
    train_step,
)
from chainrule.types import Key

AT_ONCE = 2**28
"""The size in bytes of the largest array above which the dev set is processed in chunks."""
MAX_EPOCHS = 4096
"""The maximum number of epochs that one call can report."""


class Pixels(NamedTuple):
    """Pixels stored as bytes, in a quarter of the memory; divided by 255 they are the rows."""

    bytes: Array

    def numbers(self) -> Array:
        """Return x / 255, rounded as NumPy rounds it: (257 + 1/255) x / 2¹⁶.

        XLA replaces the division by a product with 1/255, whose last bit may differ.
        """
        x = self.bytes.astype(np.float32)
        return x * np.float32(257 / 2**16) + x * np.float32(1 / 255 / 2**16)


class Rows(NamedTuple):
    """Examples on the device, one per row, padded with rows of weight 0."""

    X: Any  # an array, Pixels, Sequences or Inputs
    Y: Array  # (rows, n_L), a label for each step (rows, T), or images
    weights: Float[Array, " rows"]

    def batch(self, index: Int[Array, " B"] | None = None) -> Batch:
        """Return these rows, or all of them, as a batch with examples in columns."""
        some = self if index is None else jax.tree.map(lambda part: part[index], self)
        X, Y, weights = some
        X = X.numbers().astype(weights.dtype) if isinstance(X, Pixels) else X
        return Batch(columns(X), columns(Y), weights[None])


class Progress(NamedTuple):
    """The values that a step or an epoch changes."""

    network: Any  # a Layer
    state: Any
    step: Int[Array, ""]
    total_cost: Float[Array, ""]  # Σ weight · J over the epoch's steps so far
    total_weight: Float[Array, ""]
    gradient_norm: Float[Array, ""]  # ‖dθ‖ of the last step of an epoch
    best: Layer | None  # the network of the epoch with the lowest dev cost; None without a dev set
    best_cost: Float[Array, ""]
    best_epoch: Int[Array, ""]
    finite: Bool[Array, ""]


class EpochRecords(NamedTuple):
    """The records of the epochs of one call, in order; only as many rows as epochs are filled."""

    cost: Float[Array, " epochs"]
    gradient_norm: Float[Array, " epochs"]
    dev_cost: Float[Array, " epochs"]
    metric: Float[Array, " epochs"]


def begin(network: Layer, init: Callable, *, has_dev: bool = True) -> Progress:
    """Return the progress before the first step, as arrays of the host; nothing is compiled.

    They may share memory with `network`.
    """
    theta, _ = split_parameters(network)
    zero: Any = np.zeros((), jnp.result_type(*jax.tree.leaves(theta)))
    whole: Any = np.zeros((), np.int32)
    yes: Any = np.array(True)
    progress = Progress(
        network=network,
        state=init(theta),
        step=whole,
        total_cost=zero,
        total_weight=zero,
        gradient_norm=zero,
        best=network if has_dev else None,
        best_cost=np.full_like(zero, np.inf),
        best_epoch=whole,
        finite=yes,
    )
    return jax.tree.map(lambda x: x if _is_key(x) else np.asarray(x), progress)


def to_device(progress: Progress) -> Progress:
    """Copy the progress from the host to the device, where `run_steps` may overwrite it.

    The arrays have to be NumPy's: memory shared with NumPy is copied before it is written to.
    """
    return jax.device_put(progress, may_alias=False)


def _is_key(leaf: Any) -> bool:
    """Return whether a leaf is a JAX random key, which NumPy cannot represent."""
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


@partial(
    jax.jit, static_argnames=("cost", "metric", "update", "judge"), donate_argnames=("progress",)
)
def run_steps(
    progress: Progress,
    rows: Rows,
    dev: Rows | None,
    table: Int[Array, "steps B"] | None,
    n: Int[Array, ""],
    steps_per_epoch: Int[Array, ""],
    patience: Int[Array, ""],
    key: Key,
    penalty: Penalty | None = None,
    augment: Augmenter | None = None,
    *,
    cost: Callable,
    metric: Callable,
    update: Callable,
    judge: Callable | None = None,
) -> tuple[Progress, EpochRecords]:
    """Run `n` steps, step k on the rows table[k], or on all rows if there is no table.

    `judge` is the dev cost, by default `cost`. `augment` changes the examples of each step, with
    the step's random key.
    """
    first = progress.step
    last = first + n
    empty = jnp.full(MAX_EPOCHS, jnp.nan, progress.best_cost.dtype)
    records = EpochRecords(empty, empty, empty, empty)

    def one_step(p: Progress) -> Progress:
        batch = rows.batch(None if table is None else table[p.step - first])
        step_key = jax.random.fold_in(key, p.step)
        batch = augmented(batch, augment, step_key)
        network, state, J, gradients = train_step(
            p.network, p.state, batch, cost, update, step_key, penalty
        )
        weight = counted(batch)
        last_of_epoch = (p.step + 1) % steps_per_epoch == 0  # a norm at every step costs 10 %
        length = jax.lax.cond(last_of_epoch, norm, lambda _: jnp.zeros_like(J), gradients)
        return p._replace(
            network=network,
            state=state,
            step=p.step + 1,
            total_cost=p.total_cost + weight * J,
            total_weight=p.total_weight + weight,
            gradient_norm=length,
            finite=jnp.isfinite(J + length),
        )

    def finish_epoch(network: Layer, p: Progress, records: EpochRecords):
        epoch = p.step // steps_per_epoch
        place = epoch - 1 - first // steps_per_epoch
        records = records._replace(
            cost=records.cost.at[place].set(p.total_cost / p.total_weight),
            gradient_norm=records.gradient_norm.at[place].set(p.gradient_norm),
        )
        zero = jnp.zeros_like(p.total_cost)
        p = p._replace(total_cost=zero, total_weight=zero)
        if dev is None:
            return p, records
        Z, Y, weights = outputs_of(network, dev), columns(dev.Y), dev.weights[None]
        dev_cost = (judge or cost)(Z, Y, weights)
        return keep_best(p, network, dev_cost, epoch), records._replace(
            dev_cost=records.dev_cost.at[place].set(dev_cost),
            metric=records.metric.at[place].set(metric(Z, Y, weights)),
        )

    def patient(p: Progress):
        return p.step // steps_per_epoch - p.best_epoch < patience

    def rest_of_epoch(carry):
        p, records = carry
        stop = jnp.minimum(last, (p.step // steps_per_epoch + 1) * steps_per_epoch)
        p = jax.lax.while_loop(lambda p: (p.step < stop) & p.finite, one_step, p)
        at_end = (p.step % steps_per_epoch == 0) & p.finite
        scores = p._replace(network=None, state=None)  # arrays that pass through a cond are copied
        scores, records = jax.lax.cond(
            at_end, finish_epoch, lambda _, p, r: (p, r), p.network, scores, records
        )
        return scores._replace(network=p.network, state=p.state), records

    progress, records = jax.lax.while_loop(
        lambda carry: (carry[0].step < last) & carry[0].finite & patient(carry[0]),
        rest_of_epoch,
        (progress, records),
    )
    return progress._replace(finite=progress.finite & is_finite(progress.network)), records


def is_finite(tree: Any) -> Bool[Array, ""]:
    """Return whether all numbers of a pytree are finite.

    0 · x is nan for infinity and nan, and its sum takes a quarter of the time of isfinite.
    """
    parts = jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))
    return jnp.stack([(0 * x).sum() == 0 for x in parts]).all()


def outputs_of(network: Layer, rows: Rows) -> Array:
    """Return Z for all rows: columns (n_L, rows) or (T, C, rows), or images (rows, …).

    The rows are processed in chunks if the network's activations for all of them are too large.
    """
    X = rows.X.bytes if isinstance(rows.X, Pixels) else rows.X
    m, row = len(X), row_of(X)
    c = chunk_rows(network, row)
    if m <= c or m * bytes_of_row(network, row) <= AT_ONCE:
        return network(rows.batch().X)

    def chunk(start: Any) -> Array:
        some = jax.tree.map(lambda part: jax.lax.dynamic_slice_in_dim(part, start, c), rows)
        return network(some.batch().X)

    def one_more(i: Any, Z: Array) -> Array:
        start = jnp.minimum(i * c, m - c)  # the last chunk overlaps the one before
        return jax.lax.dynamic_update_slice_in_dim(Z, chunk(start), start, axis=axis)

    like = jax.eval_shape(chunk, 0)
    axis = like.ndim - 1 if like.ndim in (2, 3) else 0
    shape = (*like.shape[:axis], m, *like.shape[axis + 1 :])
    return jax.lax.fori_loop(0, -(-m // c), one_more, jnp.zeros(shape, like.dtype))


def keep_best(p: Progress, network: Layer, dev_cost: Float[Array, ""], epoch: Any) -> Progress:
    """Keep the network of this epoch as the best if its dev cost is the lowest so far."""
    better = dev_cost < p.best_cost
    return p._replace(
        best=jax.tree.map(lambda new, old: jnp.where(better, new, old), network, p.best),
        best_cost=jnp.where(better, dev_cost, p.best_cost),
        best_epoch=jnp.where(better, epoch, p.best_epoch),
    )


@partial(jax.jit, static_argnames=("judge", "metric"), donate_argnames=("progress",))
def finish_epoch_with_outputs(
    progress: Progress,
    Z: Array,
    Y: Array,
    weights: Float[Array, " m"],
    epoch: Int[Array, ""],
    *,
    judge: Callable,
    metric: Callable,
) -> tuple[Progress, Float[Array, ""], Float[Array, ""]]:
    """Finish an epoch with the outputs Z (in rows) for a dev set that is not on the device."""
    Z, Y, weights = columns_of_outputs(Z), columns(Y), weights[None]
    dev_cost = judge(Z, Y, weights)
    progress = keep_best(progress, progress.network, dev_cost, epoch)
    return progress, dev_cost, metric(Z, Y, weights)


@partial(jax.jit, donate_argnames=("old",), keep_unused=True)
def keep_copy(progress: Progress, old: Progress) -> Progress:
    """Copy `progress` into the buffers of an older copy, which are reused."""
    return jax.tree.map(jnp.copy, progress)
