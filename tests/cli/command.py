"""The command line as a user meets it: words in; exit code, standard output and error out."""

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import jax

from chainrule.cli.main import main
from chainrule.errors import DataWarning


class Said(NamedTuple):
    """What one command said."""

    code: int
    out: str
    err: str


def chainrule(folder: Path, *words: object) -> Said:
    """Run `chainrule WORDS…` in this folder and process, in float32 as users do.

    Warnings about data are told as users see them; any other warning fails the test.
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
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Said(int(code), out.getvalue(), err.getvalue())
