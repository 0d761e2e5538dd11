"""Reload the data of a saved run and split it as it was split when the run was trained."""

from pathlib import Path

from chainrule.data.duplicates import duplicates_across
from chainrule.data.sources import is_gone
from chainrule.errors import RunError
from chainrule.train.prepare import Data, examples, read_and_split
from chainrule.train.run import Run


def data_of(run: Run) -> Data:
    """Return the run's training, dev and test sets, raw and preprocessed as in training.

    Raises RunError if the data is missing or has changed since the run was trained.
    """
    _check_there(run)
    sources, _ = read_and_split(run.recipe)
    digests = {name: part.digest for name, part in sources.items()}
    if digests != run.facts["digests"]:
        changed = [name for name in digests if digests[name] != run.facts["digests"].get(name)]
        names = ", ".join(f"{name} ({sources[name].name})" for name in changed)
        got = f"different data in {names}" if names else "fewer sets"
        expected = f"the data that {run.path or 'the run'} was trained on"
        raise RunError("the data", expected, got, "the original file, or train a new run")
    parts = {name: examples(run.door, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, run.door, duplicates)


def _check_there(run: Run) -> None:
    """Refuse files that were moved or deleted, before a similar name is resolved instead."""
    recipe = run.recipe
    for name in (recipe.source, recipe.dev, recipe.test, recipe.extra):
        if name not in (None, "none") and is_gone(name):
            hint = "restoring the file"
            if not Path(name).is_absolute():
                hint += ", or running from the folder in which the run was trained"
            expected = f"{name}, on which the run was trained"
            raise RunError(f"the data of {run.path or 'the run'}", expected, "no such file", hint)
