"""The command `chainrule` with its sub-commands, and the only place that sets exit codes.

After invalid input, a message is printed on standard error and the exit code is 2; after Ctrl-C, it
is 130. Large packages are imported only when a command needs them, so that --help is fast.
"""

import codecs
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import typer

from chainrule import __version__
from chainrule.cli.describe import describe
from chainrule.cli.detect import app as detect
from chainrule.cli.diagnose import diagnose
from chainrule.cli.errors import errors
from chainrule.cli.evaluate import evaluate
from chainrule.cli.generate import app as generate
from chainrule.cli.options import COMPLETE, App
from chainrule.cli.output import say
from chainrule.cli.predict import predict
from chainrule.cli.runs import change, check, report, runs
from chainrule.cli.segment import app as segment
from chainrule.cli.synthesize import average, synthesize
from chainrule.cli.train import train
from chainrule.cli.translate import app as translate
from chainrule.cli.tune import tune
from chainrule.cli.verify import app as verify
from chainrule.errors import ChainruleError, OptionError, did_you_mean
from chainrule.host.compilation_cache import delete_damaged_entry
from chainrule.train.interrupt import keep_interrupts
from chainrule.train.progress import decoding_bar

SPACE, RIGHTS, FILES = "a disk with free space", "other permissions", "a higher limit (ulimit -n)"
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), FILES),
    errno.EIO: "another disk",
}
"""The errors of the system that no code can prevent, and what helps."""
NO_MEMORY = "memory: expected enough for this; got none left.\nTry a smaller network or file."
UsageError: Any = typer.BadParameter.__base__  # click's, wherever this typer keeps it

app = App(
    name="chainrule",
    help="Train neural networks on labelled data, evaluate them, and explain their predictions.",
    add_completion=False,  # Typer's own options load pydantic, also for --help
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
TASKS = {"detect": detect, "segment": segment, "verify": verify, "generate": generate}
TASKS |= {"translate": translate}
for command in COMMANDS:
    app.command()(command)
for task, commands in TASKS.items():
    app.add_typer(commands, name=task)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version of chainrule."),
    install_completion: bool = typer.Option(
        False,
        "--install-completion",
        help="Install command-line completion for the current shell.",
    ),
    show_completion: bool = typer.Option(
        False, "--show-completion", help="Print the completion script for the current shell."
    ),
) -> None:
    """Train neural networks on labelled data, evaluate them, and explain their predictions.

    Start with: chainrule train digits
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if install_completion or show_completion:
        typer.echo(shell_completion(install=install_completion))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def shell_completion(*, install: bool) -> str:
    """Return the completion script for the current shell, or install it and return a message."""
    import shellingham

    completion: Any = import_module("typer.completion")
    try:
        shell = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        hint = "bash, zsh, fish or PowerShell"
        expected, got = "a supported shell", "an unsupported one"
        raise OptionError("--show-completion", expected, got, hint) from None
    names = {"prog_name": "chainrule", "complete_var": COMPLETE}
    if not install:
        return completion.get_completion_script(**names, shell=shell)
    _, path = completion.install(shell, **names)
    return f"completion for {shell} is installed in {path}; it takes effect in new shells"


def main() -> None:
    """Run the command line, and turn errors into exit codes."""
    if COMPLETE in os.environ:
        completion: Any = import_module("typer.completion")
        completion.completion_init()
    warnings.showwarning = once(say_warning)
    print_any_text()
    try:
        with keep_interrupts(), decoding_bar():
            code = app(prog_name="chainrule", standalone_mode=False)
    except (ChainruleError, UsageError, MemoryError, OSError, RuntimeError) as error:
        stop(message_of(error), 2)
    if code == 130:
        stop("interrupted.", code)
    raise SystemExit(code)


def message_of(error: Exception) -> str:
    """Return the message for an error that the user can correct; raise any other again."""
    if isinstance(error, UsageError):
        return str(in_our_words(error))
    if isinstance(error, ChainruleError):
        return str(error)
    # JAX raises a RuntimeError where an array cannot be allocated.
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return NO_MEMORY
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = str(error.filename)
        got = f"one of {len(os.fsencode(name)):,} bytes"
        return str(OptionError(name[:40], "the name of a file or folder", got, "a shorter name"))
    if isinstance(error, OSError) and error.errno in REMEDIES:
        from chainrule.host.files import describe_error

        where = str(error.filename or "files")
        expected, got = "access to the file", describe_error(error)
        return str(OptionError(where, expected, got, REMEDIES[error.errno]))
    raise error


RENAMED = {
    "--alike": "--shift",
    "--body": "--backbone",
    "--in-turn": "--no-vectorize",
    "--mirrored": "--mirror-invariant",
    "--n": "--embedding-size",
    "--overlap": "--iou-threshold",
    "--part": "--split",
    "--people": "--people-per-batch",
    "--photos": "--photos-per-person",
    "--score": "--score-threshold",
    "--suspects": "--label-errors",
    "--together": "--vectorize",
}
"""Earlier names of options, and their current names."""


def in_our_words(error: Any) -> OptionError:
    """Convert Typer's error for an invalid command line to an error in chainrule's form."""
    where = error.ctx.command_path if error.ctx else asked(sys.argv)
    message, option = error.format_message().rstrip(".?"), getattr(error, "option_name", None)
    if message.startswith("No such command"):
        commands = error.ctx.command.commands
        word = message.split("'")[1]
        return OptionError(where, "one of its commands", repr(word), did_you_mean(word, commands))
    if missing := getattr(error, "param", None):
        name = missing.opts[0] if missing.opts[0].startswith("-") else missing.metavar
        return OptionError(where, f"a value for {name}", "none", f"{where} --help")
    if "unexpected extra argument" in message:
        extra = message.rpartition("(")[2].rstrip(")")
        expected = "only the arguments that its help lists"
        return OptionError(where, expected, f"{extra} as well", f"{where} --help")
    if option is None:
        return OptionError(where, "the syntax that its help shows", message, f"{where} --help")
    if "does not take a value" in message:
        return OptionError(option, "no value", "one", option)
    if "requires" in message:
        return OptionError(option, "a value", "none", f"{where} --help")
    return unknown_option(where, option, error.ctx.command.params if error.ctx else ())


def unknown_option(where: str, option: str, params: Sequence[Any]) -> OptionError:
    """Return an error for an unknown option, which suggests the current name or a similar one."""
    names = [name for one in params for name in (*one.opts, *one.secondary_opts) if "--" in name]
    if (new := RENAMED.get(option)) in names:
        return OptionError(where, "one of its options", f"{option}, now called {new}", str(new))
    return OptionError(where, "one of its options", option, did_you_mean(option, names))


def asked(words: Sequence[str]) -> str:
    """Return the command that was typed, for an error that does not name its command.

    >>> asked(["chainrule", "train", "digits", "--from"]), asked(["chainrule", "--versoin"])
    ('chainrule train', 'chainrule')
    """
    known = [f"chainrule {command.__name__}" for command in COMMANDS]
    known += [f"chainrule {task}" for task in TASKS]
    command = " ".join(["chainrule", *words[1:2]])
    return command if command in known else "chainrule"


def say_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Print a warning on one line; JAX's warnings about damaged cache entries are not printed."""
    if not delete_damaged_entry(str(message)):
        say(f"note: {message}", err=True)


def once(say: Callable) -> Callable:
    """Return a function that prints each warning only once, although data may be read again."""
    printed: set[str] = set()

    def say_new(message, *where, **more) -> None:
        if str(message) not in printed:
            printed.add(str(message))
            say(message, *where, **more)

    return say_new


def print_any_text() -> None:
    """Make the output streams accept every character, whatever their encoding.

    A file name that is not UTF-8 is written with its own bytes; a character that the terminal lacks
    becomes a question mark.
    """

    def replace(error: Any) -> tuple[bytes, int]:
        if not isinstance(error, UnicodeEncodeError):
            raise error
        lacking = error.object[error.start : error.end]
        codes = (ord(character) for character in lacking)
        written = (bytes([c - 0xDC00]) if 0xDC80 <= c <= 0xDCFF else b"?" for c in codes)
        return b"".join(written), error.end

    codecs.register_error("any-text", replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="any-text")


def stop(message: str, code: int) -> NoReturn:
    """Print a message on standard error, and exit."""
    say(message, err=True)
    raise SystemExit(code)
