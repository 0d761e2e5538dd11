"""Made pictures with boxes: grey noise, with a red or a green square or two in each."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ["red", "green"]
N_H, N_W = 32, 48


def cells(m, seed=0):
    """Pictures (m, 32, 48, 3) of bytes, and for each its boxes in pixels and their classes."""
    rng = np.random.default_rng(seed)
    X, objects = rng.integers(0, 60, (m, N_H, N_W, 3), dtype=np.uint8), []
    for i, image in enumerate(X):
        own = []
        for k in range(1 + i % 2):
            side, kind = 12, (i + k) % 2
            top, left = rng.integers(0, N_H - side), rng.integers(0, 24 - side) + 24 * k
            image[top : top + side, left : left + side, kind] += 160
            own.append((kind, (left, top, left + side, top + side)))
        objects.append(own)
    return X, objects


def shares(objects):
    """The same as (boxes, classes), boxes as shares of the picture."""
    return [
        (
            np.array([box for _, box in own], np.float32) / [N_W, N_H, N_W, N_H],
            np.array([kind for kind, _ in own]),
        )
        for own in objects
    ]


def coco(folder: Path, m, seed=0, name="cells.json") -> Path:
    """Pictures in `folder/images`, and one JSON file."""
    X, objects = cells(m, seed)
    stem = Path(name).stem
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(X):
        Image.fromarray(image).save(folder / "images" / f"{stem}{i}.png")
    images = [
        {"id": i, "file_name": f"{stem}{i}.png", "width": N_W, "height": N_H} for i in range(m)
    ]
    annotations = [
        {"image_id": i, "category_id": kind, "bbox": [int(n) for n in (x, y, u - x, v - y)]}
        for i, own in enumerate(objects)
        for kind, (x, y, u, v) in own
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES)]
    made = {"images": images, "annotations": annotations, "categories": categories}
    (folder / name).write_text(json.dumps(made))
    return folder / name


def yolo(folder: Path, m, seed=0) -> Path:
    """Pictures and their text files side by side in one folder, without classes.txt."""
    X, objects = cells(m, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i, (image, own) in enumerate(zip(X, objects, strict=True)):
        Image.fromarray(image).save(folder / f"{i}.png")
        lines = [
            f"{kind} {(x + u) / 2 / N_W} {(y + v) / 2 / N_H} {(u - x) / N_W} {(v - y) / N_H}"
            for kind, (x, y, u, v) in own
        ]
        (folder / f"{i}.txt").write_text("\n".join(lines))
    return folder
