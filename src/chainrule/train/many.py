"""Many candidates of one architecture, trained together in one compiled program: caviar.

Notes: "Hyperparameters tuning in practice: Pandas vs. Caviar" (course 2, week 3).

    the candidates of one architecture    stacked, a first axis more     stack.py
    in groups that fit into the cache     one group to a core            many_room.py
        call after call of the program    every step is all of theirs    many_steps.py
    at each rung the worse half ends      the others close ranks         halving_epochs

Learning rate, β, decay, λ, keep_prob, first weights and masks are each candidate's own. All of them
see the same mini-batches, in the order of one seed (common random numbers): what differs between
two of them is what they were given, not the luck of the draw. A candidate comes out as `fit` with
this seed would have trained it alone, up to rounding; one whose numbers are no longer finite is
dropped, and the others go on.

Under `vmap` over filters XLA's convolutions on a CPU are many times slower than one after the
other, so candidates of convolutional networks are better trained in turn, by `fit`.
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
from chainrule.train.many_crew import Crew
from chainrule.train.many_group import Entrant, Task
from chainrule.train.many_room import operations_of_model
from chainrule.train.many_steps import Each
from chainrule.train.metrics import accuracy
from chainrule.train.penalty import Penalty, as_arrays
from chainrule.train.stack import check_alike


class Candidate(NamedTuple):
    """What is trained: a fresh network, its optimiser, its penalty, and the seed of its masks."""

    network: Layer
    optimizer: Optimizer
    penalty: Penalty | None = None
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What became of a candidate: its best network by the dev cost, and its history.

    `history.stopped` is "epochs", "patience", "interrupted", "halved" (among the worse half at a
    rung) or "not finite"; then `bad_step` is the first step whose numbers were not.
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
    """Train every candidate as `fit` would; what became of each, in their order.

    `seed` gives the order of the examples, the same for all. After each of the epochs `halve_at`
    (see `halving_epochs`) the half with the higher dev cost ends. `watch(histories, share_done)`
    is called about four times a second. Ctrl-C ends all of them and keeps what is best so far.
    Raises OptionError where candidates are not of one kind, ShapeError where examples do not fit.
    """
    for name, value in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if value is not None or name == "epochs":
            _check_whole(name, value)
    _check_rungs(halve_at, epochs)
    entrants = _enter(candidates)
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
        crew = Crew(task, entrants, halve_at, interrupted, watch)
        crew.train()
    return [Trained(one.network, one.history, one.bad_step) for one in entrants]


def halving_epochs(epochs: int, candidates: int) -> list[int]:
    """Rungs for successive halving: each of them costs as much as the next, until one is left.

    >>> halving_epochs(32, 16), halving_epochs(100, 4), halving_epochs(4, 64)
    ([2, 4, 8, 16], [25, 50], [1, 2])
    """
    halvings = (candidates - 1).bit_length()
    rungs = [epochs >> i for i in range(halvings, 0, -1)]
    return [rung for rung in rungs if rung > 0]


def _enter(candidates: Sequence[Candidate]) -> list[Entrant]:
    """The candidates as they begin, on the host; all must be of one kind."""
    if not candidates:
        hint = "a list of Candidate(network, optimizer)"
        raise OptionError("fit_many", "at least one candidate", "none", hint)
    first = candidates[0]
    title, apart = first.network.title, "fit_many for each kind on its own"
    networks = [candidate.network for candidate in candidates]
    check_alike(networks, "its network", f"the first one's kind, {title}", apart)
    for i, candidate in enumerate(candidates):
        if candidate.optimizer.update != first.optimizer.update:
            hint = "optimisers of chainrule.optim, whose numbers are data; " + apart
            raise OptionError(f"candidate {i}", "the first one's update rule", "another", hint)
    pairs = zip(candidates, _alike([c.penalty for c in candidates]), strict=True)
    entrants = [Entrant(_at_start(candidate, penalty)) for candidate, penalty in pairs]
    states = [one.each.state for one in entrants]
    check_alike(states, "its optimiser", "the same schedule as the first one's, if any", apart)
    return entrants


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


def _alike(penalties: Sequence[Penalty | None]) -> list[Penalty | None]:
    """With a λ of 0 where another candidate has one."""
    given = [penalty for penalty in penalties if penalty is not None]
    if not given:
        return list(penalties)
    l1 = None if all(penalty.l1 is None for penalty in given) else 0.0
    filled = [Penalty(0.0, l1, 1.0) if penalty is None else penalty for penalty in penalties]
    return [p._replace(l1=l1) if p.l1 is None else p for p in filled]


def _check_whole(name: str, value: Any) -> None:
    """Refuse anything but a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        expected = "a whole number, 1 or more"
        raise OptionError(f"fit_many({name}=…)", expected, repr(value), f"{name}=10")


def _check_rungs(halve_at: Sequence[int], epochs: int) -> None:
    """Refuse anything but epochs that rise, all before the last."""
    for rung in halve_at:
        _check_whole("halve_at", rung)
    if any(later <= rung for rung, later in pairwise([*halve_at, epochs])):
        hint = "halving_epochs(epochs, len(candidates))"
        expected = f"epochs that rise, all below {epochs}"
        raise OptionError("fit_many(halve_at=…)", expected, f"{list(halve_at)}", hint)
