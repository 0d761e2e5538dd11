"""The pages of docs/: every example runs and prints what it shows, and every pointer is right."""

import doctest
import re
from functools import cache
from pathlib import Path

import pytest
import typer

from chainrule.cli.main import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]
FENCE = re.compile(r"^```.*$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
POINTER = re.compile(r"`([\w/]+\.py): ([\w, .]+)`")
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
COMMAND = re.compile(r"python -m ([\w.]+)|python ([\w/]+\.py)")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
TASKS = "detect|segment|verify|generate|translate"
USAGE = re.compile(rf"^(?:\$ )?(chainrule (?:(?:{TASKS}) )?[a-z]+)(.*)$", re.MULTILINE)
README_LINES = 100


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=name_of)


def failures(page: Path) -> str:
    """Return the failures of a page's examples, or nothing if all pass.

    The fences around an example are removed: doctest would take them for its output.
    """
    text = FENCE.sub("", page.read_text())
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    output = []
    doctest.DocTestRunner().run(test, out=output.append)
    return "".join(output)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes from the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("page", [p for p in PAGES if ">>> " in p.read_text()], ids=name_of)
def test_the_examples_print_what_they_show(page):
    if output := failures(page):
        pytest.fail(output, pytrace=False)


@EACH_PAGE
def test_pointers_to_code_are_right(page):
    for file, names in POINTER.findall(page.read_text()):
        source = (ROOT / "src" / "chainrule" / file).read_text()
        for name in names.split(", "):
            pattern = rf"^\s*(def|class) {name.split('.')[-1]}\b|^{name}\b"
            assert re.search(pattern, source, re.MULTILINE), f"{file}: {name}"


@EACH_PAGE
def test_links_are_right(page):
    for link, anchor in LINK.findall(BLOCK.sub("", page.read_text())):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


@EACH_PAGE
def test_the_programs_that_a_page_names_exist(page):
    for module, script in COMMAND.findall(page.read_text()):
        path = ROOT / (script or module.replace(".", "/"))
        package = ROOT / "src" / module / "__main__.py"
        found = path.exists() or path.with_suffix(".py").exists() or (module and package.exists())
        assert found, module or script


@cache
def options_of_commands() -> dict[str, set[str]]:
    """Return the options of each command, such as "chainrule detect train"."""
    found: dict[str, set[str]] = {}

    def collect(path: str, command) -> None:
        names = [n for p in command.params for n in (*p.opts, *p.secondary_opts)]
        found[path] = {name for name in names if name.startswith("--")} | {"--help"}
        for name, child in getattr(command, "commands", {}).items():
            collect(f"{path} {name}", child)

    collect("chainrule", typer.main.get_command(app))
    return found


@cache
def options_of_scripts() -> set[str]:
    """Return the options of the examples, the benchmarks and the validation campaigns."""
    files = [
        f
        for name in ("examples", "benchmarks", "tests/validation")
        for f in (ROOT / name).rglob("*.py")
    ]
    return {option for file in files for option in OPTION.findall(file.read_text())}


@EACH_PAGE
def test_the_options_in_commands_exist(page):
    text = "\n".join(BLOCK.findall(page.read_text())).replace("\\\n", " ")
    for command, rest in USAGE.findall(text):
        unknown = set(OPTION.findall(rest.split("  ")[0])) - options_of_commands()[command]
        assert not unknown, f"{command}: {unknown}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=name_of)
def test_the_options_in_the_text_exist(page):
    known = set().union(*options_of_commands().values()) | options_of_scripts()
    external = {"--build", "--test-dir", "--version"}  # of cmake and ctest
    assert set(OPTION.findall(page.read_text())) - known - external == set()


@EACH_PAGE
def test_fences_are_closed(page):
    assert len(FENCE.findall(page.read_text())) % 2 == 0


def test_the_index_lists_every_page_once():
    links = [link for link, _ in LINK.findall((DOCS / "index.md").read_text())]
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
    assert sorted(link for link in links if "/" not in link) == sorted(pages)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_a_wrong_example_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Some words.\n\n```python\n>>> 1 + 1\n3\n```\n\nMore words.\n")
    assert "Expected:\n    3\nGot:\n    2" in failures(page)


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A (short) title\n\n```\n# a comment\n```\n\n## 2026-11-20 · `What` next?\n")
    assert anchors(page) == {"a-short-title", "2026-11-20--what-next"}
