"""docs/formulas.md has one row for every formula of the code, in the words of its file."""

import ast
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "chainrule"
CODE = re.compile(r"^`([\w/]+)\.py: ([\w, ]+)`$")

# Files in which every public function is a formula.
FORMULAS = ["blocks/*.py", "optim/*.py", "layers/initializers.py"]
FORMULAS += ["train/metrics.py", "runs/metrics.py"]
NOT_FORMULAS = {"blocks/block", "optim/optimizer"}


class Row(NamedTuple):
    """A row of the index."""

    notes: str
    formula: str
    derivative: str
    code: str

    @property
    def functions(self) -> list[str]:
        """Such as ["blocks/linear: linear_forward", "blocks/linear: linear_backward"]."""
        [(file, names)] = CODE.findall(self.code)
        return [f"{file}: {name}" for name in names.split(", ")]


def rows() -> list[Row]:
    """Return every row of the tables except their heads."""
    found = []
    for line in (ROOT / "docs" / "formulas.md").read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| In the notes"):
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            found.append(Row(*(cell.strip().replace("\\|", "|") for cell in cells)))
    return found


def public_functions(file: Path) -> list[str]:
    tree = ast.parse(file.read_text()).body
    return [n.name for n in tree if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]


def formula_files(patterns: list[str]) -> list[Path]:
    """Return the files that match; a pattern without a file is an error, since files may move."""
    found = {pattern: sorted(SOURCE.glob(pattern)) for pattern in patterns}
    empty = [pattern for pattern, files in found.items() if not files]
    assert not empty, f"no file of src/chainrule matches {empty}"
    return [file for files in found.values() for file in files]


def written() -> set[str]:
    """Return every formula of the code, as the index names it."""
    files = formula_files(FORMULAS)
    names = {file.relative_to(SOURCE).with_suffix("").as_posix(): file for file in files}
    return {
        f"{name}: {function}"
        for name, file in names.items()
        if name not in NOT_FORMULAS
        for function in public_functions(file)
    }


ROWS = rows()
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code.strip("`"))


@EACH_ROW
def test_every_row_points_at_code_that_exists(row):
    for function in row.functions:
        file, name = function.split(": ")
        assert hasattr(import_module(f"chainrule.{file.replace('/', '.')}"), name), function


def test_every_formula_has_exactly_one_row():
    listed = Counter(function for row in ROWS for function in row.functions)
    assert sorted(written() - set(listed)) == [], "docs/formulas.md: these need a row"
    assert max(listed.values()) == 1, listed.most_common(3)


def test_a_pattern_that_matches_no_file_fails():
    with pytest.raises(AssertionError, match=r"no file of src/chainrule matches \['nothing/"):
        formula_files(["blocks/*.py", "nothing/*.py"])


@EACH_ROW
def test_a_formula_is_written_as_in_its_file(row):
    file = row.functions[0].split(": ")[0]
    text = " ".join((SOURCE / f"{file}.py").read_text().split())
    for formula in f"{row.formula}; {row.derivative}".split("; "):
        found = re.search(rf"(?<!\w){re.escape(formula)}(?=[\s.,:;])", text)
        assert found or formula in ("–", "by JAX"), f"{file}.py does not contain {formula}"


@EACH_ROW
def test_a_row_with_a_backward_has_a_derivative(row):
    has_backward = any(function.endswith("_backward") for function in row.functions)
    assert has_backward == row.derivative.startswith("d")
