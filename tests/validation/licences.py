"""List the licence of every package that chainrule installs: `python -m tests.validation.licences`.

Writes docs/licences.md from the metadata of the installed packages. tests/test_licences.py compares
the page with them, and accepts only permissive licences in the core.
"""

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "licences.md"
PERMISSIVE = {
    *("MIT", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "ISC", "PSF-2.0"),
    *("Zlib", "CC0-1.0", "Unlicense"),
}
WEAK_COPYLEFT = {"MPL-2.0"}
"""Licences that require changes of their own files to be published, and nothing of their users."""
SPELLED = {
    "mit": "MIT",
    "mit license": "MIT",
    "apache software license": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
}
"""SPDX identifiers of the spellings in older metadata."""
TEXT = """# Licences

chainrule is published under the MIT licence. Everything that `pip install chainrule` installs has a
permissive licence, with one exception: a part of tqdm, which optuna uses, is under the MPL-2.0. It
applies to the files of tqdm alone; using them unchanged imposes nothing on a program. The wheels of
NumPy and SciPy contain the GNU Fortran run-time library (GPL with the runtime library exception).

The packages of the extra `bench` (PyTorch, Flax and others) are only used to compare chainrule with
them, and are not listed. The wheel of the native kernels contains oneDNN (Apache-2.0),
libgomp (GPL with the runtime library exception) and LLVM's C++ library (Apache-2.0 with the LLVM
exception).

The built-in data sets are those of scikit-learn (BSD-3-Clause). iris, wine, breast_cancer and
digits come from the UCI Machine Learning Repository (CC BY 4.0), diabetes from Efron, Hastie,
Johnstone and Tibshirani, "Least Angle Regression" (2004). moons and circles are generated points.

`python -m tests.validation.licences` writes this page from the metadata of the installed packages,
and `tests/test_licences.py` compares it with them.
"""
GROUPS = {
    "core": "Installed with chainrule",
    "data": "The extra `data`: Parquet and HDF5 files",
    "hub": "The extra `hub`: pretrained weights",
    "test": "The extra `test`: tests and checks",
}


def name_of(package: str) -> str:
    """Return the normalised name of a package."""
    return re.sub(r"[-_.]+", "-", package).lower()


def requirements() -> dict[str, list[str]]:
    """Return the direct requirements of each group in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return {
        "core": project["dependencies"],
        **{name: extras[name] for name in GROUPS if name in extras},
    }


def installed(required: list[str]) -> dict[str, Distribution]:
    """Return the installed packages that these requirements need, directly or not."""
    found: dict[str, Distribution] = {}
    todo = [(text, frozenset[str]()) for text in required]
    while todo:
        text, extras = todo.pop()
        one = Requirement(text)
        applies = one.marker is None or any(
            one.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        )
        if not applies or name_of(one.name) in {*found, "chainrule"}:
            continue
        try:
            found[name_of(one.name)] = distribution(one.name)
        except PackageNotFoundError:
            continue
        needed = found[name_of(one.name)].requires or []
        todo += [(text, frozenset(one.extras)) for text in needed]
    return found


def licence_of(package: Distribution) -> str:
    """Return the licence as an SPDX expression, from the newest field of the metadata that has it.

    A field that holds the whole text of a licence is passed over.
    """
    metadata = package.metadata
    classifiers = metadata.get_all("Classifier") or []
    named = [one.split("::")[-1].strip() for one in classifiers if one.startswith("License ::")]
    text = metadata.get("License") or ""
    candidates = [metadata.get("License-Expression") or "", *named, "" if "\n" in text else text]
    given = next((one for one in candidates if one), "unknown")
    return SPELLED.get(given.lower(), given)


def groups() -> dict[str, dict[str, str]]:
    """Return the licence of every package, by the group that first needs it."""
    found: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for group, required in requirements().items():
        packages = installed(required)
        found[group] = {
            name: licence_of(one) for name, one in sorted(packages.items()) if name not in seen
        }
        seen |= packages.keys()
    return found


def page() -> str:
    """Return the content of docs/licences.md."""
    parts = [TEXT]
    for group, packages in groups().items():
        rows = [f"| {name} | {licence} |" for name, licence in packages.items()]
        parts.append(
            "\n".join([f"## {GROUPS[group]}\n", "| package | licence |", "|---|---|", *rows])
        )
    return "\n".join(part.rstrip() + "\n" for part in parts)


if __name__ == "__main__":
    PAGE.write_text(page())
