"""A training step of U-Net beside the same in PyTorch, in turn: `python -m benchmarks.unet_steps`.

The network of `benchmarks/segmentation.py`: 16 pictures of 96×128 in colour, eleven classes, 24
channels in the first of four levels. Both compute the cost with weights of the classes and ignored
pixels, its gradient and a step of Adam; ours, as `fit` does, also the share of right pixels. Each
line is a process of its own, with and without the native kernels.
"""

import argparse
import os
import subprocess
import sys

import jax
import numpy as np

from benchmarks.contenders import pytorch_unet
from benchmarks.timing import warm_in_turn
from chainrule.kernels import native
from chainrule.layers.layer import count_parameters
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.unet import CHANNELS, unet
from chainrule.models.units import scaled
from chainrule.optim.adam import adam
from chainrule.train.epochs import Rows, begin, run_steps, to_device
from chainrule.train.fit import FOREVER
from chainrule.vision.segmentation.cost import PixelAccuracy, PixelCost, balanced_weights
from chainrule.vision.segmentation.mask_classes import IGNORED

BATCH, CLASSES, DEPTH, WIDTH = (16, 96, 128, 3), 11, 4, 0.375
STEPS_PER_CALL = 4
TARGET = 0.8


def main() -> None:
    """A line for each kernel."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unet_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each (9)")
    parser.add_argument("--line", action="store_true", help="only that of this process's kernel")
    options = parser.parse_args()
    if options.line:
        print(line(options.rounds), flush=True)
        return
    print("| kernel | parameters | chainrule ms | PyTorch ms | ratio | target |", flush=True)
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for kernel in ("auto", "xla"):
        words = ["-m", "benchmarks.unet_steps", "--line", "--rounds", f"{options.rounds}"]
        own = os.environ | {native.SWITCH: kernel}
        subprocess.run([sys.executable, *words], env=own, check=True)


def line(rounds: int) -> str:
    """A step, ours and PyTorch's."""
    random = np.random.default_rng(0)
    X = random.random(BATCH, np.float32)
    Y = random.integers(0, CLASSES, BATCH[:3], dtype=np.uint8)
    weights = balanced_weights(np.bincount(Y.ravel()))
    Y[:, :8] = IGNORED
    network = unet(BATCH[1:], CLASSES, key=jax.random.key(0), depth=DEPTH, width=WIDTH)
    module = pytorch_unet.unet(BATCH[3], scaled(CHANNELS, WIDTH), DEPTH, CLASSES)
    parameters = count_parameters(network)
    theirs = sum(one.numel() for one in module.parameters())
    assert parameters == theirs, f"{parameters:,} numbers are trained, and {theirs:,} of PyTorch's"
    contenders = {
        "ours": training_steps(network, X, Y, weights),
        "theirs": pytorch_unet.training_step(module, X, Y, weights, IGNORED),
    }
    times = warm_in_turn(contenders, rounds)
    a, b = 1e3 * times["ours"] / STEPS_PER_CALL, 1e3 * times["theirs"]
    target = TARGET if native.available() else "–"
    return f"| {native.reason()} | {parameters:,} | {a:.0f} | {b:.0f} | {a / b:.2f} | {target} |"


def training_steps(network: ConvNetwork, X: np.ndarray, Y: np.ndarray, weights: np.ndarray):
    """Steps of Adam in one call of the compiled program, each on all pictures, shuffled."""
    m = len(X)
    rows = Rows(*jax.device_put((X, Y, np.ones(m, np.float32))))
    random = np.random.default_rng(1)
    order = [random.permutation(m).astype(np.int32) for _ in range(STEPS_PER_CALL)]
    table = jax.device_put(np.stack(order))
    optimizer = adam(1e-3)
    progress = to_device(begin(network, optimizer.init, has_dev=False))
    cost = PixelCost(tuple(float(weight) for weight in weights))
    functions = {"cost": cost, "metric": PixelAccuracy(), "update": optimizer.update}
    numbers = [np.int32(n) for n in (STEPS_PER_CALL, STEPS_PER_CALL, FOREVER)]
    kept, key = [progress], jax.random.key(0)

    def run():
        kept[0], _ = run_steps(kept[0], rows, None, table, *numbers, key, None, **functions)
        kept[0].step.block_until_ready()

    return run


if __name__ == "__main__":
    main()
