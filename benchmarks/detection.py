"""A detector trained from scratch on blood cells, and its mean average precision.

    python -m benchmarks.detection FILE [--epochs N] [--body small] [--seed 0]

FILE is the bccd set as one .npz: X (n, 120, 160, 3) bytes, boxes as shares, labels, box_image and
split (train, val, test). The target: mAP at 0.5 of 0.70 or more on its test part, in 30 minutes on
two cores.
"""

import argparse
import json
import time

import jax
import numpy as np

from chainrule.blocks.boxes import anchor_boxes
from chainrule.layers.layer import count_parameters
from chainrule.models.yolo import BODIES, anchors_of, yolo
from chainrule.train.augment_boxes import USUAL, AugmentBoxes
from chainrule.train.detection import score_detector
from chainrule.train.detection_cost import DetectionCost, MeanOverlap
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.optimizers import Descent

TARGET = 0.70
CLASSES = ("RBC", "WBC", "platelets")
PARTS = ("train", "val", "test")


def read(file: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """X and Y (m, N, 5) of each part."""
    made = np.load(file)
    split, image = made["split"], made["box_image"]
    most = np.bincount(image, minlength=len(split)).max()
    Y = np.zeros((len(split), most, 5), np.float32)
    Y[..., 0] = -1
    for i in range(len(split)):
        own = np.flatnonzero(image == i)
        Y[i, : len(own), 0], Y[i, : len(own), 1:] = made["labels"][own], made["boxes"][own]
    return {part: (made["X"][split == part], Y[split == part]) for part in PARTS}


def anchors_for(Y: np.ndarray, k: int, seed: int) -> np.ndarray:
    """k anchors from the boxes of the training part."""
    boxes = Y[Y[..., 0] >= 0][:, 1:]
    sizes = jax.numpy.asarray(boxes[:, 2:] - boxes[:, :2])
    return np.asarray(anchor_boxes(sizes, k, key=jax.random.key(seed)))


def main() -> None:
    """Train, and say how well it does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--anchors", type=int, default=3)
    parser.add_argument("--body", default="small", choices=BODIES)
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--width", type=float, default=1)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    parser.add_argument("--augment", default=USUAL)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    parts = read(asked.file)
    X, Y = parts["train"]
    anchors = anchors_for(Y, asked.anchors, asked.seed)
    how = {"body": asked.body, "stride": asked.stride, "width": asked.width}
    start = {"key": jax.random.key(asked.seed), "anchors": anchors, **how}
    network = yolo(X.shape[1:], len(CLASSES), **start)
    print(network.settings, f"{count_parameters(network):,} parameters")
    cost = DetectionCost(anchors_of(network), network.n_L)
    metric = MeanOverlap(anchors_of(network), network.n_L)
    falls = {"decay": "exponential", "decay_rate": 0.03 ** (1 / asked.epochs)}
    descent = Descent(learning_rate=asked.learning_rate, **falls)
    seen = [0]

    def watch(history, share) -> None:
        if len(history.epochs) >= seen[0] + 5:
            seen[0] = len(history.epochs)
            e = history.epochs[-1]
            words = f"cost {e.cost:.2f} dev {e.dev_cost:.2f} IoU {e.metric:.3f} {e.seconds:.0f} s"
            print(f"epoch {e.epoch} {words}", flush=True)

    began = time.perf_counter()
    trained = fit(
        network,
        descent.make(-(-len(X) // asked.batch_size)),
        cost,
        Examples(X, Y),
        Examples(*parts["val"]),
        epochs=asked.epochs,
        batch_size=asked.batch_size,
        metric=metric,
        seed=asked.seed,
        watch=watch,
        augment=AugmentBoxes(asked.augment, shape=X.shape[1:]),
    )
    seconds = time.perf_counter() - began
    scores = {part: score_detector(trained.network, *parts[part]) for part in PARTS}
    for part, score in scores.items():
        each = ", ".join(
            f"{name} {ap:.3f}" for name, ap in zip(CLASSES, score["ap_50"], strict=True)
        )
        print(f"{part}: mAP@0.5 {score['map_50']:.4f} ({each}), mAP {score['map']:.4f}")
    reached = scores["test"]["map_50"] >= TARGET
    print(f"{seconds:.0f} s; target {TARGET}: {'reached' if reached else 'missed'}")
    print(json.dumps({"seconds": round(seconds), "best": trained.history.best_epoch, **scores}))


if __name__ == "__main__":
    main()
