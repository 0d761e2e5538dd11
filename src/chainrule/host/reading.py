"""Read files that are not trusted: each function returns what was asked for, or raises one error.

    check_regular   refuse a folder, a pipe, a device or a socket before it is opened
    read_bytes      the content of a regular file
    read_text       text in UTF-8
    read_json       JSON in which no key occurs twice and no number is NaN or infinite
    read_json_file  a file with such JSON
    parse_number    a finite number that a text contains
    read_arrays     the arrays of a file in the safetensors format, by name
    convert         plain data in the form that a type declares
    in_file         name the file in the errors of a block
    path_inside     a path that a file contains, or None if it leads outside of certain folders

A file may have been damaged, cut short or made to do harm. Opening a pipe would wait for ever, and
a device such as /dev/zero never ends, so the type of a file is checked before it is read.
"""

import codecs
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, get_type_hints

import msgspec

from chainrule.errors import ChainruleError, DataError
from chainrule.formatting import shortened
from chainrule.host.files import KINDS, describe_error

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")
COPY = "copying or downloading it again"
SAFETENSORS = "a safetensors file"

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
AtLeast0 = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""Types with bounds, for the declarations that `convert` checks."""


def check_regular(path: Path, error: type[ChainruleError] = DataError) -> int:
    """Return the size of a regular file in bytes; symbolic links are followed.

    Raises `error` if there is no such file, or if it is a folder, a pipe, a device or a socket.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise error(str(path), "a file", "no such file", "the name of an existing file") from None
    except (OSError, ValueError) as reason:  # a name with a zero byte is a ValueError
        got = describe_error(reason) if isinstance(reason, OSError) else "a name that is not valid"
        raise error(str(path), "a file that can be read", got, "another file") from None
    kind = KINDS.get(stat.S_IFMT(found.st_mode))
    if kind is not None:
        hint = "a file in that folder" if kind == "a folder" else "saving its content in a file"
        raise error(str(path), "a regular file", kind, hint)
    return found.st_size


def read_bytes(path: Path, error: type[ChainruleError] = DataError) -> bytes:
    """Return the content of a regular file; raise `error` if it cannot be read."""
    check_regular(path, error)
    try:
        return path.read_bytes()
    except OSError as reason:
        expected, got = "a file that can be read", describe_error(reason)
        raise error(str(path), expected, got, "checking its permissions") from None


def read_text(
    path: Path, error: type[ChainruleError] = DataError, hint: str = "saving it as UTF-8"
) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Raises `error`, which names the line, for another encoding; text in UTF-16 without a mark shows
    by its zero bytes.
    """
    content = read_bytes(path, error).removeprefix(codecs.BOM_UTF8)
    text, at, got = "", content.find(b"\0"), "a zero byte"
    try:
        text = content.decode()
    except UnicodeDecodeError as reason:
        at, got = reason.start, f"the byte 0x{content[reason.start]:02x}"
    if at >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise error(f"{path}, line {line}", "text in UTF-8", got, hint)
    return text


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, which end only in line feeds and carriage returns.

    `str.splitlines` also ends a line at characters that a name may contain.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def parse_number(text: str) -> float | None:
    """Return the finite number that a text contains, or None; 1_000, nan and ١ are not numbers.

    >>> parse_number(" 1.5e3 "), parse_number("1_000"), parse_number("inf"), parse_number("1e999")
    (1500.0, None, None, None)
    """
    number = float(text) if NUMBER.fullmatch(text.strip()) else inf
    return number if isfinite(number) else None


def read_json_file(
    path: Path,
    expected: str = "valid JSON",
    *,
    error: type[ChainruleError] = DataError,
    hint: str = COPY,
    finite: bool = True,
) -> Any:
    """Return the data in a JSON file; raises `error` as `read_bytes` and `read_json` do."""
    content = read_bytes(path, error)
    return read_json(content, str(path), expected, error=error, hint=hint, finite=finite)


def read_json(
    content: bytes | str,
    where: str,
    expected: str = "valid JSON",
    *,
    error: type[ChainruleError] = DataError,
    hint: str = COPY,
    finite: bool = True,
) -> Any:
    """Return the data in a JSON text.

    Raises `error` if the text is not JSON, if an object contains a key twice, if it is nested too
    deeply, or, with `finite`, if a number is NaN or infinite.
    """

    def refuse(got: str) -> NoReturn:
        raise error(where, expected, got, hint)

    try:
        return json.loads(content, **_hooks(refuse, finite=finite))
    except ChainruleError:
        raise
    except RecursionError:
        reason = "objects that are nested too deeply"
    except ValueError as found:  # also for text that is not UTF-8 and numbers of 5,000 digits
        reason = f"text that is not valid JSON ({found})"
    refuse(reason)


def _hooks(refuse: Callable[[str], NoReturn], *, finite: bool) -> dict[str, Any]:
    """Return the functions with which the JSON parser makes numbers and objects."""

    def number(word: str) -> float:
        found = float(word)
        if finite and not isfinite(found):
            refuse(f"the number {shortened(word, 40)}")
        return found

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            refuse(f"the key {_first_repeated(key for key, _ in pairs)!r} twice in one object")
        return found

    return {
        "object_pairs_hook": without_duplicates,
        "parse_constant": number,
        "parse_float": number,
    }


def _first_repeated(keys: Iterable[str]) -> str:
    """Return the first key that occurs for the second time."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError("no key is repeated")


MOST_HEADER = 2**24
"""The bytes of the header of a safetensors file, which takes about 100 for an array."""


def read_arrays(
    source: bytes | Path,
    where: str,
    *,
    error: type[ChainruleError] = DataError,
    hint: str = COPY,
) -> "dict[str, np.ndarray]":
    """Return the arrays in a file in the safetensors format, or in its content, by name.

    Raises `error` if it is damaged, or if a name occurs twice. Nothing is unpickled.
    """
    from safetensors import numpy as safetensors

    if isinstance(source, Path):
        check_regular(source, error)
    try:
        header = _header(source)
        if header is not None:
            if len(header) > MOST_HEADER:
                expected, got = f"a header of at most {MOST_HEADER:,} bytes", f"{len(header):,}"
                raise error(where, expected, got, hint)
            read_json(header, where, SAFETENSORS, error=error, hint=hint)
        load = safetensors.load_file if isinstance(source, Path) else safetensors.load
        return dict(load(source))  # pyright: ignore[reportArgumentType]
    except ChainruleError:
        raise
    except Exception as reason:  # the parser raises errors of many types
        words = str(reason).strip().splitlines() or [type(reason).__name__]
        got = f"content that cannot be read ({words[0].rstrip('.')})"
        raise error(where, SAFETENSORS, got, hint) from None


def _header(source: bytes | Path) -> bytes | None:
    """Return the JSON text at the beginning of a safetensors file, None if it is cut short."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = source.stat().st_size
            return file.read(length) if length + 8 <= size else None
    length = int.from_bytes(source[:8], "little")
    return source[8 : 8 + length] if length + 8 <= len(source) else None


def convert(
    data: Any,
    type: type[T],
    where: str,
    *,
    error: type[ChainruleError] = DataError,
    hint: str = COPY,
) -> T:
    """Return plain data in the form that a type declares: a dataclass, a TypedDict or a Struct.

    Raises `error`, which names the entry, for a missing entry, a wrong type or a value outside the
    bounds that `Annotated[…, msgspec.Meta(…)]` declares.

    >>> convert({"m": "ten"}, dict[str, int], "results.json")
    Traceback (most recent call last):
    chainrule.errors.DataError: results.json, at [...]: expected `int`; got `str`.
    Try copying or downloading it again.
    """
    try:
        return msgspec.convert(data, type)
    except UnicodeEncodeError:
        got = "the name of an entry that is not valid text"
        raise error(where, "the declared entries", got, hint) from None
    except msgspec.ValidationError as reason:
        message, _, at = str(reason).partition(" - at `$")
        place = f"{where}, at {at.rstrip('`').lstrip('.')}" if at else where
        expected, separator, got = message.removeprefix("Expected ").partition(", got ")
        if not message.startswith("Expected "):
            expected, got = "the declared entries", message[0].lower() + message[1:]
        elif not separator:
            got = "a value outside these bounds"
        raise error(place, expected, got, hint) from None


def check_entries(
    data: Mapping[str, Any],
    declared: type,
    where: str,
    *,
    error: type[ChainruleError] = DataError,
    hint: str = COPY,
) -> None:
    """Refuse an entry that a dataclass or a TypedDict does not declare; `convert` ignores it.

    >>> from typing import TypedDict
    >>> check_entries({"size": 1}, TypedDict("Batch", {"rows": int}), "batch.json")
    Traceback (most recent call last):
    chainrule.errors.DataError: batch.json: expected the declared entries; got the unknown entry \
'size'.
    Try copying or downloading it again.
    """
    unknown = sorted(data.keys() - get_type_hints(declared).keys())
    if unknown:
        raise error(where, "the declared entries", f"the unknown entry {unknown[0]!r}", hint)


@contextmanager
def in_file(
    path: Path, *, error: type[ChainruleError] = DataError, hint: str = COPY
) -> Iterator[None]:
    """Name the file in an error that is raised in the block, and raise it as `error`."""
    try:
        yield
    except ChainruleError as reason:
        where = f"{path}, {reason.where}"
        raise error(where, reason.expected, reason.got, hint) from None


def roots_of(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the absolute paths of folders, as written and without symbolic links."""
    both = [(os.path.abspath(folder), os.path.realpath(folder)) for folder in folders]
    return tuple(dict.fromkeys(Path(path) for paths in both for path in paths))


def path_inside(folder: Path, name: str, roots: Sequence[Path]) -> Path | None:
    """Return the path `folder`/`name`, or None if it leads to a place outside of all `roots`.

    `name` is written in a file, and `roots` are the result of `roots_of` for the folders that the
    user named. An absolute name, or one with .., may lead to any place in them. The path has no ..
    in it, so that a symbolic link cannot change where it leads. Links inside the folders are
    followed when the file is read, so that a data set may consist of links.
    """
    if "\0" in name:
        return None
    path = Path(os.path.normpath(folder / name))
    whole = Path(os.path.abspath(path))
    return path if any(whole.is_relative_to(root) for root in roots) else None
