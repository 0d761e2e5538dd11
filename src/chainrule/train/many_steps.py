"""Train a group of models in one compiled program, each step of which updates all of them.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

The models share one architecture, and each of their arrays has a first axis of K models: `vmap`
turns the products W A_prev of all models into one batched product. They see the same mini-batches,
so the rows are gathered once, and the first layer is a single large product: all W stacked, times
X. Learning rates, λ, keep_prob and keys are data like the weights, one value per model, so new
values need no new program. The arrays are stacked on the host, so that nothing is compiled.

`run_many` runs many steps. If a model's patience runs out, or its cost (or, at the end of an epoch,
a parameter) is not finite, its best network is no longer replaced. It is still computed until the
host removes it.

`best_size` chooses how many models to train at once, on `lanes` cores. On a CPU a group has as many
models as fit into the processor's cache together with all arrays of a step; on other devices, as
many as fit into the device's memory. On a CPU as many groups are trained at the same time as there
are cores, each in its own thread: XLA runs a loop of small products on one core and releases
Python's global lock. Each group size needs its own compiled program, and compiling may take longer
than training, so a group may also be padded to a size already compiled. The measurements are in
docs/experiments.md.

`Group` calls the program repeatedly, for about a quarter of a second each time, and adds the epochs
to the history of each model. A model ends when its patience runs out or its numbers are no longer
finite. When so many have ended that a smaller program is faster, the others continue in a smaller
group.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from chainrule.errors import OptionError
from chainrule.host.machine import available_bytes, free_on_device, usable_cores
from chainrule.layers.layer import count_parameters
from chainrule.train.epochs import MAX_EPOCHS, EpochRecords, Rows, is_finite
from chainrule.train.fit import FIRST_STEPS, FOREVER, most_steps, steps_in_time
from chainrule.train.history import History
from chainrule.train.loader import MAX_STEPS, TABLE_ENTRIES, Order
from chainrule.train.memory import bytes_of
from chainrule.train.step import Batch, Penalty, counted, norm, train_step
from chainrule.types import Key

# The compiled program


class Each(NamedTuple):
    """The arrays of the models; in the program, each array has a first axis of K models."""

    network: Any  # a Layer
    state: Any
    key: Key
    penalty: Penalty | None
    rows: Int[Array, "*K m"] | None  # its training rows, if each step uses them all
    dev: Int[Array, "*K m_dev"] | None  # its dev rows among the training rows
    total_cost: Float[Array, "*K"]  # Σ weight · J over the epoch's steps so far
    total_weight: Float[Array, "*K"]
    gradient_norm: Float[Array, "*K"]  # ‖dθ‖ of the last step of an epoch
    best: Any  # the network of the epoch with the lowest dev cost
    best_cost: Float[Array, "*K"]
    best_epoch: Int[Array, "*K"]
    bad_step: Int[Array, "*K"]  # the first step that is not finite; 0 if there is none


Judgement = tuple[Float[Array, "*K"], Float[Array, "*K"], Bool[Array, "*K"]]
"""The dev cost and the metric of each model after an epoch, and whether its arrays are finite."""


@partial(
    jax.jit, static_argnames=("cost", "metric", "update", "judge"), donate_argnames=("each", "step")
)
def run_many(
    each: Each,
    step: Int[Array, ""],
    rows: Rows,
    dev: Rows | None,
    table: Int[Array, "steps *K B"] | None,
    n: Int[Array, ""],
    steps_per_epoch: Int[Array, ""],
    patience: Int[Array, ""],
    *,
    cost: Callable,
    metric: Callable,
    update: Callable,
    judge: Callable | None = None,
) -> tuple[Each, Int[Array, ""], EpochRecords]:
    """Run `n` steps of every model, step k on the rows table[k], or on all rows without a table.

    With a table (steps, K, B), or with `each.rows`, every model has rows of its own. The program
    ends early when no model is running any more. The records are (epochs, K).
    """
    first, last = step, step + n
    empty = jnp.full((MAX_EPOCHS, each.best_cost.size), jnp.nan, each.best_cost.dtype)
    records = EpochRecords(empty, empty, empty, empty)

    def one_step(carry: tuple[Each, Any]) -> tuple[Each, Any]:
        each, step = carry
        index = each.rows if table is None else table[step - first]
        batch, axis = _batch(rows, index)

        def one(model: Each, batch: Batch):
            key = jax.random.fold_in(model.key, step)
            return train_step(model.network, model.state, batch, cost, update, key, model.penalty)

        network, state, J, gradients = jax.vmap(one, in_axes=(0, axis))(each, batch)
        weight = counted(batch) if axis is None else jax.vmap(counted)(batch)
        step = step + 1
        last_of_epoch = step % steps_per_epoch == 0
        length = jax.lax.cond(last_of_epoch, jax.vmap(norm), lambda _: jnp.zeros_like(J), gradients)
        each = each._replace(
            network=network,
            state=state,
            total_cost=each.total_cost + weight * J,
            total_weight=each.total_weight + weight,
            gradient_norm=length,
            bad_step=_first_bad(each, jnp.isfinite(J + length), step),
        )
        return each, step

    def evaluate(network) -> Judgement:
        if dev is None and each.dev is None:
            return empty[0], empty[0], jax.vmap(is_finite)(network)
        one = partial(_judge, rows if dev is None else dev, judge or cost, metric)
        return jax.lax.map(one, (network, each.dev))  # one after the other, to save memory

    def postpone(network) -> Judgement:
        return empty[0], empty[0], jnp.full_like(empty[0], True, bool)

    def rest_of_epoch(carry):
        each, step, records = carry
        stop = jnp.minimum(last, (step // steps_per_epoch + 1) * steps_per_epoch)
        each, step = jax.lax.while_loop(lambda c: c[1] < stop, one_step, (each, step))
        at_end, epoch = step % steps_per_epoch == 0, step // steps_per_epoch
        dev_cost, score, sound = jax.lax.cond(at_end, evaluate, postpone, each.network)
        each = each._replace(bad_step=_first_bad(each, sound, step))
        row = jnp.where(at_end, epoch - 1 - first // steps_per_epoch, MAX_EPOCHS)
        values = each.total_cost / each.total_weight, each.gradient_norm, dev_cost, score
        records = EpochRecords(
            *(r.at[row].set(v, mode="drop") for r, v in zip(records, values, strict=True))
        )
        better = _running(each, epoch - 1, patience) & (dev_cost < each.best_cost)
        each = jax.vmap(_keep_better, in_axes=(0, 0, 0, None))(each, better, dev_cost, epoch)
        total_cost, total_weight = (
            jnp.where(at_end, 0, total) for total in (each.total_cost, each.total_weight)
        )
        return each._replace(total_cost=total_cost, total_weight=total_weight), step, records

    def continues(carry):
        each, step, _ = carry
        running = _running(each, step // steps_per_epoch, patience)
        return (step < last) & running.any()

    return jax.lax.while_loop(continues, rest_of_epoch, (each, step, records))


def _judge(dev: Rows, judge: Callable, metric: Callable, model: tuple) -> Judgement:
    """Return the dev cost and the metric of a network on its dev rows, and if it is finite."""
    network, index = model
    batch = dev.batch(index)
    Z = network(batch.X)
    J, score = (f(Z, batch.Y, batch.weights) for f in (judge, metric))
    return J, score, is_finite(network)


def _batch(rows: Rows, index: Int[Array, "*K B"] | None) -> tuple[Batch, int | None]:
    """Return the batch of a step, and the axis of the models if each has a batch of its own."""
    if index is None or index.ndim == 1:
        return rows.batch(index), None
    return jax.vmap(rows.batch)(index), 0


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


# The size of a group

CACHE = 2**23  # bytes per group
SHARE = 4  # a group takes at most the free memory divided by this
STEP = 2.5e6  # the fixed overhead of a step, in operations
COMPILATION = 1e11  # the time to compile a program, in operations
SIZES = sorted({odd * 2**i for odd in (1, 3, 5) for i in range(14)}, reverse=True)
"""The possible sizes of a group: few, so that few programs are compiled."""


def lanes() -> int:
    """Return the number of groups that are trained at the same time."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


def group_size(model_bytes: int, lanes: int) -> int:
    """Return the maximum number of models in a group, each of `model_bytes` bytes."""
    if jax.default_backend() == "cpu":
        limit = min(CACHE, available_bytes() // (SHARE * lanes))
    else:
        limit = free_on_device() // SHARE
    return max(1, limit // model_bytes)


def best_size(
    n: int, most: int, lanes: int, operations: float, steps: int, known: Collection[int]
) -> int:
    """Return the group size with which training n models takes the least time.

    A model takes `operations` per step; programs for the sizes `known` are already compiled.

    >>> [best_size(n, 32, 2, 2.5e6, 10_000, ()) for n in (1, 3, 5, 40, 64)]
    [1, 2, 3, 20, 32]
    >>> best_size(16, 32, 2, 2.5e6, 100, {32}), best_size(16, 32, 2, 2.5e6, 10_000, {32})
    (32, 8)
    """

    def duration(size: int) -> float:
        rounds = -(-n // (size * lanes))
        return rounds * steps * (size * operations + STEP) + (size not in known) * COMPILATION

    return min((size for size in SIZES if size <= most), key=duration)


def operations_of_model(network: Any, batch_size: int) -> float:
    """Return the operations of a step: at most 2 forward and 4 backward per weight and example."""
    return 6.0 * batch_size * count_parameters(network)


def bytes_of_model(each: Each, rows: Rows, batch_size: int) -> int:
    """Return the bytes for training this model without the data: its arrays and those of a step.

    The arrays of a forward pass are counted in its program, without running it; a backward pass is
    assumed to take as much.
    """

    def forward(network, batch):
        return network.train(batch.X, key=each.key, weights=batch.weights)[0]

    batch = jax.eval_shape(rows.batch, jax.ShapeDtypeStruct((batch_size,), np.int32))
    program = jax.make_jaxpr(forward)(each.network, batch)
    arrays = [out.aval for equation in program.eqns for out in equation.outvars]
    return bytes_of(each) + 2 * bytes_of(arrays)


# Stacking the arrays of several models

T = TypeVar("T")


def stack(trees: Sequence[T]) -> T:
    """Stack the trees into one on the device, whose arrays share no memory with the originals."""
    return jax.device_put(jax.tree.map(_stack_leaves, *trees))


def unstack(tree: T, n: int) -> list[T]:
    """Return the first `n` trees of a stack, on the host."""
    leaves, structure = jax.tree.flatten(tree)
    parts = [_on_host(leaf) for leaf in leaves]
    return [jax.tree.unflatten(structure, [part(i) for part in parts]) for i in range(n)]


def check_same_structure(trees: Sequence[Any], where: str, expected: str, hint: str) -> None:
    """Refuse trees that differ from the first one in structure, shapes or dtypes."""
    first = _form(trees[0])
    for i, tree in enumerate(trees):
        if _form(tree) != first:
            raise OptionError(f"candidate {i}, {where}", expected, "a different one", hint)


def _form(tree: Any) -> tuple:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [(np.shape(leaf), jax.numpy.result_type(leaf)) for leaf in leaves]


def _is_key(leaf: Any) -> bool:
    """Return whether a leaf is a JAX random key, which NumPy holds as its raw data."""
    return jax.numpy.issubdtype(jax.numpy.result_type(leaf), jax.dtypes.prng_key)


def _stack_leaves(*leaves: Any) -> Any:
    if not _is_key(leaves[0]):
        return np.stack(leaves)
    data: Any = np.stack([jax.random.key_data(leaf) for leaf in leaves])
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaves[0]))


def _on_host(leaf: Any):
    """Return a function from i to the i-th part of a leaf."""
    if not _is_key(leaf):
        array = np.asarray(leaf)
        return lambda i: array[i]
    data: Any = np.asarray(jax.random.key_data(leaf))
    impl = jax.random.key_impl(leaf)
    return lambda i: jax.random.wrap_key_data(data[i], impl=impl)


# A group of models, from the host

SIZE_CHECKS = 16
"""The number of times, at fixed epochs, that a group checks whether a smaller one is faster."""

_compiling = threading.Lock()


@dataclass(frozen=True)
class Task:
    """The data and settings that all models share."""

    rows: Rows
    dev: Rows | None
    m: int  # training rows of each model
    batch_size: int
    steps_per_epoch: int
    epochs: int
    patience: int
    short_last_batch: bool
    operations: float  # in one step of one model
    functions: dict[str, Callable]
    start: float
    has_dev: bool = True
    keeps: bool = False  # whether the arrays of ended candidates are kept


@dataclass
class CandidateState:
    """The state of a candidate: its arrays while it is not in a group, its history, its result.

    `seed` decides the order of its examples. `rows` are its training rows and the number of the row
    of weight 0 that pads its batches; None for all rows.
    """

    each: Any  # an Each, until the candidate has ended
    seed: int = 0
    rows: np.ndarray | None = None
    history: History = field(default_factory=History)
    network: Any = None  # the best network, once the candidate has ended
    bad_step: int | None = None

    @property
    def running(self) -> bool:
        """Return whether the training of this candidate has not ended."""
        return not self.history.stopped

    def end(self, why: str, bad_step: int | None = None) -> None:
        """Stop recording epochs of the candidate; `close` selects its network after unloading."""
        self.history.stopped, self.bad_step = why, bad_step

    def close(self, *, keep: bool = False) -> None:
        """Keep the best network, or the current one before the first epoch, and free the rest.

        With `keep` nothing is freed, so that the training can be resumed.
        """
        each: Each = self.each
        unevaluated = not (self.history.best_epoch or self.bad_step)
        trained = each.network if unevaluated else each.best
        self.network = jax.device_put(trained, may_alias=False)
        self.each = each if keep else None


class Orders:
    """The mini-batches of a group's models: the same for all, or different rows for each."""

    def __init__(self, task: Task, candidates: Sequence[CandidateState]):
        first = candidates[0]
        self.shared = all(one.rows is None and one.seed == first.seed for one in candidates)
        self.candidates = candidates[:1] if self.shared else candidates
        most = min(MAX_STEPS, TABLE_ENTRIES // task.batch_size) // len(self.candidates)
        arguments = {"longest": max(1, most), "short_last": task.short_last_batch}
        orders = {
            one.seed: Order(task.m, task.batch_size, one.seed, **arguments)
            for one in self.candidates
        }
        self.orders = [orders[one.seed] for one in self.candidates]
        self.whole, self.longest = self.orders[0].whole, self.orders[0].longest

    def prepare(self, first: int, n: int) -> None:
        """Shuffle the epochs that these steps need."""
        for order in self.orders:
            order.prepare(first, n)

    def table(self, first: int, n: int) -> Array | None:
        """Return the rows of n steps, (steps, B) or (steps, K, B); None if a step uses all rows."""
        if self.whole:
            return None
        if self.shared:
            return jax.device_put(self.orders[0].table(first, n))
        size = (self.longest, len(self.orders), self.orders[0].batch_size)
        table = np.zeros(size, np.int32)
        for k, (one, order) in enumerate(zip(self.candidates, self.orders, strict=True)):
            steps = order.table(first, n)[:n]
            table[:n, k] = steps if one.rows is None else one.rows[steps]
        return jax.device_put(table)


class Group:
    """Candidates that are trained together, all at the same step."""

    each: Each
    orders: Orders

    def __init__(self, task: Task, candidates: list[CandidateState], size: int, step: int):
        self.task, self.candidates, self.size, self.step = task, candidates, size, step
        self.next_steps = FIRST_STEPS

    def run(self, until: int, stop: threading.Event, pause: Callable[[], bool]) -> None:
        """Train to step `until`, or until no candidate is running, or it should stop or pause.

        `pause` is asked after each call of the program, so that there is always some progress.
        """
        self._load(self.candidates, self.size)
        between = -(-self.task.epochs // SIZE_CHECKS) * self.task.steps_per_epoch
        paused = False
        while self.unfinished(until) and not stop.is_set() and not paused:
            self._advance(min(until, (self.step // between + 1) * between))
            if self.step % between == 0:
                self._shrink(until)
            paused = pause()
        self._unload()

    def unfinished(self, until: int) -> bool:
        """Return whether a candidate has not been trained to step `until`."""
        return self.step < until and bool(self._running())

    def _running(self) -> list[CandidateState]:
        return [one for one in self.candidates if one.running]

    def _shrink(self, until: int) -> None:
        """Continue in a smaller group if that is faster, since few candidates are still running."""
        running, left = self._running(), until - self.step
        size = best_size(len(running), self.size, 1, self.task.operations, left, {self.size})
        if running and size < self.size:
            self._unload()
            self._load(running, size)

    def _load(self, candidates: list[CandidateState], size: int) -> None:
        """Put the candidates on the device; the group is padded with copies of the last one."""
        self.candidates, self.size, self.fresh = candidates, size, True
        filled = candidates + [candidates[-1]] * (size - len(candidates))
        self.orders = Orders(self.task, filled)
        self.each = stack([one.each for one in filled])
        self.place = jax.device_put(np.int32(self.step))

    def _unload(self) -> None:
        """Bring the arrays back to the host; of ended candidates only the best network is kept."""
        for one, each in zip(
            self.candidates, unstack(self.each, len(self.candidates)), strict=True
        ):
            one.each = each
            if not one.running:
                one.close(keep=self.task.keeps)

    def _advance(self, until: int) -> None:
        """Call the compiled program once, and add its epochs to the histories."""
        table = FOREVER if self.orders.whole else self.orders.longest
        most = most_steps(self.task.steps_per_epoch, table)
        n = min(self.next_steps, until - self.step, most)
        began = time.perf_counter()
        with _compiling if self.fresh else nullcontext():  # so that no program is compiled twice
            records = self._call(n)
        self.orders.prepare(self.step + n, n)  # while the device works
        progress = self.place, self.each.best_epoch, self.each.bad_step
        step, best, bad = jax.device_get(progress)
        first, self.step, self.fresh = self.step, int(step), False
        self.next_steps = steps_in_time(n, time.perf_counter() - began)
        records = jax.device_get(records)
        for i, one in enumerate(self.candidates):
            if one.running:
                columns = EpochRecords(*(record[:, i] for record in records))
                self._record(one, columns, first, int(best[i]), int(bad[i]))

    def _call(self, n: int) -> EpochRecords:
        task = self.task
        numbers = (np.int32(x) for x in (n, task.steps_per_epoch, task.patience))
        table = self.orders.table(self.step, n)
        self.each, self.place, records = run_many(
            self.each, self.place, task.rows, task.dev, table, *numbers, **task.functions
        )
        return records

    def _record(
        self, one: CandidateState, records: EpochRecords, first: int, best: int, bad: int
    ) -> None:
        """Record one candidate's epochs until its training ends, and the reason why it ended."""
        S, now = self.task.steps_per_epoch, time.perf_counter() - self.task.start
        done, patient = self.step // S, best + self.task.patience
        sound = (bad - 1) // S if bad else done
        count = min(done, patient, sound) - first // S
        has_dev = self.task.has_dev
        one.history.add_epochs(records, done=first // S, count=count, now=now, has_dev=has_dev)
        one.history.best_epoch = best or None
        if bad and sound < patient:
            one.end("not finite", bad)
        elif patient <= done and patient < self.task.epochs:
            one.end("patience")
