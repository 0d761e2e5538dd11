"""What a command writes beside what it says: a file, whole or not at all."""

import os
from pathlib import Path

import typer

from chainrule.errors import OptionError


def write(content: str | bytes, output: str | None, option: str = "--output") -> None:
    """To standard output, or to a file, whole or not at all."""
    if output is None:
        typer.echo(content, nl=False)
        return
    path = Path(output)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        hint = "another" if path.parent.is_dir() else f"making the folder {path.parent} first"
        raise OptionError(option, "a file that can be written", reason, hint) from None
    typer.echo(f"wrote {output}", err=True)
