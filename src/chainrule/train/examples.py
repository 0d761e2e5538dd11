"""Prepare examples for training: rows of the network's dtype, no weights of 0, on the device."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.streamed import as_bytes, is_streamed
from chainrule.errors import DataError
from chainrule.layers.layer import Layer, split_parameters
from chainrule.memory import check_memory
from chainrule.train.epochs import Pixels, Rows
from chainrule.train.shapes import check_examples


class Examples(NamedTuple):
    """Examples in rows: X (m, n_x) or images, Y (m, n_L), weights (m,) or None.

    X is in memory or read from disk in parts (`Streamed`). For a network that outputs images, Y has
    more axes, with whole numbers if the cost requires them.
    """

    X: Any  # np.ndarray or Streamed
    Y: np.ndarray
    weights: np.ndarray | None = None


def ready(examples: Examples, network: Layer, name: str, *, identities: bool = False) -> Examples:
    """Convert examples to the network's dtype (integers in X stay), and drop those of weight 0.

    Examples of weight 0 could leave a batch empty. The weights are scaled by a power of two so that
    the largest is near 1: their sum then neither overflows nor vanishes, and J stays the same bit
    for bit.
    """
    dtype = jnp.result_type(*jax.tree.leaves(split_parameters(network)[0]))
    X, Y = examples.X, np.asarray(examples.Y)
    Y = Y if Y.ndim > 2 and not jnp.issubdtype(Y.dtype, jnp.floating) else Y.astype(dtype)
    if not is_streamed(X):
        X = np.asarray(X)
        X = X.astype(dtype, copy=False) if jnp.issubdtype(X.dtype, jnp.floating) else X
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
        raise DataError("weights", "a weight greater than 0", "only zeros", hint)
    weights = np.ldexp(weights, -np.frexp(weights.max())[1]).astype(dtype)
    keep = weights >= jnp.finfo(dtype).tiny
    return Examples(X, Y, weights) if keep.all() else Examples(X[keep], Y[keep], weights[keep])


def judging(dev: Examples, network: Layer, *, identities: bool = False) -> Examples:
    """Prepare the dev set, and refuse values that are not finite.

    A dev cost of nan is never an improvement, so patience would stop training without a message.
    """
    dev = ready(dev, network, "the dev set", identities=identities)
    for name, part in (("X", dev.X), ("Y", dev.Y)):
        if is_streamed(part):  # bytes, which are always finite
            continue
        sound = np.isfinite(part).reshape(len(part), -1).all(axis=1)
        if not sound.all():
            got = f"nan or infinity in {int((~sound).sum()):,} of {len(part):,} rows"
            raise DataError(f"the dev set, {name}", "finite numbers", got, "leaving those rows out")
    return dev


def on_device(examples: Examples, size: int) -> Rows:
    """Put all rows on the device, padded to `size` with rows of weight 0."""
    X, Y, weights = examples
    assert weights is not None  # set by `ready`
    pixels = as_bytes(X) if is_streamed(X) else None
    X = X if pixels is None else pixels
    check_memory(
        "training",
        size * (X[:1].nbytes + Y[:1].nbytes),
        "fewer examples, smaller images, or fewer columns",
    )

    def put(part):
        padding = [(0, size - len(part))] + [(0, 0)] * (np.ndim(part) - 1)
        return jax.device_put(part if size == len(part) else np.pad(part, padding))

    X = put(np.asarray(X, weights.dtype) if is_streamed(X) and pixels is None else np.asarray(X))
    return Rows(X if pixels is None else Pixels(X), put(Y), put(weights))
