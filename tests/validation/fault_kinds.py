"""The kinds of faults that can be seeded in a function: small edits of its source text.

Each kind is a function of one syntax node and its parent. It yields the edits that turn this node
into a plausible mistake, such as a wrong sign, a wrong axis, a missing division by m or a call that
is left out.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Edit(NamedTuple):
    """A replacement of the bytes from `start` to `end` of a source file."""

    start: int
    end: int
    text: str


class Dataset:
    """The text of a Python file with its syntax tree; positions are offsets in bytes."""

    def __init__(self, text: str):
        self.content = text.encode()
        self.tree = ast.parse(text)
        self.line_starts = [0]
        for line in self.content.splitlines(keepends=True):
            self.line_starts.append(self.line_starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self.line_starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.AST) -> int:
        return self.line_starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.AST) -> str:
        return self.content[self.start(node) : self.end(node)].decode()

    def between(self, left: ast.AST, right: ast.AST) -> str:
        return self.content[self.end(left) : self.start(right)].decode()

    def replace(self, node: ast.AST, text: str) -> Edit:
        return Edit(self.start(node), self.end(node), text)

    def replace_between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Edit:
        """Replace an operator between two operands, which may stand in parentheses."""
        text = re.sub(old, new, self.between(left, right), count=1)
        return Edit(self.end(left), self.start(right), text)

    def swap(self, first: ast.AST, second: ast.AST) -> Edit:
        text = self.text(second) + self.between(first, second) + self.text(first)
        return Edit(self.start(first), self.end(second), text)


Kind = Callable[[Dataset, ast.AST, ast.AST], Iterator[Edit]]


def children(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield each node inside `node` with its parent, except in annotations and f-strings."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child, node
                if not isinstance(child, ast.JoinedStr):
                    yield from children(child)


def is_sequence(node: ast.AST) -> bool:
    """Whether a node is clearly a text, bytes or a list, to which most operators do not apply."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            return is_sequence(left) or is_sequence(right)
        case ast.Constant(value):
            return isinstance(value, str | bytes)
    return isinstance(node, ast.JoinedStr | ast.List | ast.ListComp | ast.Tuple)


def is_arithmetic(node: ast.AST, operators: Iterable[type[ast.operator]]) -> bool:
    """Whether a node is one of these operations, on what may be numbers."""
    return (
        isinstance(node, ast.BinOp)
        and type(node.op) in operators
        and not (is_sequence(node.left) or is_sequence(node.right))
    )


def integer(node: ast.AST) -> int | None:
    """Return the value of an integer constant, which may have a minus sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = integer(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def called_name(node: ast.AST) -> str:
    """Return the last part of the name of the function that a call names, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def sign(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a + b becomes a - b, a - b becomes a + b, and -a becomes a."""
    signs = {ast.Add: (r"\+", "-"), ast.Sub: ("-", "+")}
    match node:
        case ast.BinOp(left, op, right) if is_arithmetic(node, signs):
            yield source.replace_between(left, right, *signs[type(op)])
        case ast.AugAssign(target, op, value) if type(op) in signs and not is_sequence(value):
            yield source.replace_between(target, value, *signs[type(op)])
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            yield Edit(source.start(node), source.start(node) + 1, "")


def factor(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a * b becomes a / b, and a / b becomes a * b."""
    factors = {ast.Mult: (r"\*", "/"), ast.Div: ("/", "*")}
    if is_arithmetic(node, factors):
        yield source.replace_between(node.left, node.right, *factors[type(node.op)])


def missing_division(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a / m becomes a, and a mean becomes a sum."""
    number = r"\bm\b|shape|len\(|size|count"
    if is_arithmetic(node, [ast.Div]) and re.search(number, source.text(node.right)):
        before = source.between(node.left, node.right).partition("/")[0].rstrip()
        yield Edit(source.end(node.left), source.end(node), before)
    if isinstance(node, ast.Call) and called_name(node) == "mean":
        yield Edit(source.end(node.func) - len("mean"), source.end(node.func), "sum")


def strictness(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a < b becomes a <= b, and so on."""
    kinds = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for left, op, right in zip(operands, node.ops, operands[1:], strict=False):
            if type(op) in kinds:
                yield source.replace_between(left, right, *kinds[type(op)])


def equality(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a == b becomes a != b, a in b becomes a not in b, and so on."""
    kinds = {
        ast.Eq: ("==", "!="),
        ast.NotEq: ("!=", "=="),
        ast.In: (r"\bin\b", "not in"),
        ast.NotIn: (r"\bnot\s+in\b", "in"),
        ast.Is: (r"\bis\b", "is not"),
        ast.IsNot: (r"\bis\s+not\b", "is"),
    }
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in kinds:
        yield source.replace_between(node.left, node.comparators[0], *kinds[type(node.ops[0])])


def off_by_one(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """An integer is one larger, or a range is one shorter."""
    skipped = isinstance(parent, ast.keyword) and parent.arg in ("axis", "axes", "stacklevel")
    if isinstance(node, ast.Constant) and type(node.value) is int and not skipped:
        yield source.replace(node, str(node.value + 1))
    if called_name(node) == "range" and integer(node.args[-1]) is None:
        yield source.replace(node.args[-1], f"({source.text(node.args[-1])}) - 1")


def constant(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A decimal number is twice as large, or 1.0 instead of 0.0."""
    if isinstance(node, ast.Constant) and type(node.value) is float:
        yield source.replace(node, repr(2 * node.value or 1.0))


def flag(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """True becomes False, and False becomes True."""
    skipped = isinstance(parent, ast.Return) or getattr(parent, "arg", "") == "strict"
    if isinstance(node, ast.Constant) and type(node.value) is bool and not skipped:
        yield source.replace(node, str(not node.value))


def negated_condition(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A condition becomes its opposite."""
    conditions = [node.test] if isinstance(node, ast.If | ast.IfExp) else getattr(node, "ifs", [])
    for condition in conditions:
        yield source.replace(condition, f"not ({source.text(condition)})")


def logic(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """a and b becomes a or b, and a or b becomes a and b."""
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        yield source.replace_between(*node.values[:2], rf"\b{old}\b", new)


def extremum(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A maximum becomes a minimum, and a minimum becomes a maximum."""
    name = called_name(node)
    if found := re.fullmatch(r"(|arg|nan)(min|max)(imum)?", name):
        other = {"min": "max", "max": "min"}[found[2]]
        end = source.end(node.func)
        yield Edit(end - len(name.encode()), end, f"{found[1]}{other}{found[3] or ''}")


def dropped_call(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A statement that only calls something, such as flush, append or check_…, is missing."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield source.replace(node, "pass")


def dropped_update(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A statement that changes a value in place is missing."""
    stores = (ast.Subscript, ast.Attribute)
    in_place = isinstance(node, ast.Assign) and isinstance(node.targets[0], stores)
    if in_place or isinstance(node, ast.AugAssign):
        yield source.replace(node, "pass")


def swapped_arguments(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """f(a, b) becomes f(b, a)."""
    obvious = ("cast", "getattr", "hasattr", "isinstance", "issubclass", "setattr")
    if isinstance(node, ast.Call) and len(node.args) == 2 and called_name(node) not in obvious:
        first, second = node.args
        starred = any(isinstance(arg, ast.Starred) for arg in node.args)
        if not starred and source.text(first) != source.text(second):
            yield source.swap(first, second)


def swapped_message(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """An error says what came where it should say what was expected."""
    if re.search(r"Error$|damaged|^refuse|unreadable", called_name(node)):
        starred = any(isinstance(arg, ast.Starred) for arg in node.args[:3])
        if len(node.args) >= 3 and not starred:
            yield source.swap(node.args[1], node.args[2])


def wrong_axis(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A reduction or a join goes along another axis."""
    if isinstance(node, ast.keyword) and node.arg in ("axis", "axes"):
        axis = integer(node.value)
        if axis is not None:
            yield source.replace(node.value, str({0: 1, -1: 0}.get(axis, axis - 1)))
        elif isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
            kept = ", ".join(source.text(element) for element in node.value.elts[:-1])
            yield source.replace(node.value, f"({kept},)")


def transposed(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """A transpose is missing, or a factor of a product of matrices is transposed."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield Edit(source.end(node.value), source.end(node), "")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        for side in (node.left, node.right):
            yield source.replace(side, f"({source.text(side)}).T")


def returned_value(source: Dataset, node: ast.AST, parent: ast.AST) -> Iterator[Edit]:
    """The returned truth, number, text, pair or list is another one."""
    if not isinstance(parent, ast.Return):
        return
    match node:
        case ast.Constant(bool(value)):
            yield source.replace(node, str(not value))
        case ast.Constant(str(value)) if value:
            yield source.replace(node, repr(value[:-1]))
        case ast.JoinedStr():
            yield source.replace(node, f"{source.text(node)}[:-1]")
        case ast.Tuple(elts=[first, second, *_]):
            yield source.swap(first, second)
        case ast.ListComp() | ast.List():
            yield source.replace(node, f"{source.text(node)}[1:]")
        case ast.BinOp() if is_arithmetic(node, [ast.Add, ast.Sub, ast.Mult, ast.Div]):
            yield source.replace(node, f"-({source.text(node)})")


KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        sign,
        factor,
        missing_division,
        strictness,
        equality,
        off_by_one,
        constant,
        flag,
        negated_condition,
        logic,
        extremum,
        dropped_call,
        dropped_update,
        swapped_arguments,
        swapped_message,
        wrong_axis,
        transposed,
        returned_value,
    )
}


def edits(source: Dataset, function: Function) -> dict[str, list[Edit]]:
    """Return the edits that apply to a function, by kind; kinds without an edit are left out."""
    found = {
        name: [edit for node, parent in children(function) for edit in kind(source, node, parent)]
        for name, kind in KINDS.items()
    }
    return {name: of_kind for name, of_kind in found.items() if of_kind}


def functions(source: Dataset) -> Iterator[tuple[str, Function]]:
    """Yield each function of a file with its qualified name, except under `if TYPE_CHECKING`."""

    def inside(node: ast.AST, place: str) -> Iterator[tuple[str, Function]]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            name = f"{place}.{child.name}".lstrip(".") if named else place
            if named and not isinstance(child, ast.ClassDef):
                yield name, child
            yield from inside(child, name)

    yield from inside(source.tree, "")


def statements(function: Function) -> int:
    """Count the statements of a function at all depths, without its docstring."""
    nodes = [node for part in function.body for node in ast.walk(part)]
    counted = sum(isinstance(node, ast.stmt) for node in nodes)
    return counted - (ast.get_docstring(function) is not None)
