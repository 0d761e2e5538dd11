"""Check that a network fits into memory before it is built or trained."""

from itertools import pairwise

from chainrule.layers.layer import Layer, count_parameters
from chainrule.memory import check_memory
from chainrule.train.networks import values_of

COPIES = 12  # measured copies of the parameters: θ, gradients, Adam's averages, the best, backups
VALUES = 4  # numbers per unit and example: Z, A and their gradients


def check_network_memory(sizes: tuple[int, ...], m: int) -> None:
    """Refuse a network whose parameters and activations for m examples do not fit into memory."""
    parameters = sum((n_prev + 1) * n_l for n_prev, n_l in pairwise(sizes))
    check_memory(
        f"the network {'-'.join(map(str, sizes))}",
        4 * (COPIES * parameters + VALUES * m * sum(sizes)),
        "smaller hidden layers, smaller images, or smaller batches",
    )


def check_images_memory(network: Layer, n_x: int, m: int) -> None:
    """Refuse a network for images that does not fit; activations take most of its memory."""
    values = VALUES * m * values_of(network, n_x)
    check_memory(
        f"the network {network.title}",
        4 * (COPIES * count_parameters(network) + values),
        "smaller images, smaller batches, or a smaller --width",
    )
