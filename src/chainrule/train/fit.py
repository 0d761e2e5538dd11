"""Train a network on examples with an optimiser and a cost.

`fit` calls the compiled program until training ends:

    for each call, a quarter of a second long, or up to a second with a large network:
        the order of the examples for its epochs      made here, from (seed, epoch)
        run_steps                                     epochs.py, on the device
        its epochs added to the history
        a checkpoint, if one is due

The number of steps per call depends on the clock; the results do not.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import default_batch_size, padded, steps_per_epoch
from chainrule.data.streaming import is_streamed
from chainrule.errors import OptionError, RunError, check_integer
from chainrule.host.machine import check_process
from chainrule.host.randomness import key_from_seed
from chainrule.host.reading import AtLeast0, Positive, convert, in_file
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.train.changes import Change
from chainrule.train.checkpoint import TRAINING, Checkpoints
from chainrule.train.epochs import (
    MAX_EPOCHS,
    EpochRecords,
    Progress,
    Rows,
    begin,
    finish_epoch_with_outputs,
    keep_copy,
    run_steps,
    to_device,
)
from chainrule.train.examples import Examples, on_device, ready_dev_set, ready_examples
from chainrule.train.health import SAMPLE, due, explain_not_finite, measure
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.loader import ByIdentity, Draw, supply_of
from chainrule.train.memory import bytes_of, check_training_memory, training_errors
from chainrule.train.metrics import accuracy
from chainrule.train.outputs import network_outputs
from chainrule.train.step import Augmenter, Penalty, as_arrays, augmented, row_of

SECONDS_PER_CALL = 0.25
MOST_SECONDS_PER_CALL = 1.0
COPY_BYTES_PER_SECOND = 1e8  # copies may take a few percent of the time
FIRST_STEPS = 8
FOREVER = 2**30
DIGESTED = 2**24
"""The approximate number of values of the data of which a digest is computed."""


def steps_in_time(n: int, seconds: float, size: int = 0) -> int:
    """Return the number of steps of the next call, given the time that n steps took.

    A call itself takes about as long as copying the progress, of `size` bytes: with a large one
    the calls are longer.

    >>> steps_in_time(8, 1.0), steps_in_time(8, 1.0, size=5 * 10**7), steps_in_time(8, 1.0, 10**9)
    (2, 4, 8)
    """
    longest = min(size / COPY_BYTES_PER_SECOND, MOST_SECONDS_PER_CALL)
    return max(1, min(8 * n, int(n * max(SECONDS_PER_CALL, longest) / seconds)))


def most_steps(steps_per_epoch: int, table: int) -> int:
    """Return the maximum number of steps per call, given the length of the table of examples.

    The epochs that a call can report are limited too.
    """
    return min((MAX_EPOCHS - 1) * steps_per_epoch, table)


class SavedProgress(TypedDict):
    """The entries of a checkpoint beside the arrays: the history and the order of the examples."""

    lines: list[Any]
    best_epoch: Positive | None
    stopped: Literal["epochs", "patience", "interrupted", ""]
    seconds: AtLeast0
    order: dict[str, int]
    training: NotRequired[str]


class Loop:
    """A loop that calls `run_steps` again and again, for a short time each, until training ends."""

    def __init__(
        self,
        network: Layer,
        optimizer: Optimizer,
        cost: Callable,
        train: Examples,
        dev: Examples | None,
        *,
        epochs: int,
        batch_size: int | None,
        metric: Callable,
        patience: int | None,
        penalty: Penalty | None,
        seed: int,
        short_last_batch: bool,
        checkpoints: Checkpoints | None,
        signals: bool,
        augment: Augmenter | None,
        draw: Draw | None,
        judge: Callable | None,
    ):
        """Put the examples and the network on the device; the options are those of `fit`."""
        self.m = m = len(train.X)
        batch_size = draw.batch_size if draw else min(batch_size or default_batch_size(m), m)
        _check_batch_norm(network, batch_size)
        self.batch_size = batch_size
        most = epochs * (draw.steps_per_epoch if draw else steps_per_epoch(m, batch_size))
        self.supply = supply_of(train, batch_size, most, seed, draw, short_last=short_last_batch)
        self.order = self.supply.order
        self.steps_per_epoch = self.order.steps_per_epoch
        self.total_steps = epochs * self.steps_per_epoch
        self.streamed_dev = dev if dev is not None and is_streamed(dev.X) else None
        self.dev: Rows | None = None
        if dev is not None and self.streamed_dev is None:
            self.dev = on_device(dev, padded(len(dev.X)))
        self.key = key_from_seed(seed)
        self.functions = {"cost": cost, "metric": metric, "update": optimizer.update}
        self.functions["judge"] = judge or cost
        self.backup = begin(network, optimizer.init, has_dev=dev is not None)
        self.progress = to_device(self.backup)
        self.penalty = jax.device_put(as_arrays(penalty, split_parameters(network)[0]))
        self.patience = FOREVER if patience is None or dev is None else min(patience, FOREVER)
        self.checkpoints, self.signals = checkpoints, signals
        if checkpoints is not None:
            checkpoints.training = checkpoints.recipe or digest_of(
                (self.progress.state, self.penalty), train
            )
        self.augment = jax.device_put(augment)
        self.history, self.step, self.start = History(), 0, time.perf_counter()
        self.backup_step, self.backup_at = 0, self.start
        self.next_steps = FIRST_STEPS
        self.change: Change | None = None

    def advance(self) -> None:
        """Call the compiled program once, and add its epochs to the history."""
        self._apply_change()
        self._measure_signal()
        n = min(self.next_steps, self._until_pause(), self._most_steps(self.step))
        began = time.perf_counter()
        self._keep_progress(began)
        self.progress, records = run_steps(
            self.progress, *self._arguments(self.step, n), **self.functions
        )
        self.supply.prepare(self.step + n, n)  # while the device works
        done, finite, best = jax.device_get(
            (self.progress.step, self.progress.finite, self.progress.best_epoch)
        )
        if not finite:
            self._go_back(int(done))
        self.next_steps = steps_in_time(n, time.perf_counter() - began, bytes_of(self.progress))
        first, self.step = self.step, int(done)
        records = jax.device_get(records)
        if self.streamed_dev is not None and self.step > first:
            best, records = self._evaluate_streamed(records)
        self._record(records, first)
        self.history.best_epoch = int(best) or None
        if self.step - first < n:
            self.history.stopped = "patience"
        elif self.step == self.total_steps:
            self.history.stopped = "epochs"
        if self.history.stopped:
            self._measure_signal(at_end=True)
        if self.checkpoints is not None and self.checkpoints.due:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a checkpoint from which the training can continue."""
        if self.checkpoints is not None:
            metadata = {
                "lines": self.history.lines(),
                "best_epoch": self.history.best_epoch,
                "stopped": self.history.stopped,
                "seconds": time.perf_counter() - self.start,
                "order": self._order_settings(),
            }
            self.checkpoints.write(self.step, (self.progress, self.penalty), metadata)

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        if self.checkpoints is None:
            return
        saved = self.checkpoints.newest(like=(self.progress, self.penalty))
        if saved is None:
            return
        progress, penalty = saved.tree
        folder = str(self.checkpoints.folder)
        words = convert(saved.words, SavedProgress, folder, error=RunError, hint="a new folder")
        self._check_same(words["order"], int(progress.step), folder)
        if words.get(TRAINING, self.checkpoints.training) != self.checkpoints.training:
            expected, got = "a checkpoint of this training run", "one of another training run"
            hint = "the data and the settings with which the training began, or a new folder"
            raise RunError(folder, expected, got, hint)
        self.penalty = penalty
        self.backup, self.progress = progress, to_device(progress)
        self.step = self.backup_step = int(progress.step)
        with in_file(self.checkpoints.folder, error=RunError, hint="a new folder"):
            self.history = History.from_lines(words["lines"], words["best_epoch"])
        self.start -= words["seconds"]
        if self.step == self.total_steps:
            self.history.stopped = words["stopped"]

    def _order_settings(self) -> dict[str, int]:
        """Return the settings that decide which examples a step sees."""
        order = self.order
        settings = {"examples": self.m, "batch_size": order.batch_size, "seed": order.seed}
        settings |= order.draw.words() if order.draw else {}
        settings |= {"short last batch": 1} if order.short_last else {}
        return {name: int(number) for name, number in settings.items()}

    def _check_same(self, order: dict[str, int], step: int, folder: str) -> None:
        """Refuse a checkpoint with a different order of examples, or from after the last epoch."""
        hint = "the folder of that training run, or a new one"
        for name, number in self._order_settings().items():
            if order.get(name) != number:
                expected = f"a checkpoint of a training run with {name} = {number}"
                got = f"{name} = {order[name]}" if name in order else f"no {name}"
                raise RunError(folder, expected, got, hint)
        if len(order) > len(self._order_settings()):
            expected = "a checkpoint of a training run with shuffled examples"
            got = "a checkpoint with a different sampling method"
            raise RunError(folder, expected, got, hint)
        if not 0 <= step <= self.total_steps:
            last, found = (-(-n // self.steps_per_epoch) for n in (self.total_steps, step))
            expected = f"a checkpoint from epoch {last} or earlier"
            got = f"a checkpoint from epoch {found}"
            raise RunError(folder, expected, got, f"epochs={found} or more, or a new folder")

    def ask(self, change: Change | None) -> None:
        """Request a change for the next epoch, combined with any change already requested."""
        if change is not None and change.given_values:
            change.check(self.penalty)
            self.change = change if self.change is None else self.change.then(change)

    def _apply_change(self) -> None:
        """Apply the requested change, if there is one and an epoch begins."""
        if self.change is None or self.step % self.steps_per_epoch:
            return
        change, self.change = self.change, None
        state, self.penalty = change.applied(self.progress.state, self.penalty)
        self.progress = self.progress._replace(state=state)
        self._back_up()
        epoch = self.step // self.steps_per_epoch + 1
        self.history.changes.append({"epoch": epoch, "change": change.given_values})
        self.checkpoint()

    def _measure_signal(self, *, at_end: bool = False) -> None:
        """Measure the signal if an epoch has ended after which a measurement is due."""
        epoch, inside = divmod(self.step, self.steps_per_epoch)
        measured = {line["epoch"] for line in self.history.signals}
        if self.signals and epoch not in measured and (at_end or (not inside and due(epoch))):
            functions = {name: self.functions[name] for name in ("cost", "update")}
            rows, m = self.supply.sample(SAMPLE)
            signal = measure(self.progress, rows, m, self.penalty, self.key, self.step, **functions)
            self.history.signals.append({"epoch": epoch, "signal": signal})

    def _until_pause(self) -> int:
        """Return the number of steps until the host must act, when an epoch or training ends."""
        epoch = self.step // self.steps_per_epoch + 1
        if self.streamed_dev is not None:
            return epoch * self.steps_per_epoch - self.step
        if self.change is None and self.signals:
            epoch = 1 << (epoch - 1).bit_length()  # the next that is due
        elif self.change is None:
            return self.total_steps - self.step
        return min(self.total_steps, epoch * self.steps_per_epoch) - self.step

    def _keep_progress(self, now: float) -> None:
        """Keep a copy of the progress to go back to; a large one is copied less often."""
        size = bytes_of(self.progress)
        if self.step > self.backup_step and now - self.backup_at >= size / COPY_BYTES_PER_SECOND:
            self._back_up()
            self.backup_at = now

    def _back_up(self) -> None:
        """Copy the progress into the buffers of the last copy; the first copy is on the host."""
        room = to_device(self.backup) if self._backup_on_host else self.backup
        self.backup, self.backup_step = keep_copy(self.progress, room), self.step

    @property
    def _backup_on_host(self) -> bool:
        return isinstance(self.backup.step, np.ndarray)

    def _arguments(self, first: int, n: int) -> tuple[Any, ...]:
        """Return the arguments of `run_steps`, after the progress, for n steps from `first`."""
        rows, table = self.supply.steps(first, n)
        numbers = (np.int32(x) for x in (n, self.steps_per_epoch, self.patience))
        return (rows, self.dev, table, *numbers, self.key, self.penalty, self.augment)

    def _evaluate_streamed(self, records: EpochRecords) -> tuple[int, EpochRecords]:
        """Evaluate a streamed dev set if an epoch has ended, and return the best epoch so far."""
        assert self.streamed_dev is not None
        epoch, inside = divmod(self.step, self.steps_per_epoch)
        if not inside:
            X, *others = self.streamed_dev
            Z = network_outputs(self.progress.network, X, finite=False)
            functions = {name: self.functions[name] for name in ("judge", "metric")}
            self.progress, *scores = finish_epoch_with_outputs(
                self.progress, Z, *others, np.int32(epoch), **functions
            )
            dev_cost, metric = (np.asarray(score)[None] for score in jax.device_get(scores))
            records = records._replace(dev_cost=dev_cost, metric=metric)
        return int(self.progress.best_epoch), records

    def _most_steps(self, first: int) -> int:
        """Return the maximum number of steps of a call that begins at step `first`."""
        return most_steps(self.steps_per_epoch, self.supply.most(first))

    def _record(self, records: EpochRecords, first: int) -> None:
        """Add the epochs that have ended since step `first` to the history."""
        done, S = first // self.steps_per_epoch, self.steps_per_epoch
        has_dev = self.dev is not None or self.streamed_dev is not None
        now = time.perf_counter() - self.start
        count = self.step // S - done
        self.history.add_epochs(records, done=done, count=count, now=now, has_dev=has_dev)

    def _go_back(self, bad: int) -> None:
        """Find the first step that is not finite by bisection, and raise an error that explains it.

        The steps since the copy are repeated, which gives the same numbers.
        """
        good = self.backup_step
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (
                (middle, bad) if bool(self._progress_after(middle).finite) else (good, middle)
            )
        key = jax.random.fold_in(self.key, good)
        raise explain_not_finite(
            self._progress_after(good).network,
            self._progress_after(bad).network,
            augmented(self.supply.batch(good), self.augment, key),
            self.functions["cost"],
            step=bad,
            key=key,
        )

    def _progress_after(self, stop: int) -> Progress:
        """Return the progress after step `stop`, computed from the copy."""
        copy = to_device if self._backup_on_host else partial(jax.tree.map, jnp.copy)
        progress, step = copy(self.backup), self.backup_step
        while step < stop and bool(progress.finite):
            n = min(stop - step, self._most_steps(step))
            progress, _ = run_steps(progress, *self._arguments(step, n), **self.functions)
            step += n
        return progress


def digest_of(settings: Any, data: Iterable[Any]) -> str:
    """Return a digest of the data and the hyperparameters of a training.

    The latter are the numbers in a pytree, such as the state of the optimiser and the penalty.
    """
    numbers = [x for x in jax.tree.leaves(settings) if not x.ndim]
    digest = hashlib.sha256(json.dumps([repr(x) for x in jax.device_get(numbers)]).encode())
    for x in jax.tree.leaves(list(data)):
        if not is_streamed(x):
            few = x[:: max(1, int(np.prod(np.shape(x))) // DIGESTED)]
            digest.update(np.ascontiguousarray(few).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Fit:
    """The trained network and its history; with a dev set, the network with the lowest dev cost.

    `state` is the optimiser's state after the last step, from which training can continue.
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
    penalty: Penalty | None = None,
    seed: int = 0,
    short_last_batch: bool = False,
    on_progress: Callable[[History, float], Change | None] | None = None,
    checkpoints: Checkpoints | str | Path | None = None,
    signals: bool = False,
    augment: Augmenter | None = None,
    order: ByIdentity | None = None,
    judge: Callable | None = None,
) -> Fit:
    """Train `network` for `epochs` epochs, or until `patience` epochs bring no better dev cost.

    X may be an array, or `Sequences` and `Inputs` (`data/sequences.py`), which become the `Steps`
    that the network takes; sequences are padded to the lengths of up to three buckets, and every
    step then uses examples of one bucket. Without buckets,
    each step uses `batch_size` examples (None: the notes' choice), reshuffled in every epoch: the
    batches of epoch e, counted from 0, are consecutive parts of the permutation that
    `np.random.default_rng((seed, e))` draws. Their sizes differ by at most one; with
    `short_last_batch` all but the last one have `batch_size` examples, as in the notes, and
    `random_mini_batches` yields the same batches.
    `on_progress(history, share_done)` is called before the first step and then about four times a
    second, or at least once with a large network; it may return a change of the learning rate or of
    λ. With `checkpoints`, or a folder for them, training continues from the newest checkpoint, bit
    for bit as if it had not been interrupted. With `signals` the size of activations and gradients
    is recorded (`health.py`). `augment(batch, key=key)` changes the examples of each step together
    with their labels, such as boxes; layers that augment only the images need no `augment`. With
    `order` each step uses a number of identities and of images per identity in place of
    `batch_size` examples, and Y (m, 1) holds each example's identity as a whole number. `judge` is
    the dev cost, if it is not `cost`, such as the cost after calibration (`metrics.py`).

    Ctrl-C ends training within about a quarter of a second, or one with a large network, and keeps
    the best network so far; a second Ctrl-C ends the program. Raises ShapeError, before anything is
    compiled, if the examples do not fit the network, and NotFiniteError, which names the layer, if
    a cost or a gradient is not finite.
    """
    check_process()
    _check_options(epochs=epochs, batch_size=batch_size, patience=patience)
    by = {"identities": order is not None}
    train = ready_examples(train, network, "the training set", **by)
    dev = None if dev is None else ready_dev_set(dev, network, **by)
    draw = None if order is None else order.of(train.Y)
    if isinstance(checkpoints, str | Path):
        checkpoints = Checkpoints(checkpoints)
    m, size = len(train.X), batch_size or default_batch_size(len(train.X))
    size = draw.batch_size if draw else min(size, m)
    has_dev = dev is not None
    check_training_memory(network, optimizer, row_of(train.X), size, has_dev=has_dev)
    loop = Loop(
        network,
        optimizer,
        cost,
        train,
        dev,
        epochs=epochs,
        batch_size=batch_size,
        metric=metric,
        patience=patience,
        penalty=penalty,
        seed=seed,
        short_last_batch=short_last_batch,
        checkpoints=checkpoints,
        signals=signals,
        augment=augment,
        draw=draw,
        judge=judge,
    )
    loop.resume()
    with training_errors(network), loop.supply, interruptible() as interrupted:
        _report_progress(loop, on_progress)
        while not loop.history.stopped:
            loop.advance()
            if interrupted() and not loop.history.stopped:
                loop.history.stopped = "interrupted"
                loop.checkpoint()
            _report_progress(loop, on_progress)
    best = loop.history.best_epoch  # None without a dev set, and before its first epoch
    trained: Any = loop.progress.best if best else loop.progress.network
    return Fit(trained, loop.history, loop.progress.state)


def _report_progress(loop: Loop, on_progress: Callable | None) -> None:
    """Call the callback on progress, and pass on the change that it returns."""
    if on_progress is not None:
        loop.ask(on_progress(loop.history, loop.step / loop.total_steps))


def _check_batch_norm(network: Layer, batch_size: int) -> None:
    """Refuse batch norm with batches of one example, for which Z − μ is always 0."""
    columns = (part for part in network.parts() if isinstance(part, BatchNorm))
    if batch_size == 1 and any(part.gamma.ndim == 2 for part in columns):
        expected = "at least 2 examples per step with batch norm"
        raise OptionError("batch_size", expected, "1", "batch_size=64, or training without it")


def _check_options(**options: int | None) -> None:
    """Refuse an option that is neither a whole number of at least 1 nor None, the default."""
    for name, value in options.items():
        if value is not None:
            check_integer(f"fit({name}=…)", value, hint=f"{name}=10")
