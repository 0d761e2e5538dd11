"""Prepare a trained network for repeated, fast predictions.

Batch norm is folded into the filters, the filters are packed once, and one program is compiled for
m examples at a time (`layers/folded.py`).
"""

from collections.abc import Callable
from functools import partial

import jax
from jaxtyping import Array

from chainrule.layers.folded import folded
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork


def predictor(network: Layer, m: int = 1) -> Callable[[Array], Array]:
    """Return a function from m examples to their Z[L] (n_L, m), compiled at its first call.

    It takes the same input as the network: images (m, n_H, n_W, n_C) or columns (n_x, m). Its
    results equal `network(X)` up to rounding. Later training of the network does not affect it.

    >>> from chainrule.models.zoo import build
    >>> network = build("convnet", (8, 8, 1), 3, key=jax.random.key(0))
    >>> predictor(network, 2)(jnp.ones((2, 8, 8, 1), jnp.float32)).shape
    (3, 2)
    """
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
