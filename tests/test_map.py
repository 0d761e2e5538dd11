"""docs/map.md has one line for every file, and the levels that the architecture test holds."""

import re
from collections import Counter
from pathlib import Path

from tests.test_architecture import LEVELS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "chainrule"
TREE, LIST = re.findall(r"^```\n(.*?)^```", (ROOT / "docs" / "map.md").read_text(), re.S | re.M)


def lines(tree: str) -> list[str]:
    """The path of each line: two spaces deeper for each folder."""
    folders, found = [], []
    for line in tree.splitlines()[1:]:
        [(indent, name)] = re.findall(r"^( +)(\S+) {2,}\S", line)
        folders = folders[: len(indent) // 2 - 1]
        if name.endswith("/"):
            folders.append(name)
        else:
            found.append("".join(folders) + name)
    return found


def files() -> set[str]:
    """Every file of the package that holds something."""
    return {f.relative_to(SOURCE).as_posix() for f in SOURCE.rglob("*.py") if f.stat().st_size}


def test_every_file_has_one_line_and_every_line_a_file():
    listed = Counter(lines(TREE))
    assert sorted(files() - set(listed)) == [], "docs/map.md: these need a line"
    assert sorted(set(listed) - files()) == [], "docs/map.md: these are gone"
    assert max(listed.values()) == 1, listed.most_common(1)


def test_a_line_belongs_to_the_folder_above_it():
    tree = [
        "root/",
        "  a.py  1",
        "  b/  2",
        "    c.py  3",
        "    d/  4",
        "      e.py  5",
        "  f.py  6",
    ]
    assert lines("\n".join(tree)) == ["a.py", "b/c.py", "b/d/e.py", "f.py"]


def test_the_levels_are_those_that_are_tested():
    drawn = [set(line.split(" · ")) for line in LIST.splitlines()]
    assert drawn == [level - {"__version__"} for level in LEVELS]
