"""Small data sets of every kind, and ways to change their held-out rows.

A case writes its files into a folder and returns the recipe. `change` alters rows of the dev or the
test set in those files, and returns a description of the change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from chainrule.runs.recipe import Recipe

M = 60
HOW = {"hidden": (4,), "epochs": 4, "batch_size": 16, "early_stopping": False, "l2": 0.1}

NUMBERS = ["1e30", "-1e30", "1e-40", "", "nan", "7", "0.1", "-0", "inf", "1e300", "12,5", "lost"]
NUMBERS += ["123456789012345678", "99999999999999999999999", "True", "2024-01-31", "0x10", " 3 "]
TEXTS = ["purple", "", "NA", "5", "3,5", "2.5", "True", "2024-01-31", "ä" * 50, "None", '"q"']
TRUTHS = ["maybe", "", "TRUE", "true", "1", "0.5"]
CELLS = {"size": NUMBERS, "count": NUMBERS, "colour": TEXTS, "ripe": TRUTHS, "gaps": NUMBERS}


class Case(NamedTuple):
    """A data set: its name, a function that writes it, and one that changes held-out rows.

    change  (folder, rows of the set as the reader names them, the set, rng) → what was changed
    """

    name: str
    write: Callable[[Path], Recipe]
    change: Callable[[Path, np.ndarray, str, np.random.Generator], str]


def fruit(seed: int, m: int = M) -> pd.DataFrame:
    """Return a table of numbers, integers, text, booleans and empty cells, all as text."""
    rng = np.random.default_rng(seed)
    size, count = rng.normal(5, 2, m).round(3), rng.integers(0, 40, m)
    colour = rng.choice(["red", "green", "blue"], m)
    gaps = pd.Series(rng.normal(100, 10, m).round(2)).astype(str)
    gaps[rng.random(m) < 0.2] = ""
    score = size + count / 10 + (colour == "red")
    table = {"size": size, "count": count, "colour": colour, "ripe": rng.random(m) < 0.5}
    kinds = np.array(["bad", "fair", "good"])[np.digitize(score, np.quantile(score, [0.3, 0.7]))]
    more = {"gaps": gaps, "share": rng.uniform(0.5, 2, m).round(2), "kind": kinds}
    return pd.DataFrame({**table, **more, "price": score.round(3)}).astype(str)


def some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one, a few or all of the rows."""
    count = rng.choice([1, 3, len(rows)])
    return rng.choice(rows, min(count, len(rows)), replace=False)


@dataclass(frozen=True)
class OneTable:
    """One CSV file that chainrule splits: cells of held-out rows change, and a numeric target."""

    separator: str
    target: str

    @property
    def free(self) -> list[str]:
        """Return the columns that do not affect the split."""
        return [*CELLS, "price", "share"] if self.target == "price" else [*CELLS, "share"]

    def write(self, folder: Path) -> Recipe:
        """Write the table."""
        other = {"price": "kind", "kind": "price"}[self.target]
        table = fruit(0).drop(columns=other)
        table.to_csv(folder / "fruit.csv", index=False, sep=self.separator)
        return Recipe(str(folder / "fruit.csv"), target=self.target, weight="share", **HOW)

    def change(self, folder: Path, rows: np.ndarray, part: str, rng: np.random.Generator) -> str:
        """Change one column of some rows."""
        file = folder / "fruit.csv"
        table = pd.read_csv(file, sep=self.separator, dtype=str, keep_default_na=False)
        column = str(rng.choice(self.free))
        return spoil(table, some(rows - 2, rng), column, file, rng, self.separator)


def spoil(table, rows, column: str, file: Path, rng: np.random.Generator, separator=",") -> str:
    """Write one text into all of these cells, and save the file."""
    words = {"price": ["1e9", "-3.25", "0.125", "1e39"], "share": ["0", "7", "0.3", "1e-9"]}
    words |= {"kind": ["bad", "good", "rotten", ""]}
    word = str(rng.choice(CELLS.get(column) or words[column]))
    table.loc[rows, column] = word
    table.to_csv(file, index=False, sep=separator)
    return f"{column} = {word!r} in {len(rows)} rows"


@dataclass(frozen=True)
class OwnTables:
    """A CSV file for each set: labels, weights and whole files change too.

    With `extra`, there is additional training data, and a train-dev set.
    """

    extra: bool

    def write(self, folder: Path) -> Recipe:
        """Write three tables, or four with the additional training data."""
        more = {}
        if self.extra:
            fruit(7).to_csv(folder / "extra.csv", index=False)
            more["extra"] = str(folder / "extra.csv")
        for seed, part in enumerate(("train", "dev", "test")):
            fruit(seed, M if part == "train" else M // 3).to_csv(
                folder / f"{part}.csv", index=False
            )
        files = {part: str(folder / f"{part}.csv") for part in ("dev", "test")}
        return Recipe(
            str(folder / "train.csv"), target="kind", weight="share", **files, **more, **HOW
        )

    def change(self, folder: Path, rows: np.ndarray, part: str, rng: np.random.Generator) -> str:
        """Change a column, or replace the file: other rows, more, fewer, or reversed columns."""
        file = folder / f"{part}.csv"
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if rng.random() < 0.7:
            column = str(rng.choice([*CELLS, "kind", "price", "share"]))
            return spoil(table, some(rows - 2, rng), column, file, rng)
        whole = {
            "another file": fruit(int(rng.integers(9, 99)), len(table)),
            "twice the rows": fruit(int(rng.integers(9, 99)), 2 * len(table)),
            "three rows": table.head(3),
            "columns reversed": table[table.columns[::-1]],
            "an additional column": table.assign(more="x"),
        }
        what = str(rng.choice(list(whole)))
        whole[what].to_csv(file, index=False)
        return what


class OneArray:
    """One NPZ file that chainrule splits: numbers of held-out rows change, and the type."""

    @staticmethod
    def write(folder: Path) -> Recipe:
        """Write X and y."""
        rng = np.random.default_rng(1)
        X = rng.normal([0, 10, -5], [1, 5, 0.1], (M, 3)).astype(np.float32)
        np.savez(folder / "one.npz", X=X, y=np.digitize(X[:, 0], [-0.5, 0.5]))
        return Recipe(str(folder / "one.npz"), **HOW)

    @staticmethod
    def change(folder: Path, rows: np.ndarray, part: str, rng: np.random.Generator) -> str:
        """Change values of some rows, and the type of the array to one that holds all numbers."""
        arrays = dict(np.load(folder / "one.npz"))
        value = rng.choice([1e30, -1e30, 0, np.nan, np.inf, 1e-40])
        arrays["X"][some(rows, rng), rng.integers(3)] = value
        kind = np.dtype(rng.choice(["float32", "float64"]))
        np.savez(folder / "one.npz", X=arrays["X"].astype(kind), y=arrays["y"])
        return f"{value:g} in {kind}"


class OwnArrays:
    """An NPZ file with arrays for each set: labels and types change too."""

    @staticmethod
    def write(folder: Path) -> Recipe:
        """Write X_train … y_test, with pixels as X."""
        rng, arrays = np.random.default_rng(2), {}
        for part, m in (("train", M), ("dev", M // 3), ("test", M // 3)):
            arrays[f"X_{part}"] = rng.integers(0, 256, (m, 6), dtype=np.uint8)
            arrays[f"y_{part}"] = (arrays[f"X_{part}"][:, 0] > 128).astype(int)
        np.savez(folder / "own.npz", **arrays)
        return Recipe(str(folder / "own.npz"), **HOW)

    @staticmethod
    def change(folder: Path, rows: np.ndarray, part: str, rng: np.random.Generator) -> str:
        """Change numbers, labels or types of the set."""
        arrays = dict(np.load(folder / "own.npz"))
        X, y = arrays[f"X_{part}"], arrays[f"y_{part}"]
        chosen, what = some(rows, rng), str(rng.choice(["numbers", "labels", "text", "rows"]))
        kind = str(rng.choice(["uint8", "float32", "float64", "int64"]))
        if what == "numbers":
            X = X.astype(kind)
            X[chosen] = rng.integers(0, 256) if kind == "uint8" else rng.choice([-1e6, 0.5, 1e6])
        elif what == "labels":
            y = y.astype(rng.choice(["int64", "float64"]))
            y[chosen] = rng.choice([0, 1, 2])
        elif what == "text":
            y = y.astype(str)
        else:
            X, y = X[:5].astype(kind), y[:5]
        np.savez(folder / "own.npz", **{**arrays, f"X_{part}": X, f"y_{part}": y})
        return f"{what} ({kind})"


@dataclass(frozen=True)
class Images:
    """A folder of images; if it has a folder for each set, sizes and colours change too."""

    split: bool

    def write(self, folder: Path) -> Recipe:
        """Write grey images of 6 by 6 pixels in two classes."""
        rng = np.random.default_rng(3)
        parts = ("train", "dev", "test") if self.split else (".",)
        for part in parts:
            for i in range(16 if part != "." else 48):
                pixels = rng.integers(0, 128, (6, 6), dtype=np.uint8)
                pixels[:, 3 * (i % 2) :][:, :3] += 100
                file = folder / "pictures" / part / ("left", "right")[i % 2] / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
        return Recipe(str(folder / "pictures"), **HOW)

    def change(self, folder: Path, rows: np.ndarray, part: str, rng: np.random.Generator) -> str:
        """Change the pixels of some images, their size, their colours, or their class."""
        ways = ["white", "noise", "cut"] + self.split * [
            "larger",
            "colours",
            "other class",
            "16 bits",
        ]
        what = str(rng.choice(ways))
        made = {
            "white": np.full((6, 6), 255, np.uint8),
            "larger": rng.integers(0, 256, (12, 9), dtype=np.uint8),
            "colours": rng.integers(0, 256, (6, 6, 3), dtype=np.uint8),
            "16 bits": rng.integers(0, 2**16, (6, 6)).astype(np.uint16),
        }.get(what, rng.integers(0, 256, (6, 6), dtype=np.uint8))
        root = folder / "pictures" / (part if self.split else ".")
        for name in some(rows, rng):
            file = root / str(name)
            Image.fromarray(made).save(file)
            if what == "cut":
                file.write_bytes(file.read_bytes()[:40])
            if what == "other class":
                other = {"left": "right", "right": "left"}[file.parent.name]
                file.rename(file.parent.parent / other / f"moved-{file.name}")
        return what


CASES = (
    *(Case(f"one CSV, classes, {s}", (w := OneTable(s, "kind")).write, w.change) for s in ",;"),
    Case("one CSV, numbers", (w := OneTable(",", "price")).write, w.change),
    Case("a CSV file for each set", (t := OwnTables(False)).write, t.change),
    Case(
        "a CSV file for each set, and additional training data",
        (t := OwnTables(True)).write,
        t.change,
    ),
    Case("one .npz", OneArray.write, OneArray.change),
    Case("one .npz with an array for each set", OwnArrays.write, OwnArrays.change),
    Case("one folder of images", (p := Images(False)).write, p.change),
    Case("a folder of images for each set", (p := Images(True)).write, p.change),
)
