"""chainrule tune: a search over hyperparameters, its table and pictures, the best run saved.

Its options about the data and the network are those of `chainrule train`, read off its signature:
what is said there holds for all candidates, the rest can be searched over.
"""

import inspect
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from chainrule.cli.options import (
    batch_size,
    hidden_units,
    image_size,
    keep_prob_of,
    number,
    option,
    use_threads,
)
from chainrule.cli.train import train
from chainrule.errors import OptionError

OF_TRAINING_ALONE = {"recipe", "out", "resume", "checkpoint_every", "check_gradients"}
READERS = {
    "hidden": hidden_units,
    "batch_size": batch_size,
    "image_size": image_size,
    "keep_prob": keep_prob_of,
}


def with_options_of_train(command: Callable) -> Callable:
    """The command, which takes the options of training as well."""
    own = dict(inspect.signature(command).parameters)
    rest = own.pop("said").name
    shared = inspect.signature(train).parameters
    taken = [p for name, p in shared.items() if name not in {*OF_TRAINING_ALONE, *own, rest}]
    parameters = [*taken[:1], *own.values(), *taken[1:]]
    parameters = [p.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for p in parameters]
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore
    return command


@with_options_of_train
def tune(
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="A dimension, such as learning_rate=log(1e-4, 1); once for each.",
            metavar="NAME=DIMENSION",
            show_default=False,
        ),
    ] = None,
    space: str | None = option("Dimensions in a TOML or JSON file.", "FILE"),
    trials: str | None = option("Candidates in all; 20.", "N"),
    sampler: str = typer.Option("random", help="Or coarse_to_fine, tpe, qmc, gp, cmaes."),
    pruner: str = typer.Option("none", help="Or median, halving, hyperband."),
    folds: str | None = option("Measure on K folds, not on a dev set.", "K"),
    workers: str | None = option("Processes that share the search; 1.", "N"),
    together: bool = typer.Option(
        True, "--together/--in-turn", help="Candidates of one kind at once, or one by one."
    ),
    storage: str | None = option("A database that several machines share.", "URL"),
    out: str | None = option("The search's folder; searches/NAME-N if left out.", "DIR"),
    resume: str | None = option("Go on with a search; with --trials 0 its table.", "DIR"),
    **said: Any,
) -> None:
    """Search over hyperparameters on SOURCE, compare the candidates, and keep the best run.

    Example: chainrule tune digits --search "learning_rate=log(1e-4, 1)" --trials 30
    """
    began = time.perf_counter()
    use_threads(said.pop("threads"))
    as_json = said.pop("json_")
    options = entries(said)
    count = number("--trials", trials, int, "20", least=0)
    folds_ = number("--folds", folds, int, "5", least=2)
    processes = number("--workers", workers, int, "2", least=1) or 1
    asked = {"sampler": sampler, "pruner": pruner, "folds": folds_, "together": together}
    asked |= {"storage": storage, "out": out}
    if resume is not None:
        refuse_beside_resume(options | {"search": search, "space": space, "folds": folds_}, resume)
    elif "source" not in options:
        raise OptionError("chainrule tune", "a SOURCE", "none", "chainrule tune digits")
    from chainrule.cli import tune_messages

    if resume is not None:
        session = tune_messages.go_on(resume, count, storage)
    else:
        session = tune_messages.start(options, asked, lines=search, file=space, trials=count)
    tune_messages.work(session, processes, as_json, began)


def entries(said: dict[str, Any]) -> dict[str, Any]:
    """What was said of the recipe, each as the recipe has it."""
    from chainrule.runs.recipe import KINDS_OF_VALUES

    given = {}
    for parameter, text in said.items():
        name = parameter.rstrip("_")
        kind = KINDS_OF_VALUES.get(name, (str, ""))[0]
        if text is None:
            continue
        if name in READERS:
            given[name] = READERS[name](text)
        elif kind in (str, bool):
            given[name] = text
        else:
            whole = kind is int
            words = "100" if whole else "0.1"
            option = "--" + name.replace("_", "-")
            given[name] = number(option, text, int if whole else float, words)
    return given


def refuse_beside_resume(said: dict[str, Any], folder: str) -> None:
    """A search goes on as it began."""
    for name, value in said.items():
        if value is not None:
            option = name if name == "source" else "--" + name.replace("_", "-")
            expected = "no option but --trials, --workers and --storage: the rest is as it was"
            raise OptionError("--resume", expected, option, f"chainrule tune --resume {folder}")
