"""Made pictures with masks: grey noise, with a green and a blue square in each."""

from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ["ground", "green", "blue"]
COLOURS = np.array([[0, 0, 0], [0, 160, 0], [0, 0, 160]], np.uint8)
N_H, N_W = 14, 20


def shapes(m, seed=0):
    """Pictures (m, 14, 20, 3) of bytes and their masks (m, 14, 20)."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 60, (m, N_H, N_W, 3), dtype=np.uint8)
    Y = np.zeros((m, N_H, N_W), np.uint8)
    for image, mask in zip(X, Y, strict=True):
        for kind in (1, 2):
            top, left = rng.integers(0, N_H - 6), rng.integers(0, 4) + 10 * (kind - 1)
            image[top : top + 6, left : left + 6, kind] += 180
            mask[top : top + 6, left : left + 6] = kind
    return X, Y


def folder(path: Path, m, seed=0, *, colours=True) -> Path:
    """Pictures, masks in colours (or of values) and classes.txt in a folder."""
    X, Y = shapes(m, seed)
    for name, pixels in (("images", X), ("masks", COLOURS[Y] if colours else Y)):
        (path / name).mkdir(parents=True)
        for i, one in enumerate(pixels):
            Image.fromarray(one).save(path / name / f"{i}.png")
    lines = [
        f"{name} {' '.join(map(str, colour))}" if colours else name
        for name, colour in zip(NAMES, COLOURS, strict=True)
    ]
    (path / "classes.txt").write_text("\n".join(lines))
    return path
