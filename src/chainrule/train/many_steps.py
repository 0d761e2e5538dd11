"""Train many models in one compiled program, each step of which updates all of them.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

The models share one architecture, and each of their arrays has a first axis of K models: `vmap`
turns the products W A_prev of all models into one batched product. They see the same mini-batches,
so the rows are gathered once, and the first layer is a single large product: all W stacked, times
X. Learning rates, λ, keep_prob and keys are data like the weights, one value per model, so new
values need no new program.

If a model's patience runs out, or its cost (or, at the end of an epoch, a parameter) is not finite,
its best network is no longer replaced. It is still computed until the host removes it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chainrule.train.epochs import MAX_EPOCHS, EpochRecords, Rows
from chainrule.train.penalty import Penalty
from chainrule.train.step import norm, train_step
from chainrule.types import Key


class Each(NamedTuple):
    """The arrays of each model; in the program all have a first axis of K models."""

    network: Any  # a Layer
    state: Any
    key: Key
    penalty: Penalty | None
    total_cost: Float[Array, "*K"]  # Σ weight · J over the epoch's steps so far
    gradient_norm: Float[Array, "*K"]  # ‖dθ‖ of the last step of an epoch
    best: Any  # the network of the epoch with the lowest dev cost
    best_cost: Float[Array, "*K"]
    best_epoch: Int[Array, "*K"]
    bad_step: Int[Array, "*K"]  # the first step that is not finite; 0 if there is none


class Place(NamedTuple):
    """The step that all models have reached."""

    step: Int[Array, ""]
    total_weight: Float[Array, ""]


@partial(jax.jit, static_argnames=("cost", "metric", "update"), donate_argnames=("each", "place"))
def run_many(
    each: Each,
    place: Place,
    rows: Rows,
    dev: Rows,
    table: Int[Array, "steps B"] | None,
    n: Int[Array, ""],
    steps_per_epoch: Int[Array, ""],
    patience: Int[Array, ""],
    *,
    cost: Callable,
    metric: Callable,
    update: Callable,
) -> tuple[Each, Place, EpochRecords]:
    """Run `n` steps of every model, step k on the rows table[k], or on all rows without a table.

    Ends early when no model is running any more. The records are (epochs, K).
    """
    first, last = place.step, place.step + n
    empty = jnp.full((MAX_EPOCHS, each.best_cost.size), jnp.nan, each.best_cost.dtype)
    records = EpochRecords(empty, empty, empty, empty)

    def one_step(carry: tuple[Each, Place]) -> tuple[Each, Place]:
        each, place = carry
        batch = rows.batch(None if table is None else table[place.step - first])

        def one(model: Each):
            key = jax.random.fold_in(model.key, place.step)
            return train_step(model.network, model.state, batch, cost, update, key, model.penalty)

        network, state, J, gradients = jax.vmap(one)(each)
        weight, step = batch.weights.sum(), place.step + 1
        last_of_epoch = step % steps_per_epoch == 0
        length = jax.lax.cond(last_of_epoch, jax.vmap(norm), lambda _: jnp.zeros_like(J), gradients)
        each = each._replace(
            network=network,
            state=state,
            total_cost=each.total_cost + weight * J,
            gradient_norm=length,
            bad_step=_first_bad(each, jnp.isfinite(J + length), step),
        )
        return each, Place(step, place.total_weight + weight)

    def judge(network) -> tuple[Float[Array, " K"], Float[Array, " K"], Bool[Array, " K"]]:
        batch = dev.batch()

        def evaluate(network):
            Z = network(batch.X)
            J, score = (f(Z, batch.Y, batch.weights) for f in (cost, metric))
            return J, score, _is_finite(network)

        return jax.lax.map(evaluate, network)  # one after the other, to save memory

    def postpone(network) -> tuple[Float[Array, " K"], Float[Array, " K"], Bool[Array, " K"]]:
        return empty[0], empty[0], jnp.full_like(empty[0], True, bool)

    def rest_of_epoch(carry):
        each, place, records = carry
        stop = jnp.minimum(last, (place.step // steps_per_epoch + 1) * steps_per_epoch)
        each, place = jax.lax.while_loop(lambda c: c[1].step < stop, one_step, (each, place))
        at_end, epoch = place.step % steps_per_epoch == 0, place.step // steps_per_epoch
        dev_cost, score, sound = jax.lax.cond(at_end, judge, postpone, each.network)
        each = each._replace(bad_step=_first_bad(each, sound, place.step))
        row = jnp.where(at_end, epoch - 1 - first // steps_per_epoch, MAX_EPOCHS)
        values = each.total_cost / place.total_weight, each.gradient_norm, dev_cost, score
        records = EpochRecords(
            *(r.at[row].set(v, mode="drop") for r, v in zip(records, values, strict=True))
        )
        better = _running(each, epoch - 1, patience) & (dev_cost < each.best_cost)
        each = jax.vmap(_keep_better, in_axes=(0, 0, 0, None))(each, better, dev_cost, epoch)
        each = each._replace(total_cost=jnp.where(at_end, 0, each.total_cost))
        total_weight = jnp.where(at_end, 0, place.total_weight)
        return each, place._replace(total_weight=total_weight), records

    def continues(carry):
        each, place, _ = carry
        running = _running(each, place.step // steps_per_epoch, patience)
        return (place.step < last) & running.any()

    return jax.lax.while_loop(continues, rest_of_epoch, (each, place, records))


def _running(each: Each, epoch, patience) -> Bool[Array, " K"]:
    """Return which models are finite and have patience left after `epoch`."""
    return (each.bad_step == 0) & (epoch - each.best_epoch < patience)


def _first_bad(each: Each, finite: Bool[Array, " K"], step) -> Int[Array, " K"]:
    return jnp.where((each.bad_step == 0) & ~finite, step, each.bad_step)


def _keep_better(model: Each, better, dev_cost, epoch) -> Each:
    """Return the model with its current network kept as the best if that one is better."""

    def choose(new, old):
        return jnp.where(better, new, old)

    return model._replace(
        best=jax.tree.map(choose, model.network, model.best),
        best_cost=choose(dev_cost, model.best_cost),
        best_epoch=choose(epoch, model.best_epoch),
    )


def _is_finite(network) -> Bool[Array, ""]:
    arrays = jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))
    return jnp.stack([jnp.isfinite(x).all() for x in arrays]).all()
