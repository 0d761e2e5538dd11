"""Write the files of a command, completely or not at all."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import typer

from chainrule.errors import OptionError


def write(content: str | bytes, output: str | None, option: str = "--output") -> None:
    """Write to standard output, or to a file, completely or not at all."""
    if output is None:
        typer.echo(content, nl=False)
        return
    write_file(Path(output), content.encode() if isinstance(content, str) else content, option)
    typer.echo(f"wrote {output}", err=True)


def write_file(path: Path, content: bytes, option: str = "--output") -> None:
    """Write a file that the user named with `option`, completely or not at all."""
    from chainrule.host import files

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
    """Write files into a new or empty folder, all of them or none; names may be FOLDER/FILE."""
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
    typer.echo(f"wrote {len(files)} files into {output}", err=True)


def _no_folder(option: str, error: OSError) -> OptionError:
    reason = error.strerror or str(error)
    return OptionError(option, "a folder that can be written", reason, "another folder")
