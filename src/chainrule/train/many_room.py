"""How many models should be trained at once, and on how many cores.

A group may have as many models as stay in the processor's cache with all that a step makes of them;
elsewhere, as many as the memory of the device holds. On a CPU as many groups are trained at the
same time as there are cores, each in a thread of its own: XLA runs a loop of small products on one
core, and leaves Python's lock alone. Each size of a group is a program of its own, and compiling it
takes longer than many a training, so a group may also be larger than its models are many.
docs/experiments.md has the figures.
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

CACHE = 2**23  # bytes to a group
SHARE = 4  # no group takes more than this part of the free memory
STEP = 2.5e6  # operations that take as long as what a step takes whatever the size of the group
COMPILATION = 1e11  # and as long as compiling a program
SIZES = sorted([*(2**i for i in range(16)), *(3 * 2**i for i in range(15))], reverse=True)


def lanes() -> int:
    """Groups that are trained at the same time."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


def group_size(model_bytes: int, lanes: int) -> int:
    """The most models that a group should have."""
    if jax.default_backend() == "cpu":
        room = min(CACHE, available_bytes() // (SHARE * lanes))
    else:
        room = _free_on_device() // SHARE
    return max(1, room // model_bytes)


def best_size(
    n: int, most: int, lanes: int, operations: float, steps: int, known: Collection[int]
) -> int:
    """The size of the groups that n models should be trained in: the one that ends first.

    A model takes so many operations a step; programs of the sizes `known` are compiled already.

    >>> [best_size(n, 32, 2, 2.5e6, 10_000, ()) for n in (1, 3, 5, 40, 64)]
    [1, 2, 3, 24, 32]
    >>> best_size(16, 32, 2, 2.5e6, 100, {32}), best_size(16, 32, 2, 2.5e6, 10_000, {32})
    (32, 8)
    """

    def takes(size: int) -> float:
        rounds = -(-n // (size * lanes))
        return rounds * steps * (size * operations + STEP) + (size not in known) * COMPILATION

    return min((size for size in SIZES if size <= most), key=takes)


def operations_of_model(network: Any, batch_size: int) -> float:
    """Of a step: two products forward and four back for each weight and example, or fewer."""
    return 6.0 * batch_size * count_parameters(network)


def bytes_of_model(each: Each, rows: Rows, batch_size: int) -> int:
    """What training this model takes, without the data: its arrays, and what a step makes of them.

    The numbers that a forward pass makes are counted in its program, which is not run; a backward
    pass makes as many.
    """

    def forward(network, batch):
        return network.train(batch.X, key=each.key, weights=batch.weights)[0]

    batch = jax.eval_shape(rows.batch, jax.ShapeDtypeStruct((batch_size,), np.int32))
    program = jax.make_jaxpr(forward)(each.network, batch)
    made = [out.aval for equation in program.eqns for out in equation.outvars]
    return bytes_of(each) + 2 * bytes_of(made)


def bytes_of(tree: Any) -> int:
    """Of all arrays."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _free_on_device() -> int:
    """What an accelerator has left, or the machine where it does not tell."""
    told = jax.local_devices()[0].memory_stats()
    return told["bytes_limit"] - told["bytes_in_use"] if told else available_bytes()
