"""Print texts of the project at random, for a reader who judges whether they are clear English.

    python -m tests.validation.sample_texts [--seed 0] [--texts 60] [--pages 5]

A third of the texts are messages, a third help texts, a third docstrings; the pages are those of
docs/ and the README. Placeholders of messages are written as <name>.
"""

import argparse
import ast
import random
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "chainrule"
ERRORS = {
    *("ChainruleError", "ShapeError", "DataError", "OptionError", "RunError", "NotFiniteError"),
    "MissingExtraError",
}


def written(node: ast.expr | None) -> str:
    """Return the text that an expression stands for, with <placeholders>."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"<{ast.unparse(node.value)}>"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return written(node.left) + written(node.right)
    return "" if node is None else f"<{ast.unparse(node)}>"


def docstrings() -> list[str]:
    """Return the docstring of every function, class and module."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Module)
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                name = getattr(node, "name", file.relative_to(SOURCE).as_posix())
                found.append(f"{name}: {text}")
    return found


def assigned(function: ast.FunctionDef) -> list[tuple[int, str, ast.expr]]:
    """Return the line, the name and the value of every assignment, also of `a, b = 1, 2`."""
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            found += [(node.lineno, a.id, b) for a, b in pairs if isinstance(a, ast.Name)]
    return sorted(found, key=lambda one: one[0])


def messages() -> list[str]:
    """Return every error message, with the last value that its variables have before it."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            values = assigned(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                    before = {name: value for line, name, value in values if line <= node.lineno}
                    words = [
                        written(before.get(arg.id, arg) if isinstance(arg, ast.Name) else arg)
                        for arg in [*node.args, *(keyword.value for keyword in node.keywords)][:4]
                    ]
                    if getattr(node.func, "id", "") == "MissingExtraError":
                        where, package, extra = words[:3]
                        words = [where, f"the package {package}", "an installation without it"]
                        words.append(f'pip install "chainrule[{extra}]"')
                    if len(words) >= 3:
                        hint = f"\nTry {words[3]}." if len(words) > 3 else ""
                        found.append(f"{words[0]}: expected {words[1]}; got {words[2]}.{hint}")
    return sorted(set(found))


def help_texts() -> list[str]:
    """Return the help of every command and option."""
    import typer.main

    from chainrule.cli.main import app

    found = []

    def visit(command, path: str) -> None:
        if command.help:
            found.append(f"{path}: {command.help}")
        for option in command.params:
            if text := getattr(option, "help", None):
                found.append(f"{path} {option.opts[0]}: {text}")
        for name, inner in getattr(command, "commands", {}).items():
            visit(inner, f"{path} {name}")

    visit(typer.main.get_command(app), "chainrule")
    return found


def main() -> None:
    """Print the sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=60)
    parser.add_argument("--pages", type=int, default=5)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    share, rest = divmod(asked.texts, 3)
    texts = draw.sample(messages(), share) + draw.sample(help_texts(), share)
    texts += draw.sample(docstrings(), share + rest)
    for number, text in enumerate(texts, 1):
        sys.stdout.write(f"[{number}] {text}\n\n")
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in draw.sample(pages, asked.pages):
        sys.stdout.write(f"PAGE {page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
