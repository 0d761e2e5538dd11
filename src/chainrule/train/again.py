"""The data of a saved run, read and split again as it was when the run was trained."""

from pathlib import Path

from chainrule.data.duplicates import duplicates_across
from chainrule.data.sources import is_gone
from chainrule.errors import RunError
from chainrule.train.prepare import Data, examples, read_and_split
from chainrule.train.run import Run


def data_of(run: Run) -> Data:
    """Its parts, as they were read and as the run's own door brings them in.

    Raises RunError where the data is gone, or is no longer what it was.
    """
    _check_there(run)
    sources, _ = read_and_split(run.recipe)
    digests = {name: part.digest for name, part in sources.items()}
    if digests != run.facts["digests"]:
        changed = [name for name in digests if digests[name] != run.facts["digests"].get(name)]
        names = ", ".join(f"{name} ({sources[name].name})" for name in changed) or "fewer parts"
        expected = f"the data that {run.path or 'the run'} was trained on"
        raise RunError("the data", expected, f"other {names}", "the file as it was, or a new run")
    parts = {name: examples(run.door, part) for name, part in sources.items()}
    duplicates = duplicates_across({name: part.X for name, part in sources.items()})
    return Data(sources, parts, run.door, duplicates)


def _check_there(run: Run) -> None:
    """Refuse files that were moved or taken away, before one that only looks like it is guessed."""
    recipe = run.recipe
    for name in (recipe.source, recipe.dev, recipe.test, recipe.extra):
        if name not in (None, "none") and is_gone(name):
            hint = "putting it back"
            if not Path(name).is_absolute():
                hint += ", or going to the folder where it was trained"
            expected = f"{name}, which it was trained on"
            raise RunError(f"the data of {run.path or 'the run'}", expected, "no such file", hint)
