"""The command `chainrule diagnose`, which finds the causes of errors and suggests remedies.

If requested, it trains further networks to compute learning curves, and to test whether the sets
have different distributions.
"""

from pathlib import Path
from typing import Any

from chainrule.cli.options import JSON
from chainrule.cli.output import say, say_json, write
from chainrule.errors import OptionError, RunError
from chainrule.runs import shared_options
from chainrule.runs.options import option, read_number


def further(run: str | None, *, curves: bool, shift: bool, output: str | None) -> dict[str, Any]:
    """Compute the requested learning curves and tests of distribution shift.

    The records are returned by name; each of them has the methods `text` and `to_dict`.
    """
    check(run, curves=curves, shift=shift, output=output)
    if run is None or not (curves or shift):
        return {}
    from chainrule.runs.folder import load
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.distribution_shift import compare_distributions, pairs_to_compare
    from chainrule.strategy.learning_curves import learning_curves

    model = load(run, "train")
    data, found = load_run_data(model), {}
    if curves:
        found["learning_curves"] = learning_curves(model, data)
    if output is not None:
        from chainrule.inspection.run_plots import plot_learning_curves

        write(plot_learning_curves(found["learning_curves"], Path(run).name), output)
    for first, second in pairs_to_compare(data) if shift else ():
        name = f"shift, {first} and {second}"
        found[name] = compare_distributions(model, data, first, second)
    return found


def check(run: str | None, *, curves: bool, shift: bool, output: str | None) -> None:
    """Refuse options that need a run if no run is given, and a plot without learning curves."""
    if run is None and (curves or shift):
        where = "--curves" if curves else "--shift"
        expected, got = "a RUN that can be trained again", "only errors"
        raise OptionError(where, expected, got, "chainrule runs, to list the runs")
    if output is not None and not curves:
        expected = "--curves as well, since it plots the learning curves"
        raise OptionError("--output", expected, "none", "--curves")
    if output is not None and Path(output).suffix.lower() != ".png":
        hint = f"{Path(output).stem}.png"
        raise OptionError("--output", "a name that ends in .png", output, hint)


TYPED = ("train", "train-dev", "dev", "test")


def read_error(where: str, text: str) -> tuple[float, int | None]:
    """Convert text such as "5/500" to an error rate and, if it is given, the number of examples.

    >>> read_error("--dev", "0.08"), read_error("--dev", "8%"), read_error("--dev", "40/500")
    ((0.08, None), (0.08, None), (0.08, 500))
    """
    hint = "0.08, 8%, or 40/500"
    if "/" in text:
        wrong, m = (read_number(where, part, int, hint) for part in text.split("/", 1))
        if not 0 <= wrong <= m or not m:
            expected = "a number of errors that is at most the number of examples"
            raise OptionError(where, expected, text, hint)
        return wrong / m, m
    value = text.strip()
    if value.endswith("%"):
        return read_number(where, value[:-1], float, hint) / 100, None
    return read_number(where, value, float, hint), None


def _error(help: str) -> Any:
    """Declare an option for the error on a set."""
    return option(None, help, "Data", "ERROR", parse=read_error)


def diagnose(
    run: str | None = option(
        None,
        "The folder of a saved run; omit it to diagnose the errors given by --train, --dev and "
        "similar options.",
        "Data",
        "RUN",
        positional=True,
    ),
    reference: tuple[float, int | None] | None = option(
        None,
        "Human-level error or lowest possible (Bayes) error: an error rate such as 0.01, 1% or "
        "5/500, or an RMSE for regression.",
        "Data",
        "ERROR",
        flags=("--reference", "--human"),
        parse=lambda flag, text: read_error("--reference", text),
    ),
    train: tuple[float, int | None] | None = _error(
        "Error on the training set: 0.08, 8%, or 40/500, which is 40 errors in 500 examples."
    ),
    train_dev: tuple[float, int | None] | None = _error(
        "Error on the train-dev set, written as for --train; this set comes from the distribution "
        "of the training set, but is not used for training."
    ),
    dev: tuple[float, int | None] | None = _error(
        "Error on the dev set: 0.1, 10%, or 50/500, which is 50 errors in 500 examples."
    ),
    test: tuple[float, int | None] | None = _error(
        "Error on the test set: 0.1, 10%, or 50/500, which is 50 errors in 500 examples."
    ),
    curves: bool = shared_options.switch(
        "Compute learning curves: train the network on training sets of increasing size, and with "
        "increasing numbers of units.",
        "Training",
        "--curves",
    ),
    shift: bool = shared_options.switch(
        "Test whether the sets have different distributions: train a classifier to tell two sets "
        "apart.",
        "Training",
        "--shift",
    ),
    output: str | None = shared_options.output(
        "PNG file to which the learning curves are plotted (only with --curves).", "FILE.png"
    ),
    as_json: bool = JSON,
) -> None:
    """Find the causes of the errors of a run, such as high bias, high variance or wrong labels.

    The command compares the errors on the training, dev and test sets, checks for data mismatch,
    leakage, wrong labels and training problems, and suggests what to do next.

    Example: chainrule diagnose runs/digits-1 --reference 0.01
    """
    at_best = least_error(reference)
    given = zip(TYPED, (train, train_dev, dev, test), strict=True)
    typed = {name: error for name, error in given if error is not None}
    if (run is None) != bool(typed):
        expected = "a RUN, or errors such as --train 0.08 --dev 0.1"
        got = "neither" if run is None else "both"
        raise OptionError("chainrule diagnose", expected, got, "chainrule runs, to list the runs")
    found = of_run(run, at_best) if run is not None else of_errors(typed, at_best)
    records = further(run, curves=curves, shift=shift, output=output)
    if as_json:
        more = {name: record.to_dict() for name, record in records.items()}
        say_json(found.to_dict() | more)
        return
    say("\n\n".join(record.text() for record in (found, *records.values())))


def of_run(run: str, reference: float | None):
    """Return the diagnosis of a run on its own data."""
    from chainrule.host.compilation_cache import enable_compilation_cache
    from chainrule.runs.folder import load
    from chainrule.runs.run import Run, load_run_data
    from chainrule.strategy.diagnosis import diagnose

    enable_compilation_cache()
    model = load(run)
    if isinstance(model, Run):
        return diagnose(model, load_run_data(model), reference=reference)
    if reference is not None:
        expected, got = "a run of chainrule train", f"a run of chainrule {model.kind}"
        raise OptionError("--reference", expected, got, "leaving it out")
    from chainrule.inspection.report.task_report import advice

    found = advice(model.kind, model.results)
    if found is None:
        hint = f"chainrule {model.kind} train without --dev none"
        raise RunError(run, "a run with the scores of a dev set", "a run without a dev set", hint)
    return found


def of_errors(typed: dict[str, tuple[float, int | None]], reference: float | None):
    """Return the diagnosis of errors that were given as options."""
    from chainrule.strategy.diagnosis import diagnosis_of

    errors = {name: error for name, (error, _) in typed.items()}
    sizes = {name: m for name, (_, m) in typed.items() if m is not None}
    return diagnosis_of(errors, sizes, reference)


def least_error(reference: tuple[float, int | None] | None) -> float | None:
    """Return the human-level or Bayes error."""
    if reference is None:
        return None
    error, _ = reference
    if not 0 <= error < float("inf"):
        hint = "0.05, an error rate of 5 %"
        raise OptionError("--reference", "a number of at least 0", f"{error:g}", hint)
    return error
