"""The folder of a run of any kind: `save` writes it safely, and `load` checks and reads it.

    recipe.json           kind, recipe, architecture, preprocessor or estimator, results, versions
    weights.safetensors   the parameters W1, b1, …, and the scales of inputs and outputs
    history.jsonl         one line per epoch
    manifest.json         the format's version, and the size and sha256 of every other file
    *.png, report.html    plots and the report

The folder is written under a temporary name, synced, read back and renamed. No file is ever
unpickled. TASKS maps the kind of a run to the module that trains such runs: it is the only place
where this package refers to code above it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast, overload

import numpy as np

from chainrule.errors import RunError, check_choice, did_you_mean
from chainrule.host.files import claim_numbered, sync, write_synced
from chainrule.host.machine import describe_machine
from chainrule.layers.layer import Layer, replace_arrays
from chainrule.runs.networks import rebuild_network
from chainrule.runs.run import Run, SavedContents
from chainrule.runs.status import partial_of, run_of
from chainrule.runs.unfinished import cannot_write
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs

TASKS = {
    "train": "chainrule.strategy.train_model",
    "detect": "chainrule.vision.detection.task",
    "segment": "chainrule.vision.segmentation.task",
    "verify": "chainrule.vision.verification.task",
}
"""The module of each kind of run; its `TASK` opens the data of a recipe and restores a run."""

FORMAT = 1
NEEDED = {"recipe.json", "weights.safetensors", "history.jsonl"}
PROBES = 16
"""The number of random inputs on which a saved run is compared with the run in memory."""


class SavedRecipe(Protocol):
    """The options of a training run, which can be written as JSON."""

    @property
    def source(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


class SavedRun(Protocol):
    """A trained run of any kind: a `Run`, or a `VisionModel`.

    kind      "train", "detect", "segment" or "verify": the command that trained it
    results   for each set: m, and its scores
    facts     facts about the data, the versions and the machine
    path      the folder in which it was saved or from which it was loaded
    """

    @property
    def kind(self) -> str: ...

    @property
    def results(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def facts(self) -> dict[str, Any]: ...

    @property
    def path(self) -> Path | None: ...

    @property
    def recipe(self) -> SavedRecipe: ...

    @property
    def network(self) -> Layer: ...

    @property
    def history(self) -> History: ...

    @property
    def parameters(self) -> int: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    def predict(self, X: Any) -> Any: ...

    def evaluate(self, X: Any, y: Any) -> dict[str, Any]: ...

    def settings(self) -> dict[str, Any]: ...

    def arrays(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=SavedRun)


def save(run: R, path: str | os.PathLike, files: Mapping[str, bytes] | None = None) -> R:
    """Write the run into the folder `path`, atomically, and return the saved run.

    `files` are plots and reports by name. The run is read back and must give the same outputs; only
    then is the folder renamed to `path`. Raises RunError if it already exists or the disk is full.
    """
    path = Path(path)
    contents = _contents(run) | dict(files or {})
    write_folder(path, contents, lambda folder: _compare(run, load(folder)))
    return replace(cast(Any, run), path=path)


@overload
def load(path: str | os.PathLike, kind: Literal["train"]) -> Run: ...


@overload
def load(path: str | os.PathLike, kind: str | None = None) -> SavedRun: ...


def load(path: str | os.PathLike, kind: str | None = None) -> SavedRun:
    """Load the run in this folder, after checking every file against the manifest's sha256.

    Returns a `Run`, or a `VisionModel` for a run of `chainrule detect`, `segment` or `verify`.
    Raises RunError if there is no run, if it is damaged, or if its kind differs from `kind`.
    """
    path = Path(path)
    files = contents_of(path)
    saved = json.loads(files["recipe.json"])
    found = saved.get("kind", "train")
    if kind not in (None, found):
        expected, got = f"a run of chainrule {kind}", f"a run of chainrule {found}"
        hint = f"chainrule evaluate {path} SOURCE, or chainrule describe {path}"
        raise RunError(str(path), expected, got, hint)
    arrays = arrays_of(path, files["weights.safetensors"])
    network = replace_arrays(rebuild_network(saved["model"]), arrays)
    history = History.read(path / "history.jsonl")
    history.best_epoch, history.stopped = saved["best_epoch"], saved["stopped"]
    contents = SavedContents(saved, network, arrays, history, path)
    if found == "train":  # whose task imports more than a prediction needs
        return Run.restore(contents)
    return task_of(found).trained.restore(contents)


def task_of(kind: str) -> Any:
    """Return the task of a kind of run: "train", "detect", "segment" or "verify"."""
    check_choice("the kind of run", kind, TASKS)
    return import_module(TASKS[kind]).TASK


def _contents(run: SavedRun) -> dict[str, bytes]:
    recipe = {
        **({} if run.kind == "train" else {"kind": run.kind}),
        "recipe": run.recipe.to_dict(),
        **run.settings(),
        "best_epoch": run.history.best_epoch,
        "stopped": run.history.stopped,
        "results": run.results,
        "facts": run.facts | describe_machine(),
    }
    return {
        "recipe.json": recipe_bytes(recipe),
        "weights.safetensors": array_bytes(run.arrays()),
        "history.jsonl": run.history.text().encode(),
    }


def _compare(run: SavedRun, reloaded: SavedRun) -> None:
    """Refuse a saved run whose outputs differ after it has been read back."""
    shape = (PROBES, *run.input_shape)
    probes = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    before, after = (network_outputs(r.network, probes) for r in (run, reloaded))
    if not np.array_equal(before, after):
        raise RunError("saving the run", "the same outputs after reading it back", "different ones")


def write_folder(
    path: Path, contents: Mapping[str, bytes], compare: Callable[[Path], None]
) -> None:
    """Write files into the folder `path`, atomically.

    They are first written to a temporary folder, where `compare(folder)` reads them back and raises
    if they differ; only then is the folder renamed. Raises RunError if the folder already exists or
    the disk is full.
    """
    check_free(path)
    partial = partial_of(path)
    finished = partial / "finished"
    try:
        _write(contents, finished)
        compare(finished)
        os.replace(finished, path)
        with suppress(OSError):  # the folder is in place, and its manifest can verify it
            sync(path.parent)
        shutil.rmtree(partial, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(finished, ignore_errors=True)
        if partial.is_dir() and not any(partial.iterdir()):
            partial.rmdir()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def recipe_bytes(saved: Mapping[str, Any]) -> bytes:
    """Return the content of recipe.json."""
    content = {"format": FORMAT, **saved}
    try:
        return json.dumps(content, indent=1, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return json.dumps(content, indent=1).encode()


def array_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Return the content of weights.safetensors."""
    from safetensors.numpy import save as to_bytes

    return to_bytes({name: np.asarray(x, order="C") for name, x in arrays.items()})


def contents_of(path: Path) -> dict[str, bytes]:
    """Return the content of every file, after checking its size and sha256 with the manifest."""
    if path.is_file():
        raise RunError(str(path), "the folder of a run", "a file", str(path.parent))
    if not path.is_dir():
        if partial_of(path).is_dir():
            hint = f"chainrule train --resume {path}"
            raise RunError(str(path), "a finished run", "an unfinished one", hint)
        near = sorted(
            str(recipe.parent.relative_to(path.parent))
            for folder in {path.parent, path.parent / "runs"}
            for recipe in folder.glob("*/recipe.json")
            if (recipe.parent / "manifest.json").exists()
        )
        hint = did_you_mean(path.name, near) if near else "chainrule runs, which lists all runs"
        raise RunError(str(path), "the folder of a run", "no such folder", hint)
    contents = {}
    for name, entry in _listed(path).items():
        try:
            contents[name] = (path / name).read_bytes()
        except OSError:
            hint = "an intact copy of the run"
            raise RunError(
                str(path / name), "the file that the manifest lists", "no such file", hint
            ) from None
        if _entry(contents[name]) != entry:
            raise _damaged(path / name, "a different sha256")
    return contents


def arrays_of(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays in the content of weights.safetensors."""
    from safetensors.numpy import load as from_bytes

    try:
        return from_bytes(content)
    except Exception as error:
        raise _damaged(path / "weights.safetensors", str(error)) from error


def check_free(path: Path) -> None:
    """Refuse a folder that is not empty or cannot be created: no run is overwritten.

    It is also checked before training, so that a wrong name does not cost hours.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        got, hint = "one that already exists", "another name for --out"
        raise RunError(str(path), "a new folder for the run", got, hint)
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        got = "no permission to write" if parent.is_dir() else "a file"
        raise RunError(str(parent), "a folder that can be written", got, "another folder for --out")


def claim_next(folder: Path, name: str) -> Path:
    """Reserve the first free name among folder/name-1, -2, … for this process.

    Two simultaneous training runs cannot get the same name, since the folder name-1.partial can be
    created only once.
    """

    def claim(path: Path) -> None:
        if path.exists():
            raise FileExistsError(path)
        partial_of(path).mkdir(parents=True)

    return claim_numbered(folder, name, claim, cannot_write)


def _write(contents: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.iterdir():  # by a process that was killed while writing
        leftover.unlink()
    files = {name: _entry(contents[name]) for name in sorted(contents)}
    manifest = json.dumps({"format": FORMAT, "files": files}, indent=1).encode()
    for name, content in {**contents, "manifest.json": manifest}.items():
        write_synced(folder / name, content)
    sync(folder)


def _entry(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _listed(path: Path) -> dict[str, Any]:
    """Return the manifest entry of each file, after checking that no file is missing."""
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
        written = manifest["format"]
        files = dict(manifest["files"]) if written == FORMAT else {}
    except FileNotFoundError:
        best = path / "best"
        hint = str(best) if best.is_dir() else "a folder that chainrule train wrote"
        if run_of(path) != path:
            hint = f"chainrule train --resume {run_of(path)}"
        raise RunError(str(path), "a run with its manifest.json", "none", hint) from None
    except (ValueError, KeyError, TypeError):
        raise _damaged(path / "manifest.json", "content that cannot be read") from None
    if written != FORMAT:
        hint = f"chainrule {_written_by(path)}, which wrote it"
        raise RunError(str(path), f"a run of format {FORMAT}", f"format {written}", hint)
    if not files.keys() >= NEEDED:
        raise _damaged(path / "manifest.json", "a list without " + ", ".join(NEEDED - files.keys()))
    return files


def _written_by(path: Path) -> str:
    """Return the version of chainrule that wrote a run of another format, if it is recorded."""
    try:
        return json.loads((path / "recipe.json").read_bytes())["facts"]["versions"]["chainrule"]
    except (OSError, ValueError, KeyError, TypeError):
        return "of another version"


def _damaged(file: Path, got: str) -> RunError:
    hint = "an intact copy of the run: the file has been damaged or changed"
    return RunError(str(file), "the content that was saved", got, hint)
