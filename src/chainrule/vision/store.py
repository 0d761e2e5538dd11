"""Vision systems on disk: a folder as `runs/folder.py` keeps it.

recipe.json           kind, recipe, architecture, the estimator's options, results, versions
weights.safetensors   the arrays of the network
history.jsonl         a line per epoch
*.png, report.html    pictures, and the page
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import RunError
from chainrule.host.machine import describe_machine
from chainrule.layers.layer import named_arrays, replace_arrays
from chainrule.runs.folder import array_bytes, arrays_of, contents_of, keep, recipe_bytes
from chainrule.runs.networks import network_settings, rebuild_network
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs
from chainrule.vision.task import KINDS, System, kind_of

PROBES = 4


def save_system(
    system: System, path: str | os.PathLike, files: Mapping[str, bytes] | None = None
) -> System:
    """Write it into the folder `path`, all or nothing; gives the system that lies there.

    `files` are pictures and pages by name. What was written is read back and must answer as before.
    Raises RunError where the folder exists already or the disk is full.
    """
    path = Path(path)
    contents = _contents(system) | dict(files or {})
    keep(path, contents, lambda folder: _compare(system, load_system(folder)))
    return replace(system, path=path)


def load_system(path: str | os.PathLike, kind: str | None = None) -> System:
    """The system in this folder, every file checked against the manifest's sha256.

    Raises RunError where there is none, or one of another kind than is asked for.
    """
    path = Path(path)
    files = contents_of(path)
    saved = json.loads(files["recipe.json"])
    found = saved.get("kind", "train")
    if found not in KINDS or (kind is not None and found != kind):
        wanted = f"chainrule {kind}" if kind else "a vision system"
        hint = f"chainrule {found} evaluate {path} SOURCE"
        hint = f"chainrule evaluate {path} SOURCE" if found == "train" else hint
        raise RunError(str(path), f"a run of {wanted}", f"one of chainrule {found}", hint)
    own = kind_of(found)
    arrays = arrays_of(path, files["weights.safetensors"])
    history = History.read(path / "history.jsonl")
    history.best_epoch, history.stopped = saved["best_epoch"], saved["stopped"]
    model = own.model(**saved["options"])
    model.network_ = replace_arrays(rebuild_network(saved["model"]), arrays)
    model.history_ = history
    for name in own.fitted:
        setattr(model, name, saved["fitted"][name])
    recipe = own.recipe.from_dict(saved["recipe"])
    names = tuple(saved["names"])
    return System(found, model, names, recipe, saved["results"], saved["facts"], path)


def _contents(system: System) -> dict[str, bytes]:
    own, model, history = kind_of(system.kind), system.model, system.history
    recipe = {
        "kind": system.kind,
        "recipe": system.recipe.to_dict(),
        "model": network_settings(system.network),
        "options": model.get_params(),
        "fitted": {name: _plain(getattr(model, name)) for name in own.fitted},
        "names": list(system.names),
        "best_epoch": history.best_epoch,
        "stopped": history.stopped,
        "results": system.results,
        "facts": system.facts | describe_machine(),
    }
    return {
        "recipe.json": recipe_bytes(recipe),
        "weights.safetensors": array_bytes(named_arrays(system.network)),
        "history.jsonl": history.text().encode(),
    }


def _plain(value: Any) -> Any:
    """For JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _compare(system: System, again: System) -> None:
    """The system as read back must say exactly what it says."""
    shape = (PROBES, *system.network.shape)
    probes = np.random.default_rng(0).random(shape, np.float32)
    said, says = (network_outputs(one.network, probes) for one in (system, again))
    if not np.array_equal(said, says):
        raise RunError("saving the run", "the same answers when read back", "other ones")
