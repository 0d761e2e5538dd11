"""Made people as files: a folder for each with its small grey pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.train.faces import people


def pixels(n: int, each: int, *, seed: int = 0):
    """Pictures (n · each, 6, 6) of bytes, and whose each is: p00, p01, …"""
    X, whose = people(n, each, noise=0.4, seed=seed)
    bytes_ = np.clip(128 + 25 * X[..., 0], 0, 255).astype(np.uint8)
    return bytes_, np.array([f"p{i:02d}" for i in whose])


def folder_of(folder: Path, n: int, each: int = 4, *, seed: int = 0, first: int = 0) -> Path:
    """A folder with a folder for each; the names begin with p and the number `first`."""
    X, whose = pixels(n, each, seed=seed)
    for i, (image, name) in enumerate(zip(X, whose, strict=True)):
        own = folder / f"p{int(name[1:]) + first:02d}"
        own.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(own / f"{i % each}.png")
    return folder
