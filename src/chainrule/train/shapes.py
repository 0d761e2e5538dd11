"""Check that the examples fit the network before anything is compiled.

Notes: "Getting your matrix dimensions right" (course 1, week 4).
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer


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

    X (m, n_x) or images (m, n_H, n_W, n_C), Y (m, n_L), weights (m,); `name` is that of the set.
    For a network that outputs images the shape of Y depends on the cost and is not checked; with
    `identities` Y must have one number per example, whatever the network outputs.
    """
    m = len(X)
    if m == 0:
        hint = "checking how its rows were selected"
        raise ShapeError(name, "at least one example", f"X {np.shape(X)}", hint)
    if len(Y) != m or np.ndim(Y) < 2:
        hint = "Y.reshape(-1, 1)" if np.shape(Y) == (m,) else "a row of Y for each row of X"
        raise ShapeError(f"{name}, Y", f"({m}, n_L), one row per example", str(np.shape(Y)), hint)
    if weights is not None and np.shape(weights) != (m,):
        got = str(np.shape(weights))
        raise ShapeError(
            f"{name}, weights", f"({m},), one number per example", got, "weights.ravel()"
        )
    n_L = outputs_per_example(network, X)
    if identities and Y.shape[1:] != (1,):
        hint = "identities.reshape(-1, 1)"
        expected = f"({m}, 1), the identity of each image"
        raise ShapeError(f"{name}, Y", expected, str(Y.shape), hint)
    if not identities and n_L is not None and Y.shape[1:] != (n_L,):
        raise ShapeError(
            f"{name}, Y",
            f"({m}, {n_L}), one column for each output of {network.title}",
            str(Y.shape),
            f"a network with {Y[0].size} outputs, or one-hot rows for {n_L} classes",
        )


def outputs_per_example(network: Layer, X: np.ndarray) -> int | None:
    """Return n_L from shapes alone, None for image outputs; errors name the layer by number."""
    leaves, structure = jax.tree.flatten(network)
    arrays = tuple((leaf.shape, jnp.result_type(leaf)) for leaf in leaves)
    try:
        return _outputs(structure, arrays, X.shape[1:] + X.shape[:1] if X.ndim == 2 else X.shape)
    except ShapeError as error:
        if not error.where.startswith("layer 1,") or X.ndim != 2:
            raise
        got = f"{error.got} from the rows X {X.shape}"
        hint = f"a first layer of {X.shape[1]} inputs, or X.T if the examples are its columns"
        raise ShapeError(error.where, error.expected, got, hint) from None


@lru_cache(maxsize=256)
def _outputs(structure, arrays: tuple, batch: tuple[int, ...]) -> int | None:
    """Return n_L of a network of this structure, cached since every fit needs it."""
    network = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*array) for array in arrays])
    dtype = jnp.result_type(*(d for _, d in arrays if jnp.issubdtype(d, jnp.inexact)))
    run = jax.eval_shape(lambda network, X: network(X), network, jax.ShapeDtypeStruct(batch, dtype))
    return run.shape[0] if len(run.shape) == 2 else None
