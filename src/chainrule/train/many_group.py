"""A group of models that are trained together, call after call of the compiled program.

Each call is about a quarter of a second long. What it says goes into the history of each model;
who is out of patience, or no longer finite, ends there. Where so many have ended that a smaller
program will do, the others close ranks.
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

ROLL_CALLS = 16
"""How often a group looks whether it has become small: at such epochs, whatever the clock says."""

_compiling = threading.Lock()


@dataclass(frozen=True)
class Task:
    """What is the same for all models."""

    rows: Rows
    dev: Rows
    m: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    patience: int
    seed: int
    operations: float  # of a model's step
    functions: dict[str, Callable]
    start: float


@dataclass
class Entrant:
    """A candidate under way: its arrays while no group has them, its history, its end."""

    each: Any  # Each, until it has ended
    history: History = field(default_factory=History)
    network: Any = None  # the best, when it has ended
    bad_step: int | None = None

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return not self.history.stopped

    def end(self, why: str, bad_step: int | None = None) -> None:
        """Nothing more is recorded; what it keeps is seen to when it is parked."""
        self.history.stopped, self.bad_step = why, bad_step

    def close(self) -> None:
        """Keep the best network (at first: as it came in), and let go of the rest."""
        each: Each = self.each
        unjudged = not (self.history.best_epoch or self.bad_step)
        trained = each.network if unjudged else each.best
        self.network, self.each = jax.device_put(trained, may_alias=False), None


class Group:
    """Entrants that stand at the same step; `run` brings them further."""

    each: Each

    def __init__(self, task: Task, entrants: list[Entrant], size: int, place: Place):
        self.task, self.place, self.step = task, jax.device_put(place), int(place.step)
        self.order = Order(task.m, task.batch_size, task.seed)
        self.next_steps = FIRST_STEPS
        self._line_up(entrants, size)

    def run(self, until: int, stop: threading.Event) -> None:
        """Train to step `until`, or until nobody is running."""
        between = -(-self.task.epochs // ROLL_CALLS) * self.task.steps_per_epoch
        while self.step < until and self._running() and not stop.is_set():
            self._advance(min(until, (self.step // between + 1) * between))
            if self.step % between == 0:
                self._close_ranks(until)
        self._park()

    def _running(self) -> list[Entrant]:
        return [one for one in self.entrants if one.running]

    def _close_ranks(self, until: int) -> None:
        """Go on in a smaller group, where so few are running that it pays."""
        running, left = self._running(), until - self.step
        size = best_size(len(running), self.size, 1, self.task.operations, left, {self.size})
        if running and size < self.size:
            self._park()
            self._line_up(running, size)

    def _line_up(self, entrants: list[Entrant], size: int) -> None:
        """Put them on the device; the last one fills the group up."""
        self.entrants, self.size, self.fresh = entrants, size, True
        filled = entrants + [entrants[-1]] * (size - len(entrants))
        self.each = stack([one.each for one in filled])

    def _park(self) -> None:
        """Bring everyone's arrays back to the host; who has ended needs few of them."""
        for one, each in zip(self.entrants, unstack(self.each, len(self.entrants)), strict=True):
            one.each = each
            if not one.running:
                one.close()

    def _advance(self, until: int) -> None:
        """One call of the compiled program, and what it says into the histories."""
        n = min(self.next_steps, until - self.step, self._most_steps())
        began = time.perf_counter()
        with _compiling if self.fresh else nullcontext():  # not the same program twice
            records = self._call(n)
        self.order.prepare(self.step + n, n)  # while the device works
        told = self.place.step, self.each.best_epoch, self.each.bad_step
        step, best, bad = jax.device_get(told)
        first, self.step, self.fresh = self.step, int(step), False
        self.next_steps = self._plan(n, time.perf_counter() - began)
        records = jax.device_get(records)
        for i, one in enumerate(self.entrants):
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
        """Bounded by the table, and by the epochs that one call can report."""
        room = (MAX_EPOCHS - 1) * self.task.steps_per_epoch
        return room if self.order.whole else min(room, self.order.longest)

    def _plan(self, n: int, seconds: float) -> int:
        """How many steps the next call should run, by how long these took."""
        return max(1, min(8 * n, int(n * SECONDS_PER_CALL / seconds)))

    def _record(self, one: Entrant, records: EpochRecords, first: int, best: int, bad: int) -> None:
        """The epochs of one entrant up to its end, and why it ended there."""
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
