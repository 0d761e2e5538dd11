"""chainrule predict: labels for rows, as they were written in the training data."""

import csv
import io
import json
import sys
from typing import Annotated, Any

import typer

from chainrule.cli.options import number, use_threads
from chainrule.cli.output import write
from chainrule.errors import OptionError


def predict(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[
        str, typer.Argument(help="A file, folder or picture; labels are not needed.")
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A CSV file to write, instead of standard output."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Why: which columns, or pixels, spoke for and against."),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(metavar="N", help="With --explain: how many columns; 3.", show_default=False),
    ] = None,
    skip_unreadable: Annotated[
        bool | None,
        typer.Option("--skip-unreadable", help="Leave out pictures that cannot be read."),
    ] = None,
    threads: Annotated[str | None, typer.Option(help="Processors to use.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Predict the label of each row of SOURCE, with how likely each class is.

    Example: chainrule predict runs/digits-1 new.csv -o predictions.csv
    """
    if columns is not None and not explain:
        raise OptionError("--columns", "--explain beside it", "none", "--explain --columns 3")
    count = number("--columns", columns, int, "3", least=1) or 3
    use_threads(threads)
    from chainrule.cli.explain import as_table, columns_of, draw, in_words, needs_a_file, unit_of
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load
    from chainrule.runs.prepare import naming_dataset, read_like
    from chainrule.train.outputs import network_outputs

    enable_compilation_cache()
    model = load(run)
    if explain:
        needs_a_file(model, output)
    rows = read_like(
        model.recipe,
        model.preprocessor.shape,
        source,
        part="test",
        labelled=False,
        skip_unreadable=bool(skip_unreadable),
    )
    with naming_dataset(rows):
        X = model.preprocessor.rows(rows.X)
    Z = network_outputs(model.network, X)
    answers = model.preprocessor.answers(Z)
    likely = model.preprocessor.probabilities(Z) if model.classes else None
    names = [f"p({name})" for name in model.preprocessor.labels.names]
    why = columns_of(model, rows) if explain else None
    words = None if why is None else in_words(why, count)
    files = rows.where.tolist() if rows.place_name == "file" else None
    if json_:
        text = as_json(answers, likely, names, None if why is None else why.to_dict(count), files)
    elif words is not None and output is None and on_a_terminal():
        text = as_table(rows, answers, likely, words, unit_of(model))
    else:
        text = as_csv(answers, likely, names, words, files)
    write(text, output)
    if explain and output is not None:
        draw(model, rows, answers, likely, output)


def on_a_terminal() -> bool:
    """Whether somebody reads what is written, and not a program."""
    return sys.stdout.isatty()


def as_csv(
    answers: Any,
    likely: Any,
    names: list[str],
    words: list | None = None,
    files: list[str] | None = None,
) -> str:
    """A header, and a line for each row; `words` are what spoke for and against each.

    Of pictures each begins with its file.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    several = answers.ndim == 2
    heads = [f"prediction{i + 1}" for i in range(answers.shape[1])] if several else ["prediction"]
    more = ["for", "against"] if words is not None else []
    first = [] if files is None else ["file"]
    table.writerow(first + heads + (names if likely is not None else []) + more)
    for i, answer in enumerate(answers.tolist()):
        shown = answer if several else [answer]
        shown += [f"{p:.6f}" for p in likely[i]] if likely is not None else []
        first = [] if files is None else [files[i]]
        table.writerow(first + shown + (words[i] if words is not None else []))
    return text.getvalue()


def as_json(
    answers: Any,
    likely: Any,
    names: list[str],
    why: list | None = None,
    files: list[str] | None = None,
) -> str:
    """One object: predictions, the probabilities by class, and why, row by row."""
    found: dict[str, Any] = {} if files is None else {"files": files}
    found["predictions"] = answers.tolist()
    if likely is not None:
        found["probabilities"] = dict(zip(names, likely.T.tolist(), strict=True))
    if why is not None:
        found["explanations"] = why
    return json.dumps(found) + "\n"
