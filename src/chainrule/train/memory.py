"""Estimate the memory that training and predicting take, and refuse it before it is allocated.

    arrays    the network, with a dev set also the best network so far, and the optimiser's state,
              each with a copy to go back to
    a step    the outputs of all products and convolutions for a batch, and their gradients

The estimate is less than a training takes, since the compiler and temporary arrays take more: what
is refused would not have fitted (docs/experiments.md, "Memory that a training takes").
"""

from contextlib import AbstractContextManager
from typing import Any

import jax

from chainrule.host.machine import check_memory, memory_errors
from chainrule.layers.layer import Layer, split_parameters
from chainrule.optim.optimizer import Optimizer
from chainrule.train.outputs import bytes_kept_per_row
from chainrule.train.step import InputsRow, SequenceRow

SMALL = 2**25
"""The bytes below which a training is not checked, to save time."""
COPIES = 16
"""More copies of θ than a training keeps, with those of the optimiser and the one to go back to."""
HINT = "smaller batches, a smaller network, or smaller images"
SHORTER = "smaller batches, a smaller network, or shorter sequences"


def bytes_of(tree: Any) -> int:
    """Return the bytes of all arrays in a pytree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def training_bytes(
    network: Layer, optimizer: Optimizer, row: Any, batch_size: int, *, has_dev: bool
) -> int:
    """Return the bytes that training takes at least, in addition to the network and the data."""
    theta, _ = split_parameters(network)
    state = bytes_of(jax.eval_shape(optimizer.init, theta))
    progress = bytes_of(network) * (2 if has_dev else 1) + state
    step = 2 * batch_size * bytes_kept_per_row(network, row)
    return 2 * progress + step


def check_training_memory(
    network: Layer, optimizer: Optimizer, row: Any, batch_size: int, *, has_dev: bool
) -> None:
    """Refuse a training that does not fit into the memory of the device; 32 MB are assumed."""
    if COPIES * bytes_of(network) + 2 * batch_size * bytes_kept_per_row(network, row) < SMALL:
        return
    needed = training_bytes(network, optimizer, row, batch_size, has_dev=has_dev)
    hint = SHORTER if isinstance(row, SequenceRow | InputsRow) else HINT
    check_memory(f"training {network.title}", needed, hint, on_device=True)


def training_errors(network: Layer) -> AbstractContextManager[None]:
    """Raise one DataError if memory runs out during training in spite of the estimate."""
    return memory_errors(f"training {network.title}", HINT)
