"""The outputs of a trained network for many rows: in chunks of bounded memory, or compiled once.

`network_outputs` processes any number of rows in chunks; rows that are not in memory are read while
the device works on the chunk before. `predictor` prepares a network for repeated, fast predictions
of m examples: batch norm is folded into the filters, the filters are packed once, and one program
is compiled (`layers/folded.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from chainrule.data.batches import padded
from chainrule.data.streaming import is_streamed
from chainrule.errors import DataError
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory, check_process, memory_errors
from chainrule.layers.folded import folded
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.ensemble import Ensemble, MemberOutputs
from chainrule.train.step import (
    batch_like,
    columns,
    columns_of_outputs,
    row_of,
    rows_of_outputs,
)

CHUNK = 8192
LARGEST = 2**25
PRIME = 127
PREDICTIONS, FEWER_ROWS = "the predictions", "fewer rows at a time, or smaller images"
PRODUCTS = {"dot_general", "conv_general_dilated", "ffi_call"}
FEWEST = 32  # fewer rows are padded, so that small inputs share a compiled program


def network_outputs(network: Layer, X: Any, *, finite: bool = True) -> np.ndarray:
    """Return Z (m, n_L) or (m, T, C), or images (m, …), for the rows X, which may be on disk.

    X is (m, n_x), images, `Sequences` or `Inputs`. All chunks have nearly the same size, so that
    they share a compiled program. Raises DataError if an output is not a finite number, unless
    `finite` is False.
    """
    check_process()
    row = row_of(X)
    count = -(-len(X) // chunk_rows(network, row)) or 1
    ends = [len(X) * i // count for i in range(count + 1)]
    size = padded(max(-(-len(X) // count), min(FEWEST, chunk_rows(network, row))))
    _check_outputs_memory(bytes_of_row(network, row) * size)
    chunks = prefetch_rows(X, [slice(*pair) for pair in pairwise(ends)])
    outputs: list[np.ndarray] = []
    with memory_errors(PREDICTIONS, FEWER_ROWS):
        for chunk in chunks:
            outputs.append(_chunk(network, chunk, size))
            if len(outputs) == 1:
                _check_outputs_memory((2 * count - 1) * outputs[0].nbytes if count > 1 else 0)
        Z = np.concatenate(outputs)
    if finite:
        _check_finite(Z)
    return Z


def _check_finite(Z: np.ndarray) -> None:
    """Refuse outputs that are not finite, from which no prediction follows."""
    if np.isfinite(Z).all():
        return
    bad = ~np.isfinite(Z.reshape(len(Z), -1)).all(axis=1)
    got = f"nan or infinity for {bad.sum():,} of {count_of(len(Z), 'example')}"
    hint = "inputs in the range of the training data, or a network without huge weights"
    raise DataError("the outputs of the network", "finite numbers", got, hint)


def _check_outputs_memory(needed: int) -> None:
    """Refuse predictions that do not fit into memory; small ones are not checked, to save time."""
    if needed > LARGEST:
        check_memory(PREDICTIONS, needed, FEWER_ROWS)


def prefetch_rows(X: Any, parts: Sequence[slice]) -> Iterator[Any]:
    """Yield the rows of X slice by slice; rows that are not in memory are read one slice ahead."""
    if not is_streamed(X):
        yield from (X[part] for part in parts)
        return
    with ThreadPoolExecutor(1) as reader:
        pending = [reader.submit(np.asarray, X[part]) for part in parts[:1]]
        for part in parts[1:]:
            rows = pending.pop().result()
            pending.append(reader.submit(np.asarray, X[part]))
            yield rows
        for last in pending:
            yield last.result()


def probabilities(Z: np.ndarray, cost: str, temperature: float = 1.0) -> np.ndarray:
    """Return A (m, n_L), the activation of Z / T that belongs to the cost, in float64.

    float32 cannot represent probabilities very close to 0 and 1. NumPy is used, since JAX would
    compile a program for each number of rows; the tests compare with `blocks/activations.py`.
    """
    Z = np.asarray(Z, np.float64)
    if cost == "squared":
        return Z
    Z = Z / temperature
    if cost == "logistic":
        e = np.exp(-np.abs(Z))
        return np.where(Z > 0, 1, e) / (1 + e)
    with np.errstate(invalid="ignore"):  # infinite outputs give probabilities of nan
        e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def all_outputs(network: Layer, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return Z (m, n_L) of an ensemble and the outputs Z_k (K, m, n_L) of its members.

    A network that is not an ensemble is its only member.
    """
    if not isinstance(network, Ensemble):
        Z = network_outputs(network, X)
        return Z, Z[None]
    found = network_outputs(MemberOutputs(network), X)
    both = found.reshape(len(found), 1 + network.count, -1).swapaxes(0, 1)
    return both[0], both[1:]


def member_outputs(network: Layer, X: Any) -> np.ndarray:
    """Return the outputs Z_k (K, m, n_L) of every member of an ensemble; K is 1 for a network."""
    return all_outputs(network, X)[1]


def disagreement(Z_k: np.ndarray, cost: str, temperature: float = 1.0) -> np.ndarray:
    """Return the standard deviation of the members' predictions; Z_k is (K, m, n_L).

    With the softmax cost it is that of the probability of the class with the highest mean, (m,);
    otherwise it is that of each output, (m, n_L).

    >>> Z_k = np.log([[[3.0]], [[1.0]], [[1 / 3]]])  # probabilities 3/4, 1/2, 1/4
    >>> disagreement(Z_k, "logistic").round(3).tolist()
    [[0.204]]
    """
    A_k = np.stack([probabilities(Z, cost, temperature) for Z in Z_k])
    spread = A_k.std(axis=0)
    if cost != "softmax":
        return spread
    predicted = A_k.mean(axis=0).argmax(axis=1)
    return spread[np.arange(len(spread)), predicted]


def score(
    Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None, cost: Callable, metric: Callable
) -> tuple[float, float]:
    """Return J and the metric of outputs Z (m, n_L) for targets Y (m, n_L), or of images."""
    check_process()
    weights = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    exponent = np.frexp(weights.max(initial=0.0))[1]  # near 1, the sum cannot overflow or vanish
    weights = np.ldexp(weights, -exponent).astype(Z.dtype)
    more = padded(len(Z)) - len(Z)
    filled = (np.pad(part, [(0, more)] + [(0, 0)] * (part.ndim - 1)) for part in (Z, Y, weights))
    J, value = _score(*filled, cost=cost, metric=metric)
    return float(J), float(value)


def chunk_rows(network: Layer, row: Any) -> int:
    """Return the rows per chunk for which the largest activation has about `LARGEST` bytes."""
    return min(CHUNK, 1 << max(0, (LARGEST // bytes_of_row(network, row)).bit_length() - 1))


def bytes_of_row(network: Layer, row: Any) -> int:
    """Return the bytes of the network's largest activation for one row, from shapes alone."""
    return _bytes(network, row)[0]


def bytes_kept_per_row(network: Layer, row: Any) -> int:
    """Return the bytes that a training step keeps for one row until it goes backward, at least.

    These are the outputs of all products and convolutions, whatever the compiler merges.
    """
    return _bytes(network, row)[1]


def _bytes(network: Layer, row: Any) -> tuple[int, int]:
    leaves, structure = jax.tree.flatten(network)
    return _traced(structure, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves), row)


@lru_cache(maxsize=256)
def _traced(structure: Any, arrays: tuple, row: Any) -> tuple[int, int]:
    """Trace the network with a prime number of rows, to recognise arrays that grow with it."""
    network = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*array) for array in arrays])
    dtype = jnp.result_type(*(d for _, d in arrays if jnp.issubdtype(d, jnp.inexact)))
    X = batch_like(row, PRIME, dtype)
    program: Any = jax.make_jaxpr(lambda network, X: network(X))(network, X)
    inputs = (("input", x.size, x.dtype.itemsize) for x in jax.tree.leaves(X))
    sizes = [*inputs, *_sizes(program.jaxpr)]
    per_row = [(name, n // PRIME * itemsize) for name, n, itemsize in sizes if n % PRIME == 0]
    return max(n for _, n in per_row), sum(n for name, n in per_row if name in PRODUCTS)


def _sizes(program: Any) -> Iterator[tuple[str, int, int]]:
    """Yield the operation, the size and the bytes of one element of each array of a program."""
    for step in program.eqns:
        for output in step.outvars:
            if hasattr(output.aval, "size") and hasattr(output.aval.dtype, "itemsize"):
                yield step.primitive.name, output.aval.size, output.aval.dtype.itemsize
        for setting in jax.tree.leaves(tuple(step.params.values()), is_leaf=_is_program):
            if _is_program(setting):
                yield from _sizes(getattr(setting, "jaxpr", setting))


def _is_program(setting: Any) -> bool:
    return hasattr(setting, "eqns") or hasattr(getattr(setting, "jaxpr", None), "eqns")


def _chunk(network: Layer, X: Any, size: int) -> np.ndarray:
    def fill(part):
        return np.pad(part, ((0, size - len(part)), *((0, 0) for _ in part.shape[1:])))

    return np.asarray(_forward(network, jax.tree.map(fill, X)))[: len(X)]


@jax.jit
def _forward(network, X):
    return rows_of_outputs(network(columns(X)))


@partial(jax.jit, static_argnames=("cost", "metric"))
def _score(Z, Y, weights, *, cost, metric):
    Z, Y, weights = columns_of_outputs(Z), columns(Y), weights[None]
    return cost(Z, Y, weights), metric(Z, Y, weights)


# Repeated predictions of m examples


def predictor(network: Layer, m: int = 1) -> Callable[[Array], Array]:
    """Return a function from m examples to their Z[L] (n_L, m), compiled at its first call.

    It takes the same input as the network: images (m, n_H, n_W, n_C) or columns (n_x, m). Its
    results equal `network(X)` up to rounding. Later training of the network does not affect it.

    >>> from chainrule.models.zoo import build
    >>> network = build("convnet", (8, 8, 1), 3, key=jax.random.key(0))
    >>> predictor(network, 2)(jnp.ones((2, 8, 8, 1), jnp.float32)).shape
    (3, 2)
    """
    check_process()
    if not isinstance(network, ConvNetwork) or network.precision != "float32":
        return partial(_call, network)
    return partial(_call, _ready(network, m))


@partial(jax.jit, static_argnums=1)
def _ready(network: ConvNetwork, m: int) -> Sequential:
    """Fold batch norm and pack the filters in one program."""
    return Sequential(folded(network.parts(), (m, *network.shape)))


@jax.jit
def _call(network: Layer, X: Array) -> Array:
    return network(X)
