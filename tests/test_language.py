"""Texts open with a verb or a noun phrase, and no private word is the name of anything in src."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from chainrule import errors

SOURCE = Path(__file__).parent.parent / "src" / "chainrule"
FILES = sorted(SOURCE.rglob("*.py"))

FRAGMENTS = ("The same", "Of ", "That of", "Those of")
"""Openings of texts that cannot be understood out of context."""

PRIVATE = {
    *("door", "doors", "worlds", "tints", "oddity", "oddities", "likeness", "unlikeness"),
    *("told", "teller", "said", "says", "saying", "spoken", "heard", "telling"),
    *("tried", "judged", "guessed", "climb", "climbed", "crew", "entrant", "entrants"),
    *("alike", "suspect", "suspects", "cure", "cures", "trouble", "troubles"),
}
"""Words that no user or contributor knows; each has a term of the field in its place."""

STORED = {
    "cures": "a key of the findings in the record of a diagnosis",
    "likeness_": "a key of recipe.json in the run of a verifier",
    "tried": "a key of the rungs of the ladder in recipe.json",
}
"""Names with a private word that are keys of files on disk, which old runs have."""

MESSAGES = {
    name
    for name, one in vars(errors).items()
    if isinstance(one, type) and issubclass(one, errors.ChainruleError)
}
"""The exceptions whose arguments are parts of a message."""

HELPERS = {"Option", "Argument", "option", "warn", "_warn"}
"""Functions whose arguments are help texts or warnings."""


def opening(node: ast.AST) -> str:
    """Return the text of a string, or of an f-string up to its first value; else nothing."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0] if node.values else node
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the opening of every docstring, message, warning and help text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr):
                yield first.lineno, opening(first.value)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            if name in MESSAGES | HELPERS:
                values = [*node.args, *(keyword.value for keyword in node.keywords)]
                yield from ((node.lineno, opening(value)) for value in values)


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every function, class, parameter, attribute and variable."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.value.lineno, node.arg
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias):
            yield node.lineno, node.asname or node.name.split(".")[-1]


def words(name: str) -> set[str]:
    """Return the words of a name, in lower case: of `said_from`, `SAID_FROM` and `SaidFrom`."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def fragments(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the texts that open with a fragment."""
    return [(line, text) for line, text in texts(tree) if text.lstrip().startswith(FRAGMENTS)]


def private_names(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the names that contain a private word and are not stored."""
    return [
        (line, name) for line, name in names(tree) if words(name) & PRIVATE and name not in STORED
    ]


def found(check) -> list[str]:
    """Return what a check finds in all source files, each with its file and line."""
    return [
        f"{file.relative_to(SOURCE)}:{line}: {what}"
        for file in FILES
        for line, what in sorted(set(check(ast.parse(file.read_text()))))
    ]


def test_texts_open_with_a_verb_or_a_noun_phrase():
    assert found(fragments) == []


def test_names_are_terms_of_the_field():
    assert found(private_names) == []


def test_names_of_files_are_terms_of_the_field():
    assert [str(file.relative_to(SOURCE)) for file in FILES if words(file.stem) & PRIVATE] == []


def test_the_checks_find_what_they_look_for():
    code = '''
"""The same for rows."""
from module import crew
def said_from(told, *, Spoken=1):
    """That of a row."""
    self.tints = DataError(f"Of {x}", "Those of", "a row", hint="the same")
    warn(f"Of all rows {x}")
class Likeness:
    """Offer a row."""
    likeness_ = call(cures=1, resaid=2, judged=3)
'''
    tree = ast.parse(code)
    opened = ["The same for rows.", "That of a row.", "Of ", "Those of", "Of all rows "]
    assert sorted(text for _, text in fragments(tree)) == sorted(opened)
    private = ["crew", "said_from", "told", "Spoken", "tints", "Likeness", "judged"]
    assert sorted(name for _, name in private_names(tree)) == sorted(private)
