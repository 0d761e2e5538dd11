"""Train many candidates of one architecture together in one compiled program: the caviar approach.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

The arrays of the candidates are stacked along a new first axis and divided into groups that fit
into the processor's cache. The compiled program is called repeatedly, and each of its steps updates
all candidates of a group (`train/many_steps.py`). With successive halving, the training of the
worse half of the candidates ends after each stage (`halving_epochs`).

Each candidate has its own learning rate, β, decay, λ, keep_prob, initial weights and masks. All see
the same mini-batches in the order of one seed (common random numbers), so that two candidates
differ in their settings and not by chance; the members of an ensemble (`train/members.py`), which
should differ, have their own order and their own training and dev rows. Up to rounding, a
candidate's result is what `fit` with this seed and these rows would have returned for it alone. A
candidate whose numbers are no longer finite is dropped, and the others continue.

With checkpoints, all groups pause when one is due. The groups are stored too, since the size of a
group may change the rounding: a resumed training repeats the unbroken one bit for bit.

On a CPU one group per core is trained at the same time, each in its own thread, while the other
groups wait. Meanwhile the calling thread checks for Ctrl-C and reports progress. XLA's convolutions
are many times slower under `vmap` over filters than one after the other on a CPU, so it is better
to train candidates of convolutional networks in turn with `fit`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Event
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import default_batch_size, padded, steps_per_epoch
from chainrule.data.sequences import longest_in
from chainrule.errors import DataError, OptionError, RunError, check_integer
from chainrule.host.machine import check_memory, check_process
from chainrule.host.randomness import key_from_seed
from chainrule.host.reading import AtLeast0, Count, Positive, convert, in_file
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.train.checkpoint import TRAINING, Checkpoints
from chainrule.train.examples import Examples, on_device, ready_dev_set, ready_examples
from chainrule.train.fit import FOREVER, SECONDS_PER_CALL, digest_of
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.many_steps import (
    CandidateState,
    Each,
    Group,
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
    """A network to train, with its optimiser, its penalty, and the seed of its dropout masks.

    order   the seed of the order of its examples; None: the order that all candidates share
    rows    the row numbers of its training examples; None: all
    dev     the row numbers of its dev examples among the training examples; None: the shared set
    """

    network: Layer
    optimizer: Optimizer
    penalty: Penalty | None = None
    seed: int = 0
    order: int | None = None
    rows: np.ndarray | None = None
    dev: np.ndarray | None = None


@dataclass(frozen=True)
class TrainedCandidate:
    """A trained candidate: its network with the lowest dev cost, and its history.

    `history.stopped` is "epochs", "patience", "interrupted", "halved" (among the worse half after a
    stage) or "not finite"; in the last case `bad_step` is the first step that was not finite.
    `state` is the optimiser's state after the last step, if it was asked for.
    """

    network: Layer
    history: History
    bad_step: int | None = None
    state: Any = None


def fit_many(
    candidates: Sequence[Candidate],
    cost: Callable,
    train: Examples,
    dev: Examples | None,
    *,
    epochs: int,
    batch_size: int | None = None,
    metric: Callable = accuracy,
    patience: int | None = None,
    seed: int = 0,
    short_last_batch: bool = False,
    halve_at: Sequence[int] = (),
    on_progress: Callable[[list[History], float], None] | None = None,
    checkpoints: Checkpoints | None = None,
    keep_state: bool = False,
    judge: Callable | None = None,
) -> list[TrainedCandidate]:
    """Train every candidate as `fit` would, and return the results in the same order.

    `seed` decides the order of the examples, which is the same for all candidates without an order
    of their own; `short_last_batch` and `judge` are those of `fit`. The candidates have equally
    many rows. After each of the epochs `halve_at` (see `halving_epochs`), the training of the half
    with the higher dev cost ends. With `checkpoints`, which exclude `halve_at`, training continues
    from the newest one, bit for bit as if it had not been interrupted.
    `on_progress(histories, share_done)` is called about four times a second. Ctrl-C ends all
    candidates and keeps their best networks so far. Raises OptionError if the candidates differ in
    their architecture or update rule, and ShapeError if the examples do not fit the network.
    """
    check_process()
    for name, value in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if value is not None or name == "epochs":
            check_integer(f"fit_many({name}=…)", value, hint=f"{name}=10")
    _check_stages(halve_at, epochs)
    states = _initial_states(candidates, seed)
    network, optimizer = candidates[0][:2]
    given, train = len(train.X), ready_examples(train, network, "the training set")
    if candidates[0].dev is not None:
        ready_dev_set(train, network)  # refuses values that are not finite
    m = _check_rows(candidates, given, len(train.X))
    dev = None if dev is None else ready_dev_set(dev, network)
    batch_size = min(batch_size or default_batch_size(m), m)
    has_dev = dev is not None or candidates[0].dev is not None
    task = Task(
        rows=on_device(train, padded(m if batch_size == m == given else len(train.X) + 1)),
        dev=None if dev is None else on_device(dev, padded(len(dev.X))),
        m=m,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch(m, batch_size),
        epochs=epochs,
        patience=FOREVER if patience is None or not has_dev else min(patience, FOREVER),
        short_last_batch=short_last_batch,
        operations=operations_of_model(network, batch_size * longest_in(train.X)),
        functions={
            "cost": cost,
            "metric": metric,
            "update": optimizer.update,
            "judge": judge or cost,
        },
        start=time.perf_counter(),
        has_dev=has_dev,
        keeps=keep_state or checkpoints is not None,
    )
    for one, candidate in zip(states, candidates, strict=True):
        rows, dev_rows = _as_index(candidate.rows), _as_index(candidate.dev)
        one.each = one.each._replace(rows=rows if batch_size == m else None, dev=dev_rows)
        if rows is not None:
            one.rows = np.append(rows, np.int32(given))  # the row of weight 0, which pads batches
    scheduler = Scheduler(task, states, halve_at, on_progress, checkpoints)
    with training_errors(network), interruptible() as interrupted:
        scheduler.train(interrupted)
    return [
        TrainedCandidate(one.network, one.history, one.bad_step, one.each and one.each.state)
        for one in states
    ]


def halving_epochs(epochs: int, candidates: int) -> list[int]:
    """Return the stages of successive halving, as epochs, until one candidate is left.

    Each stage costs about as much as the next, since half of the candidates train twice as long.

    >>> halving_epochs(32, 16), halving_epochs(100, 4), halving_epochs(4, 64)
    ([2, 4, 8, 16], [25, 50], [1, 2])
    """
    halvings = (candidates - 1).bit_length()
    stages = [epochs >> i for i in range(halvings, 0, -1)]
    return [stage for stage in stages if stage > 0]


def _initial_states(candidates: Sequence[Candidate], seed: int) -> list[CandidateState]:
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
    states = [
        CandidateState(_at_start(one, penalty), seed if one.order is None else one.order)
        for one, penalty in pairs
    ]
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
        rows=None,
        dev=None,
        total_cost=zero,
        total_weight=zero,
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


def _as_index(rows: np.ndarray | None) -> Any:
    return None if rows is None else np.asarray(rows, np.int32)


def _check_rows(candidates: Sequence[Candidate], given: int, ready: int) -> int:
    """Return the number of training rows of each candidate, and refuse invalid row numbers."""
    hint = "np.arange(m), or None for all rows"
    for name in ("rows", "dev"):
        found = [getattr(candidate, name) for candidate in candidates]
        sizes = {-1 if rows is None else len(rows) for rows in found}
        if len(sizes) > 1 or 0 in sizes:
            where, expected = f"Candidate({name}=…)", "equally many row numbers for each candidate"
            raise OptionError(where, expected, f"{sorted(sizes)}", hint)
        if sizes == {-1}:
            continue
        if min(map(np.min, found)) < 0 or max(map(np.max, found)) >= given:
            where, expected = f"Candidate({name}=…)", f"row numbers from 0 to {given - 1}"
            raise OptionError(where, expected, "others", hint)
        if ready < given:
            expected, got = "weights above 0 for candidates with rows of their own", "weights of 0"
            raise DataError("weights", expected, got, "leaving those rows out")
    return ready if candidates[0].rows is None else len(candidates[0].rows)


def _check_stages(halve_at: Sequence[int], epochs: int) -> None:
    """Refuse anything but increasing epochs that all lie before the last one."""
    for stage in halve_at:
        check_integer("fit_many(halve_at=…)", stage, hint="halve_at=10")
    if any(later <= stage for stage, later in pairwise([*halve_at, epochs])):
        hint = "halving_epochs(epochs, len(candidates))"
        expected = f"increasing epochs, all below {epochs}"
        raise OptionError("fit_many(halve_at=…)", expected, f"{list(halve_at)}", hint)


# Groups of candidates, stage by stage


class SavedCandidate(TypedDict):
    """The entries of a checkpoint about one candidate, beside its arrays."""

    lines: list[Any]
    best_epoch: Positive | None
    stopped: Literal["epochs", "patience", "not finite", ""]
    bad_step: Positive | None


class SavedGroup(TypedDict):
    """A group of candidates in a checkpoint: their numbers, its size, and the step it reached."""

    candidates: list[Count]
    size: Positive
    step: Count


class SavedTask(TypedDict):
    """The entries of a checkpoint of many candidates, beside their arrays."""

    candidates: list[SavedCandidate]
    groups: list[SavedGroup]
    settings: dict[str, int]
    seconds: AtLeast0
    training: NotRequired[str]


class Scheduler:
    """A scheduler that trains the candidates of one task, in groups and stages."""

    def __init__(
        self,
        task: Task,
        candidates: list[CandidateState],
        halve_at: Sequence[int],
        on_progress: Callable[[list[History], float], None] | None,
        checkpoints: Checkpoints | None,
    ):
        self.task, self.candidates, self.on_progress = task, candidates, on_progress
        self.checkpoints = checkpoints
        self.stages, self.stage = [*halve_at, task.epochs], 0
        self.stop, self.paused = Event(), False
        first = candidates[0].each
        one = bytes_of_model(first, task.rows, task.batch_size)
        self.lanes = lanes()
        self.most, self.known = group_size(one, self.lanes), set()
        together = min(self.lanes * self.most, len(candidates))
        needed = len(candidates) * bytes_of(first) + together * one
        hint = "fewer candidates, a smaller network, or smaller batches"
        check_memory("training many candidates", needed, hint)

    def train(self, interrupted: Callable[[], bool]) -> None:
        """Train all stages, until every candidate has ended."""
        self.interrupted = interrupted
        for stage in self.stages:
            previous, self.stage = self.stage, stage
            self._train_stage(self._resume() or self._groups(previous, stage), stage)
            if self.stop.is_set():
                break
            if stage < self.task.epochs:
                end_worse_half(self._running())
        for one in self._running():
            whole = len(one.history.epochs) == self.task.epochs
            one.end("epochs" if whole else "interrupted")
            one.close(keep=self.task.keeps)

    def _running(self) -> list[CandidateState]:
        return [one for one in self.candidates if one.running]

    def _groups(self, previous: int, stage: int) -> list[Group]:
        """Divide the running candidates into groups that begin after the epoch `previous`."""
        running, steps = self._running(), (stage - previous) * self.task.steps_per_epoch
        size = best_size(
            len(running), self.most, self.lanes, self.task.operations, steps, self.known
        )
        self.known.add(size)
        count = -(-len(running) // size)
        begin = previous * self.task.steps_per_epoch
        return [Group(self.task, running[i::count], size, begin) for i in range(count)]

    def _train_stage(self, groups: list[Group], stage: int) -> None:
        """Train the groups to the end of an epoch, and pause for each checkpoint."""
        until = stage * self.task.steps_per_epoch
        while groups:
            self.paused = False
            self._run(groups, until)
            groups = [group for group in groups if group.unfinished(until)]
            if groups:
                self._save(groups)
            if self.stop.is_set():
                return

    def _run(self, groups: list[Group], until: int) -> None:
        """Train the groups, each in a thread, until they have ended or are told to pause."""
        settings_here = same_settings()

        def train_group(group: Group) -> None:
            with settings_here():
                if not self.stop.is_set():
                    group.run(until, self.stop, lambda: self.paused)

        with ThreadPoolExecutor(self.lanes) as pool:
            waiting = {pool.submit(train_group, group) for group in groups}
            try:
                while waiting:
                    ended, waiting = wait(waiting, SECONDS_PER_CALL, FIRST_EXCEPTION)
                    for one in ended:
                        one.result()
                    self._report_progress()
                    self.paused = self.checkpoints is not None and self.checkpoints.due
            except BaseException:
                self.stop.set()
                raise

    def _save(self, groups: list[Group]) -> None:
        """Write a checkpoint while the groups pause."""
        if self.checkpoints is None:
            return
        number = {id(one): i for i, one in enumerate(self.candidates)}
        words = {
            "candidates": [
                {
                    "lines": one.history.lines(),
                    "best_epoch": one.history.best_epoch,
                    "stopped": one.history.stopped,
                    "bad_step": one.bad_step,
                }
                for one in self.candidates
            ],
            "groups": [
                {
                    "candidates": [number[id(one)] for one in group.candidates],
                    "size": group.size,
                    "step": group.step,
                }
                for group in groups
            ],
            "settings": self._settings(),
            "seconds": time.perf_counter() - self.task.start,
        }
        epochs = sum(len(one.history.epochs) for one in self.candidates)
        self.checkpoints.write(epochs, [one.each for one in self.candidates], words)

    def _resume(self) -> list[Group] | None:
        """Restore the candidates of the newest checkpoint, if any, and return their groups."""
        if self.checkpoints is None:
            return None
        self.checkpoints.training = self.checkpoints.recipe or self._digest()
        saved = self.checkpoints.newest(like=[one.each for one in self.candidates])
        if saved is None:
            return None
        folder = str(self.checkpoints.folder)
        words = convert(saved.words, SavedTask, folder, error=RunError, hint="a new folder")
        same = words["settings"] == self._settings()
        if not same or words.get(TRAINING, "") != self.checkpoints.training:
            expected, got = "a checkpoint of this training run", "one of another training run"
            hint = "the data and the settings with which the training began, or a new folder"
            raise RunError(folder, expected, got, hint)
        with in_file(self.checkpoints.folder, error=RunError, hint="a new folder"):
            return self._restore(saved.tree, words)

    def _restore(self, arrays: list[Any], words: SavedTask) -> list[Group]:
        """Restore the candidates from their arrays and records, and return their groups."""
        for one, each, line in zip(self.candidates, arrays, words["candidates"], strict=True):
            one.each, one.bad_step = each, line["bad_step"]
            one.history = History.from_lines(line["lines"], line["best_epoch"], line["stopped"])
            if not one.running:
                one.close(keep=True)
        self.task = replace(self.task, start=time.perf_counter() - words["seconds"])
        listed = [i for group in words["groups"] for i in group["candidates"]]
        if len(listed) != len({*listed}) or not {*listed} <= {*range(len(self.candidates))}:
            raise DataError("the groups", "each candidate at most once", f"{listed}")
        return [self._restore_group(group) for group in words["groups"]]

    def _restore_group(self, group: SavedGroup) -> Group:
        """Return a group of candidates as it was saved."""
        last = self.task.epochs * self.task.steps_per_epoch
        some = [self.candidates[i] for i in group["candidates"]]
        if not (some and len(some) <= group["size"] and group["step"] <= last):
            expected = f"1 to {group['size']} candidates at step {last} or before"
            raise DataError("a group", expected, f"{len(some)} at step {group['step']}")
        return Group(self.task, some, group["size"], group["step"])

    def _settings(self) -> dict[str, int]:
        """Return the settings that decide which examples a step sees, and how long it trains."""
        task, settings = self.task, {"candidates": len(self.candidates)}
        settings |= {"examples": task.m, "batch_size": task.batch_size, "epochs": task.epochs}
        return settings | {"short last batch": int(task.short_last_batch)}

    def _digest(self) -> str:
        """Return a digest of the data, the candidates' rows and seeds, and the hyperparameters."""
        ones = [(one.each.state, one.each.penalty) for one in self.candidates]
        rows = [(one.seed, one.rows, one.each.dev) for one in self.candidates]
        data = jax.tree.leaves((self.task.rows, rows))
        return digest_of(ones, [np.atleast_1d(x) for x in data])

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
