"""A detector of blood cells, trained from scratch as `chainrule detect train` does it.

    python -m benchmarks.detection [--epochs N] [--image-size 240x320] [--out RUN] [--picture FILE]

BCCD: 205 photos to train on, 87 to choose the epoch and the threshold by, 72 to test on, which are
looked at once, after training. The target: mAP at 0.5 of 0.70 or more on the test part, in 30
minutes on two cores. `--picture` draws one test photo before and after non-max suppression.

The files are read from the folder CHAINRULE_DATA, or ../shared/data.
"""

import argparse
import json
import os
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from chainrule.inspection.image_plots import LabelledBox, draw_boxes, encode_png, image_grid
from chainrule.inspection.report.task_report import results_text
from chainrule.vision.detection.boxes import iou_matrix
from chainrule.vision.detection.task import TASK, colour_of
from chainrule.vision.task import VisionJob, VisionModel

TARGET, MINUTES = 0.70, 30
PARTS = {"train": "train", "val": "dev", "test": "test"}


def as_coco(folder: Path) -> None:
    """The photos in `folder/images`, and a COCO file for each part."""
    source = Path(os.environ.get("CHAINRULE_DATA", "../shared/data")) / "bccd"
    with zipfile.ZipFile(source / "images.zip") as photos:
        photos.extractall(folder / "images")
    said = json.loads((source / "annotations.json").read_text())
    for split, part in PARTS.items():
        own = [one for one in said["images"] if one["split"] == split]
        annotations = [
            {"image_id": i, "category_id": said["classes"].index(each["class"]), "bbox": bbox(each)}
            for i, one in enumerate(own)
            for each in one["objects"]
        ]
        images = [
            {"id": i, "file_name": one["image"], "width": one["width"], "height": one["height"]}
            for i, one in enumerate(own)
        ]
        categories = [{"id": i, "name": name} for i, name in enumerate(said["classes"])]
        made = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{part}.json").write_text(json.dumps(made))


def bbox(said: dict) -> list[float]:
    """x, y, width, height."""
    x1, y1, x2, y2 = said["box"]
    return [x1, y1, x2 - x1, y2 - y1]


def draw(system: VisionModel, opened: VisionJob, file: str) -> None:
    """The test photo of whose red cells the most overlap and stay: all boxes, and those left."""
    part, model = opened.parts["test"], system.model
    kept = model.predict(part.X)
    pairs = [overlapping(said.boxes[said.classes == 0]) for said in kept]
    row = int(np.argmax(pairs))
    X = part.X[[row]]
    model.iou_threshold, usual = 0.999, model.iou_threshold
    [everything] = model.predict(X)
    model.iou_threshold = usual
    shown = []
    for said in (everything, kept[row]):
        found = zip(said.boxes, said.classes, strict=True)
        boxes = [LabelledBox(box, "", colour_of(kind)) for box, kind in found]
        shown.append(draw_boxes(X[0], boxes, 480 / X.shape[2]))
    Path(file).write_bytes(encode_png(image_grid(shown, 2)))
    counts = f"{len(everything.boxes)} boxes, {len(kept[row].boxes)} after suppression"
    print(f"{part.paths[row].name}: {counts}, {pairs[row]} pairs of red cells that overlap stay")


def overlapping(boxes: np.ndarray) -> int:
    """Pairs with an IoU above 0.05."""
    return int((np.triu(iou_matrix(boxes, boxes), 1) > 0.05).sum())


def main() -> None:
    """Train, and say how well it does."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--image-size", default="240x320")
    parser.add_argument("--backbone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--picture")
    asked = parser.parse_args()
    n_H, n_W = map(int, asked.image_size.split("x"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        as_coco(folder)
        parts = {"dev": str(folder / "dev.json"), "test": str(folder / "test.json")}
        options = {"epochs": asked.epochs, "backbone": asked.backbone, "seed": asked.seed}
        recipe = TASK.recipe.from_dict(
            {"source": str(folder / "train.json"), "image_size": (n_H, n_W), **parts, **options}
        )
        opened = TASK.open(recipe)
        print(TASK.describe_data(opened).partition("\n")[2], flush=True)
        told, began = 0, time.perf_counter()

        def on_progress(history, share) -> None:
            nonlocal told
            if len(history.epochs) >= told + 10:
                told, last = len(history.epochs), history.epochs[-1]
                costs = f"cost {last.cost:.1f}, dev {last.dev_cost:.1f}, IoU {last.metric:.3f}"
                print(f"  epoch {last.epoch}: {costs}, {last.seconds / 60:.1f} min", flush=True)

        system = opened.fit(None, on_progress)
        minutes = (time.perf_counter() - began) / 60
        print(results_text("detect", system.results, opened.names))
        reached = system.results["test"]["map_50"] >= TARGET and minutes <= MINUTES
        said = "reached" if reached else "not reached"
        print(f"{minutes:.1f} min; mAP@0.5 of {TARGET} in {MINUTES} min is {said}")
        if asked.picture:
            draw(system, opened, asked.picture)
        if asked.out:
            print(f"saved in {opened.save(system, Path(asked.out)).path}")


if __name__ == "__main__":
    main()
