"""The command line, which is built from declared options, and the options of several commands.

    App             a Typer application whose commands have declared options
    with_options    make a command from a function whose parameters declare options

A command is a function. Its parameters declare options with `chainrule.runs.options.option`, like
the fields of a recipe; a command with a recipe also has the options of the recipe. Typer passes the
values as text, and the declaration converts and checks them: an invalid value raises OptionError.
"""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field
from functools import wraps
from pathlib import Path
from typing import Any, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from chainrule.choices import SPLITS
from chainrule.cli.output import allow_replacing, check_target
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import PANELS, Option, bound, option, options_of
from chainrule.runs.recipe import Recipe

COMPLETE = "_CHAINRULE_COMPLETE"
"""The environment variable that a shell sets to request completions."""

THREADS = shared_options.count(
    "Maximum number of processors to use.", "Output", "all processors", example="1"
)
JSON = option(
    False, "Print the results as one line of JSON instead of text.", "Output", flags="--json"
)
OUT = shared_options.new_folder(
    "Folder in which the run is saved; it must not exist yet.",
    "a new folder runs/NAME-N, where NAME is the name of SOURCE and N is a number",
)
RESUME = option(None, "Resume the interrupted training run in this folder.", "Output", "RUN")
FORCE = option(False, "Replace the output file if it exists.", "Output", flags="--force")
CHECKPOINT_EVERY = option(
    60.0,
    "Time in seconds between two checkpoints.",
    "Output",
    "SECONDS",
    minimum=0,
    example="60",
)
RUN = shared_options.argument("The folder of a saved run.", "RUN")
LABELLED = shared_options.argument(
    "A file, a folder or a built-in data set with labelled examples.", "SOURCE"
)
SPLIT = shared_options.choice(
    "test",
    SPLITS,
    "Set on which the run is evaluated, if SOURCE contains several sets.",
)
NEW_IMAGES = shared_options.argument("An image file, or a folder of images.", "SOURCE")
SKIP_UNREADABLE = shared_options.skip_unreadable()
STRICT = shared_options.switch(
    "Refuse cells of a table that are not what their column holds, such as a word among numbers; "
    "otherwise, they count as missing values.",
    "Data",
    "--strict",
)


class Command(TyperCommand):
    """A command whose help shows its options in panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, and then a section for each panel."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                panel = getattr(param, "rich_help_panel", None) or "Options"
                if param.param_type_name == "argument":
                    panel, record = "Arguments", (record[0].partition(" <")[0], record[1])
                sections.setdefault(panel, []).append(record)
        for panel in ("Arguments", *PANELS):
            if panel in sections:
                with formatter.section(panel):
                    formatter.write_dl(sections[panel])


class Group(TyperGroup):
    """A group of commands."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option --help with the default False.

        To convert a default of None, Typer would load pydantic, which is slow.
        """
        if (help_option := super().get_help_option(ctx)) is not None:
            help_option.default = False
        return help_option


class App(typer.Typer):
    """A Typer application that loads neither rich nor pydantic, so that its help is fast."""

    def __init__(self, **settings: Any):
        super().__init__(
            cls=Group, pretty_exceptions_enable=False, rich_markup_mode=None, **settings
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Callable], Callable]:
        """Return a decorator that adds a function as a command, with the options it declares."""
        add = super().command(name, cls=Command, **settings)

        def register(function: Callable) -> Callable:
            add(with_options(function))
            return function

        return register


def takes(recipe: type) -> Callable[[Callable], Callable]:
    """Return a decorator that adds the options of a recipe to a command.

    The first argument of the function is a dictionary of those options of the recipe that are set.
    """

    def decorate(function: Callable) -> Callable:
        function.recipe = recipe  # pyright: ignore[reportFunctionMemberAccess]
        return function

    return decorate


def recipe_options(function: Callable) -> dict[str, Option]:
    """Return the options of the recipe of a command, by name."""
    recipe = getattr(function, "recipe", None)
    declared = {} if recipe is None else options_of(recipe)
    return {name: one for name, one in declared.items() if one.listed}


def declared_options(function: Callable) -> dict[str, Option]:
    """Return the options of a command by name: those of its recipe, its own, and --threads."""
    own = {
        name: bound(name, parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if isinstance(parameter.default, Field)
    }
    return recipe_options(function) | own | {"threads": bound("threads", int | None, THREADS)}


def with_options(function: Callable) -> Callable:
    """Return a function for Typer, which converts the text of each option and calls `function`."""
    of_recipe, declared = recipe_options(function), declared_options(function)
    own = list(inspect.signature(function).parameters.values())
    writing = next((one for one in declared.values() if one.writes), None)

    @wraps(function)
    def command(force: bool | None = None, **typed: Any) -> Any:
        values = {name: value_of(declared[name], typed[name]) for name in declared}
        use_threads(values.pop("threads"))
        given = {name: values.pop(name) for name in of_recipe}
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in values.items():
            if value is None:
                values[name] = declared[name].default
        if writing is not None:
            allow_replacing(bool(force))
            others = {name: value for name, value in values.items() if name != writing.name}
            folder = writing.metavar != "FILE"  # PATH is a file or a folder
            if values[writing.name] == "-" and writing.default_text == "standard output":
                values[writing.name] = None
            check_target(values[writing.name], writing.flag, others, folder=folder)
        del typed["threads"]
        return function(given, **values) if of_recipe else function(**typed | values)

    parameters = [typer_parameter(one, optional=True) for one in of_recipe.values()]
    parameters += [
        typer_parameter(declared[one.name]) if one.name in declared else one
        for one in own[bool(of_recipe) :]
    ]
    parameters.append(typer_parameter(declared["threads"]))
    if writing is not None:
        parameters.append(typer_parameter(bound("force", bool, FORCE)))
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore
    command.__annotations__ = {}
    return command


def value_of(declared: Option, typed: Any) -> Any:
    """Convert the typed text to a value; return None if the option is not given."""
    if isinstance(typed, list):
        return [declared.read(one) for one in typed]
    return typed if typed is None or isinstance(typed, bool) else declared.read(typed)


def typer_parameter(declared: Option, *, optional: bool = False) -> inspect.Parameter:
    """Return the parameter from which Typer creates an option or an argument that is text."""
    several = any(get_origin(one) is list for one in declared.types)
    kind = bool if bool in declared.types else list[str] if several else str
    settings: dict[str, Any] = {"help": help_text(declared), "show_default": False}
    known = [str(one) for one in (*declared.valid, *declared.suggestions)]
    if known and COMPLETE in os.environ:  # else it would only slow down the start
        settings["autocompletion"] = completes(known)
    if kind is not bool:
        settings["metavar"] = declared.metavar
    default = ... if declared.default is MISSING and not optional else None
    if declared.positional:
        made = typer.Argument(default, **settings)
    else:
        made = typer.Option(default, *flags(declared), rich_help_panel=declared.panel, **settings)
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=made, annotation=kind | None
    )


def flags(declared: Option) -> list[str]:
    """Return the flags of an option, including the negative flag of a true-or-false option."""
    if bool in declared.types and not declared.flags:
        return [f"{declared.flag}/--no-{declared.flag.removeprefix('--')}"]
    return list(declared.flags) or [declared.flag]


def help_text(declared: Option) -> str:
    """Return the help of an option, with its default.

    >>> help_text(Option("Number of epochs.", default=5)), help_text(Option("A file."))
    ('Number of epochs. [default: 5]', 'A file.')
    """
    text = default_words(declared)
    return declared.help if text is None else f"{declared.help} [default: {text}]"


def default_words(declared: Option) -> str | None:
    """Return the default of an option as text, or None if the option is simply not set.

    The default of an option with two flags is one of them, such as --no-batch-norm.
    """
    default = declared.default
    if declared.default_text is not None or default is None or default is MISSING:
        return declared.default_text
    if isinstance(default, bool):
        on, _, off = flags(declared)[0].partition("/")
        return (on if default else off) if off else None
    return declared.text(default)


def completes(values: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a function that Typer calls to complete the beginning of a value."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


def as_written(name: str, value: Any) -> str:
    """Return a value of a recipe as it is typed at the command line.

    The folder of a file is left out. A value that is not valid is returned as it is.

    >>> as_written("hidden", (64, 32)), as_written("batch_size", 0), as_written("dev", "d/dev.csv")
    ('64,32', 'all', 'dev.csv')
    """
    if value is None:
        return "-"
    if name in ("source", "dev", "test", "extra", "base"):
        return Path(str(value)).name
    declared = options_of(Recipe).get(name)
    try:
        return str(value) if declared is None else declared.text(declared.convert(value, name, ""))
    except OptionError:
        return str(value)


def use_threads(count: int | None) -> None:
    """Limit the process to this number of processors.

    The function must be called before JAX is imported.
    """
    if count is None:
        return
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    os.environ["NPROC"] = os.environ["OMP_NUM_THREADS"] = str(count)
    if allowed:
        os.sched_setaffinity(0, allowed[:count])


def run_folder(out: str | None, source: str) -> Path:
    """Return the folder of a new run: the one given by --out, or the next free runs/NAME-N."""
    from chainrule.runs.folder import claim_next

    name = Path(source.rstrip("/")).name.split(".")[0] or "run"
    return claim_next(Path("runs"), name) if out is None else Path(out)
