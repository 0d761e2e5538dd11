"""Give names that try to do harm to columns, classes, files, folders, people and options.

    python -m tests.validation.hostile_names 100 [--seed 0] [--only table,readers,…]

    table      columns, classes and cells: train, evaluate, explain, report, describe, synthesize
    images     folders of classes and files of images: train, predict, mistakes
    readers    the names of images and classes in annotations of every format
    people     the people of a gallery, and the names of pictures
    runs       the folder of a run
    options    the data, the run and the file that a command names

Whatever the name is, a command ends with 0 or 2; nothing outside of the folder is read or written;
no control character is printed; no cell of a CSV file is a formula; a report has no element or
script that a name brought. Exit code 1 if anything failed.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import random as randoms
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import typer
from PIL import Image

from chainrule.data.csv_cells import is_formula, original_cell
from chainrule.errors import ChainruleError, DataWarning
from chainrule.formatting import printable
from chainrule.vision.detection.dataset import find_annotations
from tests.cli.command import Said, chainrule
from tests.validation.mutated import annotations as formats
from tests.validation.opened_files import Opened, opened_files

OLD_RUNS = Path(__file__).parent / "old_runs"
OUTSIDE = "outside"
ECHO = sys.modules[typer.echo.__module__]
"""The module that leaves out escape sequences where the output is no terminal."""
CACHES = {".cache", ".config", ".pytest_cache"}
"""Folders in which fonts are listed and compiled programs kept."""

NAMES = (
    # paths
    *("..", ".", "/", "//", "./", "../outside/secret.png", "../../etc/passwd", "/etc/passwd"),
    *("//etc//passwd", "..\\..\\outside\\secret.png", "%2e%2e%2foutside%2fsecret.png"),
    *("C:\\Windows\\win.ini", "file:///etc/passwd", "~/.ssh/id_rsa", "a/../../outside/secret.png"),
    *("-rf", "--help", "-o", "/dev/zero", "/dev/stdin", "/proc/self/environ"),
    # lengths, blanks and zero bytes
    *("\0", "a\0b.png", "a" * 300, "é" * 200, "a" * 5000, " ", "", "  lead", "trail  ", "a\nb"),
    *("a\rb", "a\tb", "\x07", "\x08\x08\x08", "\x7f"),
    # escape sequences
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\x1b[1A\x1b[2K"),
    *("\x1b]8;;http://a.example\x07link\x1b]8;;\x07", "\udc9b31m", "\udcff.png", "\ud800"),
    # the order of reading
    *("\u202egnp.exe", "\u2066a\u2069", "\u200fa", "\u061ca", "a\u2028b", "a\x85b", "\ufeffa"),
    # formulas
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|'/C calc'!A0", '=HYPERLINK("http://a","b")'),
    *("\t=1", "\r=1", "\n=1", "＝1", "＋1", " =1", "'=1", '"=1', ";=1", "-3.5", "+1e5"),
    # markup and templates
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><b>', "' onclick='a"),
    *("&lt;b&gt;", "{{7*7}}", "{% raw %}", "</title>", "<!--", "]]>", "javascript:alert(1)"),
    *("[red]bold[/red]", "$\\frac$", "$x^{", "$$", "\\", "_a^b", "%", "%s%n", "{0}", "{name}"),
    # shells
    *("$(reboot)", "`id`", "; rm -rf x", "| cat", "&& a", "> out", "*", "?", "!x", "'", '"', "#"),
    # Windows
    *("CON", "NUL.txt", "aux", "COM1", "a:b", "trailing."),
    # words and letters
    *("nan", "None", "null", "true", "NA", "__proto__", "1e999", "𝔘𝔫𝔦", "👩‍🚀", "价格", "e\u0301"),
)


class Finding(NamedTuple):
    """What went wrong, where, and with which name."""

    where: str
    name: str
    what: str


def is_file_name(name: str) -> bool:
    """Return whether a file can have this name, in a folder of its own."""
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:
        return False
    return name not in ("", ".", "..") and not set(name) & set("/\0") and length <= 240


def is_cell(name: str) -> bool:
    """Return whether a text keeps its meaning in a table: readers strip blanks around cells."""
    with contextlib.suppress(UnicodeEncodeError):
        return bool(name.encode() and name.strip() and "\0" not in name)
    return False


# What must hold after every command


class Watch:
    """Runs commands in a folder, and notes what they must not do."""

    def __init__(self, base: Path):
        self.base, self.folder = base, base / "inside"
        self.findings: list[Finding] = []
        self.commands = 0
        self.folder.mkdir()
        self.outside = base / OUTSIDE
        formats.draw(self.outside, ("secret", "one", "two"))
        (self.outside / "secret.csv").write_text("a,y\n1,b\n")

    def command(self, name: str, *words: object, codes: tuple[int, ...] = (0, 2)) -> Said:
        """Run a command that has to do with a name."""
        said = Said(codes[0], "", "")
        strips = mock.patch.object(ECHO, "should_strip_ansi", return_value=False)
        with self.watching(f"chainrule {words[0]}", name), strips:
            said = chainrule(self.folder, *words)
        self.commands += 1
        if said.code not in codes:
            self.note(f"chainrule {words[0]}", name, f"exit code {said.code}: {said.err[-500:]}")
        for text in (said.out, said.err):
            if (shown := printable(text)) != text:
                at = next(i for i, letter in enumerate(text) if shown[i] != letter)
                self.note(f"chainrule {words[0]}", name, f"printed {text[at - 20 : at + 20]!r}")
        return said

    @contextlib.contextmanager
    def watching(self, where: str, name: str) -> Iterator[None]:
        """Note exceptions, and files that are opened outside of the folder."""
        with opened_files() as opened:
            try:
                yield
            except Exception as error:
                self.note(where, name, f"{type(error).__name__}: {error}")
        for path in dict.fromkeys(str(one.path) for one in opened if self.is_outside(one)):
            self.note(where, name, f"opened {path}")

    def is_outside(self, one: Opened) -> bool:
        """Return whether a path may not be opened, or not be written."""
        if one.path.is_relative_to(self.folder):
            return False
        listed = str(one.path) in NAMES and not one.path.is_dir()
        named = listed or one.path.is_relative_to(self.outside)
        return named or (one.writing and not CACHES & {*one.path.parts})

    def note(self, where: str, name: str, what: str) -> None:
        """Note something that must not happen."""
        self.findings.append(Finding(where, name, what))

    def check_csv(self, name: str, file: Path, column: str | None = None) -> list[str]:
        """Check that no cell is a formula; return the texts of a column."""
        if not file.is_file():
            return []
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        for cell in (cell for row in rows for cell in row):
            if is_formula(cell) and not cell.startswith("'"):
                self.note(file.name, name, f"the formula {cell[:40]!r}")
        if column is None or column not in rows[0]:
            return []
        return [original_cell(row[rows[0].index(column)]) for row in rows[1:]]

    def check_html(self, name: str, file: Path) -> None:
        """Check that a report has no element, attribute or control character of a name."""
        if not file.is_file():
            return
        page = Page()
        text = file.read_text("utf-8")
        page.feed(text)
        if page.scripts != 1 or page.odd:
            self.note(file.name, name, f"{page.scripts} scripts, {page.odd[:3]}")
        if printable(text) != text:
            self.note(file.name, name, "a control character")


class Page(HTMLParser):
    """Counts the scripts of a page, and lists attributes that would run something."""

    def __init__(self):
        super().__init__()
        self.scripts, self.odd = 0, []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Note an element."""
        self.scripts += tag == "script"
        values = [value or "" for key, value in attrs if key in ("src", "href")]
        self.odd += [key for key, _ in attrs if key.startswith("on")]
        self.odd += [
            value[:40] for value in values if not value.startswith(("data:image/", "data:,", "#"))
        ]


# The parts of the campaign

QUICK = ("--hidden", "2", "--epochs", "2")


def table(watch: Watch, names: list[str]) -> None:
    """Names of columns and classes, and cells, of one table, with every command on its run."""
    cells = list(dict.fromkeys(name.strip() for name in names if is_cell(name)))
    classes = [name for name in cells if name not in ("NA", "nan", "null", "None")][:5]
    if len(classes) < 2:
        return
    random = np.random.default_rng(0)
    m = 12 * len(classes)
    y = [classes[i % len(classes)] for i in range(m)]
    columns = {name: random.normal(size=m).round(3).tolist() for name in cells}
    columns |= {"words": [cells[i % min(4, len(cells))] for i in range(m)], "y": y}
    file = watch.folder / "a.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened, quoting=csv.QUOTE_ALL)
        writer.writerows([columns, *zip(*columns.values(), strict=True)])
    name = " ".join(names)
    shutil.rmtree(watch.folder / "run", ignore_errors=True)
    watch.command(name, "train", "a.csv", "--target", "y", *QUICK, "--out", "run", codes=(0,))
    watch.command(name, "evaluate", "run", "a.csv", codes=(0,))
    watch.command(name, "evaluate", "run", "a.csv", "--json", codes=(0,))
    watch.command(
        name, "predict", "run", "a.csv", "--explain", "-o", "p.csv", "--force", codes=(0,)
    )
    known = {*classes, *(str(float(one)) for one in classes if one in ("-3.5", "+1e5"))}
    if not set(watch.check_csv(name, watch.folder / "p.csv", "prediction")) <= known:
        watch.note("predictions", name, "a label that is no class")
    watch.command(name, "errors", "run", "-o", "m.csv", "--force", codes=(0,))
    watch.command(name, "errors", "run", "--label-errors", "-o", "l.csv", "--force")
    for written in ("m.csv", "l.csv"):
        watch.check_csv(name, watch.folder / written)
    for words in (("describe", "run"), ("describe", "run", "--trace"), ("check", "run"), ("runs",)):
        watch.command(name, *words)
    watch.command(name, "diagnose", "run")
    watch.command(name, "report", "run", "-o", "r.html", "--force", codes=(0,))
    for page in ("r.html", "run/report.html"):
        watch.check_html(name, watch.folder / page)
    plain = {key: values for key, values in columns.items() if key != "words"}
    with file.open("w", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows(
            [plain, *zip(*plain.values(), strict=True)]
        )
    noisy = ("synthesize", "a.csv", "--target", "y", "--noise", "white", "-o", "n.csv", "--force")
    watch.command(name, *noisy, codes=(0,))
    watch.check_csv(name, watch.folder / "n.csv")
    shutil.rmtree(watch.folder / "second", ignore_errors=True)
    words = ("train", "a.csv", "--target", "y", "--hidden", "2", "--epochs", "1", "--out", "second")
    watch.command(name, *words, codes=(0,))
    watch.command(name, "evaluate", "second", "n.csv", codes=(0,))  # the same columns and classes


def images(watch: Watch, names: list[str]) -> None:
    """Names of the folders of classes, and of files of images."""
    files = [name for name in names if is_file_name(name) and not name.startswith(".")][:4]
    if len(files) < 2:
        return
    root = watch.folder / "pictures"
    shutil.rmtree(root, ignore_errors=True)
    for i, name in enumerate(files):
        (root / name).mkdir(parents=True)
        for j in range(8):
            picture = Image.new("L", (6, 6), (60 * i + j) % 256)
            picture.save(root / name / f"{files[j % len(files)]}{j}.png")
    name = " ".join(files)
    shutil.rmtree(watch.folder / "run", ignore_errors=True)
    watch.command(name, "train", "pictures", *QUICK, "--out", "run", codes=(0,))
    watch.command(name, "predict", "run", "pictures", "-o", "p.csv", "--force", codes=(0,))
    watch.command(name, "evaluate", "run", "pictures", codes=(0,))
    watch.command(name, "errors", "run", "-o", "m.csv", "--force", codes=(0,))
    for written in ("p.csv", "m.csv"):
        watch.check_csv(name, watch.folder / written)
    watch.check_html(name, watch.folder / "run" / "report.html")


READERS = ("coco", "label studio", "voc", "yolo", "data.yaml", "obj.data", "cvat")


def readers(watch: Watch, names: list[str]) -> None:
    """The names of images and classes in annotations of every format."""
    for name in names:
        text = {"json": json.dumps(name)[1:-1], "xml": _in_xml(name)}
        for kind in READERS:
            for old in ("one.png", "cat"):
                folder = watch.folder / "annotations"
                shutil.rmtree(folder, ignore_errors=True)
                formats.FORMATS[kind].make(folder)
                _replace(folder, old, text, name)
                _read(watch, kind, folder, name)


def _in_xml(name: str) -> str:
    """Return a name with the characters of markup escaped, also for attributes."""
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        name = name.replace(letter, entity)
    return name


def _replace(folder: Path, old: str, texts: dict[str, str], name: str) -> None:
    """Write a name in place of another one, into all files that are text."""
    for file in [*folder.rglob("*")]:
        if file.is_file() and file.suffix != ".png":
            new = texts.get(file.suffix.removeprefix("."), name)
            content = file.read_text().replace(old, new)
            file.write_bytes(content.encode("utf-8", "surrogatepass"))


def _read(watch: Watch, kind: str, folder: Path, name: str) -> None:
    """Read annotations, and check the message."""
    with watch.watching(kind, name), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DataWarning)
        texts = []
        try:
            find_annotations(folder)
        except ChainruleError as error:
            texts.append(str(error))
    for text in (*texts, *(str(one.message) for one in said)):
        if printable(text) != text or len(text) > 20_000:
            watch.note(kind, name, f"the message {text[:200]!r}")


def people(watch: Watch, names: list[str]) -> None:
    """The people of a gallery, and the names of pictures."""
    shutil.copytree(OLD_RUNS / "verify", watch.folder / "verify", dirs_exist_ok=True)
    visitor = next((OLD_RUNS / "data" / "visitors").iterdir())
    for name in names:
        picture = watch.folder / "photos" / (f"{name}.png" if is_file_name(name) else "a.png")
        picture.parent.mkdir(exist_ok=True)
        shutil.copy(visitor, picture)
        gallery = watch.folder / "people.gallery"
        gallery.unlink(missing_ok=True)
        photo = str(picture.relative_to(watch.folder))
        watch.command(name, "verify", "enrol", "verify", gallery.name, "--", name, photo)
        for words in (("gallery",), ("identify", photo), ("check", "--", name, photo)):
            watch.command(name, "verify", words[0], gallery.name, *words[1:])
        watch.command(name, "verify", "identify", gallery.name, "photos", "--json")
        picture.unlink()


def runs(watch: Watch, names: list[str]) -> None:
    """The folder of a run."""
    for name in filter(is_file_name, names):
        folder = watch.folder / "runs" / name
        shutil.copytree(OLD_RUNS / "table", folder)
        for words in (("runs", "runs"), ("describe", "--", f"runs/{name}")):
            watch.command(name, *words)
        out = ("-o", "r.html", "--force", "--", f"runs/{name}")
        watch.command(name, "report", *out)
        watch.check_html(name, watch.folder / "r.html")
        shutil.rmtree(folder)


def options(watch: Watch, names: list[str]) -> None:
    """The data, the run and the file that a command names."""
    shutil.copytree(OLD_RUNS / "table", watch.folder / "old", dirs_exist_ok=True)
    shutil.copy(OLD_RUNS / "data" / "table.csv", watch.folder / "table.csv")
    for name in names:
        kept = {path: path.read_bytes() for path in watch.folder.glob("*.csv")}
        for path in kept:
            path.chmod(0o644)
        for words in (("describe", "--", name), ("train", "--target", "plan", "--", name)):
            if not is_file_name(name) or not os.path.lexists(watch.folder / name):
                watch.command(name, *words, codes=(2,))
        watch.command(name, "train", "table.csv", "--target", name, "--epochs", "1", codes=(2,))
        if not Path(name.replace("\0", "")).is_absolute():
            watch.command(name, "predict", "old", "table.csv", f"--output={name}")
        watch.command(name, "detect", "train", "--epochs", "1", "--", name, codes=(2,))
        for path in watch.folder.iterdir():
            if path.name not in ("old", "table.csv") and path not in kept and path.is_file():
                watch.check_csv(name, path)
                path.unlink()


PARTS: dict[str, Callable[[Watch, list[str]], None]] = {
    "readers": readers,
    "people": people,
    "runs": runs,
    "options": options,
    "table": table,
    "images": images,
}
TOGETHER = {"table": 10, "images": 4}
"""How many names are in one data set, if a part trains a network."""


def run(
    n: int, *, seed: int = 0, only: list[str] | None = None, base: Path
) -> tuple[int, list[Finding]]:
    """Try n names in every part; return the number of commands and what went wrong.

    More names than the list has are made of two of them each.
    """
    random = randoms.Random(seed)
    names = random.sample(NAMES, min(n, len(NAMES)))
    names += ["".join(random.sample(NAMES, 2)) for _ in range(n - len(names))]
    commands, findings = 0, []
    for part in only or list(PARTS):
        size = TOGETHER.get(part, len(names))
        for i in range(0, len(names), size):
            place = Path(tempfile.mkdtemp(dir=base))
            watch = Watch(place)
            PARTS[part](watch, names[i : i + size])
            commands, findings = commands + watch.commands, findings + watch.findings
            shutil.rmtree(place)
    return commands, findings


def main() -> None:
    """Run the campaign and print what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation.hostile_names")
    parser.add_argument("n", type=int, nargs="?", default=len(NAMES), help="number of names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="parts, separated by commas")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else None
    with tempfile.TemporaryDirectory() as base:
        commands, findings = run(given.n, seed=given.seed, only=only, base=Path(base))
    for finding in findings:
        print(printable(f"{finding.where}, {finding.name[:60]!r}: {finding.what}"))
    print(f"{given.n:,} names, {commands:,} commands, {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
