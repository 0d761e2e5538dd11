"""Train many candidates of one architecture together in one compiled program: the caviar approach.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

The arrays of the candidates are stacked along a new first axis and divided into groups that fit
into the processor's cache. The compiled program is called repeatedly, and each of its steps updates
all candidates of a group (`train/many_steps.py`). With successive halving, the training of the
worse half of the candidates ends after each stage (`halving_epochs`).

Each candidate has its own learning rate, β, decay, λ, keep_prob, initial weights and masks. All see
the same mini-batches in the order of one seed (common random numbers), so that two candidates
differ in their settings and not by chance. Up to rounding, a candidate's result is what `fit` with
this seed would have returned for it alone. A candidate whose numbers are no longer finite is
dropped, and the others continue.

On a CPU one group per core is trained at the same time, each in its own thread, while the other
groups wait. Meanwhile the calling thread checks for Ctrl-C and reports progress. XLA's convolutions
are many times slower under `vmap` over filters than one after the other on a CPU, so it is better
to train candidates of convolutional networks in turn with `fit`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import default_batch_size, padded, steps_per_epoch
from chainrule.errors import OptionError, check_integer
from chainrule.host.machine import check_memory, check_process
from chainrule.host.randomness import key_from_seed
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.train.examples import Examples, on_device, ready_dev_set, ready_examples
from chainrule.train.fit import FOREVER, SECONDS_PER_CALL
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.many_steps import (
    CandidateState,
    Each,
    Group,
    Place,
    Task,
    best_size,
    bytes_of_model,
    check_same_structure,
    group_size,
    lanes,
    operations_of_model,
)
from chainrule.train.memory import bytes_of, training_errors
from chainrule.train.metrics import accuracy
from chainrule.train.step import Penalty, as_arrays


class Candidate(NamedTuple):
    """A network to train, with its optimiser, its penalty, and the seed of its dropout masks."""

    network: Layer
    optimizer: Optimizer
    penalty: Penalty | None = None
    seed: int = 0


@dataclass(frozen=True)
class TrainedCandidate:
    """A trained candidate: its network with the lowest dev cost, and its history.

    `history.stopped` is "epochs", "patience", "interrupted", "halved" (among the worse half after a
    stage) or "not finite"; in the last case `bad_step` is the first step that was not finite.
    """

    network: Layer
    history: History
    bad_step: int | None = None


def fit_many(
    candidates: Sequence[Candidate],
    cost: Callable,
    train: Examples,
    dev: Examples,
    *,
    epochs: int,
    batch_size: int | None = None,
    metric: Callable = accuracy,
    patience: int | None = None,
    seed: int = 0,
    short_last_batch: bool = False,
    halve_at: Sequence[int] = (),
    on_progress: Callable[[list[History], float], None] | None = None,
) -> list[TrainedCandidate]:
    """Train every candidate as `fit` would, and return the results in the same order.

    `seed` decides the order of the examples, which is the same for all; `short_last_batch` is that
    of `fit`. After each of the epochs `halve_at` (see `halving_epochs`), the training of the half
    with the higher dev cost ends.
    `on_progress(histories, share_done)` is called about four times a second. Ctrl-C ends all
    candidates and keeps their best networks so far. Raises OptionError if the candidates differ in
    their architecture or update rule, and ShapeError if the examples do not fit the network.
    """
    check_process()
    for name, value in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if value is not None or name == "epochs":
            check_integer(f"fit_many({name}=…)", value, hint=f"{name}=10")
    _check_stages(halve_at, epochs)
    states = _initial_states(candidates)
    network, optimizer = candidates[0][:2]
    train, dev = ready_examples(train, network, "the training set"), ready_dev_set(dev, network)
    m = len(train.X)
    batch_size = min(batch_size or default_batch_size(m), m)
    task = Task(
        rows=on_device(train, padded(m if batch_size == m else m + 1)),
        dev=on_device(dev, padded(len(dev.X))),
        m=m,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch(m, batch_size),
        epochs=epochs,
        patience=FOREVER if patience is None else min(patience, FOREVER),
        seed=seed,
        short_last_batch=short_last_batch,
        operations=operations_of_model(network, batch_size),
        functions={"cost": cost, "metric": metric, "update": optimizer.update},
        start=time.perf_counter(),
    )
    with training_errors(network), interruptible() as interrupted:
        Scheduler(task, states, halve_at, interrupted, on_progress).train()
    return [TrainedCandidate(one.network, one.history, one.bad_step) for one in states]


def halving_epochs(epochs: int, candidates: int) -> list[int]:
    """Return the stages of successive halving, as epochs, until one candidate is left.

    Each stage costs about as much as the next, since half of the candidates train twice as long.

    >>> halving_epochs(32, 16), halving_epochs(100, 4), halving_epochs(4, 64)
    ([2, 4, 8, 16], [25, 50], [1, 2])
    """
    halvings = (candidates - 1).bit_length()
    stages = [epochs >> i for i in range(halvings, 0, -1)]
    return [stage for stage in stages if stage > 0]


def _initial_states(candidates: Sequence[Candidate]) -> list[CandidateState]:
    """Return the candidates' initial states on the host, after checking that they fit together."""
    if not candidates:
        hint = "a list of Candidate(network, optimizer)"
        raise OptionError("fit_many", "at least one candidate", "none", hint)
    first = candidates[0]
    title, separately = first.network.title, "a separate fit_many for each kind"
    networks = [candidate.network for candidate in candidates]
    check_same_structure(
        networks, "its network", f"the first candidate's kind, {title}", separately
    )
    for i, candidate in enumerate(candidates):
        if candidate.optimizer.update != first.optimizer.update:
            hint = "optimisers of chainrule.optim, or " + separately
            expected = "the first candidate's update rule"
            raise OptionError(f"candidate {i}", expected, "a different one", hint)
    pairs = zip(candidates, _same_structure([c.penalty for c in candidates]), strict=True)
    states = [CandidateState(_at_start(candidate, penalty)) for candidate, penalty in pairs]
    optimizers = [one.each.state for one in states]
    expected = "the first candidate's learning rate schedule, or none"
    check_same_structure(optimizers, "its optimiser", expected, separately)
    return states


def _at_start(candidate: Candidate, penalty: Penalty | None) -> Each:
    theta, _ = split_parameters(candidate.network)
    zero: Any = np.zeros((), jnp.result_type(*jax.tree.leaves(theta)))
    whole: Any = np.zeros((), np.int32)
    return Each(
        network=candidate.network,
        state=candidate.optimizer.init(theta),
        key=key_from_seed(candidate.seed),
        penalty=as_arrays(penalty, theta),
        total_cost=zero,
        gradient_norm=zero,
        best=candidate.network,
        best_cost=np.full_like(zero, np.inf),
        best_epoch=whole,
        bad_step=whole,
    )


def _same_structure(penalties: Sequence[Penalty | None]) -> list[Penalty | None]:
    """Give candidates without a penalty a λ of 0 if another candidate has a penalty."""
    given = [penalty for penalty in penalties if penalty is not None]
    if not given:
        return list(penalties)
    l1 = None if all(penalty.l1 is None for penalty in given) else 0.0
    filled = [Penalty(0.0, l1, 1.0) if penalty is None else penalty for penalty in penalties]
    return [p._replace(l1=l1) if p.l1 is None else p for p in filled]


def _check_stages(halve_at: Sequence[int], epochs: int) -> None:
    """Refuse anything but increasing epochs that all lie before the last one."""
    for stage in halve_at:
        check_integer("fit_many(halve_at=…)", stage, hint="halve_at=10")
    if any(later <= stage for stage, later in pairwise([*halve_at, epochs])):
        hint = "halving_epochs(epochs, len(candidates))"
        expected = f"increasing epochs, all below {epochs}"
        raise OptionError("fit_many(halve_at=…)", expected, f"{list(halve_at)}", hint)


# Groups of candidates, stage by stage


class Scheduler:
    """A scheduler that trains the candidates of one task, in groups and stages."""

    def __init__(
        self,
        task: Task,
        candidates: list[CandidateState],
        halve_at: Sequence[int],
        interrupted: Callable[[], bool],
        on_progress: Callable[[list[History], float], None] | None,
    ):
        self.task, self.candidates, self.interrupted, self.on_progress = (
            task,
            candidates,
            interrupted,
            on_progress,
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
        if self.on_progress is not None:
            histories = [one.history for one in self.candidates]
            done, left = sum(len(history.epochs) for history in histories), self._epochs_left()
            self.on_progress(histories, done / (done + left) if left else 1.0)

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
    """End the half with the higher dev cost; with an odd number, the middle one continues."""
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
