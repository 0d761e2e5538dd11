"""Write docs/reference.md, the options of all commands, from their declarations.

    python -m tests.validation.write_reference

`tests/cli/test_reference.py` fails if the page is not up to date.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from pathlib import Path

from chainrule.cli.main import COMMANDS, TASKS
from chainrule.cli.options import declared_options, default_words, flags, recipe_options
from chainrule.runs.options import PANELS, Option

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference.md"
OPENING = """# Reference: all commands and their options

This page lists every command of chainrule with its arguments and options. In the terminal,
`chainrule COMMAND --help` shows the same texts, and `chainrule --install-completion` lets your
shell complete commands and options.

A command is followed by its arguments, such as the data or the folder of a run, and by options in
any order. An optional argument is shown in square brackets. The options of a command are listed in
a table, in groups:

- The first column shows the option and a placeholder for its value. `N` and `K` stand for a whole
  number, `NUMBER` for any number, `FILE` and `FOLDER` for a path, and `COLUMN` for the name of a
  column of a table; `HxW` stands for a height and a width. Alternatives are separated by
  `|`; those in lower case, such as `none`, are typed as they are shown, and a placeholder such
  as `64,32` is an example of a value.
- The last column shows the default, which is used if you do not give the option. "Required" means
  that the option must be given, and "not set" means that there is no default value. An option
  without a value is off unless you give it.

Training creates a folder that is called a [run](runs.md), such as `runs/digits-1`. Most of the
other commands use a run, so their first argument is this folder.

The page is generated from the declarations of the options in `src/chainrule/runs/recipe.py`,
`src/chainrule/vision/recipe.py`, `src/chainrule/sequence/recipe.py` and `src/chainrule/cli`. To
update it after a change, run `python -m tests.validation.write_reference`.
"""
EXAMPLE = "Example: "
HEAD = ["| option | meaning | default |", "|---|---|---|"]


def page() -> str:
    """Return the text of the page."""
    lines, documented = [OPENING], {}
    for name, command in commands():
        lines += [f"## chainrule {name}", "", *section(name, command, documented), ""]
        documented.setdefault(getattr(command, "recipe", None), name)
    return "\n".join(lines).rstrip() + "\n"


def commands() -> Iterator[tuple[str, Callable]]:
    """Return all commands by name."""
    for command in COMMANDS:
        yield command.__name__, command
    for task, app in TASKS.items():
        for one in app.registered_commands:
            function = inspect.unwrap(one.callback)
            yield f"{task} {one.name or function.__name__}", function


def section(name: str, command: Callable, documented: dict) -> list[str]:
    """Return the lines about a command: a description, an example, its arguments and options.

    Options of a recipe that an earlier command has, by the names in `documented`, are not repeated.
    """
    declared = declared_options(command)
    arguments = [one for one in declared.values() if one.positional]
    texts = (inspect.getdoc(command) or "").split("\n\n")
    lines = ["```", usage(name, arguments), "```", ""]
    lines += [text + "\n" for text in texts if not text.startswith(EXAMPLE)]
    if examples := [text.removeprefix(EXAMPLE) for text in texts if text.startswith(EXAMPLE)]:
        lines += ["For example:", "", "```", *map(str.strip, examples), "```", ""]
    if arguments:
        lines += ["Arguments:", "", *map(argument, arguments), ""]
    earlier = documented.get(getattr(command, "recipe", None))
    if earlier is not None and getattr(command, "recipe", None) is not None:
        shared = recipe_options(command)
        groups = [panel for panel in PANELS if panel in {one.panel for one in shared.values()}]
        lines += [
            f"This command has all options of `chainrule {earlier}` in the groups "
            f"{', '.join(groups[:-1])} and {groups[-1]}, and the following options:\n"
        ]
        declared = {key: one for key, one in declared.items() if key not in shared}
    for panel in PANELS:
        options = [one for one in declared.values() if one.panel == panel and not one.positional]
        if options:
            lines += [f"**{panel}**", "", *HEAD, *map(row, options), ""]
    return lines[:-1]


def usage(name: str, arguments: list[Option]) -> str:
    """Return the command with its arguments; those that may be left out are in square brackets."""
    typed = [
        f"{one.metavar}" if one.default is MISSING else f"[{one.metavar}]" for one in arguments
    ]
    return " ".join(["chainrule", name, *typed, "[OPTIONS]"])


def argument(declared: Option) -> str:
    """Return the list item that describes an argument."""
    default = default_words(declared)
    text = declared.help if default is None else f"{declared.help} The default is {default}."
    return f"- `{declared.metavar}`: {text}"


def row(declared: Option) -> str:
    """Return the row of a table that describes an option."""
    cells = (f"`{typed(declared)}`", cell(declared.help), cell(default_cell(declared)))
    return f"| {' | '.join(cells)} |"


def typed(declared: Option) -> str:
    """Return an option as it is typed, with the placeholder for its value."""
    names = ", ".join(sorted(flags(declared), key=len))
    value = "" if bool in declared.types else f" {declared.metavar}"
    return cell(names.replace("/", " / ") + value)


def default_cell(declared: Option) -> str:
    """Return the text of the column with the default."""
    if declared.default is MISSING:
        return "required"
    text = default_words(declared)
    if text is None:
        return "off" if bool in declared.types else "not set"
    return f"`{text}`" if text.startswith("--") else text


def cell(text: str) -> str:
    r"""Return a text for a cell of a table.

    >>> cell("N|all")
    'N\\|all'
    """
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
