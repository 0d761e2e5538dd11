"""Formats of tables for `tests/validation/mutations.py`."""

from pathlib import Path

from chainrule.data.load import load
from tests.validation.mutated.formats import Format

ROWS = "a,b,word,y\n" + "".join(
    f"{i},{i * 0.5:.2f},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}\n"
    for i in range(12)
)


def make_csv(folder: Path) -> None:
    """A table of two number columns, a text column and a label."""
    (folder / "table.csv").write_text(ROWS)


def read_csv(folder: Path) -> object:
    """Read the table as `chainrule train` does."""
    return load(str(folder / "table.csv"), target="y")


FORMATS: dict[str, Format] = {"csv": Format(make_csv, read_csv, ("bytes", "text"))}
