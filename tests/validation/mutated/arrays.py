"""Formats of arrays for `tests/validation/mutations.py`."""

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

from chainrule.data.labels import Labels
from chainrule.data.load import load
from chainrule.runs.initial_weights import read_weights
from chainrule.runs.preprocessing import Preprocessor
from tests.validation.mutated.formats import Format

X = np.random.default_rng(0).normal(size=(12, 4)).round(3)
Y = np.arange(12) % 3
NAMES = np.array(["cat", "dog", "bird"])
ARRAYS: dict[str, Any] = {"train_X": X, "train_y": Y, "test_X": X[:6], "test_y": Y[:6]}
ARRAYS |= {"classes": NAMES}


def read(path: Path) -> object:
    """Read the arrays, and make network inputs and targets of them."""
    data = load(path)
    assert data.y is not None
    labels = Labels.learn(data.y, classes=data.classes)
    return Preprocessor.learn(data.X, labels.encode(data.y), labels)


def make_npy(folder: Path) -> None:
    """A file for X and one for the labels."""
    np.save(folder / "X.npy", X.astype(np.float32))
    np.save(folder / "y.npy", NAMES[Y])


def make_hdf5(folder: Path) -> None:
    """A file with compressed arrays, text and a group."""
    with h5py.File(folder / "data.h5", "w") as file:
        file.create_dataset("train/X", data=X, compression="gzip")
        file["train/y"] = NAMES[Y].astype(object)
        file["test/X"], file["test/y"] = X, NAMES[Y].astype("S")


def make_idx(folder: Path, *, zipped: bool = False) -> None:
    """Images and labels as in MNIST."""
    images = (np.abs(X.reshape(12, 2, 2)) * 50).astype(np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", Y.astype(np.uint8))):
        shape = np.array(array.shape, ">u4").tobytes()
        content = bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()
        suffix = ".gz" if zipped else ""
        content = gzip.compress(content) if zipped else content
        (folder / f"train-{name}-ubyte{suffix}").write_bytes(content)


def weights(folder: Path) -> None:
    """Initial weights of a network."""
    np.savez(folder / "weights.npz", W1=X, b1=X[:, :1], W2=X[:1].astype(np.float32))


FORMATS: dict[str, Format] = {
    "npz": Format(
        lambda folder: np.savez(folder / "data.npz", **ARRAYS),
        lambda folder: read(folder / "data.npz"),
        ("bytes", "zip"),
    ),
    "npz-compressed": Format(
        lambda folder: np.savez_compressed(folder / "data.npz", **ARRAYS),
        lambda folder: read(folder / "data.npz"),
        ("bytes", "zip"),
    ),
    "npy": Format(make_npy, lambda folder: read(folder / "X.npy"), ("bytes", "head")),
    "mat": Format(
        lambda folder: savemat(folder / "data.mat", ARRAYS | {"cell": {"a": [1, "b"]}}),
        lambda folder: read(folder / "data.mat"),
        share=0.05,
    ),
    "mat-compressed": Format(
        lambda folder: savemat(folder / "data.mat", ARRAYS, do_compression=True),
        lambda folder: read(folder / "data.mat"),
        share=0.05,
    ),
    "mat-4": Format(
        lambda folder: savemat(folder / "data.mat", {"X": X, "y": Y[None]}, format="4"),
        lambda folder: read(folder / "data.mat"),
        share=0.05,
    ),
    "hdf5": Format(make_hdf5, lambda folder: read(folder / "data.h5"), share=0.2),
    "idx": Format(make_idx, lambda folder: read(folder / "train-images-idx3-ubyte")),
    "idx-gz": Format(
        lambda folder: make_idx(folder, zipped=True),
        lambda folder: read(folder / "train-images-idx3-ubyte.gz"),
    ),
    "initial-weights": Format(
        weights, lambda folder: read_weights(str(folder / "weights.npz")), ("bytes", "zip")
    ),
}
