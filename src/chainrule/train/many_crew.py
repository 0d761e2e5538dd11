"""From rung to rung: who is running is trained in groups, and at each rung the worse half ends.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

On a CPU one group for each core is trained at the same time, each in a thread of its own; the
others wait their turn. This thread looks at Ctrl-C meanwhile, and tells who watches.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from typing import Any

import jax
import numpy as np

from chainrule.memory import check_memory
from chainrule.train.history import History
from chainrule.train.loop import SECONDS_PER_CALL
from chainrule.train.many_group import Entrant, Group, Task
from chainrule.train.many_room import best_size, bytes_of, bytes_of_model, group_size, lanes
from chainrule.train.many_steps import Place


class Crew:
    """Trains the entrants of one task."""

    def __init__(
        self,
        task: Task,
        entrants: list[Entrant],
        halve_at: Sequence[int],
        interrupted: Callable[[], bool],
        watch: Callable[[list[History], float], None] | None,
    ):
        self.task, self.entrants, self.interrupted, self.watch = task, entrants, interrupted, watch
        self.rungs, self.rung = [*halve_at, task.epochs], 0
        self.stop = Event()
        first = entrants[0].each
        self.nothing = first.total_cost
        one = bytes_of_model(first, task.rows, task.batch_size)
        self.lanes = lanes()
        self.most, self.known = group_size(one, self.lanes), set()
        together = min(self.lanes * self.most, len(entrants))
        needed = len(entrants) * bytes_of(first) + together * one
        hint = "fewer candidates, a smaller network, or smaller batches"
        check_memory("training many candidates", needed, hint)

    def train(self) -> None:
        """Every rung, until all have ended."""
        for rung in self.rungs:
            before, self.rung = self.rung, rung
            self._climb(before, rung)
            if self.stop.is_set():
                break
            if rung < self.task.epochs:
                end_worse_half(self._running())
        for one in self._running():
            whole = len(one.history.epochs) == self.task.epochs
            one.end("epochs" if whole else "interrupted")
            one.close()

    def _running(self) -> list[Entrant]:
        return [one for one in self.entrants if one.running]

    def _climb(self, before: int, rung: int) -> None:
        """Everyone who is running, from the end of one epoch to that of another."""
        there = same_settings()
        S = self.task.steps_per_epoch
        step: Any = np.int32(before * S)
        place = Place(step, self.nothing)

        def climb(group: list[Entrant], size: int) -> None:
            with there():
                if not self.stop.is_set():
                    Group(self.task, group, size, place).run(rung * S, self.stop)

        running, steps = self._running(), (rung - before) * S
        size = best_size(
            len(running), self.most, self.lanes, self.task.operations, steps, self.known
        )
        self.known.add(size)
        count = -(-len(running) // size)
        groups = [running[i::count] for i in range(count)]
        with ThreadPoolExecutor(self.lanes) as pool:
            waiting = {pool.submit(climb, group, size) for group in groups}
            try:
                while waiting:
                    ended, waiting = wait(waiting, SECONDS_PER_CALL, FIRST_EXCEPTION)
                    for one in ended:
                        one.result()
                    self._look()
            except BaseException:
                self.stop.set()
                raise

    def _look(self) -> None:
        if self.interrupted():
            self.stop.set()
        if self.watch is not None:
            histories = [one.history for one in self.entrants]
            done, left = sum(len(history.epochs) for history in histories), self._epochs_left()
            self.watch(histories, done / (done + left) if left else 1.0)

    def _epochs_left(self) -> int:
        """What those who are running have before them, with a half less after each rung."""
        running = self._running()
        left, before, count = 0, self.rung, len(running)
        for one in running:
            left += self.rung - len(one.history.epochs)
        for rung in self.rungs[self.rungs.index(self.rung) + 1 :]:
            count = (count + 1) // 2
            left, before = left + count * (rung - before), rung
        return left


def end_worse_half(running: list[Entrant]) -> None:
    """Those with the higher dev cost; the middle one of an odd number stays."""
    order = sorted(running, key=lambda one: float(one.each.best_cost))
    for one in order[(len(order) + 1) // 2 :]:
        one.end("halved")
        one.close()


def same_settings() -> Callable[[], AbstractContextManager]:
    """JAX's settings here, which may be this thread's own, for another thread to enter."""
    config: Any = jax.config
    x64, ranks = config.jax_enable_x64, config.jax_numpy_rank_promotion
    promotion = config.jax_numpy_dtype_promotion

    @contextmanager
    def settings() -> Iterator[None]:
        with (
            jax.enable_x64(x64),
            jax.numpy_dtype_promotion(promotion),
            jax.numpy_rank_promotion(ranks),
        ):
            yield

    return settings
