"""docs/licences.md: every installed package is listed with its licence; the core is permissive."""

import re

import pytest
from packaging.requirements import Requirement

from tests.validation.licences import (
    GROUPS,
    PAGE,
    PERMISSIVE,
    WEAK_COPYLEFT,
    groups,
    name_of,
    requirements,
)


def listed() -> dict[str, str]:
    rows = re.findall(r"^\| (?!package)([^|-][^|]*) \| ([^|]+) \|$", PAGE.read_text(), re.M)
    return dict(rows)


def parts_of(expression: str) -> set[str]:
    return set(re.split(r" AND | OR |[()]", expression)) - {""}


@pytest.mark.parametrize("group", GROUPS)
def test_every_installed_package_is_listed_with_its_licence(group):
    """A package that a new version of a dependency brings along must at least be permissive."""
    packages, page = groups()[group], listed()
    direct = {name_of(Requirement(text).name) for text in requirements()[group]}
    wrong = {
        name: licence
        for name, licence in packages.items()
        if page.get(name) != licence and (name in direct or not parts_of(licence) <= PERMISSIVE)
    }
    assert packages
    assert wrong == {}, "python -m tests.validation.licences writes the page again"


def test_the_core_is_permissive_except_for_the_file_that_the_page_names():
    core = groups()["core"]
    others = {name for name, licence in core.items() if not parts_of(licence) <= PERMISSIVE}
    assert others == {"tqdm"}
    assert parts_of(core["tqdm"]) <= PERMISSIVE | WEAK_COPYLEFT
    assert "tqdm" in PAGE.read_text().split("## ")[0]


@pytest.mark.parametrize("group", ["data", "hub"])
def test_the_extras_are_permissive(group):
    for name, licence in groups()[group].items():
        assert parts_of(licence) <= PERMISSIVE, name
