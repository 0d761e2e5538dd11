"""Write docs/reference.md, the options of all commands, from their declarations.

    python -m tests.validation.write_reference

`tests/cli/test_reference.py` fails if the page is not up to date.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from pathlib import Path

from chainrule.cli.main import COMMANDS, TASKS
from chainrule.cli.options import declared_options, flags, help_text
from chainrule.runs.options import PANELS, Option

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference.md"
OPENING = """# Reference: all commands and their options

The options are declared in `src/chainrule/runs/recipe.py`, `src/chainrule/vision/recipe.py` and the
files of the commands in `src/chainrule/cli`. This page, `--help`, the validation of values and
shell completion (`chainrule --install-completion`) are generated from these declarations. To
regenerate the page, run `python -m tests.validation.write_reference`.
"""


def page() -> str:
    """Return the text of the page."""
    lines = [OPENING]
    for name, command in commands():
        lines += [f"## chainrule {name}", "", *section(command), ""]
    return "\n".join(lines).rstrip() + "\n"


def commands() -> Iterator[tuple[str, Callable]]:
    """Return all commands by name."""
    for command in COMMANDS:
        yield command.__name__, command
    for task, app in TASKS.items():
        for one in app.registered_commands:
            function = inspect.unwrap(one.callback)
            yield f"{task} {one.name or function.__name__}", function


def section(command: Callable) -> list[str]:
    """Return the lines about a command: what it does, its arguments, and its options by panel."""
    declared = list(declared_options(command).values())
    lines = [text + "\n" for text in (inspect.getdoc(command) or "").split("\n\n")]
    arguments = [one for one in declared if one.positional]
    lines += [f"- `{one.metavar}`: {help_text(one)}" for one in arguments]
    lines += ["", "| | option | |", "|---|---|---|"]
    for panel in PANELS:
        options = [one for one in declared if one.panel == panel and not one.positional]
        for i, one in enumerate(options):
            text = cell(help_text(one) + required(one))
            lines.append(f"| {panel if i == 0 else ''} | `{typed(one)}` | {text} |")
    return lines


def typed(declared: Option) -> str:
    """Return an option as it is typed, with its metavar."""
    names = ", ".join(sorted(flags(declared), key=len))
    value = "" if bool in declared.types else f" {declared.metavar}"
    return cell(names.replace("/", " / ") + value)


def required(declared: Option) -> str:
    """Return a sentence if an option must be given."""
    return " Required." if declared.default is MISSING else ""


def cell(text: str) -> str:
    r"""Return a text for a cell of a table.

    >>> cell("N|all")
    'N\\|all'
    """
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
