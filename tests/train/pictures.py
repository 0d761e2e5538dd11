"""Small images in two classes, and a network of two channels that classifies them."""

from pathlib import Path

import numpy as np

M, SIDE = 60, 8
SMALL = {"network": "convnet", "width": 1 / 16, "epochs": 3, "batch_size": 16}


def halves(m: int = M, *, classes: int = 2, colours: bool = False, seed: int = 0):
    """Return bytes (m, 8, 8) or (m, 8, 8, 3): the class is the side that is bright."""
    rng = np.random.default_rng(seed)
    y = np.arange(m) % classes
    X = rng.integers(0, 100, (m, SIDE, SIDE, 3 if colours else 1), dtype=np.uint8)
    for c, side in enumerate((np.s_[:, 4:], np.s_[:, :4], np.s_[:4], np.s_[4:])):
        bright = np.zeros((SIDE, SIDE), np.uint8)
        bright[side] = 120
        X[y == c] += bright[..., None]
    return (X if colours else X[..., 0]), y


def pictures(folder: Path, name: str = "halves", **how) -> str:
    """Write such images to a file."""
    X, y = halves(**how)
    np.savez(folder / f"{name}.npz", X=X, y=y)
    return str(folder / f"{name}.npz")
