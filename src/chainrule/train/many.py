"""Train many candidates of one architecture together in one compiled program: the caviar approach.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

    candidates of one architecture        stacked along a new first axis         stack.py
    groups that fit into the cache        one group per core                     many_room.py
        repeated calls of the program     each step updates all of a group       many_steps.py
    stages of successive halving          the worse half ends after each stage   halving_epochs

Each candidate has its own learning rate, β, decay, λ, keep_prob, initial weights and masks. All see
the same mini-batches in the order of one seed (common random numbers), so that two candidates
differ in their settings and not by chance. Up to rounding, a candidate's result is what `fit` with
this seed would have returned for it alone. A candidate whose numbers are no longer finite is
dropped, and the others continue.

On a CPU, XLA's convolutions are many times slower under `vmap` over filters than one after the
other, so it is better to train candidates of convolutional networks in turn with `fit`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import default_batch_size, padded, steps_per_epoch
from chainrule.errors import OptionError
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.randomness import key_from_seed
from chainrule.train.examples import Examples, judging, on_device, ready
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.loop import FOREVER
from chainrule.train.many_crew import Scheduler
from chainrule.train.many_group import CandidateState, Task
from chainrule.train.many_room import operations_of_model
from chainrule.train.many_steps import Each
from chainrule.train.metrics import accuracy
from chainrule.train.penalty import Penalty, as_arrays
from chainrule.train.stack import check_alike


class Candidate(NamedTuple):
    """A network to train, with its optimiser, its penalty, and the seed of its dropout masks."""

    network: Layer
    optimizer: Optimizer
    penalty: Penalty | None = None
    seed: int = 0


@dataclass(frozen=True)
class Trained:
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
    halve_at: Sequence[int] = (),
    watch: Callable[[list[History], float], None] | None = None,
) -> list[Trained]:
    """Train every candidate as `fit` would, and return the results in the same order.

    `seed` decides the order of the examples, which is the same for all. After each of the epochs
    `halve_at` (see `halving_epochs`) the half with the higher dev cost ends.
    `watch(histories, share_done)` is called about four times a second. Ctrl-C ends all candidates
    and keeps their best networks so far. Raises OptionError if the candidates differ in their
    architecture or update rule, and ShapeError if the examples do not fit the network.
    """
    for name, value in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if value is not None or name == "epochs":
            _check_whole(name, value)
    _check_stages(halve_at, epochs)
    states = _initial_states(candidates)
    network, optimizer = candidates[0][:2]
    train, dev = ready(train, network, "the training set"), judging(dev, network)
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
        operations=operations_of_model(network, batch_size),
        functions={"cost": cost, "metric": metric, "update": optimizer.update},
        start=time.perf_counter(),
    )
    with interruptible() as interrupted:
        Scheduler(task, states, halve_at, interrupted, watch).train()
    return [Trained(one.network, one.history, one.bad_step) for one in states]


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
    """Return the initial states, on the host, of candidates that can be trained together."""
    if not candidates:
        hint = "a list of Candidate(network, optimizer)"
        raise OptionError("fit_many", "at least one candidate", "none", hint)
    first = candidates[0]
    title, separately = first.network.title, "a separate fit_many for each kind"
    networks = [candidate.network for candidate in candidates]
    check_alike(networks, "its network", f"the first candidate's kind, {title}", separately)
    for i, candidate in enumerate(candidates):
        if candidate.optimizer.update != first.optimizer.update:
            hint = "optimisers of chainrule.optim, or " + separately
            expected = "the first candidate's update rule"
            raise OptionError(f"candidate {i}", expected, "a different one", hint)
    pairs = zip(candidates, _same_structure([c.penalty for c in candidates]), strict=True)
    states = [CandidateState(_at_start(candidate, penalty)) for candidate, penalty in pairs]
    optimizers = [one.each.state for one in states]
    expected = "the first candidate's learning rate schedule, or none"
    check_alike(optimizers, "its optimiser", expected, separately)
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
    """Fill in a λ of 0 for candidates without a penalty if another candidate has one."""
    given = [penalty for penalty in penalties if penalty is not None]
    if not given:
        return list(penalties)
    l1 = None if all(penalty.l1 is None for penalty in given) else 0.0
    filled = [Penalty(0.0, l1, 1.0) if penalty is None else penalty for penalty in penalties]
    return [p._replace(l1=l1) if p.l1 is None else p for p in filled]


def _check_whole(name: str, value: Any) -> None:
    """Refuse anything but a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        expected = "a whole number of at least 1"
        raise OptionError(f"fit_many({name}=…)", expected, repr(value), f"{name}=10")


def _check_stages(halve_at: Sequence[int], epochs: int) -> None:
    """Refuse anything but increasing epochs that all lie before the last one."""
    for stage in halve_at:
        _check_whole("halve_at", stage)
    if any(later <= stage for stage, later in pairwise([*halve_at, epochs])):
        hint = "halving_epochs(epochs, len(candidates))"
        expected = f"increasing epochs, all below {epochs}"
        raise OptionError("fit_many(halve_at=…)", expected, f"{list(halve_at)}", hint)
