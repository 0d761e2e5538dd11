"""Choose how many models to train at once, and on how many cores.

On a CPU a group has as many models as fit into the processor's cache together with all arrays of a
step; on other devices, as many as fit into the device's memory. On a CPU as many groups are trained
at the same time as there are cores, each in its own thread: XLA runs a loop of small products on
one core and releases Python's global lock. Each group size needs its own compiled program, and
compiling may take longer than training, so a group may also be padded to a size already compiled.
The measurements are in docs/experiments.md.
"""

from collections.abc import Collection
from typing import Any

import jax
import numpy as np

from chainrule.layers.layer import count_parameters
from chainrule.memory import available_bytes
from chainrule.train.epochs import Rows
from chainrule.train.machine import usable_cores
from chainrule.train.many_steps import Each

CACHE = 2**23  # bytes per group
SHARE = 4  # a group takes at most the free memory divided by this
STEP = 2.5e6  # the fixed overhead of a step, in operations
COMPILATION = 1e11  # the time to compile a program, in operations
SIZES = sorted([*(2**i for i in range(16)), *(3 * 2**i for i in range(15))], reverse=True)


def lanes() -> int:
    """Return the number of groups that are trained at the same time."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


def group_size(model_bytes: int, lanes: int) -> int:
    """Return the most models that a group should have, each of `model_bytes` bytes."""
    if jax.default_backend() == "cpu":
        limit = min(CACHE, available_bytes() // (SHARE * lanes))
    else:
        limit = _free_on_device() // SHARE
    return max(1, limit // model_bytes)


def best_size(
    n: int, most: int, lanes: int, operations: float, steps: int, known: Collection[int]
) -> int:
    """Return the group size with which training n models takes the least time.

    A model takes `operations` per step; programs for the sizes `known` are already compiled.

    >>> [best_size(n, 32, 2, 2.5e6, 10_000, ()) for n in (1, 3, 5, 40, 64)]
    [1, 2, 3, 24, 32]
    >>> best_size(16, 32, 2, 2.5e6, 100, {32}), best_size(16, 32, 2, 2.5e6, 10_000, {32})
    (32, 8)
    """

    def duration(size: int) -> float:
        rounds = -(-n // (size * lanes))
        return rounds * steps * (size * operations + STEP) + (size not in known) * COMPILATION

    return min((size for size in SIZES if size <= most), key=duration)


def operations_of_model(network: Any, batch_size: int) -> float:
    """Return the operations of a step: at most 2 forward and 4 backward per weight and example."""
    return 6.0 * batch_size * count_parameters(network)


def bytes_of_model(each: Each, rows: Rows, batch_size: int) -> int:
    """Return the bytes for training this model without the data: its arrays and those of a step.

    The arrays of a forward pass are counted in its program, without running it; a backward pass is
    assumed to take as much.
    """

    def forward(network, batch):
        return network.train(batch.X, key=each.key, weights=batch.weights)[0]

    batch = jax.eval_shape(rows.batch, jax.ShapeDtypeStruct((batch_size,), np.int32))
    program = jax.make_jaxpr(forward)(each.network, batch)
    arrays = [out.aval for equation in program.eqns for out in equation.outvars]
    return bytes_of(each) + 2 * bytes_of(arrays)


def bytes_of(tree: Any) -> int:
    """Return the bytes of all arrays in a pytree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _free_on_device() -> int:
    """Return the free bytes of the accelerator, or of the host if it does not report them."""
    stats = jax.local_devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"] if stats else available_bytes()
