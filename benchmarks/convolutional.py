"""Convolutional networks beside PyTorch's and onnxruntime's, in one run, in turn.

`python -m benchmarks.convolutional` prints the tables; `--write` writes them as a page of docs. A
step of Adam is timed in `run_steps`, as `fit` calls it; PyTorch's networks are channels last, Adam
fused. Predictions have batch norm folded into the filters on all sides. Which kernel computes ours
is said: CHAINRULE_KERNEL=xla measures without the native one.
"""

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.contenders import pytorch_convolutional as pytorch
from benchmarks.contenders.onnx_convolutional import onnx_prediction
from benchmarks.report import machine
from benchmarks.timing import warm_in_turn
from chainrule.blocks.costs import softmax_cost
from chainrule.kernels import native
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.zoo import build
from chainrule.optim.adam import adam
from chainrule.train.epochs import Rows, begin, run_steps
from chainrule.train.fit import FOREVER
from chainrule.train.metrics import accuracy
from chainrule.train.outputs import predictor

PAGE = Path("docs/benchmarks_convolutional.md")


class Step(NamedTuple):
    """A training step that is timed: ours by name, theirs, the batch, and the promised ratio."""

    title: str
    name: str
    options: dict
    torch: Callable
    batch: tuple[int, int, int, int]
    target: float


STEPS = (
    Step("convnet 32-64-128-10", "convnet", {}, pytorch.convnet, (64, 28, 28, 1), 0.6),
    Step("ResNet-20", "resnet20", {}, pytorch.resnet20, (64, 32, 32, 3), 0.7),
    Step(
        "MobileNet v2, width 0.5",
        "mobilenet_v2",
        {"width": 0.5},
        lambda: pytorch.mobilenet_v2(0.5, 10),
        (32, 96, 96, 3),
        0.8,
    ),
)
PREDICTIONS = (1, 16)


def main() -> None:
    """All tables: some six minutes on two quiet cores."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutional", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (7)")
    parser.add_argument("--only", default="", help="steps whose name has this in it, or predict")
    options = parser.parse_args()
    print(f"kernel: {native.reason()}", flush=True)
    lines = [
        "| network | batch | chainrule, in ms | PyTorch, in ms | ratio | target |",
        "|---|---|--:|--:|--:|--:|",
    ]
    print(*lines, sep="\n", flush=True)
    for case in STEPS:
        if options.only in case.name:
            lines.append(step_line(case, options.rounds))
            print(lines[-1], flush=True)
    head = "| network | batch | chainrule, in ms | PyTorch, in ms | onnxruntime, in ms | "
    head += "ratio to the faster of the two | target |"
    lines += ["", head, "|---|---|--:|--:|--:|--:|--:|"]
    print(*lines[-2:], sep="\n", flush=True)
    for m in PREDICTIONS:
        if options.only in "predict":
            lines.append(prediction_line(m, options.rounds))
            print(lines[-1], flush=True)
    if options.write:
        PAGE.write_text(page(lines))


def page(lines: list[str]) -> str:
    """The tables with what they were made by."""
    return "\n".join(
        [
            "# Benchmarks of convolutional networks",
            "",
            "This page was written by `python -m benchmarks.convolutional --write` on "
            f"{date.today()}.",
            machine(),
            f"chainrule used the kernels of {native.reason()}.",
            "",
            "All libraries were timed alternately in one run; the figures are medians. The ratio",
            "is the time of chainrule divided by that of the other library, so a ratio below 1",
            "means that chainrule is faster. The target is an upper bound for the ratio.",
            "",
            "The first table shows the time of a training step with Adam. The second shows the",
            "time of one ResNet-50 prediction on 224×224 images, with batch norm folded into the",
            "convolutions.",
            "",
            *lines,
            "",
        ]
    )


def step_line(case: Step, rounds: int) -> str:
    """A step of Adam, ours and PyTorch's."""
    random = np.random.default_rng(0)
    X = random.standard_normal(case.batch, np.float32)
    classes = random.integers(0, 10, len(X))
    network = build(case.name, case.batch[1:], 10, key=jax.random.key(0), options=case.options)
    ours = training_steps(network, X, classes)
    theirs = pytorch.training_step(case.torch(), X, classes)
    times = warm_in_turn({"ours": ours, "theirs": theirs}, rounds)
    a, b = 1e3 * times["ours"] / STEPS_PER_CALL, 1e3 * times["theirs"]
    batch = "×".join(map(str, case.batch))
    return f"| {case.title} | {batch} | {a:.1f} | {b:.1f} | {a / b:.2f} | {case.target} |"


STEPS_PER_CALL = 4


def training_steps(network: ConvNetwork, X: np.ndarray, classes: np.ndarray):
    """Steps of Adam in one call of the compiled program, each on the whole of X, shuffled."""
    m = len(X)
    rows = Rows(*jax.device_put((X, np.eye(10, dtype=np.float32)[classes], np.ones(m, np.float32))))
    random = np.random.default_rng(1)
    order = [random.permutation(m).astype(np.int32) for _ in range(STEPS_PER_CALL)]
    table = jax.device_put(np.stack(order))
    optimizer = adam(1e-3)
    progress, _ = begin(network, optimizer.init, has_dev=False)
    functions = {"cost": softmax_cost, "metric": accuracy, "update": optimizer.update}
    numbers = [np.int32(n) for n in (STEPS_PER_CALL, STEPS_PER_CALL, FOREVER)]
    kept, key = [progress], jax.random.key(0)

    def run():
        kept[0], _ = run_steps(kept[0], rows, None, table, *numbers, key, None, **functions)
        kept[0].step.block_until_ready()

    return run


def prediction_line(m: int, rounds: int) -> str:
    """ResNet-50 on m images, ours, PyTorch's and onnxruntime's."""
    X = np.random.default_rng(0).standard_normal((m, 224, 224, 3), np.float32)
    network = build("resnet50", (224, 224, 3), 1000, key=jax.random.key(0))
    predict, images = predictor(network, m), jax.device_put(X)
    module = pytorch.resnet50()
    contenders = {
        "ours": lambda: predict(images).block_until_ready(),
        "torch": pytorch.prediction(module, X),
        "onnx": onnx_prediction(module, X),
    }
    times = {name: 1e3 * t for name, t in warm_in_turn(contenders, rounds).items()}
    better = min(times["torch"], times["onnx"])
    shown = " | ".join(f"{times[name]:.1f}" for name in contenders)
    return f"| ResNet-50 | {m} | {shown} | {times['ours'] / better:.2f} | 1.0 |"


if __name__ == "__main__":
    main()
