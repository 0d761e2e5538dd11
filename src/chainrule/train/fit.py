"""Training: a network, an optimiser, a cost and examples go in; the trained network comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.errors import OptionError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.train.changes import Change
from chainrule.train.checkpoint import Checkpoints
from chainrule.train.epochs import begin
from chainrule.train.examples import Examples, judging, ready
from chainrule.train.history import History
from chainrule.train.interrupt import interruptible
from chainrule.train.loop import FOREVER, Loop
from chainrule.train.metrics import accuracy
from chainrule.train.penalty import Penalty, as_arrays
from chainrule.train.step import Augmenter
from chainrule.train.verification_order import ByIdentity


@dataclass(frozen=True)
class Fit:
    """The trained network (the best by the dev cost where there is a dev set) and its history.

    `state` is the optimiser's after the last step, for a training that goes on.
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
    watch: Callable[[History, float], Change | None] | None = None,
    checkpoints: Checkpoints | str | Path | None = None,
    signals: bool = False,
    augment: Augmenter | None = None,
    order: ByIdentity | None = None,
) -> Fit:
    """Train `network` for so many epochs, or until the dev cost has not improved for `patience`.

    Each step sees `batch_size` examples (None: the notes' choice), shuffled anew each epoch.
    `watch(history, share_done)` is called before the first step and then about four times a
    second; it may hand back a change of the learning rate or of λ. With `checkpoints`, or their
    folder, the training goes on from the newest of them, bit for bit as if it had never been
    interrupted; with `signals` the health of the signal is measured on the way (`signals.py`).
    `augment(batch, key=key)` changes the examples of each step before it, and what is marked in
    them along; layers that change the pictures alone need none. With `order` a step sees so many
    identities and so many images of each, in place of `batch_size` examples, and Y (m, 1) says
    whose image each example is, a whole number.

    Ctrl-C ends the training at the next moment and keeps what is best so far; a second one ends the
    program. Raises ShapeError where examples and network do not fit, before anything is compiled,
    and NotFiniteError, which names the layer, where a cost or a gradient stops being a number.
    """
    _check_options(epochs=epochs, batch_size=batch_size, patience=patience)
    by = {"identities": order is not None}
    train = ready(train, network, "the training set", **by)
    dev = None if dev is None else judging(dev, network, **by)
    draw = None if order is None else order.of(train.Y)
    loop = Loop(train, dev, batch_size, epochs, seed, draw)
    _check_batch_norm(network, loop.batch_size)
    loop.progress, loop.kept = begin(network, optimizer.init, has_dev=dev is not None)
    loop.functions = {"cost": cost, "metric": metric, "update": optimizer.update}
    loop.penalty = jax.device_put(as_arrays(penalty, split_parameters(network)[0]))
    loop.patience = FOREVER if patience is None or dev is None else min(patience, FOREVER)
    if isinstance(checkpoints, str | Path):
        checkpoints = Checkpoints(checkpoints)
    loop.checkpoints = checkpoints
    loop.signals = signals
    loop.augment = jax.device_put(augment)
    loop.resume()
    with loop.supply, interruptible() as interrupted:
        _ask(loop, watch)
        while not loop.history.stopped:
            loop.advance()
            if interrupted() and not loop.history.stopped:
                loop.history.stopped = "interrupted"
                loop.checkpoint()
            _ask(loop, watch)
    best = loop.history.best_epoch  # None without a dev set, and before its first epoch
    trained: Any = loop.progress.best if best else loop.progress.network
    return Fit(trained, loop.history, loop.progress.state)


def _ask(loop: Loop, watch: Callable | None) -> None:
    """Tell whoever watches, and hear what is to be changed."""
    if watch is not None:
        loop.ask(watch(loop.history, loop.step / loop.total_steps))


def _check_batch_norm(network: Layer, batch_size: int) -> None:
    """Refuse batches of one example, of which batch norm would leave nothing: Z − μ is 0."""
    columns = (part for part in network.parts() if isinstance(part, BatchNorm))
    if batch_size == 1 and any(part.gamma.ndim == 2 for part in columns):
        expected = "at least 2 examples a step, where there is batch norm"
        raise OptionError("batch_size", expected, "1", "batch_size=64, or no batch norm")


def _check_options(**options: int | None) -> None:
    """Refuse anything but whole numbers of 1 or more; None is the usual."""
    for name, value in options.items():
        whole = isinstance(value, int | np.integer)
        if value is not None and not (whole and value >= 1):
            expected = "a whole number, 1 or more"
            raise OptionError(f"fit({name}=…)", expected, repr(value), f"{name}=10")
