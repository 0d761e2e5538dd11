"""A published network for pixels from 0 to 1: the scaling goes into its first layer.

    Z = W ∗ (X − mean) / std  =  (W / std) ∗ X − c,    c = Σ W mean / std over the filter

Batch norm follows, from whose running average c is added. The numbers are the same wherever a
filter lies inside its image; what lies beyond the edge is 0 before the scaling then, and not after.
"""

import equinox as eqx
import jax.numpy as jnp

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.published import Published


def of_pixels(published: Published) -> ConvNetwork:
    """The network without `mean` and `std` of its own."""
    network = published.network
    layers = list(network.layers.layers)
    at = next(i for i, layer in enumerate(layers) if isinstance(layer, Conv2D))
    first, second = layers[at], layers[at + 1]
    assert isinstance(first, Conv2D)
    assert isinstance(second, BatchNorm)
    mean, std = (
        jnp.asarray(numbers, first.W.dtype)[None, None, :, None]
        for numbers in (published.mean, published.std)
    )
    W = first.W / std
    c = (W * mean).sum(axis=(0, 1, 2)).reshape(second.mean.shape)
    return eqx.tree_at(
        lambda one: (one.layers.layers[at].W, one.layers.layers[at + 1].mean),
        network,
        (W, second.mean + c),
    )
