"""chainrule, the command: train, evaluate, predict, describe, check, runs.

A wrong input ends in one message on standard error and exit code 2; Ctrl-C in 130. Nothing heavy
is imported before a command needs it, so that --help is instant.
"""

import os
import sys
import warnings

import typer

from chainrule import __version__
from chainrule.cli.check import check
from chainrule.cli.describe import describe
from chainrule.cli.evaluate import evaluate
from chainrule.cli.predict import predict
from chainrule.cli.runs import runs
from chainrule.cli.train import train
from chainrule.errors import ChainruleError

app = typer.Typer(
    name="chainrule",
    help="From a labelled file to a trained, checked, saved network, by the notes' own rules.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (train, evaluate, predict, describe, check, runs):
    app.command()(command)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    """From a labelled file to a trained, checked, saved network, by the notes' own rules.

    Start with: chainrule train digits
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; the only place where errors become exit codes."""
    warnings.showwarning = say_warning
    try:
        app()
    except ChainruleError as error:
        stop(f"{error}", 2)
    except MemoryError:
        stop("memory: expected enough for this; got none left.\nTry a smaller network or file.", 2)
    except BrokenPipeError:  # the reader of our output went away: not an error of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        stop("interrupted; nothing was saved.", 130)


def say_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as a line of its own."""
    typer.echo(f"note: {message}", err=True)


def stop(message: str, code: int) -> None:
    """Say why on standard error, and end."""
    typer.echo(message, err=True)
    raise SystemExit(code)
