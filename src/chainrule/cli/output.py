"""Write the files of a command, completely or not at all, and never over a file that is needed.

A file is written under a temporary name and renamed. An existing file is replaced only with
--force, and never if the command reads it or if it belongs to a run.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from chainrule.errors import OptionError
from chainrule.formatting import count_of

_force = False


def allow_replacing(force: bool) -> None:
    """Set whether the current command may replace files, which the option --force allows."""
    global _force
    _force = force


def check_target(
    output: str | Path | None, option: str = "--output", given: Mapping[str, Any] | None = None
) -> None:
    """Refuse a file that must not be replaced; `given` has the other arguments of the command."""
    path = None if output is None else Path(output)
    if path is None or not path.is_file():
        return
    for name, value in (given or {}).items():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str) or not Path(one).exists():
                continue
            if path.samefile(one):
                expected = "a file that the command does not read"
                raise OptionError(option, expected, f"{path}, the {name.upper()}", "another file")
    run = next((folder for folder in path.resolve().parents if _is_run(folder)), None)
    if run is not None and path.name in _files_of(run):
        expected = "a file outside of the runs"
        raise OptionError(option, expected, f"{path}, a file of {run.name}", "another file")
    if not _force:
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
        typer.echo(content, nl=False)
        return
    write_file(Path(output), encoded(content), option)
    typer.echo(f"wrote {output}", err=True)


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
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
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
    typer.echo(f"wrote {count_of(len(files), 'file')} into {output}", err=True)


def _no_folder(option: str, error: OSError) -> OptionError:
    from chainrule.host.files import describe_error

    reason = describe_error(error)
    return OptionError(option, "a folder that can be written", reason, "another folder")
