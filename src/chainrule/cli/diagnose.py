"""chainrule diagnose: what is wrong with a run, and what to do next."""

import json
from typing import Annotated

import typer

from chainrule.cli.further import further
from chainrule.cli.options import number, option
from chainrule.errors import OptionError

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
    from chainrule.cache import keep_compiled_programs
    from chainrule.strategy.diagnosis import diagnose
    from chainrule.train.again import data_of
    from chainrule.train.store import load

    keep_compiled_programs()
    model = load(run)
    return diagnose(model, data_of(model), reference=reference)


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
