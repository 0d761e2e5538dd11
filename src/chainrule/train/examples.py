"""Examples as training takes them: rows of the network's dtype, none of weight 0, on the device."""

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
    """Rows as the doors hold them: X (m, n_x) or images, Y (m, n_L), weights (m,) or None.

    X is in memory, or read in parts (`Streamed`). For a network that gives images Y has more axes,
    whole numbers where its cost wants them.
    """

    X: Any  # np.ndarray or Streamed
    Y: np.ndarray
    weights: np.ndarray | None = None


def ready(examples: Examples, network: Layer, name: str, *, identities: bool = False) -> Examples:
    """Arrays of the network's dtype (whole numbers in X stay so), without examples of weight 0.

    Those could leave a batch with nothing in it. The largest weight is brought near 1 by a power
    of two, which changes no bit of J, so that their sum neither overflows nor vanishes.
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
        hint = "a weight of 0 for what should not count"
        raise DataError("weights", "finite numbers, 0 or more", "others among them", hint)
    if not weights.any():
        raise DataError("weights", "a weight above 0", "zeros alone", "leaving the weights out")
    weights = np.ldexp(weights, -np.frexp(weights.max())[1]).astype(dtype)
    kept = weights >= jnp.finfo(dtype).tiny
    return Examples(X, Y, weights) if kept.all() else Examples(X[kept], Y[kept], weights[kept])


def judging(dev: Examples, network: Layer, *, identities: bool = False) -> Examples:
    """The dev set, ready; refused where it has what is no number.

    A dev cost of nan is better than no other, so patience would end the training without a word.
    """
    dev = ready(dev, network, "the dev set", identities=identities)
    for name, part in (("X", dev.X), ("Y", dev.Y)):
        if is_streamed(part):  # bytes, on a scale of finite numbers
            continue
        sound = np.isfinite(part).reshape(len(part), -1).all(axis=1)
        if not sound.all():
            got = f"nan or infinity in {int((~sound).sum()):,} of {len(part):,} rows"
            raise DataError(f"the dev set, {name}", "finite numbers", got, "leaving those rows out")
    return dev


def on_device(examples: Examples, size: int) -> Rows:
    """All rows on the device, filled up to `size` with rows of weight 0."""
    X, Y, weights = examples
    assert weights is not None  # `ready` has made them
    pixels = as_bytes(X) if is_streamed(X) else None
    X = X if pixels is None else pixels
    check_memory(
        "training",
        size * (X[:1].nbytes + Y[:1].nbytes),
        "fewer examples, smaller images, or fewer columns",
    )

    def put(part):
        room = [(0, size - len(part))] + [(0, 0)] * (np.ndim(part) - 1)
        return jax.device_put(part if size == len(part) else np.pad(part, room))

    X = put(np.asarray(X, weights.dtype) if is_streamed(X) and pixels is None else np.asarray(X))
    return Rows(X if pixels is None else Pixels(X), put(Y), put(weights))
