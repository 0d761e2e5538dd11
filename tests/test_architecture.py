"""The shape of the code itself: who may import whom, and how long a file may be."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "chainrule"
FILES = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]
MAX_LINES = 300

# A part of the library may import itself and the parts on the lines above its own.
LEVELS = [
    {"__version__", "errors", "types"},
    {"cache", "durable", "lock", "memory", "randomness", "kernels", "kinks"},
    {"slopes"},
    {"blocks", "gradcheck", "optim", "data"},
    {"layers"},
    {"models"},
    {"train"},
    {"network_estimator"},
    {"search"},
    {"strategy", "estimators", "detector", "segmenter", "verifier", "export"},
    {"inspection"},
    {"vision"},
    {"studio"},
    {"cli"},
]
LEVEL = {part: i for i, parts in enumerate(LEVELS) for part in parts}

# The one door of each third party: the only files or parts that may import it.
FROM_LAYERS_UP = {part for parts in LEVELS[LEVEL["layers"] :] for part in parts}
DOORS = {
    "equinox": FROM_LAYERS_UP,
    "matplotlib": {"inspection/plots.py"},
    "sklearn": {
        *{"estimators.py", "network_estimator.py", "data/datasets.py"},
        *{"detector.py", "segmenter.py", "verifier.py"},
    },
    "starlette": {"studio"},
    "uvicorn": {"studio"},
}
IN_BLOCKS = {"chainrule", "jax", "jaxtyping", *sys.stdlib_module_names}


def imports(file: Path) -> set[str]:
    """The modules that a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "chainrule":
            found |= {f"chainrule.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def part(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def packages(file: Path) -> set[str]:
    return {module.split(".")[0] for module in imports(file)}


@pytest.mark.parametrize("file", FILES, ids=name)
def test_imports_point_up_the_list(file):
    here = part(file)
    assert here in LEVEL, f"{name(file)}: give {here} its place in LEVELS."
    for module in imports(file):
        package, _, inside = module.partition(".")
        if package == "chainrule":
            there = inside.split(".")[0]
            assert there in LEVEL, f"{name(file)}: import {module} from the file that defines it."
            allowed = there == here or LEVEL[there] < LEVEL[here]
            assert allowed, f"{name(file)} may not import {module}."


@pytest.mark.parametrize("file", FILES, ids=name)
def test_third_parties_have_one_door(file):
    for package in packages(file) & set(DOORS):
        doors = DOORS[package]
        assert part(file) in doors or name(file) in doors, f"{name(file)} may not import {package}."


@pytest.mark.parametrize("file", sorted(ROOT.glob("blocks/*.py")), ids=name)
def test_a_block_can_be_copied_into_a_notebook(file):
    assert packages(file) <= IN_BLOCKS


def test_the_root_imports_nothing_of_its_own():
    assert packages(ROOT / "__init__.py") <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_fits_in_the_head(file):
    lines = len(file.read_text().splitlines())
    assert lines <= MAX_LINES, f"{name(file)} has {lines} lines: split it by topic."
