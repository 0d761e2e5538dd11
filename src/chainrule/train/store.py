"""Save and load the runs of `chainrule train`.

    recipe.json           recipe, architecture, preprocessor, results, versions, data
    weights.safetensors   W1, b1, … and the scales of inputs and outputs
    history.jsonl         one line per epoch
    *.png                 plots

`run_folder.py` writes the folder, and checks it when it is read.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from chainrule.errors import RunError
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.train.door import Door
from chainrule.train.history import History
from chainrule.train.machine import describe_machine
from chainrule.train.networks import described, rebuilt
from chainrule.train.outputs import network_outputs
from chainrule.train.recipe import Recipe
from chainrule.train.run import Run, at
from chainrule.train.run_folder import (
    array_bytes,
    arrays_of,
    check_not_a_system,
    contents_of,
    keep,
    recipe_bytes,
)

PROBES = 16


def save(run: Run, path: str | os.PathLike, pictures: Mapping[str, bytes] | None = None) -> Run:
    """Write the run into the folder `path`, all or nothing, and return the saved run.

    `pictures` are PNG files by name. The run is read back and must give the same predictions; only
    then is the folder renamed to `path`. Raises RunError if it already exists or the disk is full.
    """
    path = Path(path)
    keep(path, _contents(run) | dict(pictures or {}), lambda folder: _compare(run, load(folder)))
    return at(run, path)


def load(path: str | os.PathLike) -> Run:
    """Load the run in this folder, after checking every file against the manifest's sha256."""
    path = Path(path)
    files = contents_of(path)
    saved = json.loads(files["recipe.json"])
    check_not_a_system(path, saved)
    arrays = arrays_of(path, files["weights.safetensors"])
    network = replace_arrays(rebuilt(saved["model"]), arrays)
    history = History.read(path / "history.jsonl")
    history.best_epoch, history.stopped = saved["best_epoch"], saved["stopped"]
    return Run(
        network,
        Door.from_saved(saved["door"], arrays),
        Recipe.from_dict(saved["recipe"]),
        history,
        saved["results"],
        saved["facts"],
        path,
    )


def _contents(run: Run) -> dict[str, bytes]:
    recipe = {
        "recipe": run.recipe.to_dict(),
        "model": described(run.network),
        "door": run.door.to_dict(),
        "best_epoch": run.history.best_epoch,
        "stopped": run.history.stopped,
        "results": run.results,
        "facts": run.facts | describe_machine(),
    }
    return {
        "recipe.json": recipe_bytes(recipe),
        "weights.safetensors": array_bytes(named_arrays(run.network) | run.door.arrays()),
        "history.jsonl": run.history.text().encode(),
    }


def _compare(run: Run, reloaded: Run) -> None:
    """Refuse a run that gives different outputs after it was read back."""
    probes = np.random.default_rng(0).standard_normal((PROBES, run.door.n_x)).astype(np.float32)
    before, after = (network_outputs(r.network, probes) for r in (run, reloaded))
    if not np.array_equal(before, after):
        raise RunError("saving the run", "the same outputs after reading it back", "different ones")
