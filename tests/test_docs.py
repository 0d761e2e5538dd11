"""The pages of docs/: every example runs and gives what it says, every pointer to code holds."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
FENCE = re.compile(r"^```.*$", re.MULTILINE)
POINTER = re.compile(r"`([\w/]+\.py): ([\w, ]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def failures(page: Path) -> str:
    """What the examples of a page say otherwise: nothing, if all is well.

    The marks around an example are blanked out: a doctest would take them for its output.
    """
    text = FENCE.sub("", page.read_text())
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    said = []
    doctest.DocTestRunner().run(test, out=said.append)
    return "".join(said)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("page", [p for p in PAGES if ">>> " in p.read_text()], ids=named)
def test_the_examples_give_what_they_say(page):
    if said := failures(page):
        pytest.fail(said, pytrace=False)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_points_at_exists(page):
    text = page.read_text()
    for file, names in POINTER.findall(text):
        source = (ROOT / "src" / "chainrule" / file).read_text()
        for name in names.split(", "):
            assert re.search(rf"^(def|class) {name}\b|^{name}\b", source, re.MULTILINE), name
    for link in LINK.findall(text):
        assert (page.parent / link).exists(), link


def test_an_example_that_is_wrong_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Some words.\n\n```python\n>>> 1 + 1\n3\n```\n\nMore words.\n")
    assert "Expected:\n    3\nGot:\n    2" in failures(page)
