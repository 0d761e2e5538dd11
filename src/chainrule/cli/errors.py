"""The command `chainrule errors`, which lists mistakes of a run and probable label errors."""

from pathlib import Path
from typing import Any

from chainrule.choices import SAMPLES
from chainrule.cli.options import JSON
from chainrule.cli.output import say, say_json, write
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option


def errors(
    run: str = shared_options.argument(
        "The folder of a saved run; with --label-errors, it can also be a data set, as for "
        "chainrule train.",
        "RUN",
    ),
    split: str | None = option(
        None,
        "Set whose mistakes are listed, such as train, dev or test.",
        "Data",
        "SET",
        suggestions=("train", "dev", "test"),
        default_text="the dev set, if there is one",
    ),
    count: int = option(
        100, "Maximum number of mistakes to list.", "Data", "N", minimum=1, example="100"
    ),
    sample: str = shared_options.choice(
        "worst",
        SAMPLES,
        "Mistakes to list: worst lists those with the highest cost; random draws a random sample, "
        "from which the share of each kind of mistake can be estimated.",
    ),
    output: str | None = shared_options.output(
        "CSV file to which the list is written; a list of mistakes has a column for your tags."
    ),
    gallery: str | None = option(
        None, "PNG file in which the misclassified images are shown.", "Output", "FILE"
    ),
    tags: str | None = option(
        None,
        "Analyse this CSV file, which was written with --output and in which you have filled in "
        "the tags.",
        "Data",
        "FILE",
    ),
    label_errors: bool = shared_options.switch(
        "List the probable label errors in all sets instead of the mistakes.",
        "Data",
        "--label-errors",
    ),
    target: str | None = shared_options.column(
        "Name of the column with the labels (only with --label-errors and a data set)."
    ),
    seed: int = shared_options.seed(
        "Random seed for the sample of mistakes, and for the folds of --label-errors.", "Data"
    ),
    as_json: bool = JSON,
) -> None:
    """List the mistakes of a run, analyse the tags that you gave them, or find label errors.

    Example: chainrule errors runs/digits-1 -o mistakes.csv --gallery mistakes.png
    """
    _check_together(
        tags=tags, label_errors=label_errors, gallery=gallery, output=output, target=target
    )
    from chainrule.host.compilation_cache import enable_compilation_cache

    enable_compilation_cache()
    if label_errors:
        found, table = _label_errors(run, target, seed)
    else:
        found, table = _mistakes(run, split, count, sample, seed, tags, gallery)
    if output is not None:
        write(table, output)
    if as_json:
        say_json(found.to_dict())
    else:
        say(found.text())


def _mistakes(
    run: str,
    split: str | None,
    count: int,
    sample: str,
    seed: int,
    tags: str | None,
    gallery: str | None,
) -> tuple[Any, str]:
    """Return the mistakes (or the analysis of their tags), and the text of their CSV file."""
    from chainrule.inspection.image_plots import mistake_gallery
    from chainrule.runs.folder import load
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.error_analysis import find_mistakes
    from chainrule.strategy.error_tags import analyse_tag_file, as_csv

    model = load(run, "train")
    data = load_run_data(model)
    if tags is not None:
        return analyse_tag_file(model, data, tags, split), ""
    found = find_mistakes(model, data, split, count, sample=sample, seed=seed)
    if gallery is not None:
        write(
            mistake_gallery(found, data.sources[found.part], model.preprocessor),
            gallery,
            "--gallery",
        )
    return found, as_csv(found)


def _label_errors(source: str, target: str | None, seed: int) -> tuple[Any, str]:
    """Return the probable label errors of a run or data set, and the text of their CSV file."""
    from chainrule.runs.folder import load
    from chainrule.runs.prepare import prepare_data
    from chainrule.runs.recipe import Recipe
    from chainrule.runs.run import load_run_data
    from chainrule.strategy.label_errors import find_label_errors

    if (Path(source) / "recipe.json").is_file():
        if target is not None:
            hint = "leaving it out, since the run records its target column"
            raise OptionError("--target", "a data set instead of a run", source, hint)
        model = load(source, "train")
        found = find_label_errors(load_run_data(model), model, seed=seed)
    else:
        recipe = Recipe(source, target=target, dev="none", test="none")
        found = find_label_errors(prepare_data(recipe), seed=seed)
    return found, found.csv()


def _check_together(
    *, tags: str | None, label_errors: bool, target: str | None, **others: Any
) -> None:
    """Refuse options that cannot be combined."""
    if tags is not None:
        given = {**others, "label_errors": label_errors}
        flags = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
        if flags:
            expected = "no option other than --split"
            raise OptionError("--tags", expected, ", ".join(flags), "running two separate commands")
    if label_errors and others["gallery"]:
        expected = "a list of mistakes, without --label-errors"
        raise OptionError("--gallery", expected, "--label-errors", "-o label_errors.csv")
    if target is not None and not label_errors:
        expected, got = "--label-errors as well", "--target alone"
        raise OptionError("--target", expected, got, "leaving it out")
