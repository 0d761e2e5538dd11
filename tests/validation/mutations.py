"""Read mutated files of every format: each is data, a warning or one error, and nothing else.

    python -m tests.validation.mutations 200000 [--first 0] [--seed 0] [--only csv,…] [--jobs 2]

    bytes         flipped bits, changed, inserted, deleted and copied pieces, cuts, zeros
    head          odd words in the first 128 bytes, where shapes and types are declared
    text          odd characters, numbers of every size, lines doubled, deleted, joined and moved
    json          entries of another type, doubled keys, numbers out of range, deep nesting
    xml           markup inserted, removed and repeated, entities, odd encodings
    zip           members doubled, renamed, removed, changed or marked as encrypted
    safetensors   the JSON header, as json

A format whose name ends in -sealed computes its checksums again before it is read.

A traceback, more than 10 seconds of processor time or a minute by the clock, more than 1.5 GB
beyond the start, and a text that contradicts itself (a key twice) and is read without a word are
failures. A failing file is made smaller while it fails in the same place, and kept in
tests/validation/corpus, whose files the test suite reads again. Exit code 1 if anything failed.
`--case N` reads one case again and prints the traceback.
"""

import argparse
import hashlib
import importlib
import io
import json
import multiprocessing
import random as randoms
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.errors import ChainruleError, DataWarning
from tests.validation.mutated.formats import Format

Random = randoms.Random
DOMAINS = ("tables", "arrays", "sequences", "pictures", "annotations", "runs", "searches")
CORPUS = Path(__file__).parent / "corpus"
SECONDS = 10
BY_THE_CLOCK = 60
MEMORY = 1.5e9
LONGEST = 2**18
"""The bytes of a file beyond which it is not changed once more."""


def formats() -> dict[str, Format]:
    """Return every format by its name."""
    found: dict[str, Format] = {}
    for domain in DOMAINS:
        found |= importlib.import_module(f"tests.validation.mutated.{domain}").FORMATS
    return found


# Mutations of bytes

NUMBERS = (
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    2**15,
    2**16,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)


def change_bytes(content: bytes, random: Random) -> bytes:
    """Change the bytes in one of the usual ways."""
    data = bytearray(content)
    at, other = random.randrange(len(data) + 1), random.randrange(len(data) + 1)
    length = random.choice((1, 2, 4, 8, 16, 64, 512))
    random.choice((_overwrite, _overwrite, _insert, _delete))(data, at, other, length, random)
    return bytes(data)


def _overwrite(data: bytearray, at: int, other: int, length: int, random: Random) -> None:
    """Flip a bit, write a random byte, zeros or a number, or copy another piece."""
    size = random.choice((1, 2, 4, 8))
    number = random.choice(NUMBERS) % 256**size
    bit = data[at : at + 1] and bytes([data[at] ^ 1 << random.randrange(8)])
    pieces = (
        bit,
        random.randbytes(1),
        bytes(length),
        number.to_bytes(size, random.choice(("little", "big"))),
        data[other : other + length],
    )
    piece = random.choice(pieces)
    data[at : at + len(piece)] = piece


def _insert(data: bytearray, at: int, other: int, length: int, random: Random) -> None:
    """Insert random bytes, or a copy of another piece."""
    copied = data[other : other + length] * random.choice((1, 2, 50))
    data[at:at] = random.choice((random.randbytes(length), copied))


def _delete(data: bytearray, at: int, other: int, length: int, random: Random) -> None:
    """Delete a few bytes, the rest, or the bytes between two places."""
    low, high = sorted((at, other))
    low, high = random.choice(((at, at + length), (at, len(data)), (low, high)))
    del data[low:high]


# Mutations of text

ODD = (
    *("", " ", "\t", "\r", "\n", "\0", "\x1b[31m", "\ufeff", "\u202e", "é", "𝔘", "\ud800", '"'),
    *("'", ",", ";", "|", "\\", "/", "..", "../..", "/etc/passwd", "%s", "=1+1", "#", "<", "&amp;"),
    *("nan", "inf", "-inf", "-0", "1e400", "1e-400", "0x10", "1_000", "١", "½", "true", "null"),
    *("NA", "-", "+", ".", "e", "9" * 400, "9" * 5000, "0" * 30, "-1", "1.5", "2e9", "a" * 5000),
)


def change_text(content: bytes, random: Random) -> bytes:
    """Change a text: its characters, its words, its lines or its encoding."""
    text = content.decode("utf-8", "surrogateescape")
    lines = text.splitlines(keepends=True) or [""]
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(9)
    if way == 0:
        lines.insert(at, lines[other])
    elif way == 1:
        del lines[at]
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 3:
        lines[at] = lines[at].rstrip("\r\n")
    elif way == 4:
        lines[at] = lines[at] * random.choice((2, 300))
    elif way <= 7:
        lines[at] = _with_odd_word(lines[at], random)
    else:
        encoding = random.choice(("utf-16", "utf-32", "latin-1", "cp037", "utf-8-sig"))
        return "".join(lines).encode(encoding, "replace")
    return "".join(lines).encode("utf-8", "surrogatepass")


def _with_odd_word(line: str, random: Random) -> str:
    """Put an odd word into a line, or in place of one of its words."""
    word, at = random.choice(ODD), random.randrange(len(line) + 1)
    if random.random() < 0.5:
        return line[:at] + word + line[at:]
    ends = [i for i, letter in enumerate(line) if not letter.isalnum()] or [0]
    start = random.choice(ends)
    end = next((i for i in ends if i > start), len(line))
    return line[: start + 1] + word + line[end:]


# Mutations of JSON, also of JSON lines


class Twice(str):
    """A key that is written a second time, with another value."""


def change_json(content: bytes, random: Random) -> bytes:
    """Change one entry of a JSON text; a text that is not JSON is changed as text."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return _change_json_line(content, random)
    places = list(_places(data))
    if not places:
        return change_text(content, random)
    try:
        return _with_change(data, places, random).encode("utf-8", "surrogatepass")
    except RecursionError:  # after several changes
        return change_text(content, random)


def _with_change(data: Any, places: list[tuple[Any, Any]], random: Random) -> str:
    """Return the JSON text of data after one change at one of the places."""
    holder, key = random.choice(places)
    way = random.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1:
        holder[key] = _odd_value(random)
    elif way == 2 and isinstance(holder[key], int | float):
        factors = (-1, 0, 0.5, 1e9, 1e300, 1e308 * 10, 10**400)
        factor = random.choice(factors)
        holder[key] = _scaled(holder[key], factor)
    elif way == 3 and isinstance(holder, dict):
        holder[Twice(key)] = _odd_value(random)
    elif way == 4 and isinstance(holder, dict):
        holder[random.choice(ODD)] = holder.pop(key)
    else:
        other, name = random.choice(places)
        holder[key] = json.loads(json.dumps(other.get(name) if isinstance(other, dict) else None))
    return written(data)


def _scaled(number: float, factor: float) -> float:
    """Return the product, or the factor where there is none."""
    try:
        product = number * factor if isinstance(factor, float) else int(number) * factor
    except (OverflowError, ValueError):
        return factor
    return product if number else factor


def _change_json_line(content: bytes, random: Random) -> bytes:
    """Change one line of a file of JSON lines, or the text."""
    lines = content.splitlines(keepends=True)
    at = random.randrange(len(lines)) if lines else 0
    try:
        json.loads(lines[at])
    except (IndexError, ValueError, RecursionError):
        return change_text(content, random)
    lines[at] = change_json(lines[at], random) + b"\n"
    return b"".join(lines)


def written(data: Any) -> str:
    """Return the JSON text of data; a key of the type `Twice` follows the key itself."""
    if isinstance(data, dict):
        entries = (f"{json.dumps(str(key))}: {written(value)}" for key, value in data.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(written, data)) + "]"
    if isinstance(data, int) and not isinstance(data, bool) and abs(data) >= 10**300:
        return ("-" if data < 0 else "") + "9" * 400
    return json.dumps(data)


def _odd_value(random: Random) -> Any:
    """Return a value of any type."""
    nested: Any = 0
    for _ in range(random.choice((1, 3, 500))):
        nested = [nested] if random.random() < 0.5 else {"a": nested}
    words = (None, True, False, 0, -1, 1.5, 10**400, float("nan"), float("inf"), [], {}, nested)
    return random.choice((*words, random.choice(ODD), random.choice(ODD), [random.choice(ODD)]))


def _places(data: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield the object or list and the key of every entry."""
    if depth > 50:
        return
    if not isinstance(data, dict | list):
        return
    for key in list(data) if isinstance(data, dict) else range(len(data)):
        yield data, key
        yield from _places(data[key], depth + 1)


# Mutations of XML

XML_ODD = (
    b"<!DOCTYPE a [<!ENTITY b 'cc'>]>",
    b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>&x;",
    b"<![CDATA[x]]>",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<?xml version='1.0' encoding='klingon'?>",
    b"<a>" * 3000,
    b"&b;",
    b"</a>",
    b"<!-- -- -->",
)


def change_xml(content: bytes, random: Random) -> bytes:
    """Insert or remove a piece of markup, or change the text between two pieces."""
    ends = [i for i, byte in enumerate(content) if byte in b"<>"]
    if not ends or random.random() < 0.3:
        return change_text(content, random)
    at, other = random.choice(ends), random.choice(ends)
    low, high = sorted((at, other))
    way = random.randrange(4)
    if way == 0:
        return content[:at] + random.choice(XML_ODD) + content[at:]
    if way == 1:
        return content[:low] + content[high:]
    if way == 2:
        return content[:at] + content[low:high] + content[at:]
    end = min((i for i in ends if i > at), default=len(content))
    word = random.choice(ODD).encode("utf-8", "surrogatepass")
    return content[: at + 1] + word + content[end:]


# Mutations of archives


def change_zip(content: bytes, random: Random) -> bytes:
    """Change the members of an archive; one that cannot be opened is changed as bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(one.filename, archive.read(one)) for one in archive.infolist()]
    except Exception:
        return change_bytes(content, random)
    if not members:
        return change_bytes(content, random)
    at = random.randrange(len(members))
    name, data = members[at]
    way = random.randrange(5)
    if way == 0:
        members.append((name, random.choice(members)[1]))
    elif way == 1:
        members[at] = (random.choice(ODD) or "x", data)
    elif way == 2:
        del members[at]
    else:
        members[at] = (name, change_bytes(data, random) if way == 3 else change_head(data, random))
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w") as archive:
        warnings.simplefilter("ignore")
        for one, inside in members:
            with_surrogates = one.encode("utf-8", "replace").decode().replace("\0", "_")
            archive.writestr(with_surrogates, inside)
    found = packed.getvalue()
    return _with_flag(found) if random.random() < 0.1 else found


def change_head(content: bytes, random: Random) -> bytes:
    """Change the first 128 bytes, where most formats declare shapes and types."""
    return change_text(content[:128], random) + content[128:]


def _with_flag(content: bytes) -> bytes:
    """Mark the first member of an archive as encrypted."""
    data = bytearray(content)
    data[6] |= 1
    at = data.find(b"PK\x01\x02")
    if at >= 0:
        data[at + 8] |= 1
    return bytes(data)


def change_safetensors(content: bytes, random: Random) -> bytes:
    """Change the JSON header of a file in the safetensors format, and keep its length right."""
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    changed = change_json(header, random)
    return struct.pack("<Q", len(changed)) + changed + data


MUTATORS: dict[str, Callable[[bytes, Random], bytes]] = {
    "bytes": change_bytes,
    "head": change_head,
    "text": change_text,
    "json": change_json,
    "xml": change_xml,
    "zip": change_zip,
    "safetensors": change_safetensors,
}


# One case


class Outcome(NamedTuple):
    """What became of a case: read, reported, refused, traceback, wrong, slow or memory."""

    how: str
    details: str = ""

    @property
    def failed(self) -> bool:
        """Return whether this must not happen."""
        return self.how not in ("read", "reported", "refused")

    @property
    def place(self) -> str:
        """The last line of the traceback that names a place, which tells failures apart."""
        lines = [line.strip() for line in self.details.splitlines() if "File " in line]
        return f"{self.how} {lines[-1] if lines else ''}"


class Case(NamedTuple):
    """A number, its format, and the files of its folder after the mutation."""

    number: int
    format: str
    files: dict[str, bytes]
    changed: str
    contradicts: bool


def attempt(one: Format, folder: Path, *, contradicts: bool = False) -> Outcome:
    """Read a folder and say what became of it."""
    began, before = time.process_time(), memory()
    try:
        with warnings.catch_warnings(record=True) as said, alarm(SECONDS):
            warnings.simplefilter("always")
            one.read(folder)
        outcome = Outcome("reported" if said else "read")
        others = [w for w in said if not issubclass(w.category, DataWarning)]
        if others:
            outcome = Outcome("wrong", f"a warning of another kind: {others[0].message}")
        elif contradicts and not said:
            outcome = Outcome("wrong", "a key that occurs twice was read without a word")
    except ChainruleError as error:
        outcome = Outcome("refused", str(error))
    except TimeoutError:
        outcome = Outcome("slow", traceback.format_exc(limit=-6))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome = Outcome("traceback", traceback.format_exc(limit=-6))
    took, grown = time.process_time() - began, memory() - before
    if took > SECONDS and not outcome.failed:
        outcome = Outcome("slow", f"{took:.0f} s")
    return Outcome("memory", f"{grown / 1e9:.1f} GB") if grown > MEMORY else outcome


def memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds of processor time, or a minute."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = {one: signal.signal(one, ring) for one in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(BY_THE_CLOCK)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for one, handler in before.items():
            signal.signal(one, handler)


class Maker:
    """Makes cases from intact files, which are written once for each format."""

    def __init__(self, names: list[str], seed: int):
        self.formats, self.names, self.seed = formats(), names, seed
        self.shares = [self.formats[name].share for name in names]
        self.intact: dict[str, dict[str, bytes]] = {}

    def files(self, name: str) -> dict[str, bytes]:
        """Return the intact files of a format."""
        if name not in self.intact:
            with tempfile.TemporaryDirectory() as place:
                self.formats[name].make(Path(place))
                self.intact[name] = contents(Path(place))
        return self.intact[name]

    def case(self, number: int) -> Case:
        """Return a case; the same number and seed give the same case."""
        random = Random(f"{self.seed} {number}")
        [name] = random.choices(self.names, self.shares)
        files = dict(self.files(name))
        spare = self.formats[name].spare
        choices = [file for file in files if not any(Path(file).match(p) for p in spare)]
        chosen = random.choice(choices)
        for i in range(random.choice((1, 1, 1, 2, 4))):
            kind = random.choice(self.formats[name].kinds)
            if not i or len(files[chosen]) <= LONGEST:  # or repeated lines may fill the memory
                files[chosen] = MUTATORS[kind](files[chosen], random)
        return Case(number, name, files, chosen, has_key_twice(files[chosen]))


def has_key_twice(content: bytes) -> bool:
    """Return whether a JSON text contains a key twice in one object."""
    found = False

    def look(pairs: list) -> dict:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)
        return {}

    try:
        json.loads(content, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return False
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@contextmanager
def written_files(files: dict[str, bytes]) -> Iterator[Path]:
    """Write files into a new folder, which is deleted after the block."""
    place = Path(tempfile.mkdtemp(prefix="mutated-"))
    try:
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def read_case(one: Format, case: Case) -> Outcome:
    """Write the files of a case and read them."""
    with written_files(case.files) as folder:
        return attempt(one, folder, contradicts=case.contradicts)


# The smallest failing input, and the corpus


def shrink(one: Format, case: Case, outcome: Outcome, attempts: int = 300) -> Case:
    """Return a case of fewer bytes that fails in the same place."""
    content = case.files[case.changed]
    size = max(1, len(content) // 2)
    while attempts > 0 and size:
        at, shorter = 0, False
        while at < len(content) and attempts > 0:
            attempts -= 1
            less = content[:at] + content[at + size :]
            smaller = case._replace(files=case.files | {case.changed: less})
            if outcome.how != "wrong" and read_case(one, smaller).place == outcome.place:
                content, shorter = less, True
            else:
                at += size
        size = size if shorter and size > 1 else size // 2
    return case._replace(files=case.files | {case.changed: content})


def keep(case: Case) -> Path:
    """Write a failing case into the corpus: only its changed file, under the format's name."""
    content = case.files[case.changed]
    digest = hashlib.sha256(content).hexdigest()[:12]
    folder = CORPUS / case.format
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{digest}--{case.changed.replace('/', '@')}"
    file.write_bytes(content)
    return file


def kept() -> list[tuple[str, Path]]:
    """Return the format and the file of every input that ever failed."""
    return [(file.parent.name, file) for file in sorted(CORPUS.glob("*/*"))]


def read_kept(name: str, file: Path, maker: Maker) -> Outcome:
    """Read an input of the corpus again, among the intact files of its format."""
    changed = file.name.partition("--")[2].replace("@", "/")
    content = file.read_bytes()
    files = maker.files(name) | {changed: content}
    case = Case(-1, name, files, changed, has_key_twice(content))
    return read_case(maker.formats[name], case)


# The campaign


class Failure(NamedTuple):
    """A case that failed, how, and where its smallest input was kept."""

    number: int
    format: str
    outcome: Outcome
    file: Path | None


def run_cases(numbers: range, names: list[str], seed: int, keeping: bool) -> tuple[Counter, list]:
    """Read many cases in this process; a failing place is kept once."""
    maker, counts, failures = Maker(names, seed), Counter(), []
    seen: set[tuple[str, str]] = set()
    for number in numbers:
        case = maker.case(number)
        one = maker.formats[case.format]
        outcome = read_case(one, case)
        counts[case.format, outcome.how] += 1
        if outcome.failed and (case.format, outcome.place) not in seen:
            seen.add((case.format, outcome.place))
            file = keep(shrink(one, case, outcome)) if keeping else None
            failures.append(Failure(number, case.format, outcome, file))
        if outcome.how == "memory":  # the largest memory cannot become smaller again
            break
    return counts, failures


def run(
    n: int,
    *,
    first: int = 0,
    seed: int = 0,
    only: list[str] | None = None,
    jobs: int = 1,
    keeping: bool = False,
) -> tuple[Counter, list[Failure]]:
    """Read the mutated files from `first` to n; return how, by format, and the failures."""
    names = only or list(formats())
    if jobs == 1:
        return run_cases(range(first, n), names, seed, keeping)
    piece = 2000
    pieces = [range(i, min(i + piece, n)) for i in range(first, n, piece)]
    counts, failures = Counter(), []
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=5) as pool:
        tasks = [pool.apply_async(run_cases, (one, names, seed, keeping)) for one in pieces]
        for done, task in enumerate(tasks, 1):
            more, bad = task.get()
            counts, failures = counts + more, failures + bad
            said = f"{min(first + done * piece, n):,} of {n:,} read, {len(failures)} failed"
            print(said, file=sys.stderr, flush=True)
    return counts, failures


def main() -> None:
    """Run the campaign and print how the files were read."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation.mutations")
    parser.add_argument("n", type=int, nargs="?", default=2000, help="number of mutated files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file (0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="formats, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--case", type=int, help="read only this case, and print what happened")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else None
    if options.case is not None:
        maker = Maker(only or list(formats()), options.seed)
        case = maker.case(options.case)
        print(case.format, case.changed, case.files[case.changed][:2000])
        print(*read_case(maker.formats[case.format], case), sep="\n")
        return
    counts, failures = run(
        options.n,
        first=options.first,
        seed=options.seed,
        only=only,
        jobs=options.jobs,
        keeping=True,
    )
    hows = ("read", "reported", "refused", "traceback", "wrong", "slow", "memory")
    print("format".ljust(20), *(how.rjust(9) for how in hows))
    for name in sorted({name for name, _ in counts}):
        print(name.ljust(20), *(f"{counts[name, how]:9,}" for how in hows))
    for failure in failures:
        print(f"\ncase {failure.number}, {failure.format}: {failure.outcome.how}, {failure.file}")
        print(failure.outcome.details)
    print(f"\n{counts.total():,} files, {len(failures)} kinds of failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
