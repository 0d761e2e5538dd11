"""Train candidates in groups, stage by stage; after each stage the worse half ends.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

On a CPU one group per core is trained at the same time, each in its own thread, while the other
groups wait. Meanwhile the calling thread checks for Ctrl-C and reports progress.
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
from chainrule.train.many_group import CandidateState, Group, Task
from chainrule.train.many_room import best_size, bytes_of, bytes_of_model, group_size, lanes
from chainrule.train.many_steps import Place


class Scheduler:
    """Train the candidates of one task, in groups and stages."""

    def __init__(
        self,
        task: Task,
        candidates: list[CandidateState],
        halve_at: Sequence[int],
        interrupted: Callable[[], bool],
        watch: Callable[[list[History], float], None] | None,
    ):
        self.task, self.candidates, self.interrupted, self.watch = (
            task,
            candidates,
            interrupted,
            watch,
        )
        self.stages, self.stage = [*halve_at, task.epochs], 0
        self.stop = Event()
        first = candidates[0].each
        self.nothing = first.total_cost
        one = bytes_of_model(first, task.rows, task.batch_size)
        self.lanes = lanes()
        self.most, self.known = group_size(one, self.lanes), set()
        together = min(self.lanes * self.most, len(candidates))
        needed = len(candidates) * bytes_of(first) + together * one
        hint = "fewer candidates, a smaller network, or smaller batches"
        check_memory("training many candidates", needed, hint)

    def train(self) -> None:
        """Train all stages, until every candidate has ended."""
        for stage in self.stages:
            previous, self.stage = self.stage, stage
            self._train_stage(previous, stage)
            if self.stop.is_set():
                break
            if stage < self.task.epochs:
                end_worse_half(self._running())
        for one in self._running():
            whole = len(one.history.epochs) == self.task.epochs
            one.end("epochs" if whole else "interrupted")
            one.close()

    def _running(self) -> list[CandidateState]:
        return [one for one in self.candidates if one.running]

    def _train_stage(self, previous: int, stage: int) -> None:
        """Train the running candidates from the end of one epoch to the end of a later one."""
        settings_here = same_settings()
        S = self.task.steps_per_epoch
        step: Any = np.int32(previous * S)
        place = Place(step, self.nothing)

        def train_group(group: list[CandidateState], size: int) -> None:
            with settings_here():
                if not self.stop.is_set():
                    Group(self.task, group, size, place).run(stage * S, self.stop)

        running, steps = self._running(), (stage - previous) * S
        size = best_size(
            len(running), self.most, self.lanes, self.task.operations, steps, self.known
        )
        self.known.add(size)
        count = -(-len(running) // size)
        groups = [running[i::count] for i in range(count)]
        with ThreadPoolExecutor(self.lanes) as pool:
            waiting = {pool.submit(train_group, group, size) for group in groups}
            try:
                while waiting:
                    ended, waiting = wait(waiting, SECONDS_PER_CALL, FIRST_EXCEPTION)
                    for one in ended:
                        one.result()
                    self._report_progress()
            except BaseException:
                self.stop.set()
                raise

    def _report_progress(self) -> None:
        if self.interrupted():
            self.stop.set()
        if self.watch is not None:
            histories = [one.history for one in self.candidates]
            done, left = sum(len(history.epochs) for history in histories), self._epochs_left()
            self.watch(histories, done / (done + left) if left else 1.0)

    def _epochs_left(self) -> int:
        """Return the epochs left to the running candidates, half of which end after each stage."""
        running = self._running()
        left, previous, count = 0, self.stage, len(running)
        for one in running:
            left += self.stage - len(one.history.epochs)
        for stage in self.stages[self.stages.index(self.stage) + 1 :]:
            count = (count + 1) // 2
            left, previous = left + count * (stage - previous), stage
        return left


def end_worse_half(running: list[CandidateState]) -> None:
    """End the half with the higher dev cost; of an odd number the middle one continues."""
    order = sorted(running, key=lambda one: float(one.each.best_cost))
    for one in order[(len(order) + 1) // 2 :]:
        one.end("halved")
        one.close()


def same_settings() -> Callable[[], AbstractContextManager]:
    """Return a context manager that applies this thread's JAX settings in another thread."""
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
