"""The command `chainrule predict`, which predicts the labels of new data with a saved run."""

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from chainrule.cli import vision
from chainrule.cli.options import JSON, RUN, SKIP_UNREADABLE, STRICT
from chainrule.cli.output import check_target, write
from chainrule.errors import OptionError, RunError
from chainrule.runs import shared_options


def predict(
    run: str = RUN,
    source: str = shared_options.argument(
        "A file, a folder or an image with new examples, which need not be labelled.", "SOURCE"
    ),
    output: str | None = shared_options.output(
        "CSV file to which the predictions are written; for boxes and masks, a new folder.",
        "PATH",
        default_text="standard output",
    ),
    explain: bool = shared_options.switch(
        "Explain each prediction: report the columns or pixels that contribute most to it.",
        "Output",
        "--explain",
    ),
    columns: int | None = shared_options.count(
        "Number of columns that are listed in each explanation (only with --explain).",
        "Output",
        "3",
    ),
    strict: bool = STRICT,
    skip_unreadable: bool = SKIP_UNREADABLE,
    as_json: bool = JSON,
) -> None:
    """Predict the label of each row of SOURCE, with the probability of each class.

    With a run made by chainrule detect train or chainrule segment train, predict the boxes or the
    mask of each image.

    Example: chainrule predict runs/digits-1 new.csv -o predictions.csv
    """
    if columns is not None and not explain:
        expected, got = "--explain as well", "--columns alone"
        raise OptionError("--columns", expected, got, "--explain --columns 3")
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import kinds_in, load
    from chainrule.runs.prepare import naming_dataset
    from chainrule.runs.run import Run

    enable_compilation_cache()
    model = load(run)
    if not isinstance(model, Run):
        refuse_options(model.kind, {"--explain": explain, "--strict": strict})
        if model.kind in kinds_in("sequence"):
            from chainrule.cli.messages import NEXT

            expected, got = "a run that predicts labels", f"a run of chainrule {model.kind}"
            raise RunError(run, expected, got, f"chainrule {NEXT[model.kind].format(run=run)}")
        vision.predict(model, source, output, skip_unreadable=skip_unreadable, as_json=as_json)
        return
    check_target(output)
    if explain:
        from chainrule.cli.explain import needs_a_file

        needs_a_file(model, output)
    rows = model.read(source, labelled=False, skip_unreadable=skip_unreadable, strict=strict)
    with naming_dataset(rows):
        labels, probabilities, spread = model.predictions(rows.X)
    files = rows.where.tolist() if rows.place_name == "file" else None
    names = [f"p({name})" for name in model.preprocessor.labels.names]
    predicted = Predictions(labels, probabilities, names, files, spread, rows.key_values)
    if explain:
        _write_explained(model, rows, predicted, columns or 3, output, as_json=as_json)
    else:
        write(json_text(predicted, None) if as_json else as_csv(predicted, None), output)


def _write_explained(
    model: Any,
    rows: Any,
    predicted: "Predictions",
    count: int,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """Write the predictions with the reasons for them; only this imports the plots."""
    from chainrule.cli.explain import as_table, columns_of, draw, in_words, unit_of

    labels, probabilities = predicted.labels, predicted.probabilities
    why = columns_of(model, rows)
    words = None if why is None else in_words(why, count)
    if as_json:
        text = json_text(predicted, None if why is None else why.to_dict(count))
    elif words is not None and output is None and on_a_terminal():
        text = as_table(rows, labels, probabilities, words, unit_of(model))
    else:
        text = as_csv(predicted, words)
    write(text, output)
    if output is not None:
        draw(model, rows, labels, probabilities, output)


def refuse_options(kind: str, given: Mapping[str, bool]) -> None:
    """Refuse options that apply only to runs made by `chainrule train`."""
    for option, is_given in given.items():
        if is_given:
            expected, got = "a run of chainrule train", f"a run of chainrule {kind}"
            raise OptionError(option, expected, got, "leaving it out")


class Predictions(NamedTuple):
    """The predicted labels, the probabilities of the classes, and the names of both.

    probabilities   (m, C), or None for regression
    names           the names of the probabilities, such as "p(yes)"
    files           the name of the file of each row if the rows are image files, or else None
    disagreement    the disagreement of the members of an ensemble, (m,) or (m, k), or None
    keys            the values of the columns of --key, by name
    """

    labels: Any
    probabilities: Any
    names: list[str]
    files: list[str] | None = None
    disagreement: Any = None
    keys: Mapping[str, list[Any]] = {}


def on_a_terminal() -> bool:
    """Return whether the output goes to a terminal rather than to a file or another program."""
    return sys.stdout.isatty()


def as_csv(predicted: Predictions, words: list | None = None) -> str:
    """Return a CSV table with a line for each row; `words` are the reasons for and against.

    Each line begins with the keys of the row, and with the name of its file if it is an image.
    """
    from chainrule.data.csv_cells import write_csv

    files, labels, keys = predicted.files, predicted.labels, predicted.keys
    numbers, names = numbers_of(predicted)
    more = ["for", "against"] if words is not None else []
    own = [*([] if files is None else ["file"]), *numbered("prediction", labels), *names, *more]
    rows = [[f"column {name}" if name in own else name for name in keys] + own]
    for i, label in enumerate(labels.tolist()):
        shown = label if labels.ndim == 2 else [label]
        first = [values[i] for values in keys.values()]
        first += [] if files is None else [files[i]]
        rows.append(first + shown + numbers[i] + (words[i] if words is not None else []))
    return write_csv(rows)


def numbered(name: str, values: Any) -> list[str]:
    """Return the names of the columns of `values`: name, or name1, name2, … for several."""
    return [f"{name}{i + 1}" for i in range(values.shape[1])] if values.ndim == 2 else [name]


def numbers_of(predicted: Predictions) -> tuple[list[list[str]], list[str]]:
    """Return the probabilities and the disagreement as text for each row, and their names."""
    import numpy as np

    parts, names = [np.zeros((len(predicted.labels), 0))], []
    if predicted.probabilities is not None:
        parts.append(predicted.probabilities)
        names += predicted.names
    if predicted.disagreement is not None:
        parts.append(predicted.disagreement)
        names += numbered("disagreement", predicted.disagreement)
    table = np.column_stack(parts)
    return [[f"{x:.6f}" for x in row] for row in table], names


def json_text(predicted: Predictions, why: list | None = None) -> str:
    """Return one JSON object: predictions, the probabilities of each class, and explanations."""
    labels, probabilities, names, files, spread, keys = predicted
    found: dict[str, Any] = {} if files is None else {"files": files}
    found |= {"keys": keys} if keys else {}
    found["predictions"] = labels.tolist()
    if probabilities is not None:
        found["probabilities"] = dict(zip(names, probabilities.T.tolist(), strict=True))
    if spread is not None:
        found["disagreement"] = spread.tolist()
    if why is not None:
        found["explanations"] = why
    return json.dumps(found) + "\n"
