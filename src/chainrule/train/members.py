"""Train the members of an ensemble: each with its own weights, order and rows, all at once.

Notes: "Dropout regularization" (course 2, week 1).

    member k    seed_k from (seed, k), the same for every number of members; seed_0 = seed
                initial weights drawn with seed_k, before `fit_members`
                order of the examples and dropout masks from seed_k
                training and dev rows, if every member has its own: `rows_of_member(k, seed_k)`

Every member stops early by itself and keeps its own best weights. All are trained by `fit_many`, in
one compiled program and on all cores. Up to rounding, member k is what `fit` returns for its
network, its rows and seed_k.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.host.randomness import seed_of_member
from chainrule.layers.layer import Layer
from chainrule.models.ensemble import Ensemble
from chainrule.optim.optimizer import Optimizer
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import Fit, fit
from chainrule.train.history import Epoch, History
from chainrule.train.many import Candidate, TrainedCandidate, fit_many
from chainrule.train.metrics import accuracy
from chainrule.train.step import Penalty


class MemberRows(NamedTuple):
    """The row numbers of a member's training examples and dev examples in the training set."""

    train: np.ndarray
    dev: np.ndarray | None = None


def fit_members(
    ensemble: Ensemble,
    optimizer: Optimizer | Sequence[Optimizer],
    cost: Callable,
    train: Examples,
    dev: Examples | None = None,
    *,
    epochs: int,
    batch_size: int | None = None,
    metric: Callable = accuracy,
    patience: int | None = None,
    penalty: Penalty | Sequence[Penalty | None] | None = None,
    seed: int = 0,
    short_last_batch: bool = False,
    on_progress: Callable[[History, float], Any] | None = None,
    checkpoints: Checkpoints | str | Path | None = None,
    rows: Sequence[MemberRows] | None = None,
    judge: Callable | None = None,
) -> Fit:
    """Train every member of the ensemble as `fit` would, and return the trained ensemble.

    The arguments are those of `fit`. With `rows` every member has its own training and dev rows,
    which are row numbers of `train`, and `dev` is None. `optimizer` and `penalty` may be one for
    all members, or one for each. The history holds the mean of the members in every epoch, and the
    last record of each member. `Fit.state` is a list of the optimisers' states. Raises
    NotFiniteError, which names the member, if a cost or a gradient is not finite.
    """
    count = ensemble.count
    if isinstance(checkpoints, str | Path):
        checkpoints = Checkpoints(checkpoints)
    optimizers = [optimizer] * count if isinstance(optimizer, Optimizer) else optimizer
    penalties = [penalty] * count if penalty is None or isinstance(penalty, Penalty) else penalty
    seeds = [seed_of_member(seed, k) for k in range(count)]
    own = [(None, None)] * count if rows is None else rows
    parts = zip(ensemble.members, optimizers, penalties, seeds, own, strict=True)
    candidates = [
        Candidate(network, optimizer, penalty, seed, seed, *rows)
        for network, optimizer, penalty, seed, rows in parts
    ]
    options: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "metric": metric}
    options |= {"patience": patience, "short_last_batch": short_last_batch, "judge": judge}

    def report(histories: list[History], share: float) -> None:
        if on_progress is not None:
            on_progress(mean_history(histories), share)

    done = fit_many(
        candidates,
        cost,
        train,
        dev,
        **options,
        on_progress=report,
        checkpoints=checkpoints,
        keep_state=True,
    )
    for k, one in enumerate(done):
        if one.bad_step is not None:
            done[k] = train_again(k, candidates[k], cost, train, dev, options)
    history = mean_history([one.history for one in done])
    history.members = list(member_records(done))
    if on_progress is not None:
        on_progress(history, 1.0)
    trained = Ensemble.of([one.network for one in done], ensemble.cost)
    return Fit(trained, history, [one.state for one in done])


def fit_network(network: Layer, *arguments: Any, signals: bool = False, **options: Any) -> Fit:
    """Train a network by `fit`, or an ensemble by `fit_members`; the arguments are those of `fit`.

    The signal in the layers is only recorded for a single network.
    """
    if isinstance(network, Ensemble):
        return fit_members(network, *arguments, **options)
    return fit(network, *arguments, signals=signals, **options)


def train_again(
    k: int,
    candidate: Candidate,
    cost: Callable,
    train: Examples,
    dev: Examples | None,
    options: dict[str, Any],
) -> TrainedCandidate:
    """Train a member that was not finite alone, which raises an error that explains the step."""
    dev = dev if candidate.dev is None else train.take(candidate.dev)
    train = train if candidate.rows is None else train.take(candidate.rows)
    more = {"penalty": candidate.penalty, "seed": candidate.seed}
    try:
        done = fit(candidate.network, candidate.optimizer, cost, train, dev, **options, **more)
    except ChainruleError as error:
        raise error.inside(f"member {k + 1}") from None
    return TrainedCandidate(done.network, done.history, None, done.state)


def mean_history(histories: Sequence[History]) -> History:
    """Return the mean of the members in every epoch; after its end, a member's last record counts.

    The best epoch is that with the lowest mean dev cost. The training was interrupted if that of
    one member was, and has ended by patience if that of all members has.
    """
    started = [history.epochs for history in histories if history.epochs]
    epochs = [_mean_epoch(records) for records in _side_by_side(started)]
    costs = [np.nan if epoch.dev_cost is None else epoch.dev_cost for epoch in epochs]
    best = int(np.nanargmin(costs)) + 1 if np.isfinite(costs).any() else None
    reasons = {history.stopped for history in histories}
    order = ("", "interrupted", "not finite", "epochs", "patience")
    stopped = min(reasons, key=order.index, default="")
    return History(epochs, best, stopped)


def _side_by_side(members: Sequence[list[Epoch]]) -> Iterator[list[Epoch]]:
    """Yield the records of all members for each epoch."""
    for e in range(max(map(len, members), default=0)):
        yield [records[min(e, len(records) - 1)] for records in members]


def _mean_epoch(records: list[Epoch]) -> Epoch:
    """Return the mean of the records of one epoch."""

    def mean(name: str) -> float | None:
        values = [getattr(record, name) for record in records]
        return None if values[0] is None else float(np.mean(values))

    return Epoch(
        epoch=max(record.epoch for record in records),
        cost=float(np.mean([record.cost for record in records])),
        gradient_norm=float(np.mean([record.gradient_norm for record in records])),
        seconds=max(record.seconds for record in records),
        dev_cost=mean("dev_cost"),
        metric=mean("metric"),
    )


def member_records(done: Sequence[TrainedCandidate]) -> Iterator[dict[str, Any]]:
    """Yield the last record of each member, its best epoch, and why its training stopped."""
    for k, one in enumerate(done, 1):
        history = one.history
        if not history.epochs:
            continue
        last = history.epochs[-1]
        record = {"epoch": last.epoch, "member": k, "cost": last.cost, "stopped": history.stopped}
        more = {"best_epoch": history.best_epoch, "dev_cost": last.dev_cost, "metric": last.metric}
        yield record | {name: value for name, value in more.items() if value is not None}
