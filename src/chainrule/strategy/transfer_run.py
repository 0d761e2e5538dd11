"""Transfer learning from Python: train on new data, starting from a trained run."""

from pathlib import Path
from typing import Any

from chainrule.cache import keep_compiled_programs
from chainrule.errors import RunError
from chainrule.strategy.training import with_goal
from chainrule.strategy.transfer import prepare_transfer
from chainrule.strategy.transfer_base import load_base
from chainrule.train import job
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run, train_prepared
from chainrule.train.run_folder import check_free
from chainrule.train.store import save

MEMORY = "a run in memory"


def transfer(
    base: Run | str | Path, source: str, *, out: str | Path | None = None, **options: Any
) -> Run:
    """Train on the data set `source`, starting from the network of `base`; options as in `Recipe`.

    `retrain` is "last", "all" or a number of layers; by default it is chosen. With `out` the run is
    saved.

    >>> from chainrule.strategy.training import train_model
    >>> base = train_model("moons", hidden=(8,), dev="none", test="none", epochs=30)
    >>> run = transfer(base, "circles", retrain="last", dev="none", epochs=20)
    >>> run.facts["transfer"]["trained"], run.network.sizes
    (1, (2, 8, 1))
    """
    keep_compiled_programs()
    name = base if isinstance(base, str | Path) else base.path or MEMORY
    recipe = Recipe.from_dict({"source": source, **options, "base": str(name)})
    known = base if isinstance(base, Run) else load_base(recipe)
    if out is not None:
        if known.path is None:
            hint = "save(run, folder) first"
            raise RunError("transfer(out=…)", "a saved base run", MEMORY, hint)
        check_free(Path(out))
    ready = prepare_transfer(recipe, known)
    finish = with_goal(ready.prepared.recipe, ready.prepared.data, ready.finish)
    if out is None:
        return finish(train_prepared(ready.training))
    with job.begin(ready.prepared, Path(out)) as unfinished:
        return save(finish(job.train(ready.training, unfinished)), out)
