"""chainrule, the command: train, evaluate, predict, describe, check, runs, detect, segment, verify.

A wrong input ends in one message on standard error and exit code 2; Ctrl-C in 130. Nothing heavy
is imported before a command needs it, so that --help is instant.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import typer

from chainrule import __version__
from chainrule.cli.describe import describe
from chainrule.cli.detect import app as detect
from chainrule.cli.diagnose import diagnose
from chainrule.cli.errors import errors
from chainrule.cli.evaluate import evaluate
from chainrule.cli.predict import predict
from chainrule.cli.runs import change, check, report, runs
from chainrule.cli.segment import app as segment
from chainrule.cli.synthesize import average, synthesize
from chainrule.cli.train import train
from chainrule.cli.tune import tune
from chainrule.cli.verify import app as verify
from chainrule.errors import ChainruleError, OptionError, did_you_mean
from chainrule.host.compilation_cache import delete_damaged_entry
from chainrule.train.interrupt import keep_interrupts
from chainrule.train.progress import decoding_bar

NO_MEMORY = "memory: expected enough for this; got none left.\nTry a smaller network or file."
UsageError: Any = typer.BadParameter.__base__  # click's, wherever this typer keeps it

app = typer.Typer(
    name="chainrule",
    help="From a labelled file to a trained, checked, saved network, by the notes' own rules.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    train,
    tune,
    change,
    evaluate,
    predict,
    describe,
    diagnose,
    report,
    errors,
    check,
    runs,
    average,
    synthesize,
)
SYSTEMS = {"detect": detect, "segment": segment, "verify": verify}
for command in COMMANDS:
    app.command()(command)
for system, commands in SYSTEMS.items():
    app.add_typer(commands, name=system)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """From a labelled file to a trained, checked, saved network, by the notes' own rules.

    Start with: chainrule train digits
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; the only place where errors become exit codes."""
    warnings.showwarning = once(say_warning)
    try:
        with keep_interrupts(), decoding_bar():
            code = app(standalone_mode=False)
    except ChainruleError as error:
        stop(f"{error}", 2)
    except UsageError as error:
        stop(f"{in_our_words(error)}", 2)
    except MemoryError:
        stop(NO_MEMORY, 2)
    except RuntimeError as error:  # what JAX raises where an array cannot be allocated
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        stop(NO_MEMORY, 2)
    if code == 130:
        stop("interrupted.", code)
    raise SystemExit(code)


def in_our_words(error: Any) -> OptionError:
    """A command line that cannot be read, in the form of every other message."""
    where = error.ctx.command_path if error.ctx else asked(sys.argv)
    said, unknown = error.format_message().rstrip(".?"), getattr(error, "option_name", None)
    if said.startswith("No such command"):
        commands = error.ctx.command.commands
        word = said.split("'")[1]
        return OptionError(where, "one of its commands", repr(word), did_you_mean(word, commands))
    if unknown is None or not error.ctx:
        return OptionError(where, "what its help shows", f"this: {said}", f"{where} --help")
    names = [name for option in error.ctx.command.params for name in option.opts if "--" in name]
    return OptionError(where, "one of its options", unknown, did_you_mean(unknown, names))


def asked(words: Sequence[str]) -> str:
    """The command of these words, for an error that does not know it.

    >>> asked(["chainrule", "train", "digits", "--from"]), asked(["chainrule", "--versoin"])
    ('chainrule train', 'chainrule')
    """
    known = [f"chainrule {command.__name__}" for command in COMMANDS]
    known += [f"chainrule {system}" for system in SYSTEMS]
    said = " ".join(["chainrule", *words[1:2]])
    return said if said in known else "chainrule"


def say_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as a line of its own; what JAX says of its cache is nothing to worry about."""
    if not delete_damaged_entry(str(message)):
        typer.echo(f"note: {message}", err=True)


def once(say: Callable) -> Callable:
    """The same, but nothing twice: a table is read again for the pictures and the saved run."""
    said: set[str] = set()

    def say_new(message, *where, **more) -> None:
        if str(message) not in said:
            said.add(str(message))
            say(message, *where, **more)

    return say_new


def stop(message: str, code: int) -> NoReturn:
    """Say why on standard error, and end."""
    typer.echo(message, err=True)
    raise SystemExit(code)
