"""The structure of the code: which file may import which, and that no imports form a circle."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "chainrule"
FILES = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]

# A package or file may import itself and those on the lines above its own.
LEVELS = [
    {"__version__", "choices", "types", "formatting"},
    {"errors"},
    {"kernels"},
    {"host"},
    {"gradcheck", "blocks", "optim", "data"},
    {"layers"},
    {"models"},
    {"train"},
    {"runs"},
    {"search", "estimators", "numeric_encoder"},
    {"strategy"},
    {"inspection"},
    {"vision", "sequence"},
    {"cli"},
    {"__main__"},
]
LEVEL = {part: i for i, parts in enumerate(LEVELS) for part in parts}

# The only files or packages that may import each third-party package.
FROM_LAYERS_UP = {part for parts in LEVELS[LEVEL["layers"] :] for part in parts}
THIRD_PARTIES = {
    "equinox": FROM_LAYERS_UP,
    "matplotlib": {"inspection/plots.py"},
    "sklearn": {
        "estimators.py",
        "numeric_encoder.py",
        "vision/estimator.py",
        "vision/detection/detector.py",
        "vision/segmentation/segmenter.py",
        "vision/verification/verifier.py",
    },
    "msgspec": {"host/reading.py"},
    "filelock": {"host/files.py"},
    "platformdirs": {"host/compilation_cache.py"},
    "psutil": {"host/machine.py"},
    "jinja2": {"inspection/report/html.py"},
    "markupsafe": {"inspection/report/html.py"},
}
IN_BLOCKS = {"chainrule", "jax", "jaxtyping", *sys.stdlib_module_names}


def imports(file: Path) -> set[str]:
    """Return the modules that a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "chainrule":
            found |= {f"chainrule.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def part(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def packages(file: Path) -> set[str]:
    return {module.split(".")[0] for module in imports(file)}


def module(file: Path) -> str:
    return ".".join(["chainrule", *file.relative_to(ROOT).with_suffix("").parts])


def graph() -> dict[str, set[str]]:
    """Return, for each module of the package, the modules of the package that it imports."""
    known = {module(file) for file in FILES}
    return {module(file): imports(file) & known - {module(file)} for file in FILES}


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle of imports, or an empty list."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return path[path.index(node) :]
        if node in done:
            return []
        for other in sorted(edges[node]):
            if found := visit(other, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(edges) if (found := visit(node, []))), [])


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_imports_only_from_its_own_level_and_below(file):
    here = part(file)
    assert here in LEVEL, f"{name(file)}: add {here} to LEVELS."
    for imported in imports(file):
        package, _, inside = imported.partition(".")
        if package == "chainrule" and inside:
            there = inside.split(".")[0]
            assert there in LEVEL, f"{name(file)}: import {imported} from the file that defines it."
            allowed = there == here or LEVEL[there] < LEVEL[here]
            assert allowed, f"{name(file)} may not import {imported}."


def test_no_imports_form_a_circle():
    assert circle(graph()) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_third_party_is_imported_in_one_place(file):
    for package in packages(file) & set(THIRD_PARTIES):
        allowed = THIRD_PARTIES[package]
        assert part(file) in allowed or name(file) in allowed, (
            f"{name(file)} may not import {package}."
        )


@pytest.mark.parametrize("file", sorted(ROOT.glob("blocks/*.py")), ids=name)
def test_a_block_can_be_copied_into_a_notebook(file):
    assert packages(file) <= IN_BLOCKS


def test_the_root_imports_nothing_of_its_own():
    assert packages(ROOT / "__init__.py") <= set(sys.stdlib_module_names)


def measures() -> str:
    """Return the size of the source tree in words: a signal for readers, not a limit.

    Run `python -m tests.test_architecture` to print it.
    """
    files = [file for file in FILES if file.stat().st_size]
    importers = defaultdict(set)
    for source, targets in graph().items():
        for target in targets:
            importers[target].add(source)
    single = sorted(
        name(file)
        for file in files
        if part(file) != "cli"
        and len(importers[module(file)]) == 1
        and next(iter(importers[module(file)])).rpartition(".")[0]
        == module(file).rpartition(".")[0]
    )
    lengths = sorted(((len(f.read_text().splitlines()), name(f)) for f in files), reverse=True)
    lines = [f"{len(files)} files, {sum(n for n, _ in lengths):,} lines; the ten longest:"]
    lines += [f"  {n:4} {file}" for n, file in lengths[:10]]
    lines += [f"imported by exactly one file of their folder, commands aside: {len(single)}"]
    return "\n".join(lines + [f"  {file}" for file in single])


if __name__ == "__main__":
    sys.stdout.write(measures() + "\n")
