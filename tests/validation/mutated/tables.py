"""Formats of tables for `tests/validation/mutations.py`."""

import gzip
import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from chainrule.data.columns import ColumnOptions, Columns, settled
from chainrule.data.labels import Labels
from chainrule.data.load import load, read_series
from chainrule.data.split import duplicate_rows
from chainrule.errors import ChainruleError
from chainrule.strategy.error_tags import near_equal, read_tags
from tests.validation.mutated.formats import Format

ROWS = "a,b,word,y\n" + "".join(
    f"{i},{i * 0.5:.2f},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}\n"
    for i in range(12)
)
GERMAN = "Größe;Preis;Farbe;y\n" + "".join(
    f"{i},5;1.{i:03},{i % 10}0;{'rot' if i % 3 else 'blau'};{i % 4}\n" for i in range(12)
)
TAGS = "line,tags,true,predicted,sure,cost,part,sample\n" + "".join(
    f"{i + 2},{tag},no,yes,0.9,2.3,dev,worst\n"
    for i, tag in enumerate(["blurry", "dark; blurry", "", "blury", "far away"])
)


def frame() -> pd.DataFrame:
    """A table with a column of each common type."""
    rows = pd.read_csv(io.StringIO(ROWS))
    some = np.arange(len(rows))
    return rows.assign(
        flag=some % 3 == 0,
        kind=pd.Categorical(np.where(some % 2, "x", "y")),
        gaps=np.where(some % 4, some * 1.5, np.nan),
        time=pd.Timestamp("2024-01-31") + pd.to_timedelta(some, "D"),
    )


def read_all(path: Path) -> object:
    """Read a table, make network inputs and targets of it, and read a column as a series."""
    data = load(path, target="y")
    X = settled(data.X, ColumnOptions())
    assert data.y is not None
    labels = Labels.learn(data.y)
    labels.encode(data.y)
    columns = Columns.learn(X)
    columns.apply(X)
    duplicate_rows(data.X)
    load(path, labelled=False, texts=[str(name) for name in X if X[name].dtype.kind not in "biuf"])
    return read_series(path, str(X.columns[0]))


def read_with_time(path: Path) -> object:
    """Read a table with every role of a column."""
    return load(path, target="y", time="time", weight="a", group="word")


def make_tags(folder: Path) -> None:
    """A file of mistakes with tags."""
    (folder / "tags.csv").write_text(TAGS)


def read_tag_file(folder: Path) -> object:
    """Read the tags, and look for misspellings."""
    found = read_tags(folder / "tags.csv")
    return near_equal({tag: 1 for tags in found.tags for tag in tags})


def parquet(compression: str) -> Format:
    """The format Parquet with a kind of compression."""

    def read(folder: Path) -> object:
        path = folder / "table.parquet"
        with suppress(ChainruleError):
            read_with_time(path)
        return read_all(path)

    def make(folder: Path) -> None:
        file = folder / "table.parquet"
        frame().to_parquet(file, compression=compression, index=False)  # pyright: ignore

    return Format(make, read, ("bytes", "head"))


def text_table(name: str, text: str) -> Format:
    """A format of text, compressed if its name ends in .gz."""

    def make(folder: Path) -> None:
        content = text.encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    return Format(make, lambda folder: read_all(folder / name), ("bytes", "text"))


FORMATS: dict[str, Format] = {
    "csv": text_table("table.csv", ROWS),
    "csv-german": text_table("table.csv", GERMAN),
    "csv-gz": text_table("table.csv.gz", ROWS),
    "tsv": text_table("table.tsv", ROWS.replace(",", "\t")),
    "parquet": parquet("snappy"),
    "parquet-gzip": parquet("gzip"),
    "tags": Format(make_tags, read_tag_file, ("bytes", "text")),
}
