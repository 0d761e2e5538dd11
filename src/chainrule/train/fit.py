"""Train a network on examples with an optimiser and a cost."""

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
    """The trained network and its history; with a dev set, the network with the lowest dev cost.

    `state` is the optimiser's state after the last step, from which training can continue.
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
    """Train `network` for `epochs` epochs, or until `patience` epochs bring no better dev cost.

    Each step uses `batch_size` examples (None: the notes' choice), reshuffled in every epoch.
    `watch(history, share_done)` is called before the first step and then about four times a
    second; it may return a change of the learning rate or of λ. With `checkpoints`, or a folder for
    them, training continues from the newest checkpoint, bit for bit as if it had not been
    interrupted. With `signals` the size of activations and gradients is recorded (`signals.py`).
    `augment(batch, key=key)` changes the examples of each step together with their labels, such as
    boxes; layers that augment only the images need no `augment`. With `order` each step uses a
    number of identities and of images per identity in place of `batch_size` examples, and Y (m, 1)
    holds each example's identity as a whole number.

    Ctrl-C ends training within about a quarter of a second and keeps the best network so far; a
    second Ctrl-C ends the program. Raises ShapeError, before anything is compiled, if the examples
    do not fit the network, and NotFiniteError, which names the layer, if a cost or a gradient is
    not finite.
    """
    _check_options(epochs=epochs, batch_size=batch_size, patience=patience)
    by = {"identities": order is not None}
    train = ready(train, network, "the training set", **by)
    dev = None if dev is None else judging(dev, network, **by)
    draw = None if order is None else order.of(train.Y)
    loop = Loop(train, dev, batch_size, epochs, seed, draw)
    _check_batch_norm(network, loop.batch_size)
    loop.progress, loop.backup = begin(network, optimizer.init, has_dev=dev is not None)
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
        _report_progress(loop, watch)
        while not loop.history.stopped:
            loop.advance()
            if interrupted() and not loop.history.stopped:
                loop.history.stopped = "interrupted"
                loop.checkpoint()
            _report_progress(loop, watch)
    best = loop.history.best_epoch  # None without a dev set, and before its first epoch
    trained: Any = loop.progress.best if best else loop.progress.network
    return Fit(trained, loop.history, loop.progress.state)


def _report_progress(loop: Loop, watch: Callable | None) -> None:
    """Call the callback on progress, and pass on the change that it returns."""
    if watch is not None:
        loop.ask(watch(loop.history, loop.step / loop.total_steps))


def _check_batch_norm(network: Layer, batch_size: int) -> None:
    """Refuse batch norm with batches of one example, for which Z − μ is always 0."""
    columns = (part for part in network.parts() if isinstance(part, BatchNorm))
    if batch_size == 1 and any(part.gamma.ndim == 2 for part in columns):
        expected = "at least 2 examples per step with batch norm"
        raise OptionError("batch_size", expected, "1", "batch_size=64, or training without it")


def _check_options(**options: int | None) -> None:
    """Refuse anything but a whole number of at least 1, or None for the default."""
    for name, value in options.items():
        whole = isinstance(value, int | np.integer)
        if value is not None and not (whole and value >= 1):
            expected = "a whole number of at least 1"
            raise OptionError(f"fit({name}=…)", expected, repr(value), f"{name}=10")
