"""Single convolutions: ours through JAX, oneDNN's own time, XLA's and PyTorch's.

`python -m benchmarks.convolution_kernels` prints milliseconds of forward, input gradient and filter
gradient, medians of measurements in turn. oneDNN's is that of its primitive alone, timed in C++ on
the same buffers; PyTorch's are channels last. It needs the native wheel (`make native`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.contenders.pytorch_convolutional import channels_last
from benchmarks.timing import seconds
from chainrule.kernels import native, xla_convolution
from chainrule.kernels.native import Geometry

SHAPES = (
    ((64, 32, 32, 16), (3, 3, 16, 16), 1),
    ((64, 16, 16, 32), (3, 3, 32, 32), 1),
    ((64, 8, 8, 64), (3, 3, 64, 64), 1),
    ((64, 28, 28, 32), (3, 3, 32, 64), 1),
    ((64, 32, 32, 16), (3, 3, 16, 32), 2),
    ((32, 56, 56, 64), (3, 3, 64, 64), 1),
    ((32, 24, 24, 144), (1, 1, 144, 24), 1),
)
WAYS = ("forward", "input_gradient", "filter_gradient")
ROUNDS = 7


def main() -> None:
    """The table: about a minute."""
    print(f"kernel: {native.reason()}")
    print("images, filters, stride".ljust(44), *(name.rjust(24) for name in WAYS))
    print(" " * 44, *["ours oneDNN  XLA  torch".rjust(24)] * 3)
    for images, filters, s in SHAPES:
        cells = [measured(way, images, filters, s) for way in WAYS]
        title = f"{'×'.join(map(str, images))}, {'×'.join(map(str, filters))}, {s}"
        print(title.ljust(44), *(cell.rjust(24) for cell in cells), flush=True)


def measured(way: str, images: tuple, filters: tuple, s: int) -> str:
    """Milliseconds of the four."""
    pads = ((filters[0] - 1) // 2, filters[0] // 2)
    g = Geometry.of(images, filters, s=s, pads=pads)
    random = np.random.default_rng(0)
    A, W, dZ = (random.standard_normal(n, np.float32) for n in (images, filters, g.result))
    settings = {"s": s, "pads": pads, "groups": 1}
    contenders = {
        "ours": compiled(OURS[way], A, W, dZ, g, settings),
        "XLA": compiled(XLA[way], A, W, dZ, g, settings),
        "torch": pytorch(way, A, W, dZ, s, pads[0]),
    }
    times: dict[str, list[float]] = {name: [] for name in ("ours", "oneDNN", "XLA", "torch")}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            run()
            times[name].append(1e3 * seconds(run))
        own = native.native().onednn_time(way, A.copy(), W.copy(), dZ.copy(), [s, *pads, 1], 3)
        times["oneDNN"].append(own)
    return " ".join(f"{np.median(each):5.2f}" for each in times.values())


def sizes(g: Geometry) -> dict[str, dict[str, int]]:
    """What the gradients are told of the shape that they give."""
    (_, n_H_prev, n_W_prev, _), (f_H, f_W, *_) = g.images, g.filters
    return {
        "images": {"n_H_prev": n_H_prev, "n_W_prev": n_W_prev},
        "filters": {"f_H": f_H, "f_W": f_W},
    }


OURS: dict[str, Callable] = {
    "forward": lambda A, W, dZ, g, how: native.conv_forward(A, W, None, **how),
    "input_gradient": lambda A, W, dZ, g, how: native.conv_input_gradient(
        dZ, W, **sizes(g)["images"], **how
    ),
    "filter_gradient": lambda A, W, dZ, g, how: native.conv_filter_gradient(
        A, dZ, **sizes(g)["filters"], **how
    )[0],
}
XLA: dict[str, Callable] = {
    "forward": lambda A, W, dZ, g, how: xla_convolution.forward(A, W, **how),
    "input_gradient": lambda A, W, dZ, g, how: xla_convolution.input_gradient(
        dZ, W, **sizes(g)["images"], **how
    ),
    "filter_gradient": lambda A, W, dZ, g, how: xla_convolution.filter_gradient(
        A, dZ, **sizes(g)["filters"], **how
    ),
}


def compiled(function: Callable, A, W, dZ, g: Geometry, how: dict[str, Any]) -> Callable:
    """One call of it, from arrays on the device."""
    arrays = jax.device_put((A, W, dZ))
    run = jax.jit(lambda A, W, dZ: function(A, W, dZ, g, how))
    return lambda: jnp.asarray(run(*arrays)).block_until_ready()


def pytorch(way: str, A, W, dZ, s: int, p: int) -> Callable:
    """The same by PyTorch."""
    images, gradient = channels_last(A), channels_last(dZ)
    filters = torch.tensor(W).permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    if way == "forward":
        return partial(torch.nn.functional.conv2d, images, filters, stride=s, padding=p)
    mask = (way == "input_gradient", way == "filter_gradient", False)
    stride, padding = (s, s), (p, p)
    return lambda: torch.ops.aten.convolution_backward(
        gradient, images, filters, None, stride, padding, (1, 1), False, (0, 0), 1, mask
    )


if __name__ == "__main__":
    main()
