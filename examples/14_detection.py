"""14: detection on a grid: anchor boxes, and one box for each object.

Notes: "Object localization", "YOLO algorithm", "Intersection over union", "Non-max suppression",
"Anchor boxes" (course 4, week 3).
The cases of the notes by hand; anchor boxes for tall and wide boxes; and a detector of overlapping
discs, trained from scratch on generated images.
Targets: one object on a grid of 3×3 with three classes gives 3×3×8, with two anchor boxes 3×3×16,
and is assigned to the cell of its centre; equal boxes have an IoU of 1, touching boxes of 0, and of
the notes' five boxes around two cars the two with the highest scores are kept. Two anchor boxes
found for tall and wide boxes have an IoU of 0.7 on average, a single one less. The detector of
discs reaches a mean average precision of 0.95 on new images. Of all its boxes with a score of at
least 0.1, at most 0.8 are right, since discs are detected twice; after suppression 0.85 are, and no
disc in a hundred is lost, although they overlap.
"""

import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Detector
from chainrule.blocks.boxes import anchor_boxes, iou, non_max_suppression, size_iou
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.image_plots import LabelledBox, draw_boxes, encode_png, image_grid
from chainrule.vision.detection.boxes import Objects, precision_and_recall
from chainrule.vision.detection.cost import encode

TALL, WIDE, EACH = (0.15, 0.45), (0.5, 0.2), 200
N_H, N_W, RADIUS = 48, 64, 8
TRAINING, UNSEEN, EPOCHS = 160, 48, 20
ENOUGH, LEAST, TWICE, RIGHT, LOST = 0.95, 0.1, 0.8, 0.85, 0.01
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    grid(example)
    cars(example)
    anchors(example)
    discs(example)
    example.finish()


def grid(example: Example) -> None:
    """Encode the labels of an image, as in the notes."""
    example.part("One object in a grid of 3×3")
    Y = jnp.array([[[1.0, 0.4, 0.7, 0.6, 0.9]]])  # class c_2, its centre in the lowest row
    one, two = (encode(Y, [(0.2, 0.2), (0.1, 0.4)][:A], 3, 3, 3) for A in (1, 2))
    print(f"one anchor {one.shape[1:]}, two anchors {two.shape[1:]}")
    print("the cell of the lowest row, in the middle:", np.round(np.asarray(one[0, 2, 1]), 2))
    shapes = one.shape[1:] == (3, 3, 8) and two.shape[1:] == (3, 3, 16)
    example.target("3×3×8, and with two anchors 3×3×16", shapes)
    wanted = [1, 0.5, 0.4, 0.6, 0.6, 0, 1, 0]
    alone = bool(np.allclose(one[0, 2, 1], wanted, atol=1e-6) and np.sum(one[..., 0]) == 1)
    example.target(
        "[p_c b_x b_y b_h b_w c_1 c_2 c_3] in the cell of its centre, and nowhere else", alone
    )


def cars(example: Example) -> None:
    """Compute IoU, and suppress the notes' five boxes around two cars."""
    example.part("Two cars, five boxes")
    box = jnp.array([0.0, 0.0, 1.0, 1.0])
    same, touching = float(iou(box, box)), float(iou(box, box + jnp.array([1.0, 0, 1, 0])))
    print(f"IoU of equal boxes {same:g}, of boxes that touch {touching:g}")
    example.target("equal boxes 1, touching boxes 0", (same, touching) == (1, 0))
    left, right = np.array([0.1, 0.3, 0.4, 0.6]), np.array([0.6, 0.3, 0.9, 0.6])
    boxes = jnp.asarray([left, left + 0.02, right - 0.03, right, right + 0.02])
    scores = jnp.array([0.8, 0.7, 0.6, 0.9, 0.7])
    kept = non_max_suppression(boxes, scores)
    stay = np.asarray(kept.chosen)[np.asarray(kept.there)].tolist()
    print(f"scores {np.asarray(scores, float).round(1).tolist()}: those numbered {stay} stay")
    example.target("the box with the highest score is kept, one for each car", stay == [3, 0])


def anchors(example: Example) -> None:
    """Find anchor boxes."""
    example.part("Anchors for tall and for wide boxes")
    rng = np.random.default_rng(0)
    shapes = np.repeat([TALL, WIDE], EACH, axis=0) * rng.uniform(0.75, 1.3, (2 * EACH, 2))
    sizes = jnp.asarray(shapes, jnp.float32)
    overlap = {}
    for k in (1, 2):
        found = anchor_boxes(sizes, k, key=key_from_seed(0))
        overlap[k] = float(size_iou(sizes, found).max(axis=1).mean())
        print(f"{k}: {np.asarray(found, float).round(2).tolist()}, mean IoU {overlap[k]:.3f}")
    reached = overlap[2] >= 0.7 > overlap[1]
    example.target(f"two overlap by 0.7 or more ({overlap[2]:.3f}), one by less", reached)


def made(m: int, seed: int) -> tuple[np.ndarray, list[Objects]]:
    """Return images of pale or dark discs, in overlapping pairs, and their boxes."""
    rng = np.random.default_rng(seed)
    X, Y = rng.integers(90, 130, (m, N_H, N_W, 3), dtype=np.uint8), []
    rows, columns = np.mgrid[:N_H, :N_W]
    for image in X:
        boxes, classes = [], []
        for left in (0, N_W // 2):
            x = left + rng.uniform(RADIUS, N_W // 2 - 2 * RADIUS)
            y = rng.uniform(RADIUS, N_H - RADIUS)
            for step in (0.0, rng.uniform(1.1, 1.4) * RADIUS):
                kind = int(rng.integers(2))
                inside = (rows - y) ** 2 + (columns - x - step) ** 2
                colour = rng.integers(0, 30, 3) + 200 * kind
                image[inside < RADIUS**2] = colour
                image[(inside < RADIUS**2) & (inside > (RADIUS - 1.5) ** 2)] = (200, 60, 60)
                boxes.append([x + step - RADIUS, y - RADIUS, x + step + RADIUS, y + RADIUS])
                classes.append(kind)
        shares = np.clip(np.array(boxes) / [N_W, N_H, N_W, N_H], 0, 1)
        Y.append(Objects(shares.astype(np.float32), np.array(classes)))
    return X, Y


def discs(example: Example) -> None:
    """Train a detector from scratch, and show the effect of suppression on its boxes."""
    example.part("Discs that overlap")
    options = {"width": 0.25, "anchors": 1, "batch_size": 8, "learning_rate": 0.01}
    detector = Detector(epochs=EPOCHS, augment="mirror", **options)
    detector.fit(*made(TRAINING, 0), *made(UNSEEN, 1))
    X, Y = made(UNSEEN, 2)
    scores = detector.scores(X, Y)
    print(
        f"{detector.network_.title}: mAP@0.5 {scores['map_50']:.3f}, 0.5:0.95 {scores['map']:.3f}"
    )
    example.target(f"mAP@0.5 {scores['map_50']:.3f} >= {ENOUGH}", scores["map_50"] >= ENOUGH)
    kept = detector.predict(X, score_threshold=LEAST)
    everything = detector.set_params(iou_threshold=0.999).predict(X, score_threshold=LEAST)
    with_it, without = (precision_and_recall(said, Y, 2) for said in (kept, everything))
    for name, said, found in (("without", everything, without), ("with", kept, with_it)):
        n = sum(len(one.boxes) for one in said)
        print(f"{name:7} suppression: {n} boxes for {4 * UNSEEN} discs, {shown(found)}")
    right = without["precision"], with_it["precision"]
    lost = without["recall"] - with_it["recall"]
    example.target(
        f"{right[0]:.2f} <= {TWICE} of the boxes are right without it, {right[1]:.2f} >= {RIGHT} "
        f"with it, {lost:.3f} <= {LOST} of the discs are lost by it",
        right[0] <= TWICE and right[1] >= RIGHT and lost <= LOST,
    )
    example.picture("discs.png", drawn, X[:3], [everything[:3], kept[:3]])


def shown(found: dict[str, float]) -> str:
    """Return precision and recall."""
    return ", ".join(f"{name} {value:.3f}" for name, value in found.items())


def drawn(X: np.ndarray, said: list[list[Objects]]) -> bytes:
    """Draw images with all boxes above, and with those that remain after suppression below."""
    colours = (BLUE, ORANGE)
    pictures = [
        draw_boxes(
            image,
            [
                LabelledBox(box, "", colours[kind])
                for box, kind in zip(one.boxes, one.classes, strict=True)
            ],
            scale=5,
        )
        for row in said
        for image, one in zip(X, row, strict=True)
    ]
    return encode_png(image_grid(pictures, len(X)))


if __name__ == "__main__":
    main()
