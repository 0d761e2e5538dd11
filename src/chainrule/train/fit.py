"""Training: a network, an optimiser, a cost and examples go in; the trained network comes out.

    for each call of the compiled program, about a quarter of a second long:
        the order of the examples for its epochs      made here, by (seed, epoch)
        run_steps                                     epochs.py, on the device
        its epochs into the history                   and to whoever watches

Between calls the host looks at Ctrl-C and reports progress. How long a call is depends on the
clock; what it computes does not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import default_batch_size, epoch_order, padded, steps_per_epoch
from chainrule.errors import DataError, OptionError
from chainrule.layers.layer import Layer, split_parameters
from chainrule.memory import check_memory
from chainrule.optim.optimizer import Optimizer
from chainrule.randomness import key_from_seed
from chainrule.train.epochs import (
    MAX_EPOCHS,
    EpochRecords,
    Progress,
    Rows,
    begin,
    keep_copy,
    run_steps,
)
from chainrule.train.health import explain_not_finite
from chainrule.train.history import Epoch, History
from chainrule.train.interrupt import interruptible
from chainrule.train.metrics import accuracy
from chainrule.train.shapes import check_examples

SECONDS_PER_CALL = 0.25
COPY_BYTES_PER_SECOND = 1e8  # a copy to go back to may take a few percent of the time
FIRST_STEPS = 8
TABLE_ENTRIES = 2**18
MAX_STEPS = 8192
FOREVER = 2**30


class Examples(NamedTuple):
    """Rows as the doors hold them: X (m, n_x) or images, Y (m, n_L), weights (m,) or None."""

    X: np.ndarray
    Y: np.ndarray
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Fit:
    """The trained network (the best by the dev cost where there is a dev set) and its history.

    `state` is the optimiser's after the last step, for a training that goes on.
    """

    network: Layer
    history: History
    state: Any


def fit(
    network: Layer,
    optimizer: Optimizer,
    cost: Callable,
    train: Examples,
    dev: Examples | None = None,
    *,
    epochs: int,
    batch_size: int | None = None,
    metric: Callable = accuracy,
    patience: int | None = None,
    seed: int = 0,
    watch: Callable[[History, float], None] | None = None,
) -> Fit:
    """Train `network` for so many epochs, or until the dev cost has not improved for `patience`.

    Each step sees `batch_size` examples (None: the notes' choice), shuffled anew each epoch.
    `watch(history, share_done)` is called about four times a second. Ctrl-C ends the training at
    the next moment and keeps what is best so far; a second one ends the program. Raises ShapeError
    where examples and network do not fit, before anything is compiled, and NotFiniteError, which
    names the layer, where a cost or a gradient stops being a number.
    """
    _check_options(epochs=epochs, batch_size=batch_size, patience=patience)
    train = _ready(train, network, "the training set")
    dev = None if dev is None else _ready(dev, network, "the dev set")
    loop = _Loop(train, batch_size, epochs, seed)
    loop.progress, loop.kept = begin(network, optimizer.init, has_dev=dev is not None)
    loop.dev = None if dev is None else _on_device(dev, padded(len(dev.X)))
    loop.functions = {"cost": cost, "metric": metric, "update": optimizer.update}
    loop.patience = FOREVER if patience is None or dev is None else min(patience, FOREVER)
    with interruptible() as interrupted:
        while not loop.history.stopped:
            loop.advance()
            if interrupted():
                loop.history.stopped = "interrupted"
            if watch is not None:
                watch(loop.history, loop.step / loop.total_steps)
    best = loop.history.best_epoch  # None without a dev set, and before its first epoch
    trained: Any = loop.progress.best if best else loop.progress.network
    return Fit(trained, loop.history, loop.progress.state)


class _Loop:
    """Calls `run_steps` until the epochs are done; each call is as long as time allows."""

    progress: Progress
    kept: Progress
    dev: Rows | None
    functions: dict[str, Callable]
    patience: int

    def __init__(self, train: Examples, batch_size: int | None, epochs: int, seed: int):
        self.m, self.seed = len(train.X), seed
        self.batch_size = min(batch_size or default_batch_size(self.m), self.m)
        self.steps_per_epoch = steps_per_epoch(self.m, self.batch_size)
        self.total_steps = epochs * self.steps_per_epoch
        self.whole = self.batch_size == self.m
        self.rows = _on_device(train, padded(self.m if self.whole else self.m + 1))
        self.longest = min(MAX_STEPS, max(1, TABLE_ENTRIES // self.batch_size))
        self.key = key_from_seed(seed)
        self.history, self.step, self.start = History(), 0, time.perf_counter()
        self.kept_step, self.kept_at = 0, self.start
        self.next_steps, self.orders = FIRST_STEPS, {}

    def advance(self) -> None:
        """One call of the compiled program, and what it says into the history."""
        n = min(self.next_steps, self.total_steps - self.step, self._most_steps())
        began = time.perf_counter()
        self._keep(began)
        self.progress, records = self._run(self.progress, self.step, n)
        self._prepare(self.step + n, n)  # while the device works
        done, finite, best = jax.device_get(
            (self.progress.step, self.progress.finite, self.progress.best_epoch)
        )
        if not finite:
            self._go_back(int(done))
        self._plan(n, time.perf_counter() - began)
        first, self.step = self.step, int(done)
        self._record(jax.device_get(records), first)
        self.history.best_epoch = int(best) or None
        if self.step - first < n:
            self.history.stopped = "patience"
        elif self.step == self.total_steps:
            self.history.stopped = "epochs"

    def _keep(self, now: float) -> None:
        """Copy the progress aside; a large one not before every call."""
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(self.progress))
        if self.step > self.kept_step and now - self.kept_at >= size / COPY_BYTES_PER_SECOND:
            self.kept = keep_copy(self.progress, self.kept)
            self.kept_step, self.kept_at = self.step, now

    def _run(self, progress: Progress, first: int, n: int) -> tuple[Progress, EpochRecords]:
        """n steps from step `first` on; the progress is used up."""
        numbers = (np.int32(x) for x in (n, self.steps_per_epoch, self.patience))
        table = None if self.whole else jax.device_put(self._table(first, n))
        return run_steps(progress, self.rows, self.dev, table, *numbers, self.key, **self.functions)

    def _most_steps(self) -> int:
        """Bounded by the table, and by the epochs that one call can report."""
        room = (MAX_EPOCHS - 1) * self.steps_per_epoch
        return room if self.whole else min(room, self.longest)

    def _table(self, first: int, n: int) -> np.ndarray:
        """The rows of n steps from step `first` on, in a table that always has the same size."""
        self._prepare(first, n)
        table = np.empty((self.longest, self.batch_size), np.int32)
        filled = 0
        while filled < n:
            epoch, i = divmod(first + filled, self.steps_per_epoch)
            steps = self.orders[epoch][i : i + n - filled]
            table[filled : filled + len(steps)] = steps
            filled += len(steps)
        return table

    def _prepare(self, first: int, n: int) -> None:
        """Shuffle the epochs that these steps need, and forget those before."""
        if self.whole:
            return
        S = self.steps_per_epoch
        self.orders = {e: o for e, o in self.orders.items() if e >= first // S}
        for epoch in range(first // S, (first + n - 1) // S + 1):
            if epoch not in self.orders:
                self.orders[epoch] = epoch_order(
                    self.m, self.batch_size, seed=self.seed, epoch=epoch
                )

    def _plan(self, n: int, seconds: float) -> None:
        """How many steps the next call should run, by how long these took."""
        fitting = int(n * SECONDS_PER_CALL / seconds)
        self.next_steps = max(1, min(8 * n, fitting))

    def _record(self, records: EpochRecords, first: int) -> None:
        S = self.steps_per_epoch
        now, before = time.perf_counter() - self.start, self.history.epochs
        since = before[-1].seconds if before else 0.0
        count = self.step // S - first // S
        for i in range(count):
            dev = self.dev is not None
            self.history.epochs.append(
                Epoch(
                    epoch=first // S + i + 1,
                    cost=float(records.cost[i]),
                    gradient_norm=float(records.gradient_norm[i]),
                    seconds=round(since + (now - since) * (i + 1) / count, 6),
                    dev_cost=float(records.dev_cost[i]) if dev else None,
                    metric=float(records.metric[i]) if dev else None,
                )
            )

    def _go_back(self, bad: int) -> None:
        """Find the last step whose result is finite, and raise with what happens after it.

        Runs the steps since the copy again, which gives the same numbers, and halves the distance
        between the last finite step and the first that is not.
        """
        good = self.kept_step
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (middle, bad) if bool(self._again(middle).finite) else (good, middle)
        index = None if self.whole else self._table(good, 1)[0]
        raise explain_not_finite(
            self._again(good).network,
            self._again(bad).network,
            self.rows.batch(index),
            self.functions["cost"],
            step=bad,
        )

    def _again(self, stop: int) -> Progress:
        """The progress after step `stop`, from the copy on."""
        progress, step = jax.tree.map(jnp.copy, self.kept), self.kept_step
        while step < stop and bool(progress.finite):
            n = min(stop - step, self._most_steps())
            progress, step = self._run(progress, step, n)[0], step + n
        return progress


def _check_options(**options: int | None) -> None:
    """Refuse anything but whole numbers of 1 or more; None is the usual."""
    for name, value in options.items():
        whole = isinstance(value, int | np.integer)
        if value is not None and not (whole and value >= 1):
            expected = "a whole number, 1 or more"
            raise OptionError(f"fit({name}=…)", expected, repr(value), f"{name}=10")


def _ready(examples: Examples, network: Layer, name: str) -> Examples:
    """Arrays of the network's dtype (whole numbers in X stay so), without examples of weight 0.

    Those could leave a batch with nothing in it. The largest weight is brought near 1 by a power
    of two, which changes no bit of J, so that their sum neither overflows nor vanishes.
    """
    dtype = jnp.result_type(*jax.tree.leaves(split_parameters(network)[0]))
    X, Y = np.asarray(examples.X), np.asarray(examples.Y, dtype)
    X = X.astype(dtype, copy=False) if jnp.issubdtype(X.dtype, jnp.floating) else X
    check_examples(network, X, Y, examples.weights, name)
    if examples.weights is None:
        return Examples(X, Y, np.ones(len(X), dtype))
    weights = np.asarray(examples.weights, np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        hint = "a weight of 0 for what should not count"
        raise DataError("weights", "finite numbers, 0 or more", "others among them", hint)
    if not weights.any():
        raise DataError("weights", "a weight above 0", "zeros alone", "leaving the weights out")
    weights = np.ldexp(weights, -np.frexp(weights.max())[1]).astype(dtype)
    kept = weights >= jnp.finfo(dtype).tiny
    return Examples(X, Y, weights) if kept.all() else Examples(X[kept], Y[kept], weights[kept])


def _on_device(examples: Examples, size: int) -> Rows:
    """The rows on the device, filled up to `size` with rows of weight 0."""
    X, Y, weights = examples
    check_memory(
        "training",
        size * (X[:1].nbytes + Y[:1].nbytes),
        "fewer examples, smaller images, or fewer columns",
    )

    def put(part):
        room = [(0, size - len(part))] + [(0, 0)] * (np.ndim(part) - 1)
        return jax.device_put(part if size == len(part) else np.pad(part, room))

    return Rows(put(X), put(Y), put(weights))
