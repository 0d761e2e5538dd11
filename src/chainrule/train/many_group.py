"""Train a group of models together by repeated calls of the compiled program.

Each call takes about a quarter of a second, and its epochs are added to the history of each model.
A model ends when its patience runs out or its numbers are no longer finite. When so many have ended
that a smaller program is faster, the others continue in a smaller group.
"""

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from chainrule.train.epochs import MAX_EPOCHS, EpochRecords, Rows
from chainrule.train.history import Epoch, History
from chainrule.train.loop import FIRST_STEPS, SECONDS_PER_CALL
from chainrule.train.many_room import best_size
from chainrule.train.many_steps import Each, Place, run_many
from chainrule.train.order import Order
from chainrule.train.stack import stack, unstack

SIZE_CHECKS = 16
"""How often in a training a group checks whether to shrink, at epochs that no clock decides."""

_compiling = threading.Lock()


@dataclass(frozen=True)
class Task:
    """The data and settings that all models share."""

    rows: Rows
    dev: Rows
    m: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    patience: int
    seed: int
    operations: float  # in one step of one model
    functions: dict[str, Callable]
    start: float


@dataclass
class CandidateState:
    """The state of a candidate: its arrays while it is not in a group, its history, its result."""

    each: Any  # an Each, until the candidate has ended
    history: History = field(default_factory=History)
    network: Any = None  # the best network, once the candidate has ended
    bad_step: int | None = None

    @property
    def running(self) -> bool:
        """Return whether its training has not ended."""
        return not self.history.stopped

    def end(self, why: str, bad_step: int | None = None) -> None:
        """Stop recording its epochs; `close` selects its network once its arrays are unloaded."""
        self.history.stopped, self.bad_step = why, bad_step

    def close(self) -> None:
        """Keep the best network, or the current one before the first epoch, and free the rest."""
        each: Each = self.each
        unevaluated = not (self.history.best_epoch or self.bad_step)
        trained = each.network if unevaluated else each.best
        self.network, self.each = jax.device_put(trained, may_alias=False), None


class Group:
    """Candidates that are trained together, all at the same step."""

    each: Each

    def __init__(self, task: Task, candidates: list[CandidateState], size: int, place: Place):
        self.task, self.place, self.step = task, jax.device_put(place), int(place.step)
        self.order = Order(task.m, task.batch_size, task.seed)
        self.next_steps = FIRST_STEPS
        self._load(candidates, size)

    def run(self, until: int, stop: threading.Event) -> None:
        """Train to step `until`, or until no candidate is running."""
        between = -(-self.task.epochs // SIZE_CHECKS) * self.task.steps_per_epoch
        while self.step < until and self._running() and not stop.is_set():
            self._advance(min(until, (self.step // between + 1) * between))
            if self.step % between == 0:
                self._shrink(until)
        self._unload()

    def _running(self) -> list[CandidateState]:
        return [one for one in self.candidates if one.running]

    def _shrink(self, until: int) -> None:
        """Continue in a smaller group if so few candidates are running that it is faster."""
        running, left = self._running(), until - self.step
        size = best_size(len(running), self.size, 1, self.task.operations, left, {self.size})
        if running and size < self.size:
            self._unload()
            self._load(running, size)

    def _load(self, candidates: list[CandidateState], size: int) -> None:
        """Put the candidates on the device; the group is padded with copies of the last one."""
        self.candidates, self.size, self.fresh = candidates, size, True
        filled = candidates + [candidates[-1]] * (size - len(candidates))
        self.each = stack([one.each for one in filled])

    def _unload(self) -> None:
        """Bring the arrays back to the host; of ended candidates only the best network is kept."""
        for one, each in zip(
            self.candidates, unstack(self.each, len(self.candidates)), strict=True
        ):
            one.each = each
            if not one.running:
                one.close()

    def _advance(self, until: int) -> None:
        """Call the compiled program once, and add its epochs to the histories."""
        n = min(self.next_steps, until - self.step, self._most_steps())
        began = time.perf_counter()
        with _compiling if self.fresh else nullcontext():  # so that no program is compiled twice
            records = self._call(n)
        self.order.prepare(self.step + n, n)  # while the device works
        progress = self.place.step, self.each.best_epoch, self.each.bad_step
        step, best, bad = jax.device_get(progress)
        first, self.step, self.fresh = self.step, int(step), False
        self.next_steps = self._plan(n, time.perf_counter() - began)
        records = jax.device_get(records)
        for i, one in enumerate(self.candidates):
            if one.running:
                columns = EpochRecords(*(record[:, i] for record in records))
                self._record(one, columns, first, int(best[i]), int(bad[i]))

    def _call(self, n: int) -> EpochRecords:
        task = self.task
        numbers = (np.int32(x) for x in (n, task.steps_per_epoch, task.patience))
        table = None if self.order.whole else jax.device_put(self.order.table(self.step, n))
        self.each, self.place, records = run_many(
            self.each, self.place, task.rows, task.dev, table, *numbers, **task.functions
        )
        return records

    def _most_steps(self) -> int:
        """Return the most steps of one call, given the table and the epochs it can report."""
        most = (MAX_EPOCHS - 1) * self.task.steps_per_epoch
        return most if self.order.whole else min(most, self.order.longest)

    def _plan(self, n: int, seconds: float) -> int:
        """Choose the number of steps of the next call from the time that these n steps took."""
        return max(1, min(8 * n, int(n * SECONDS_PER_CALL / seconds)))

    def _record(
        self, one: CandidateState, records: EpochRecords, first: int, best: int, bad: int
    ) -> None:
        """Record the epochs of one candidate up to its end, and why it ended there."""
        S, now = self.task.steps_per_epoch, time.perf_counter() - self.task.start
        done, patient = self.step // S, best + self.task.patience
        sound = (bad - 1) // S if bad else done
        since = one.history.epochs[-1].seconds if one.history.epochs else 0.0
        count = min(done, patient, sound) - first // S
        for i in range(count):
            one.history.epochs.append(
                Epoch(
                    epoch=first // S + i + 1,
                    cost=float(records.cost[i]),
                    gradient_norm=float(records.gradient_norm[i]),
                    seconds=round(since + (now - since) * (i + 1) / count, 6),
                    dev_cost=float(records.dev_cost[i]),
                    metric=float(records.metric[i]),
                )
            )
        one.history.best_epoch = best or None
        if bad and sound < patient:
            one.end("not finite", bad)
        elif patient <= done and patient < self.task.epochs:
            one.end("patience")
