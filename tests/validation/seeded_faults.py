"""Measure how many seeded faults the tests catch.

    python -m tests.validation.seeded_faults draw
    python -m tests.validation.seeded_faults show [--only IDS]
    python -m tests.validation.seeded_faults run [--coverage FILE] [--only IDS] [--limit SECONDS]

`draw` takes functions of `src` at random and seeds one fault in each. The faults are kept in
`seeded_faults.json`, as the source lines before and after the change, so that the same faults can
be seeded again after the code has moved: a fault is looked up by the name of its function and by
its lines, without regard to whitespace. Where that fails, `run` reports "not found", and the entry
has to be edited by hand. An entry with the key "equivalent" and a reason does not change what the
code does; it is not run, and `draw` adds another one in its place.

`run` copies the project to a temporary folder, changes one function at a time, and runs the tests
that can see the change until one fails or the time ends. By default they are all test files, in the
order of their distance from the module: its own test files and doctests, the test files that import
it or have a name like it, then those that name the function or import a module that imports this
one, and so on; the smallest come first. A survivor therefore takes all of `--limit`. With
`--coverage` they are those of a coverage database with contexts:

    pytest --cov --cov-context=test

The tests that executed the function come first, beginning with those in the test file of its module
and then with those that execute the least code; then all tests of the same files. A failure counts
only if the test passes without the faults, which is tested at the end.
"""

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from statistics import fmean

from coverage import CoverageData

from tests.validation.fault_kinds import Dataset, Edit, Function, edits, functions, statements

ROOT = Path(__file__).parents[2]
PACKAGE = Path("src/chainrule")
FAULTS = Path(__file__).with_suffix(".json")
BASELINE = Path(__file__).with_name("seeded_faults_baseline.json")
NOT_COPIED = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", ".coverage*")
PROGRAMS = Path(".pytest_cache/programs")  # what the tests have compiled
PYTEST = ("-v", "-rfE", "--tb=no", "--no-header", "-p", "no:cacheprovider")
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+(?: .*?)??)(?: - .*)?$", re.MULTILINE)


@dataclass
class Fault:
    """A change of the lines of one function; `occurrence` tells equal lines apart."""

    id: str
    file: str
    function: str
    kind: str
    original: list[str]
    replaced: list[str]
    occurrence: int = 0
    equivalent: str = ""


class NotFound(LookupError):
    """The lines of a fault are not where its function is now."""


@dataclass
class Place:
    """The lines of a file that a fault replaces, and the function that contains them."""

    file: Path
    function: Function
    first: int
    last: int


# Faults in a file


def files(root: Path) -> list[Path]:
    """Return the paths of the source files, relative to the root of the project."""
    return sorted(file.relative_to(root) for file in (root / PACKAGE).rglob("*.py"))


def compact(lines: list[str]) -> str:
    """Return the text without whitespace, by which lines are compared."""
    return re.sub(r"\s+", "", "".join(lines))


def matches(lines: list[str], function: Function, original: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first and last line (counted from 0) of each copy of `original` in a function."""
    wanted, end = compact(original), function.end_lineno or 0
    for first in range(function.lineno - 1, end):
        if not lines[first].strip():
            continue
        for last in range(first, min(first + len(original) + 6, end)):
            if compact(lines[first : last + 1]) == wanted:
                yield first, last
                break


def places(fault: Fault, file: Path, root: Path, qualified: bool) -> list[Place]:
    """Return where the lines of a fault are in the functions of its name in a file."""
    text = (root / file).read_text()
    lines, name = text.splitlines(), fault.function.rpartition(".")[2]
    return [
        Place(file, function, first, last)
        for place, function in functions(Dataset(text))
        if (place == fault.function if qualified else function.name == name)
        for first, last in matches(lines, function, fault.original)
    ]


def find(fault: Fault, root: Path) -> Place:
    """Find a fault in its file, or else in the one file that has its lines in such a function.

    First functions of the same qualified name are searched, then methods of other classes as well,
    except those that many classes have, such as `__init__`.
    """
    here = Path(fault.file)
    found = places(fault, here, root, True) if (root / here).exists() else []
    for qualified in (True, False):
        if not found and (qualified or not fault.function.endswith("__")):
            found = [
                place for file in files(root) for place in places(fault, file, root, qualified)
            ]
    if len({place.file for place in found}) != 1:
        where = ", ".join(str(place.file) for place in found) or "no file"
        raise NotFound(f"{fault.id}: the lines of {fault.function} are in {where}")
    return found[min(fault.occurrence, len(found) - 1)]


def seeded(fault: Fault, place: Place, text: str) -> str:
    """Return the text of a file with the fault in it, indented as the lines that it replaces."""
    lines = text.splitlines(keepends=True)

    def indentation(line: str) -> int:
        return len(line) - len(line.lstrip())

    shift = indentation(lines[place.first]) - indentation(fault.original[0])
    new = [" " * shift + line if shift > 0 else line[-shift:] for line in fault.replaced]
    lines[place.first : place.last + 1] = [line + "\n" for line in new]
    return "".join(lines)


# Drawing


def as_fault(file: Path, name: str, function: Function, kind: str, source: Dataset, edit: Edit):
    """Return the edit as lines before and after, or None if the result is not another program."""
    content = source.content
    begin = content.rfind(b"\n", 0, edit.start) + 1
    end = content.find(b"\n", edit.end)
    original = content[begin:end].decode().splitlines()
    changed = content[begin : edit.start] + edit.text.encode() + content[edit.end : end]
    try:
        after = ast.parse(content[:begin] + changed + content[end:])
    except SyntaxError:
        return None
    if ast.dump(after) == ast.dump(source.tree):
        return None
    lines = content.decode().splitlines()
    row = content[:begin].count(b"\n")
    occurrence = [first for first, _ in matches(lines, function, original)].index(row)
    replaced = changed.decode().splitlines()
    return Fault("", file.as_posix(), name, kind, original, replaced, occurrence)


def draw_fault(file: Path, name: str, function: Function, source: Dataset, seed: int):
    """Draw one fault for a function: first its kind, then its place. None if no kind applies."""
    rng = random.Random(f"{seed} {file.as_posix()} {name}")
    by_kind = sorted(edits(source, function).items())
    for kind, candidates in rng.sample(by_kind, len(by_kind)):
        for edit in rng.sample(candidates, len(candidates)):
            if fault := as_fault(file, name, function, kind, source, edit):
                return fault
    return None


def draw(count: int, seed: int) -> None:
    """Draw functions at random until `count` faults are there that are not equivalent."""
    faults = read_faults()
    sources = {file: Dataset((ROOT / file).read_text()) for file in files(ROOT)}
    population = [
        (file, name, function)
        for file, source in sources.items()
        for name, function in functions(source)
        if statements(function) >= 3
    ]
    random.Random(seed).shuffle(population)
    taken = {(fault.file, fault.function) for fault in faults}
    for file, name, function in population:
        if sum(not fault.equivalent for fault in faults) >= count:
            break
        if (file.as_posix(), name) in taken:
            continue
        if fault := draw_fault(file, name, function, sources[file], seed):
            fault.id = f"{len(faults) + 1:02d}-{function.name}"
            faults.append(fault)
    entries = [{k: v for k, v in asdict(fault).items() if v not in ("", 0)} for fault in faults]
    FAULTS.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    write(f"{len(faults)} of {len(population)} functions: {Counter(f.kind for f in faults)}")


def read_faults(only: str = "") -> list[Fault]:
    """Read the faults of these ids (separated by commas; an id may be given by its number)."""
    if not FAULTS.exists():
        return []
    faults = [Fault(**entry) for entry in json.loads(FAULTS.read_text())]
    ids = only.split(",") if only else []
    return [f for f in faults if not ids or f.id in ids or f.id.partition("-")[0] in ids]


def show(only: str) -> None:
    """Print each fault as a difference, and where it is now."""
    for fault in read_faults(only):
        try:
            place = find(fault, ROOT)
            where = f"{place.file}:{place.first + 1}"
        except NotFound as error:
            where = f"not found: {error}"
        write(f"\n{fault.id}  {fault.kind}  {fault.function}  {where}")
        if fault.equivalent:
            write(f"  equivalent: {fault.equivalent}")
        write("\n".join([*(f"- {x}" for x in fault.original), *(f"+ {x}" for x in fault.replaced)]))


# The tests that can see a function


def mirrored(file: Path) -> Path:
    """Return the path of the test file of a source file."""
    inside = file.relative_to(PACKAGE)
    return Path("tests") / inside.parent / f"test_{inside.name}"


class Selection:
    """Which tests to run: those given, or those of a coverage database, or else the nearest."""

    def __init__(self, given: list[str], database: Path | None):
        self.given = given
        self.measured: dict[str, str] = {}
        self.breadth: dict[str, int] = defaultdict(int)  # how much code a test executes
        if database is None:
            return
        self.data = CoverageData(str(database))
        self.data.read()
        for path in self.data.measured_files():
            if PACKAGE.as_posix() in path:
                self.measured[path[path.index(PACKAGE.as_posix()) :]] = path
        counts = (
            "SELECT context, COUNT(*) FROM arc JOIN context ON context.id = context_id GROUP BY 1"
        )
        with closing(sqlite3.connect(database)) as connection:
            for context, count in connection.execute(counts):
                self.breadth[node(context)] = max(self.breadth[node(context)], count)

    def tests(self, file: Path, function: Function) -> set[str]:
        """Return the tests that executed a line of the body, without their parameters."""
        if file.as_posix() not in self.measured:
            return set()
        contexts = self.data.contexts_by_lineno(self.measured[file.as_posix()])
        lines = range(function.body[0].lineno, (function.end_lineno or 0) + 1)
        return {node(context) for line in lines for context in contexts.get(line, ()) if context}

    @cached_property
    def distances(self) -> "Distances":
        return Distances()

    def rounds(self, fault: Fault, place: Place) -> list[list[str]]:
        """Return what to run: the tests that touch the function, then the rest of their files.

        All test files by their distance if no test's context has the function. Such code runs in
        another process or at import.
        """
        if self.given:
            return [self.given]
        file = place.file
        touching = self.tests(file, place.function)
        if not touching:
            return self.distances.rounds(file, fault.function)
        by_file: dict[str, list[str]] = {}
        for test in sorted(touching, key=self.breadth.__getitem__):
            by_file.setdefault(test.partition("::")[0], []).append(test)
        own = mirrored(file).as_posix()
        by_file.setdefault(own, [own])
        ranked = [name for name in by_file if (ROOT / name).exists()]
        ranked.sort(key=lambda name: fmean(self.breadth[test] for test in by_file[name]))
        ranked.sort(key=lambda name: name != own)
        rest = [name for name in ranked if name.startswith("tests/")]
        return [[test for name in ranked for test in by_file[name]], rest]


def node(context: str) -> str:
    """Return the id of the test of a context, without its parameters."""
    return context.rpartition("|")[0].partition("[")[0]


class Distances:
    """How far each test file is from a source file, in imports."""

    def __init__(self):
        self.importers: dict[str, set[Path]] = defaultdict(set)  # of a module
        self.naming: dict[str, set[Path]] = defaultdict(set)  # the files with a name or text
        sources, tests = (ROOT / PACKAGE).rglob("*.py"), (ROOT / "tests").rglob("*.py")
        for path in [*sources, *tests]:
            self._read(path.relative_to(ROOT), ast.parse(path.read_text()))
        found = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
        self.size = {file: (ROOT / file).stat().st_size for file in found}

    def _read(self, file: Path, tree: ast.AST) -> None:
        inside = file.parent != PACKAGE  # the package itself names the homes of all public names
        for one in ast.walk(tree):
            match one:
                case ast.Import(names):
                    for alias in names:
                        self.importers[alias.name].add(file)
                case ast.ImportFrom(str(module), names):
                    self.importers[module].add(file)
                    for alias in names:
                        self.importers[f"{module}.{alias.name}"].add(file)
                        self.naming[alias.name].add(file)
                case ast.Constant(str(module)) if module.startswith("chainrule.") and inside:
                    self.importers[module].add(file)  # by `import_module`
                case ast.Name(name) | ast.Attribute(_, name) | ast.Constant(str(name)):
                    self.naming[name].add(file)

    def ranks(self, file: Path, function: str) -> dict[Path, float]:
        """Return the distance of each test file: 0 for those of the module, 1 if it imports it.

        It is at most 1 if its name is like a name in the path of the module ("verify" and
        "verification"), and at most 2 if it names the function, its class or the command.
        """
        own, inside = mirrored(file), file.relative_to(PACKAGE)
        distance, queue = {file: 0}, [file]
        for path in queue:
            for importer in self.importers[dotted(path)] - distance.keys():
                distance[importer] = distance[path] + 1
                queue.append(importer)
        naming = self.naming[function.partition(".")[0]]
        if inside.parts[0] == "cli":
            naming = naming | self.naming[file.stem]
        ranks: dict[Path, float] = {}
        for test in self.size:
            of_module = test == own or test.match(f"{own.parent}/{own.stem}_*.py")
            far = 0 if of_module else distance.get(test, float("inf"))
            if stems(test.stem) & stems(str(inside)):
                far = min(far, 1)
            ranks[test] = min(far, 2) if test in naming else far
        return ranks

    def rounds(self, file: Path, function: str) -> list[list[str]]:
        """Return all test files and the doctests of the module, the nearest and smallest first."""
        ranks, own = self.ranks(file, function), mirrored(file)

        def apart(test: Path) -> tuple[float, ...]:
            shared = len(Path(os.path.commonpath([test.parent, own.parent])).parts)
            return ranks[test], test != own, -shared, self.size[test]

        order = sorted(ranks, key=apart)
        nearest = [*(test.as_posix() for test in order if ranks[test] == 0), file.as_posix()]
        by_rank = [[test.as_posix() for test in order if ranks[test] == rank] for rank in (1, 2)]
        return [nearest, *by_rank, [test.as_posix() for test in order if ranks[test] > 2]]


def stems(path: str) -> set[str]:
    """Return the first five letters of each long word of a path.

    >>> sorted(stems("vision/verification/task.py"))
    ['verif', 'visio']
    """
    return {word[:5] for word in re.findall("[a-z]{5,}", path)}


def dotted(file: Path) -> str:
    """Return the name by which a file is imported."""
    names = file.with_suffix("").parts[file.parts[0] == "src" :]
    return ".".join(names).removesuffix(".__init__")


# Running


class Copy:
    """A copy of the project in which one fault at a time is seeded and tested."""

    def __init__(self, folder: Path):
        self.root = folder
        patterns = shutil.ignore_patterns(*NOT_COPIED)

        def ignored(path: str, names: list[str]) -> set[str]:
            return patterns(path, names) | ({"runs"} if Path(path) == ROOT else set())

        shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)
        if (ROOT / PROGRAMS).exists():
            shutil.copytree(ROOT / PROGRAMS, folder / PROGRAMS)
        if (ROOT / ".venv").exists():
            (folder / ".venv").symlink_to((ROOT / ".venv").resolve())

    def write(self, file: Path, text: str) -> None:
        """Write a source file, and forget what was compiled of it."""
        path = self.root / file
        path.write_text(text)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()

    def pytest(self, tests: list[str], seconds: float) -> tuple[int | None, str]:
        """Run tests until one fails. Return the exit code, None if time ran out, and the output."""
        chosen, output = self.root / "chosen_tests.txt", self.root / "output.txt"
        chosen.write_text("\n".join(tests))
        path = os.pathsep.join([str(self.root / "src"), str(self.root)])
        environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with output.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *PYTEST, f"@{chosen}"],
                cwd=self.root,
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(max(seconds, 1))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = None
        return code, output.read_text(errors="replace")


class Runner:
    """Runs the tests against one fault after the other."""

    def __init__(self, selection: Selection, limit: float):
        self.selection, self.limit = selection, limit
        self.sound: set[str] = set()  # tests that pass without a fault
        self.unsound: set[str] = set()  # tests that fail without one

    def verdict(self, fault: Fault, copy: Copy) -> dict[str, str]:
        """Seed a fault, run the tests, remove the fault; return what came of it."""
        try:
            place = find(fault, copy.root)
        except NotFound as error:
            return {"result": "not found", "why": str(error)}
        text = (copy.root / place.file).read_text()
        rounds = self.selection.rounds(fault, place)
        deadline = time.monotonic() + self.limit
        copy.write(place.file, seeded(fault, place, text))
        try:
            for tests in filter(None, rounds):
                if found := self.failure(tests, copy, deadline):
                    return found
        finally:
            copy.write(place.file, text)
        chosen = {test.partition("::")[0] for tests in rounds for test in tests}
        return {"result": "survived", "why": f"all tests of {len(chosen)} files passed"}

    def failure(self, tests: list[str], copy: Copy, deadline: float) -> dict[str, str] | None:
        """Return the first failure, or None if all tests pass."""
        skipped = [f"--deselect={test}" for test in sorted(self.unsound)]
        tests = [test for test in tests if test not in self.unsound]
        code, output = copy.pytest(["-x", *skipped, *tests], deadline - time.monotonic())
        if code is None:
            running = re.findall(r"^(\S+::.*?)(?: [A-Z]+ +\[ *\d+%\])?$", output, re.MULTILINE)
            where = running[-1].strip() if running else "the first test"
            return {"result": "survived", "why": f"the limit of time ended in {where}"}
        if code in (0, 5):
            return None
        if failed := FAILURE.findall(output):
            write("\n".join(f"  {line}" for line in output.splitlines()[-3:-1]))
            return {"result": "caught", "by": failed[0]}
        return {"result": "not run", "why": f"pytest ended with {code}: {output[-1000:]}"}

    def check(self, tests: set[str], copy: Copy) -> None:
        """Find out which of the tests pass without a fault."""
        new = sorted(tests - self.sound - self.unsound)
        code, output = copy.pytest(new, 20 * self.limit) if new else (0, "")
        if code not in (0, 1):
            raise RuntimeError(f"pytest ended with {code}:\n{output[-3000:]}")
        self.unsound |= set(FAILURE.findall(output))
        self.sound |= tests - self.unsound


def run(
    only: str, tests: list[str], coverage: Path | None, record: Path, jobs: int, limit: float
) -> None:
    """Run the faults, and write the result of each as soon as it is known."""
    faults = [fault for fault in read_faults(only) if not fault.equivalent]
    runner = Runner(Selection(tests, coverage), limit)
    results = json.loads(record.read_text()) if record.exists() else {}
    copies: SimpleQueue[Copy] = SimpleQueue()

    def one(fault: Fault) -> None:
        copy, before = copies.get(), time.monotonic()
        try:
            results[fault.id] = runner.verdict(fault, copy)
        finally:
            copies.put(copy)
        seconds = time.monotonic() - before
        write(f"{fault.id} ({fault.kind}, {seconds:.0f} s): {results[fault.id]}")
        known = [f.id for f in read_faults() if not f.equivalent and f.id in results]
        kept = {name: results[name] for name in known}
        record.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for job in range(jobs):
            copies.put(Copy(Path(folder) / str(job)))
        pending = faults
        while pending:
            list(pool.map(one, pending))
            copy = copies.get()
            runner.check({results[f.id]["by"] for f in pending if "by" in results[f.id]}, copy)
            copies.put(copy)
            pending = [f for f in pending if results[f.id].get("by") in runner.unsound]
    counts = Counter(results[fault.id]["result"] for fault in faults)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    write(f"{dict(counts)} of {len(faults)}; {seconds:.0f} s of processor time")


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.validation.seeded_faults",
        description=(__doc__ or "").partition("\n")[0],
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw", help="draw faults until there are enough")
    drawing.add_argument("--count", type=int, default=60)
    drawing.add_argument("--seed", type=int, default=0)
    showing = commands.add_parser("show", help="print the faults and where they are now")
    running = commands.add_parser("run", help="test each fault")
    for command in (showing, running):
        command.add_argument("--only", default="", help="ids or numbers, separated by commas")
    running.add_argument("tests", nargs="*", help="run these instead of what can see the fault")
    running.add_argument("--coverage", type=Path, help="database with contexts")
    running.add_argument("--record", type=Path, default=BASELINE, help="file of the results")
    running.add_argument("--jobs", type=int, default=1)
    running.add_argument("--limit", type=float, default=300, help="seconds for each fault")
    options = vars(parser.parse_args())
    {"draw": draw, "show": show, "run": run}[options.pop("command")](**options)


if __name__ == "__main__":
    main()
