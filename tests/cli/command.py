"""The command line as a user meets it: words in; exit code, standard output and error out."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import jax

from chainrule.cli.main import main
from chainrule.errors import DataWarning, ResultWarning


class Said(NamedTuple):
    """What one command said."""

    code: int
    out: str
    err: str


def chainrule(folder: Path, *words: object) -> Said:
    """Run `chainrule WORDS…` in this folder and process, in float32 as users do.

    Warnings about data and results are told as users see them; any other warning fails the test.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, CHAINRULE_CACHE="off"),
        mock.patch("sys.argv", ["chainrule", *map(str, words)]),
        warnings.catch_warnings(),
        jax.enable_x64(False),
    ):
        warnings.simplefilter("always", DataWarning)
        warnings.simplefilter("always", ResultWarning)
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Said(int(code), out.getvalue(), err.getvalue())


def in_a_process(folder: Path, *words: object, first: str = "") -> Said:
    """The same in a process of its own, as from a shell; `first` is Python that it runs before."""
    program = f"{first}\nfrom chainrule.cli.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"CHAINRULE_CACHE": "off"},
    )
    return Said(done.returncode, done.stdout, done.stderr)
