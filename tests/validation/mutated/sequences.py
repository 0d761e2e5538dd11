"""Formats of sequences and texts for `tests/validation/mutations.py`."""

from pathlib import Path

import h5py
import numpy as np

from chainrule.data.labels import Labels
from chainrule.data.load import load
from chainrule.data.sequences import Sequences
from tests.validation.mutated.formats import Format

SERIES = """\
# two sensors
@problemName Gestures
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
""" + "".join(f"{i},1.5,-2e-1:0.25,{i}.5,?:up\n{i},NaN:3,4:down\n" for i in range(4))
REGRESSION = "@equalLength true\n@seriesLength 3\n@univariate true\n@targetLabel true\n@data\n"
REGRESSION += "".join(f"{i},1.5,-2:{i}.25\n" for i in range(6))
STEPS = "patient,hour,pulse,temperature,ward,outcome\n" + "".join(
    f"P{i // 3},{7 * i % 5},{80 + i},{'' if i == 4 else 36.5 + i / 10},w{i // 6},{i // 3 % 2}\n"
    for i in range(12)
)
REVIEWS = "review,stars\n" + "".join(
    f"{text},{stars}\n" for text, stars in ((" Good ", 5), ('"Not, ""so"" good"', 1)) * 4
)
X = np.arange(60.0).reshape(6, 5, 2)
ARRAYS = {"X": X, "y": np.arange(6) % 2, "lengths": np.array([5, 1, 3, 5, 2, 4])}


def check(path: Path, **options: object) -> object:
    """Read examples with labels and without, and check that they agree with each other."""
    data = load(path, **options)  # pyright: ignore[reportArgumentType]
    load(path, labelled=False, **options)  # pyright: ignore[reportArgumentType]
    for one in (data, *data.parts.values()):
        assert one.y is not None
        assert len(one.X) == len(one.y) == len(one.where)
        if isinstance(one.X, Sequences):
            assert one.X.values.shape[:1] == one.X.lengths.shape
            assert one.X.lengths.min() >= 1
            assert one.X.lengths.max() <= one.X.shape[1]
            assert not np.isinf(one.X.values).any()
            assert not one.X.values[~one.X.real()].any()
        else:
            assert all(isinstance(text, str) and text.strip() for text in one.X)
    assert data.y is not None
    return Labels.learn(data.y, classes=data.classes).encode(data.y)


def text_file(names: dict[str, str], **options: object) -> Format:
    """A format of text files, of which the first is read."""

    def make(folder: Path) -> None:
        for name, content in names.items():
            (folder / name).write_text(content)

    def read(folder: Path) -> object:
        return check(folder / next(iter(names)), **options)

    return Format(make, read, ("bytes", "text"))


def make_hdf5(folder: Path) -> None:
    """A file of arrays whose axes are in the order of NumPy."""
    with h5py.File(folder / "data.h5", "w") as file:
        for key, values in ARRAYS.items():
            file[key] = values


ROLES = {"sequence": "patient", "time": "hour", "group": "ward", "target": "outcome"}
FORMATS: dict[str, Format] = {
    "ts": text_file({"a_TRAIN.ts": SERIES, "a_TEST.ts": SERIES}),
    "ts-numbers": text_file({"a.ts": REGRESSION}),
    "csv-steps": text_file({"steps.csv": STEPS}, **ROLES),
    "csv-texts": text_file({"texts.csv": REVIEWS}, text="review", target="stars"),
    "tsv-texts": text_file(
        {"texts.tsv": REVIEWS.replace(",", "\t")}, text="review", target="stars"
    ),
    "npz-sequences": Format(
        lambda folder: np.savez(folder / "data.npz", **ARRAYS),
        lambda folder: check(folder / "data.npz", sequences=True),
        ("bytes", "zip"),
    ),
    "hdf5-sequences": Format(
        make_hdf5, lambda folder: check(folder / "data.h5", sequences=True), share=0.2
    ),
}
