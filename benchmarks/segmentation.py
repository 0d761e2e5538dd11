"""How well a U-Net does on street scenes, and in what time: `python -m benchmarks.segmentation`.

CamVid, 96×128: 367 pictures to train on, 101 to choose the epoch by, 233 to test on, which are
looked at once, after training. The mean IoU is over its eleven classes.

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from chainrule.vision.segmentation.segmenter import Segmenter

UNLABELLED = 11
TARGET, MINUTES = 0.45, 40
AUGMENT = "mirror,crop=12,zoom=0.2,contrast=0.2,brightness=0.1,colour=0.05"


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segmentation", description=__doc__)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--width", type=float, default=0.375)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--keep-prob", type=float, default=1.0)
    parser.add_argument("--augment", default=AUGMENT)
    options = parser.parse_args()
    folder = Path(os.environ.get("CHAINRULE_DATA", "../shared/data")) / "camvid"
    parts = {name: np.load(folder / f"camvid_{name}.npz") for name in ("train", "val", "test")}
    (X, Y), (X_dev, Y_dev), (X_test, Y_test) = ((z["X"], z["Y"]) for z in parts.values())
    said = {"width": options.width, "depth": options.depth, "keep_prob": options.keep_prob}
    model = Segmenter(ignored=UNLABELLED, epochs=options.epochs, augment=options.augment, **said)
    print(model, flush=True)
    began, told = time.perf_counter(), 0

    def on_progress(history, share) -> None:
        nonlocal told
        if len(history.epochs) >= told + 10:
            told, last = len(history.epochs), history.epochs[-1]
            costs = f"cost {last.cost:.3f}, dev {last.dev_cost:.3f}, {last.metric:.3f} right"
            print(f"  epoch {last.epoch}: {costs}, {last.seconds / 60:.1f} min", flush=True)

    model.fit(X, Y, X_dev, Y_dev, on_progress=on_progress)
    minutes = (time.perf_counter() - began) / 60
    print(f"the best epoch by dev: {model.history_.best_epoch}")
    for name, images, masks in (("dev", X_dev, Y_dev), ("test", X_test, Y_test)):
        said = ", ".join(f"{key} {value:.4f}" for key, value in model.scores(images, masks).items())
        print(f"{name}: {said}")
    reached = model.score(X_test, Y_test) >= TARGET and minutes <= MINUTES
    print(f"{minutes:.0f} min; {TARGET} in {MINUTES} min is {'' if reached else 'not '}reached")


if __name__ == "__main__":
    main()
