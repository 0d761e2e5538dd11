"""chainrule diagnose: what is wrong with a run, and what to do next.

What `chainrule diagnose` trains for where it is asked: learning curves, parts drawn alike.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.options import number, option
from chainrule.cli.output import write
from chainrule.errors import OptionError


def further(run: str | None, *, curves: bool, alike: bool, output: str | None) -> dict[str, Any]:
    """The records that are asked for, by their names in JSON; each has `text` and `to_dict`."""
    check(run, curves=curves, alike=alike, output=output)
    if run is None or not (curves or alike):
        return {}
    from chainrule.runs.folder import load
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.distribution_shift import compare_distributions as compared
    from chainrule.strategy.distribution_shift import pairs_to_compare
    from chainrule.strategy.learning_curves import learning_curves

    model = load(run)
    data, found = load_run_data(model), {}
    if curves:
        found["learning_curves"] = learning_curves(model, data)
    if output is not None:
        from chainrule.inspection.run_plots import plot_learning_curves

        picture = plot_learning_curves(found["learning_curves"], Path(run).name)
        write(picture, output)
    for first, second in pairs_to_compare(data) if alike else ():
        found[f"alike, {first} and {second}"] = compared(model, data, first, second)
    return found


def check(run: str | None, *, curves: bool, alike: bool, output: str | None) -> None:
    """Refuse what has no run to train again, and a picture of nothing."""
    if run is None and (curves or alike):
        where = "--curves" if curves else "--alike"
        raise OptionError(where, "a RUN to train again", "errors alone", "chainrule runs")
    if output is not None and not curves:
        expected = "--curves beside it, of which it is the picture"
        raise OptionError("--output", expected, "none", "--curves")
    if output is not None and Path(output).suffix.lower() != ".png":
        hint = f"{Path(output).stem}.png"
        raise OptionError("--output", "a name that ends in .png", output, hint)


TYPED = ("train", "train-dev", "dev", "test")


def diagnose(
    run: Annotated[
        str | None,
        typer.Argument(
            help="The folder of a run; none where errors are typed in.", show_default=False
        ),
    ] = None,
    reference: str | None = option(
        "What people reach, or Bayes error: a share, or an RMSE.",
        "NUMBER",
        "--reference",
        "--human",
    ),
    train: str | None = option("An error from elsewhere; 40/500 says of how many.", "SHARE"),
    train_dev: str | None = option("Drawn as the training part is, not trained on.", "SHARE"),
    dev: str | None = option("Of the dev part.", "SHARE"),
    test: str | None = option("Of the test part.", "SHARE"),
    curves: Annotated[
        bool, typer.Option("--curves", help="Train on growing parts, and growing networks.")
    ] = False,
    output: str | None = option("The picture of the curves.", "FILE.png", "--output", "-o"),
    alike: Annotated[
        bool, typer.Option("--alike", help="Try to tell the rows of two parts apart.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Say where the error of a run comes from: bias, variance, mismatch, leak, labels, training.

    Example: chainrule diagnose runs/digits-1 --reference 0.01
    """
    at_best = least_error(reference)
    typed = {
        name: share_of(f"--{name}", text)
        for name, text in zip(TYPED, (train, train_dev, dev, test), strict=True)
        if text is not None
    }
    if (run is None) != bool(typed):
        expected = "a RUN, or errors such as --train 0.08 --dev 0.1"
        got = "neither" if run is None else "both"
        raise OptionError("chainrule diagnose", expected, got, "chainrule runs, to list them")
    found = of_run(run, at_best) if run is not None else of_errors(typed, at_best)
    records = further(run, curves=curves, alike=alike, output=output)
    if json_:
        more = {name: record.to_dict() for name, record in records.items()}
        typer.echo(json.dumps(found.to_dict() | more))
        return
    typer.echo("\n\n".join(record.text() for record in (found, *records.values())))


def of_run(run: str, reference: float | None):
    """The diagnosis of a run on the data that it was trained on."""
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.diagnosis import diagnose

    enable_compilation_cache()
    model = load(run)
    return diagnose(model, load_run_data(model), reference=reference)


def of_errors(typed: dict[str, tuple[float, int | None]], reference: float | None):
    """The diagnosis of errors that somebody typed in."""
    from chainrule.strategy.diagnosis import diagnosis_of

    errors = {name: error for name, (error, _) in typed.items()}
    sizes = {name: m for name, (_, m) in typed.items() if m is not None}
    return diagnosis_of(errors, sizes, reference)


def least_error(text: str | None) -> float | None:
    """What people reach."""
    if text is None:
        return None
    error, _ = share_of("--reference", text)
    if not 0 <= error < float("inf"):
        hint = "0.05, the share that people get wrong"
        raise OptionError("--reference", "an error, 0 or more", text, hint)
    return error


def share_of(option: str, text: str) -> tuple[float, int | None]:
    """An error as people write it, and of how many examples.

    >>> share_of("--dev", "0.08"), share_of("--dev", "8%"), share_of("--dev", "40/500")
    ((0.08, None), (0.08, None), (0.08, 500))
    """
    hint = "0.08, 8%, or 40/500"
    if "/" in text:
        wrong, m = (number(option, part, int, hint, least=0) for part in text.split("/", 1))
        if not wrong <= m or not m:
            raise OptionError(option, "how many are wrong of how many", text, hint)
        return wrong / m, m
    value = text.strip()
    if value.endswith("%"):
        return number(option, value[:-1], float, hint) / 100, None
    return number(option, value, float, hint), None
