"""The command `chainrule tune`, which searches for the best hyperparameters.

It has the options of `chainrule train` that concern the data and the network. An option that is set
has the same value for all candidates; the others can be dimensions of the search space.
"""

import time
from typing import Any

from chainrule.choices import PRUNERS, SAMPLERS
from chainrule.cli.options import JSON, declared_options, takes
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import alternatives, option
from chainrule.runs.recipe import Recipe


@takes(Recipe)
def tune(
    given: dict[str, Any],
    search: list[str] | None = option(
        None,
        "Dimension of the search space: a hyperparameter and the range of its values, such as "
        "learning_rate=log(1e-4, 1); the option can be repeated.",
        "Search",
        "NAME=DIMENSION",
        default_text="the most important hyperparameters",
    ),
    space: str | None = option(
        None, "TOML or JSON file that lists the dimensions of the search space.", "Search", "FILE"
    ),
    trials: int | None = shared_options.count(
        "Total number of candidates to train.", "Search", "20", minimum=0
    ),
    sampler: str = option(
        "random",
        f"Method of choosing the candidates: {alternatives(SAMPLERS)}.",
        "Search",
        "NAME",
        choices=SAMPLERS,
    ),
    pruner: str = option(
        "none",
        f"Method of stopping poor candidates early: {alternatives(PRUNERS)}.",
        "Search",
        "NAME",
        choices=PRUNERS,
    ),
    folds: int | None = option(
        None,
        "Number of folds of the cross-validation by which candidates are evaluated.",
        "Search",
        "K",
        minimum=2,
        example="5",
        default_text="no cross-validation; candidates are evaluated on the dev set",
    ),
    workers: int = option(
        1,
        "Number of processes that train candidates at the same time.",
        "Search",
        "N",
        minimum=1,
        example="2",
    ),
    vectorize: bool = option(
        True,
        "Train candidates of the same architecture together, in one vectorised program.",
        "Search",
    ),
    storage: str | None = option(
        None,
        "URL of a database through which several machines work on the same search.",
        "Search",
        "URL",
    ),
    out: str | None = shared_options.new_folder(
        "Folder in which the search is saved; it must not exist yet.",
        "a new folder searches/NAME-N, where NAME is the name of SOURCE and N is a number",
    ),
    resume: str | None = option(
        None,
        "Resume the search in this folder; with --trials 0, only its results are printed.",
        "Output",
        "FOLDER",
    ),
    as_json: bool = JSON,
) -> None:
    """Search for the best hyperparameters on SOURCE, and save the best network as a run.

    Each candidate is a network that is trained with different hyperparameters. Options of
    chainrule train that you give apply to all candidates.

    Example: chainrule tune digits --search "learning_rate=log(1e-4, 1)" --trials 30
    """
    began = time.perf_counter()
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
