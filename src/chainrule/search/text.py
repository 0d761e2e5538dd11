"""Parse dimensions and conditions as they are written on the command line or in a file.

    learning_rate=log(1e-4, 1)
    hidden=choices(none, (64,), (64, 32))
    units3=integers(8, 128) if layers >= 3

The texts are Python expressions; they are parsed and never evaluated.
"""

import ast
from typing import Any

from chainrule.errors import OptionError, check_choice
from chainrule.search.conditions import Comparison, Condition
from chainrule.search.dimensions import (
    Choices,
    Dimension,
    Integers,
    Log,
    OneMinusLog,
    Uniform,
    as_text,
)

RANGES = {"uniform": Uniform, "log": Log, "one_minus_log": OneMinusLog}
KINDS = (*RANGES, "integers", "choices")
HINT = "log(1e-4, 1), uniform(0.5, 1), one_minus_log(0.9, 0.999), integers(8, 128), choices(a, b)"
OPERATORS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
}
WORDS = {"true": True, "false": False, "True": True, "False": False}


def read_pair(line: str) -> tuple[str, str]:
    """Split "name=dimension" into the name and the rest.

    >>> read_pair("units3 = integers(8, 128) if layers >= 3")
    ('units3', 'integers(8, 128) if layers >= 3')
    """
    name, equals, rest = line.partition("=")
    if not equals or not name.strip().isidentifier():
        raise OptionError("--search", "NAME=DIMENSION", repr(line), "learning_rate=log(1e-4, 1)")
    return name.strip(), rest.strip()


def read_dimension(text: str) -> tuple[Dimension, Condition | None]:
    """Parse a dimension and its condition, such as "integers(8, 128) if layers >= 3".

    Raises OptionError if the text is not valid.

    >>> dimension, condition = read_dimension("integers(8, 128) if layers >= 3")
    >>> dimension
    Integers(low=8, high=128, log=False)
    >>> str(condition)
    'layers >= 3'
    """
    dimension_text, has_condition, when = text.partition(" if ")
    call = _tree(dimension_text, "a dimension", HINT)
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.keywords:
        raise OptionError(repr(text), "a dimension", "another expression", HINT)
    check_choice(repr(text), call.func.id, KINDS)
    values = tuple(_value(node, text) for node in call.args)
    dimension = _dimension(call.func.id, values, text)
    return dimension, read_condition(when) if has_condition else None


def read_condition(text: str) -> Condition:
    """Parse a condition, such as "layers >= 3 and optimizer == adam"."""
    hint = "layers >= 3, optimizer == adam, or several with and"
    node = _tree(text, "a condition", hint)
    all_of = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
    return Condition(tuple(_test(n, text, hint) for n in (node.values if all_of else [node])))


def _tree(text: str, what: str, hint: str) -> Any:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise OptionError(repr(text), what, "invalid syntax", hint) from None


def _dimension(kind: str, values: tuple, text: str) -> Dimension:
    if kind == "choices":
        return Choices(values)
    on_log = kind == "integers" and len(values) == 3 and values[2] == "log"
    if len(values) != 2 and not on_log:
        got = ", ".join(map(as_text, values)) or "none"
        raise OptionError(repr(text), "two bounds", got, HINT)
    return Integers(*values[:2], log=on_log) if kind == "integers" else RANGES[kind](*values)


def _test(node: Any, text: str, hint: str) -> Comparison:
    """Parse a comparison: name operator value."""
    one = isinstance(node, ast.Compare) and len(node.ops) == 1
    if not one or not isinstance(node.left, ast.Name) or type(node.ops[0]) not in OPERATORS:
        raise OptionError(repr(text), "a condition", "another expression", hint)
    value = _value(node.comparators[0], text)
    operator = OPERATORS[type(node.ops[0])]
    if operator == "in" and not isinstance(value, tuple):
        hint = f"{node.left.id} in ({as_text(value)},)"
        raise OptionError(repr(text), "a tuple of values after in", as_text(value), hint)
    return Comparison(node.left.id, operator, value)


def _value(node: Any, text: str) -> Any:
    """Parse a number, a string, a name, or a tuple of them."""
    if isinstance(node, ast.Tuple):
        return tuple(_value(part, text) for part in node.elts)
    if isinstance(node, ast.Name):
        return WORDS.get(node.id, node.id)
    minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    constant = node.operand if minus else node
    if isinstance(constant, ast.Constant) and isinstance(constant.value, int | float | str):
        return -constant.value if minus and not isinstance(constant.value, str) else constant.value
    raise OptionError(repr(text), "numbers and names", ast.unparse(node), HINT)
