"""Whether a network fits into memory, asked before it is made or trained."""

from itertools import pairwise

from chainrule.layers.layer import Layer, count_parameters
from chainrule.memory import check_memory
from chainrule.train.networks import values_of

COPIES = 12  # of the parameters, measured: θ, gradients, Adam's averages, the best, copies of all
VALUES = 4  # of each unit and example: A and dA, and what they are made of


def check_network_memory(sizes: tuple[int, ...], m: int) -> None:
    """Refuse a network whose parameters, or whose values for m examples, do not fit."""
    parameters = sum((n_prev + 1) * n_l for n_prev, n_l in pairwise(sizes))
    check_memory(
        f"the network {'-'.join(map(str, sizes))}",
        4 * (COPIES * parameters + VALUES * m * sum(sizes)),
        "smaller hidden layers, smaller images, or smaller batches",
    )


def check_images_memory(network: Layer, n_x: int, m: int) -> None:
    """The same of a network of images: what its layers give for a batch is most of it."""
    values = VALUES * m * values_of(network, n_x)
    check_memory(
        f"the network {network.title}",
        4 * (COPIES * count_parameters(network) + values),
        "smaller images, smaller batches, or a smaller --width",
    )
