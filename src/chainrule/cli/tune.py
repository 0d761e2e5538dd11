"""chainrule tune: a search over hyperparameters, its table and plots, and the best run.

It takes the options of `chainrule train` that concern the data and the network. An option that is
set has the same value for all candidates; the others can be searched over.
"""

import time
from typing import Any

from chainrule.choices import PRUNERS, SAMPLERS
from chainrule.cli.options import JSON, THREADS, declared_options, takes, use_threads
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option
from chainrule.runs.recipe import Recipe


@takes(Recipe)
def tune(
    given: dict[str, Any],
    search: list[str] | None = option(
        None,
        "Dimension of the search space, such as learning_rate=log(1e-4, 1); repeatable.",
        "Search",
        "NAME=DIMENSION",
        default_text="the most important hyperparameters",
    ),
    space: str | None = option(
        None, "TOML or JSON file with the dimensions of the search space.", "Search", "FILE"
    ),
    trials: int | None = shared_options.count(
        "Number of candidates in total.", "Search", "20", minimum=0
    ),
    sampler: str = option(
        "random",
        f"How candidates are chosen: {', '.join(SAMPLERS)}.",
        "Search",
        "NAME",
        choices=SAMPLERS,
    ),
    pruner: str = option(
        "none",
        f"Which candidates are stopped early: {', '.join(PRUNERS)}.",
        "Search",
        "NAME",
        choices=PRUNERS,
    ),
    folds: int | None = option(
        None,
        "Evaluate candidates by K-fold cross-validation.",
        "Search",
        "K",
        minimum=2,
        example="5",
        default_text="evaluate on the dev set",
    ),
    workers: int = option(
        1, "Number of processes that share the search.", "Search", "N", minimum=1, example="2"
    ),
    vectorize: bool = option(
        True, "Train candidates of the same architecture in one vectorised program.", "Search"
    ),
    storage: str | None = option(
        None, "URL of a database through which machines share the search.", "Search", "URL"
    ),
    out: str | None = shared_options.new_folder(
        "Folder of the search; it must not exist yet.", "the next free searches/NAME-N"
    ),
    resume: str | None = option(
        None, "Resume a search; with --trials 0, only print its table.", "Output", "FOLDER"
    ),
    threads: int | None = THREADS,
    as_json: bool = JSON,
) -> None:
    """Search over hyperparameters on SOURCE, compare the candidates, and keep the best run.

    Example: chainrule tune digits --search "learning_rate=log(1e-4, 1)" --trials 30
    """
    began = time.perf_counter()
    use_threads(threads)
    asked = {"sampler": sampler, "pruner": pruner, "folds": folds, "vectorize": vectorize}
    asked |= {"storage": storage, "out": out}
    if resume is not None:
        refuse_with_resume(given | {"search": search, "space": space, "folds": folds}, resume)
    elif "source" not in given:
        raise OptionError("chainrule tune", "a SOURCE", "none", "chainrule tune digits")
    from chainrule.cli import tune_messages

    if resume is not None:
        session = tune_messages.go_on(resume, trials, storage)
    else:
        session = tune_messages.start(given, asked, lines=search, file=space, trials=trials)
    tune_messages.work(session, workers, as_json, began)


def refuse_with_resume(options: dict[str, Any], folder: str) -> None:
    """Refuse options that would change an existing search."""
    for name, value in options.items():
        if value is not None:
            flag = declared_options(tune)[name].flag
            expected = "no options other than --trials, --workers and --storage"
            raise OptionError("--resume", expected, flag, f"chainrule tune --resume {folder}")
