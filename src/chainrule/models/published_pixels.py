"""A published network for pixels from 0 to 1: the normalisation is moved into its first layer.

    Z = W ∗ (X − mean) / std  =  (W / std) ∗ X − c,    c = Σ W mean / std over the filter

Batch norm follows the first layer, so c is added to its running mean. The results are the same
wherever a filter lies inside the image; the padding is now 0 before the normalisation instead of
after it.
"""

import equinox as eqx
import jax.numpy as jnp

from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.published import Published


def of_pixels(published: Published) -> ConvNetwork:
    """Return the network for pixels from 0 to 1, without normalisation by `mean` and `std`."""
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
