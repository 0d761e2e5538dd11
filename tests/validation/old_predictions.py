"""Compute the predictions of the runs in `old_runs/`, through the public interface.

    python -m tests.validation.old_predictions OLD_RUNS FILE.npz

The file has an array for each quantity, named RUN:QUANTITY. Only this module knows how a loaded run
is asked for its predictions; the tests and `compare_checkouts.py` use it.
"""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from PIL import Image

import chainrule
from chainrule.cli.main import main as command_line
from chainrule.errors import DataWarning

DATA = {
    "table": "table.csv",
    "regression": "houses.csv",
    "ladder": "table.csv",
    "images": "bars.npz",
    "transfer": "blobs.npz",
    "search/best": "houses.csv",
    "detect": "cells",
    "segment": "street/images",
    "verify": "faces.npz",
    "pairs": "faces.npz",
}
"""The images or rows that each run predicts."""

GALLERIES = ("verify.gallery", "pairs.gallery")
SYSTEMS = ("detect", "segment", "verify", "pairs")


def predictions(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return the numbers that the run or gallery `name` in `folder` predicts, by their names."""
    with warnings.catch_warnings():  # the tables have columns that the runs do not use
        warnings.simplefilter("ignore", DataWarning)
        return _predictions(folder, name)


def _predictions(folder: Path, name: str) -> dict[str, np.ndarray]:
    if name in GALLERIES:
        return {"D": distances(folder / name, folder / "data" / "visitors")}
    X = rows_of(folder / "data" / DATA[name])
    if name not in SYSTEMS:
        run = chainrule.load(folder / name)
        if name in ("regression", "search/best"):
            return {"predict": run.predict(X)}
        labels = np.array([run.classes.index(label) for label in run.predict(X).tolist()])
        return {"predict": labels, "predict_proba": run.predict_proba(X)}
    model = chainrule.load(folder / name).model
    if name == "detect":
        found = model.predict(X, score_threshold=0.02)
        joined = {key: [getattr(one, key) for one in found] for key in ("boxes", "scores")}
        return {key: np.concatenate(parts) for key, parts in joined.items()}
    if name == "segment":
        return {"predict_proba": model.predict_proba(X[:4])}
    return {"embed": model.embed(X), "distances": model.distances(X[:-1], X[1:])}


def rows_of(path: Path) -> pd.DataFrame | np.ndarray:
    """A table, or images."""
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix == ".npz":
        return np.load(path)["X"]
    files = sorted(path.iterdir(), key=lambda file: int(file.stem))
    return np.stack([np.asarray(Image.open(file)) for file in files])


def distances(gallery: Path, pictures: Path) -> np.ndarray:
    """How far each picture is from the nearest person of a gallery, as the command line says."""
    words = ["chainrule", "verify", "identify", str(gallery), str(pictures), "--json"]
    out = io.StringIO()
    with (
        mock.patch("sys.argv", words),
        contextlib.redirect_stdout(out),
        contextlib.suppress(SystemExit),
    ):
        command_line()
    return np.array([answer["D"] for answer in json.loads(out.getvalue())["answers"]])


if __name__ == "__main__":
    folder, file = map(Path, sys.argv[1:])
    every = {name: predictions(folder, name) for name in (*DATA, *GALLERIES)}
    arrays = {f"{name}:{key}": x for name, found in every.items() for key, x in found.items()}
    np.savez(file, **arrays)
