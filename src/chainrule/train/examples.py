"""Check and prepare the examples of a training run: dtype, weights, and the copy on the device.

Notes: "Getting your matrix dimensions right" (course 1, week 4).

`check_examples` compares the shapes with those of the network before anything is compiled. Then
`ready_examples` converts the rows to the network's dtype and drops those of weight 0, and
`on_device` puts them on the device.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.sequences import Inputs, Sequences, join_rows, sequences_in
from chainrule.data.streaming import as_bytes, is_streamed
from chainrule.errors import DataError, ShapeError
from chainrule.formatting import count_of
from chainrule.host.machine import check_memory
from chainrule.layers.layer import Layer, split_parameters
from chainrule.train.epochs import Pixels, Rows
from chainrule.train.step import batch_like, row_of

# Checks of shapes


def check_examples(
    network: Layer,
    X: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None,
    name: str,
    *,
    identities: bool = False,
) -> None:
    """Refuse rows that the network cannot take, and targets that do not match its outputs.

    X (m, n_x), images (m, n_H, n_W, n_C) or sequences, Y (m, n_L), weights (m,); `name` is that of
    the set. For a network that outputs C numbers at each of T steps, Y (m, T) has whole numbers
    below C, −1 where a step is not real. For a network that outputs images the shape of Y depends
    on the cost and is not checked; with `identities` Y must have one number per example, whatever
    the network outputs.
    """
    m = len(X)
    if m == 0:
        hint = "checking how its rows were selected"
        got = f"X {X.shape}" if hasattr(X, "shape") else "none"
        raise ShapeError(name, "at least one example", got, hint)
    if len(Y) != m or np.ndim(Y) < 2:
        hint = "Y.reshape(-1, 1)" if np.shape(Y) == (m,) else "a row of Y for each row of X"
        raise ShapeError(f"{name}, Y", f"({m}, n_L), one row per example", str(np.shape(Y)), hint)
    if weights is not None and np.shape(weights) != (m,):
        got = str(np.shape(weights))
        raise ShapeError(
            f"{name}, weights", f"({m},), one number per example", got, "weights.ravel()"
        )
    for part in sequences_in(X):
        _check_lengths(part, name)
    Z = outputs_like(network, X)
    if len(Z.shape) == 3:
        _check_labels_of_steps(Y, Z.shape[0], Z.shape[1], name)
        return
    n_L = Z.shape[0] if len(Z.shape) == 2 else None
    if identities and Y.shape[1:] != (1,):
        hint = "identities.reshape(-1, 1)"
        expected = f"({m}, 1), the identity of each image"
        raise ShapeError(f"{name}, Y", expected, str(Y.shape), hint)
    if not identities and n_L is not None and Y.shape[1:] != (n_L,):
        raise ShapeError(
            f"{name}, Y",
            f"({m}, {n_L}), one column for each output of {network.title}",
            str(Y.shape),
            f"a network with {count_of(Y[0].size, 'output')}, or one-hot rows for "
            f"{count_of(n_L, 'class')}",
        )


def _check_lengths(X: Sequences, name: str) -> None:
    """Refuse lengths that are not whole numbers from 0 to T, one for each sequence."""
    lengths, (m, T) = np.asarray(X.lengths), X.shape[:2]
    if lengths.shape != (m,) or lengths.dtype.kind not in "iu":
        got = f"{lengths.dtype} {lengths.shape}"
        raise ShapeError(f"{name}, the lengths", f"({m},) whole numbers", got, "lengths.ravel()")
    if lengths.min() < 0 or lengths.max() > T:
        got = f"{lengths.min()} to {lengths.max()}"
        hint = "the number of real steps of each sequence"
        raise DataError(f"{name}, the lengths", f"numbers from 0 to T = {T}", got, hint)


def _check_labels_of_steps(Y: np.ndarray, T: int, C: int, name: str) -> None:
    """Refuse anything but a whole number below C for each step, or −1."""
    if Y.shape[1:] != (T,) or Y.dtype.kind not in "iu":
        expected = f"({len(Y)}, {T}) whole numbers, a label for each step"
        hint = "-1 for steps that are not real"
        raise ShapeError(f"{name}, Y", expected, f"{Y.dtype} {Y.shape}", hint)
    if Y.min() < -1 or Y.max() >= C:
        expected, hint = f"labels from -1 to {C - 1}", "a network with as many outputs as labels"
        raise DataError(f"{name}, Y", expected, f"{Y.min()} to {Y.max()}", hint)


def outputs_like(network: Layer, X: Any) -> Any:
    """Return the shape of Z for all rows, from shapes alone; errors name the layer by number."""
    leaves, structure = jax.tree.flatten(network)
    arrays = tuple((leaf.shape, jnp.result_type(leaf)) for leaf in leaves)
    try:
        return _outputs(structure, arrays, row_of(X), len(X))
    except ShapeError as error:
        if not error.where.startswith("layer 1,") or sequences_in(X) or X.ndim != 2:
            raise
        got = f"{error.got} from the rows X {X.shape}"
        inputs = count_of(X.shape[1], "input")
        hint = f"a first layer of {inputs}, or X.T if the examples are its columns"
        raise ShapeError(error.where, error.expected, got, hint) from None


@lru_cache(maxsize=256)
def _outputs(structure, arrays: tuple, row: Any, m: int) -> Any:
    """Return the shape of Z of a network of this structure, cached since every fit needs it."""
    network = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*array) for array in arrays])
    dtype = jnp.result_type(*(d for _, d in arrays if jnp.issubdtype(d, jnp.inexact)))
    return jax.eval_shape(lambda network, X: network(X), network, batch_like(row, m, dtype))


# Preparing the rows


NEGLIGIBLE = 1e-30
"""The share of the largest weight below which an example does not count."""


class Examples(NamedTuple):
    """Examples in rows: X (m, n_x), images or sequences, Y (m, n_L), weights (m,) or None.

    X is in memory or read from disk in parts (`Streamed`). Y may also hold a whole number for each
    step (m, T). For a network that outputs images, Y has more axes, with whole numbers if the cost
    requires them.
    """

    X: Any  # np.ndarray, Streamed, Sequences or Inputs
    Y: np.ndarray
    weights: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Examples":
        """Return the examples with these row numbers."""
        weights = None if self.weights is None else self.weights[rows]
        return Examples(self.X[rows], self.Y[rows], weights)

    def weighted(self) -> "Examples":
        """Return the examples whose weight is not 0, nor 10⁻³⁰ times the largest weight."""
        if self.weights is None:
            return self
        counts = self.weights > NEGLIGIBLE * np.max(self.weights, initial=0)
        return self if counts.all() else self.take(np.flatnonzero(counts))


def joined(one: Examples, other: Examples) -> Examples:
    """Return the examples of two sets as one."""
    weights = None
    if one.weights is not None or other.weights is not None:
        filled = (np.ones(len(e.X)) if e.weights is None else e.weights for e in (one, other))
        weights = np.concatenate(list(filled))
    X = join_rows(one.X, other.X)
    return Examples(X, np.concatenate([one.Y, other.Y]), weights)


CHUNK = 2**15
"""The number of values that are hashed at once."""
ODD = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
"""The constants of SplitMix64."""


def merge_duplicates(examples: Examples, *, sort: bool = False) -> Examples:
    """Merge equal examples into one, with the sum of their weights.

    An example that occurs twice and one of weight 2 then give exactly the same result. The examples
    keep the order in which they first occur; with `sort`, they are sorted by their values, so that
    the previous order does not matter, nor the units of X.
    """
    X, Y, weights = examples
    weights = np.ones(len(X), np.float32) if weights is None else weights
    first, group = _groups(X, Y)
    if len(first) < len(X):
        X, Y, weights = X[first], Y[first], np.bincount(group, weights).astype(weights.dtype)
    if not sort:
        return Examples(X, Y, weights)
    order = _order_of_values(X, Y)
    return Examples(X[order], Y[order], weights[order])


def _groups(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of the first of each group of equal examples, and the group of each row."""
    keys = row_keys(X)
    order = np.argsort(keys, kind="stable")
    same = np.diff(keys[order]) == 0
    if not same.any():
        return np.arange(len(X)), np.arange(len(X))
    tied = np.append(same, False) | np.append(False, same)
    rows = order[tied]
    order[tied] = rows[np.lexsort((rows, *Y[rows].T[::-1], keys[rows]))]
    pairs = np.flatnonzero(same)
    one, next_one = order[pairs], order[pairs + 1]
    equal = (X[one] == X[next_one]).all(axis=1) & (Y[one] == Y[next_one]).all(axis=1)
    begins = np.full(len(order), True)
    begins[pairs[equal] + 1] = False
    first, ranks = np.unique(order[begins], return_inverse=True)
    group = np.empty(len(order), np.intp)
    group[order] = ranks[np.cumsum(begins) - 1]
    return first, group


def _order_of_values(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the order of distinct examples by their first column, then by the second, and so on.

    Only as many columns are compared as are needed to tell all examples apart.
    """
    order, rank = np.arange(len(X)), np.zeros(len(X), np.intp)
    for column in (*X.T, *Y.T):
        order = np.lexsort((column, rank))
        higher = np.append(False, np.diff(rank[order]) > 0) | np.append(
            False, column[order][1:] != column[order][:-1]
        )
        rank[order] = np.cumsum(higher)
        if higher.sum() == len(X) - 1:
            break
    return order


def row_keys(X: np.ndarray) -> np.ndarray:
    """Return a number of 64 bits for each row of X (m, n_x), which is the same for equal rows.

    It is Σ_j mix(x_j + j c) modulo 2⁶⁴, with the mixing function of SplitMix64 on the bits of x_j.
    """
    m, n = X.shape
    columns = np.arange(1, n + 1, dtype=np.uint64) * ODD[0]
    keys, rows = np.empty(m, np.uint64), max(1, CHUNK // max(1, n))
    for start in range(0, m, rows):
        some = X[start : start + rows]
        wide = np.float64 if some.dtype.kind == "f" else np.int64
        bits = (some.astype(wide) + wide(0)).view(np.uint64) + columns  # -0.0 is 0.0
        for shift, odd in zip((30, 27), ODD[1:], strict=True):
            bits ^= bits >> np.uint64(shift)
            bits *= odd
        keys[start : start + rows] = (bits ^ (bits >> np.uint64(31))).sum(axis=1)
    return keys


def ready_examples(
    examples: Examples, network: Layer, name: str, *, identities: bool = False
) -> Examples:
    """Convert examples to the network's dtype (integers in X stay), and drop those of weight 0.

    Examples of weight 0 could leave a batch empty. The weights are scaled by a power of two so that
    the largest is near 1: their sum then neither overflows nor vanishes, and J stays the same bit
    for bit.
    """
    dtype = jnp.result_type(*jax.tree.leaves(split_parameters(network)[0]))
    X, Y = _ready_inputs(examples.X, dtype), np.asarray(examples.Y)
    if Y.dtype.kind in "iub" and Y.ndim == 2 and _labels_steps(network, X, identities):
        Y = Y.astype(np.int32)
    elif Y.ndim <= 2 or jnp.issubdtype(Y.dtype, jnp.floating):
        Y = Y.astype(dtype)
    check_examples(network, X, Y, examples.weights, name, identities=identities)
    if examples.weights is None:
        return Examples(X, Y, np.ones(len(X), dtype))
    weights = np.asarray(examples.weights, np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        hint = "a weight of 0 for examples that should not count"
        expected, got = "finite numbers of at least 0", "negative weights, nan or infinity"
        raise DataError("weights", expected, got, hint)
    if not weights.any():
        hint = "leaving the weights out"
        raise DataError("weights", "at least one weight greater than 0", "only zeros", hint)
    weights = np.ldexp(weights, -np.frexp(weights.max())[1]).astype(dtype)
    keep = weights >= jnp.finfo(dtype).tiny
    return Examples(X, Y, weights) if keep.all() else Examples(X[keep], Y[keep], weights[keep])


def _ready_inputs(X: Any, dtype: Any) -> Any:
    """Convert numbers to the network's dtype; of sequences, steps that are not real become 0."""
    if isinstance(X, Inputs):
        return Inputs(tuple(_ready_inputs(part, dtype) for part in X.parts))
    if isinstance(X, Sequences):
        values = _ready_inputs(X.values, dtype)
        real = X.real().reshape(*values.shape[:2], *(1,) * (values.ndim - 2))
        return Sequences(np.where(real, values, np.zeros((), values.dtype)), X.lengths)
    if is_streamed(X):
        return X
    X = np.asarray(X)
    return X.astype(dtype, copy=False) if jnp.issubdtype(X.dtype, jnp.floating) else X


def _labels_steps(network: Layer, X: Any, identities: bool) -> bool:
    """Return whether the network has an output for each step of a sequence."""
    return not identities and len(X) > 0 and len(outputs_like(network, X).shape) == 3


def ready_dev_set(dev: Examples, network: Layer, *, identities: bool = False) -> Examples:
    """Prepare the dev set, and refuse values that are not finite.

    A dev cost of nan is never an improvement, so patience would stop training without a message.
    """
    dev = ready_examples(dev, network, "the dev set", identities=identities)
    parts = [("X", part) for part in jax.tree.leaves(dev.X)]
    for name, part in [*parts, ("Y", dev.Y)]:
        if is_streamed(part):  # bytes, which are always finite
            continue
        sound = np.isfinite(part).reshape(len(part), -1).all(axis=1)
        if not sound.all():
            got = f"nan or infinity in {int((~sound).sum()):,} of {count_of(len(part), 'row')}"
            raise DataError(f"the dev set, {name}", "finite numbers", got, "leaving those rows out")
    return dev


def on_device(examples: Examples, size: int) -> Rows:
    """Put all rows on the device, padded to `size` with rows of weight 0."""
    X, Y, weights = examples
    assert weights is not None  # set by `ready_examples`
    pixels = as_bytes(X) if is_streamed(X) else None
    X = X if pixels is None else pixels
    check_memory(
        "training",
        size * (X[:1].nbytes + Y[:1].nbytes),
        f"fewer examples, {'shorter sequences' if sequences_in(X) else 'smaller images'}, "
        "or fewer columns",
    )

    def put(part):
        padding = [(0, size - len(part))] + [(0, 0)] * (np.ndim(part) - 1)
        return jax.device_put(part if size == len(part) else np.pad(part, padding))

    if is_streamed(X):
        X = put(np.asarray(X, None if pixels is not None else weights.dtype))
    else:
        X = jax.tree.map(lambda part: put(np.asarray(part)), X)
    return Rows(X if pixels is None else Pixels(X), put(Y), put(weights))
