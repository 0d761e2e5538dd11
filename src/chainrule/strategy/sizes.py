"""The next bigger or smaller network, as a command line option.

Notes: "Basic recipe for machine learning" (course 2, week 1).

    hidden layers          twice the units, or half of them; a second layer where there was one
    convolutional network  the next of its family, or twice or half its channels
"""

from itertools import pairwise

MOST_UNITS = 1024
SIZES: tuple[tuple[str, ...], ...] = (
    ("lenet", "convnet", "resnet20", "resnet32", "resnet44", "resnet56"),
    ("resnet18", "resnet34", "resnet50"),
)
"""Networks for small images and for large ones, in order of capacity."""
BIGGER = {one: other for sizes in SIZES for one, other in pairwise(sizes)}
SMALLER = {one: other for sizes in SIZES for other, one in pairwise(sizes)}


def bigger_network(network: str, width: float) -> tuple[str, str]:
    """Return the option for a bigger network, and its value.

    >>> bigger_network("lenet", 1), bigger_network("mobilenet_v2", 0.5)
    (('network', 'convnet'), ('width', '1'))
    """
    return _another(network, BIGGER, 2 * width)


def smaller_network(network: str, width: float) -> tuple[str, str]:
    """Return the option for a smaller network, and its value.

    >>> smaller_network("resnet20", 1), smaller_network("lenet", 1)
    (('network', 'convnet'), ('width', '0.5'))
    """
    return _another(network, SMALLER, width / 2)


def bigger(hidden: tuple[int, ...] | None) -> str:
    """Return twice the units, with a second layer where there was one or none."""
    if hidden is None:
        return ""
    wider = [min(MOST_UNITS, max(16, 2 * n)) for n in hidden] or [64]
    return ",".join(map(str, wider if len(wider) > 1 else [*wider, max(16, wider[0] // 2)]))


def smaller(hidden: tuple[int, ...] | None) -> str:
    """Return half the units; a layer with few units is removed."""
    if hidden is None:
        return ""
    return ",".join(str(n // 2) for n in hidden if n >= 8) or "none"


def _another(network: str, others: dict[str, str], width: float) -> tuple[str, str]:
    if network in others:
        return "network", others[network]
    return "width", f"{width:g}"
