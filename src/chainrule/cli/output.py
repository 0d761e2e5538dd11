"""Write the files of a command, completely or not at all, and never over a file that is needed.

A file is written under a temporary name and renamed. An existing file is replaced only with
--force, and never if the command reads it or if it belongs to a run. A folder, a device, a pipe and
a symbolic link are never written to. What is printed shows control characters as escape sequences.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from chainrule.errors import OptionError
from chainrule.formatting import count_of, printable
from chainrule.host.files import describe_error, describe_special, invalid_name

_force = False


def allow_replacing(force: bool) -> None:
    """Set whether the current command may replace files, which the option --force allows."""
    global _force
    _force = force


def say(text: str, *, err: bool = False) -> None:
    """Print a text, in which control characters of names are shown as escape sequences."""
    typer.echo(printable(text), err=err)


def say_json(data: Any) -> None:
    """Print data as JSON, in which every character that is not ASCII is escaped."""
    typer.echo(json.dumps(data).replace("\x7f", "\\u007f"))


def check_target(
    output: str | Path | None,
    option: str = "--output",
    given: Mapping[str, Any] | None = None,
    *,
    folder: bool = False,
) -> None:
    """Refuse a name that cannot be written, and a file that must not be replaced.

    `given` has the other arguments of the command; with `folder`, the name may be that of a folder.
    """
    if output is None:
        return
    path = Path(output)
    _check_name(output, path, option)
    if folder and (path.is_dir() or not os.path.lexists(path)):
        return
    if path.is_file():
        _check_replaceable(path, option, given)
    if (kind := describe_special(path)) is not None:
        hint = "the name of a file in it" if kind == "a folder" else "the name of a new file"
        raise OptionError(option, "the name of a file", f"{path}, which is {kind}", hint)
    if not path.parent.is_dir():
        hint = f"creating the folder {path.parent} first"
        raise OptionError(option, "a file in an existing folder", str(path), hint)


def _check_name(output: str | Path, path: Path, option: str) -> None:
    """Refuse a name that no file can have, and the usual sign for standard output."""
    if not str(output).strip():
        raise OptionError(option, "the name of a file", "an empty name", "predictions.csv")
    if str(output) == "-":
        got = "-, which stands for standard output elsewhere"
        raise OptionError(option, "the name of a file or folder", got, "another name")
    wrong = None if path.name in ("", "..") else invalid_name(path)
    if wrong is not None:
        expected, hint = "a name that a file can have", "a shorter name, without special characters"
        raise OptionError(option, expected, wrong, hint)


def _check_replaceable(path: Path, option: str, given: Mapping[str, Any] | None) -> None:
    """Refuse an existing file that the command reads, that belongs to a run, or without --force."""
    for name, value in (given or {}).items():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or not os.path.exists(one):
                continue
            if path.samefile(one):
                expected = "a file that the command does not read"
                raise OptionError(option, expected, f"{path}, the {name.upper()}", "another file")
    run = next((folder for folder in path.resolve().parents if _is_run(folder)), None)
    if run is not None and path.name in _files_of(run):
        expected = "a file outside of the runs"
        raise OptionError(option, expected, f"{path}, a file of {run.name}", "another file")
    if not _force and not path.is_symlink():
        expected = "a file that does not exist yet"
        raise OptionError(option, expected, str(path), "another file, or --force to replace it")


def _is_run(folder: Path) -> bool:
    """Return whether a folder holds a run, an unfinished run or a search."""
    return any(
        (folder / name).is_file() for name in ("manifest.json", "recipe.json", "search.json")
    )


def _files_of(run: Path) -> set[str]:
    """Return the names of all files of a run."""
    return {file.name for file in run.rglob("*") if file.is_file()}


def write(content: str | bytes, output: str | None, option: str = "--output") -> None:
    """Write to standard output, or to a file, which is written completely or not at all."""
    if output is None:
        shown = isinstance(content, str) and sys.stdout.isatty()
        text = printable(str(content)) if shown else content
        typer.echo(text, nl=False, color=True)  # else escape sequences in it are left out
        return
    write_file(Path(output), encoded(content), option)
    say(f"wrote {output}", err=True)


def encoded(content: str | bytes) -> bytes:
    """Return a text as UTF-8; file names in it that are not UTF-8 keep their bytes."""
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def write_file(path: Path, content: bytes, option: str = "--output") -> None:
    """Write a file that the user named with `option`, completely or not at all."""
    from chainrule.host import files

    check_target(path, option)
    try:
        files.write_file(path, content)
    except OSError as error:
        hint = (
            "another file name"
            if path.parent.is_dir()
            else f"creating the folder {path.parent} first"
        )
        reason = files.describe_error(error)
        raise OptionError(option, "a file that can be written", reason, hint) from None


def write_folder(files: Mapping[str, bytes], output: str, option: str = "--output") -> None:
    """Write files into a new or empty folder, either all of them or none.

    A name may contain the name of a sub-folder, as in masks/7.png.
    """
    path = Path(output)
    check_target(output, option, folder=True)
    if os.path.lexists(path) and (path.is_symlink() or not path.is_dir() or any(path.iterdir())):
        raise OptionError(option, "a folder that is new or empty", f"{path}", "another folder")
    partial = path.with_name(
        f".{path.name}.{os.getpid()}"
    )  # not the name of an unfinished training run
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
    except OSError as error:
        raise _no_folder(option, error) from None
    try:
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise _no_folder(option, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"wrote {count_of(len(files), 'file')} into {output}", err=True)


def _no_folder(option: str, error: OSError) -> OptionError:
    reason = describe_error(error)
    return OptionError(option, "a folder that can be written", reason, "another folder")
