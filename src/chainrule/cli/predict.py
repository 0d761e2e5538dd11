"""chainrule predict: labels for rows, as they were written in the training data."""

import csv
import io
import json
from typing import Annotated, Any

import typer

from chainrule.cli.options import use_threads
from chainrule.cli.output import write


def predict(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[
        str, typer.Argument(help="A file, folder or picture; labels are not needed.")
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A CSV file to write, instead of standard output."),
    ] = None,
    threads: Annotated[str | None, typer.Option(help="Processors to use.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Predict the label of each row of SOURCE, with how likely each class is.

    Example: chainrule predict runs/digits-1 new.csv -o predictions.csv
    """
    use_threads(threads)
    from chainrule.cache import keep_compiled_programs
    from chainrule.train.outputs import network_outputs
    from chainrule.train.prepare import read_like, said_of
    from chainrule.train.store import load

    keep_compiled_programs()
    model = load(run)
    rows = read_like(model.recipe, model.door.shape, source, part="test", labelled=False)
    with said_of(rows):
        X = model.door.rows(rows.X)
    Z = network_outputs(model.network, X)
    answers = model.door.answers(Z)
    likely = model.door.probabilities(Z) if model.classes else None
    names = [f"p({name})" for name in model.door.labels.names]
    write(as_json(answers, likely, names) if json_ else as_csv(answers, likely, names), output)


def as_csv(answers: Any, likely: Any, names: list[str]) -> str:
    """A header, and a line for each row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    several = answers.ndim == 2
    heads = [f"prediction{i + 1}" for i in range(answers.shape[1])] if several else ["prediction"]
    table.writerow(heads + (names if likely is not None else []))
    for i, answer in enumerate(answers.tolist()):
        shown = answer if several else [answer]
        table.writerow(shown + ([f"{p:.6f}" for p in likely[i]] if likely is not None else []))
    return text.getvalue()


def as_json(answers: Any, likely: Any, names: list[str]) -> str:
    """One object: predictions, and the probabilities by class."""
    found = {"predictions": answers.tolist()}
    if likely is not None:
        found["probabilities"] = dict(zip(names, likely.T.tolist(), strict=True))
    return json.dumps(found) + "\n"
