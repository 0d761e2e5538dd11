"""The folder of a run of any kind: `save` writes it safely, and `load` checks and reads it.

    recipe.json           kind, recipe, architecture, preprocessor or estimator, results, versions
    weights.safetensors   the parameters W1, b1, …, and the scales of inputs and outputs
    history.jsonl         one line per epoch
    manifest.json         the format's version, and the size and sha256 of every other file
    *.png, report.html    plots and the report

The folder is written under a temporary name, synced, read back and renamed. No file is ever
unpickled. recipe.json contains the sha256 of the other files too, except for the report, which can
be written again: the files of two runs cannot be exchanged. Earlier versions did not store them.

What is read is checked in this order: the manifest, the type and the size of every file, its
sha256, and then its content, since a file may be intact and still not be that of a run.

TASKS maps the kind of a run to the module that trains such runs: it is the only place where this
package refers to code above it.
"""

import json
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NotRequired, Protocol, TypedDict, TypeVar, cast, overload

import numpy as np

from chainrule.data.sequences import Inputs, Sequences
from chainrule.errors import ChainruleError, DataWarning, RunError, check_choice, did_you_mean
from chainrule.formatting import count_of
from chainrule.host.files import (
    TEMPORARY,
    claim_numbered,
    hex_sha256,
    invalid_name,
    sync,
    write_file,
    write_synced,
)
from chainrule.host.machine import describe_machine
from chainrule.host.reading import (
    Count,
    Positive,
    Sha256,
    check_entries,
    check_regular,
    convert,
    in_file,
    read_arrays,
    read_bytes,
    read_json,
    read_json_file,
)
from chainrule.layers.layer import Layer
from chainrule.runs.networks import restore_network
from chainrule.runs.run import Run, SavedContents
from chainrule.runs.status import MANIFEST, PARTIAL, RECIPE, partial_of, run_of
from chainrule.runs.unfinished import FINISHED, Unfinished, cannot_write, check_partial
from chainrule.train.history import History
from chainrule.train.outputs import network_outputs
from chainrule.train.step import InputsRow, SequenceRow

TASKS = {
    "train": "chainrule.strategy.train_model",
    "detect": "chainrule.vision.detection.task",
    "segment": "chainrule.vision.segmentation.task",
    "verify": "chainrule.vision.verification.task",
    "generate": "chainrule.sequence.generation.task",
    "translate": "chainrule.sequence.translation.task",
}
"""The module of each kind of run; its `TASK` opens the data of a recipe and restores a run."""

FORMAT = 1
WEIGHTS, HISTORY, REPORT = "weights.safetensors", "history.jsonl", "report.html"
NEEDED = {RECIPE, WEIGHTS, HISTORY}
NOT_LISTED = (REPORT, "Thumbs.db", "desktop.ini")
"""Files that a manifest may lack: an interrupted report, and what file managers leave behind."""
SCALES = tuple(
    f"{name}_{part}"
    for name in ("input", "output")
    for part in ("mean", "scale", "origin", "bins", "edges")
)
"""The arrays of the weights file that do not belong to the network."""
INTACT = "an intact copy of the run"
PROBES = 16
"""The number of random inputs on which a saved run is compared with the run in memory."""


class SavedRecipe(Protocol):
    """The options of a training run, which can be written as JSON."""

    @property
    def source(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


class SavedRun(Protocol):
    """A trained run of any kind: a `Run`, a `VisionModel` or a `SequenceModel`.

    kind      "train", "detect", "segment", "verify", "generate" or "translate": its command
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
    def input_row(self) -> Any: ...

    def predict(self, X: Any) -> Any: ...

    def evaluate(self, X: Any, y: Any) -> dict[str, Any]: ...

    def settings(self) -> dict[str, Any]: ...

    def arrays(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=SavedRun)


class Entry(TypedDict):
    """The entry of a file in the manifest."""

    bytes: Count
    sha256: Sha256


class Manifest(TypedDict):
    """The content of manifest.json; earlier versions did not write the sha256 of its entries."""

    format: int
    files: dict[str, Entry]
    sha256: NotRequired[Sha256]


class Versions(TypedDict):
    """The versions of the packages that messages name; those of others are stored too."""

    chainrule: str
    jax: str


class Facts(TypedDict):
    """The facts about the data, the versions and the machine that messages and reports use."""

    versions: Versions
    cores: Positive
    device: str
    data: NotRequired[dict[str, str]]
    digests: NotRequired[dict[str, str]]
    sizes: NotRequired[dict[str, Count]]
    duplicates: NotRequired[list[tuple[str, str, Count]]]
    batch_size: NotRequired[Count]


class Scores(TypedDict):
    """The results on a set: m, and scores that the kind of the run decides."""

    m: Count


class Saved(TypedDict):
    """The entries of recipe.json that every run has."""

    format: int
    kind: NotRequired[Literal["detect", "segment", "verify", "generate", "translate"]]
    recipe: dict[str, Any]
    model: dict[str, Any]
    best_epoch: Positive | None
    stopped: Literal["epochs", "patience", "interrupted", ""]
    results: dict[str, Scores]
    facts: Facts
    sha256: NotRequired[dict[str, Sha256]]


def save(
    run: R,
    path: str | os.PathLike,
    files: Mapping[str, bytes] | None = None,
    *,
    unfinished: Unfinished | None = None,
) -> R:
    """Write the run into the folder `path`, atomically, and return the saved run.

    `files` are plots and reports by name. The run is read back and must give the same outputs; only
    then is the folder renamed to `path`. `unfinished` is the folder of the training that ends with
    this run. Raises RunError if `path` already exists, if a training has its temporary folder, or
    if the disk is full.
    """
    path = Path(path)
    contents = _contents(run, files or {})
    write_folder(path, contents, lambda folder: _compare(run, load(folder)), unfinished)
    return replace(cast(Any, run), path=path)


@overload
def load(path: str | os.PathLike, kind: Literal["train"]) -> Run: ...


@overload
def load(path: str | os.PathLike, kind: str | None = None) -> SavedRun: ...


def load(path: str | os.PathLike, kind: str | None = None) -> SavedRun:
    """Load the run in this folder, after checking every file against the manifest's sha256.

    Returns a `Run`, a `VisionModel` for a run of `chainrule detect`, `segment` or `verify`, or a
    `SequenceModel` for a run of `chainrule generate` or `translate`.
    Raises RunError if there is no run, if it is damaged, if its files do not belong together, or if
    its kind differs from `kind`. Warns of files that the manifest does not list.
    """
    path = Path(path)
    files = contents_of(path)
    saved = _saved(path, files)
    found = saved.get("kind", "train")
    if kind not in (None, found):
        expected, got = f"a run of chainrule {kind}", f"a run of chainrule {found}"
        hint = f"chainrule evaluate {path} SOURCE, or chainrule describe {path}"
        raise RunError(str(path), expected, got, hint)
    arrays = arrays_of(path, files[WEIGHTS])
    with in_file(path / WEIGHTS, error=RunError, hint=INTACT):
        network = restore_network(saved["model"], arrays, SCALES)
    with in_file(path / HISTORY, error=RunError, hint=INTACT):
        history = History.from_text(files[HISTORY], saved["best_epoch"], saved["stopped"])
    contents = SavedContents(saved, network, arrays, history, path)
    with in_file(path / RECIPE, error=RunError, hint=INTACT):
        if found == "train":  # whose task imports more than a prediction needs
            return Run.restore(contents)
        return task_of(found).trained.restore(contents)


def _saved(path: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the content of recipe.json, and refuse files that belong to another run."""
    where = str(path / RECIPE)
    saved = read_json(files[RECIPE], where, error=RunError, hint=INTACT, finite=False)
    convert(saved, Saved, where, error=RunError, hint=INTACT)
    for name, digest in saved.get("sha256", {}).items():
        if name not in files or hex_sha256(files[name]) != digest:
            expected, got = "the file with which the run was saved", "the file of another run"
            raise RunError(str(path / name), expected, got, INTACT)
    return saved


def task_of(kind: str) -> Any:
    """Return the task of a kind of run, such as "train" or "detect"."""
    check_choice("the kind of run", kind, TASKS)
    return import_module(TASKS[kind]).TASK


def kinds_in(package: str) -> list[str]:
    """Return the kinds of runs whose tasks are in a package.

    >>> kinds_in("vision")
    ['detect', 'segment', 'verify']
    """
    return [kind for kind, module in TASKS.items() if module.startswith(f"chainrule.{package}.")]


def _contents(run: SavedRun, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the content of every file of a run; recipe.json has the sha256 of the others."""
    contents = {
        WEIGHTS: array_bytes(run.arrays()),
        HISTORY: run.history.text().encode(),
        **files,
    }
    recipe = {
        **({} if run.kind == "train" else {"kind": run.kind}),
        "recipe": run.recipe.to_dict(),
        **run.settings(),
        "best_epoch": run.history.best_epoch,
        "stopped": run.history.stopped,
        "results": run.results,
        "facts": run.facts | describe_machine(),
        "sha256": {name: hex_sha256(x) for name, x in contents.items() if name != REPORT},
    }
    return {RECIPE: recipe_bytes(recipe), **contents}


def _compare(run: SavedRun, reloaded: SavedRun) -> None:
    """Refuse a saved run whose outputs differ after it has been read back."""
    probes = _rows_like(run.input_row, np.random.default_rng(0))
    before, after = (network_outputs(r.network, probes) for r in (run, reloaded))
    if not np.array_equal(before, after):
        raise RunError("saving the run", "the same outputs after reading it back", "different ones")


def _rows_like(row: Any, rng: np.random.Generator) -> Any:
    """Return random inputs of this form; the ids of tokens are 0 and 1, which every network has."""
    if isinstance(row, InputsRow):
        return Inputs(tuple(_rows_like(part, rng) for part in row.parts))
    if not isinstance(row, SequenceRow):
        return rng.standard_normal((PROBES, *row)).astype(np.float32)
    shape, T = (PROBES, *row.shape), row.shape[0]
    ids = row.dtype.kind == "i"
    values = rng.integers(0, 2, shape) if ids else rng.standard_normal(shape)
    return Sequences(values.astype(row.dtype), rng.integers(1, T + 1, PROBES).astype(np.int32))


def write_folder(
    path: Path,
    contents: Mapping[str, bytes],
    compare: Callable[[Path], None],
    unfinished: Unfinished | None = None,
) -> None:
    """Write files into the folder `path`, atomically.

    They are first written to a temporary folder, where `compare(folder)` reads them back and raises
    if they differ; only then is the folder renamed. Raises RunError if the folder already exists,
    if the temporary folder belongs to a training other than `unfinished`, or if the disk is full.
    """
    check_free(path, ignore_partial=True)
    with nullcontext(unfinished) if unfinished else Unfinished.claim(path) as claimed:
        finished = claimed.folder / FINISHED
        try:
            _write(contents, finished)
            compare(finished)
            os.replace(finished, path)
            with suppress(OSError):  # the folder is in place, and its manifest can verify it
                sync(path.parent)
            claimed.discard()
        except BaseException as error:
            shutil.rmtree(finished, ignore_errors=True)
            if isinstance(error, OSError):
                raise cannot_write(path, error) from error
            raise


def add_file(path: Path, name: str, content: bytes) -> None:
    """Add a file to a saved run, or replace it, also in the manifest; raises OSError.

    If the process is killed, the file is complete and not listed.
    """
    files = _listed(path)
    if files.pop(name, None):
        write_file(path / MANIFEST, manifest_bytes(files))
    write_file(path / name, content)
    write_file(path / MANIFEST, manifest_bytes(files | {name: _entry(content)}))


def manifest_bytes(files: Mapping[str, Any]) -> bytes:
    """Return the content of manifest.json for the entries of the other files."""
    listed = {name: files[name] for name in sorted(files)}
    manifest = {"format": FORMAT, "files": listed, "sha256": _seal(listed)}
    return json.dumps(manifest, indent=1).encode()


def _seal(files: Mapping[str, Any]) -> str:
    """Return the sha256 of the entries of a manifest."""
    return hex_sha256(json.dumps(files, sort_keys=True).encode())


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
    listed = _listed(path)
    contents = {name: _content(path / name, entry) for name, entry in listed.items()}
    _warn_of_others(path, listed)
    return contents


def _content(file: Path, entry: Entry) -> bytes:
    """Return the content of a file, whose type and size are checked before it is opened."""
    try:
        size = check_regular(file, RunError)
    except RunError as error:
        expected = "the file that the manifest lists"
        raise RunError(str(file), expected, error.got, INTACT) from None
    if size != entry["bytes"]:
        raise _damaged(file, f"{count_of(size, 'byte')} instead of {entry['bytes']:,}")
    content = read_bytes(file, RunError)
    if _entry(content) != entry:
        raise _damaged(file, "a different sha256")
    return content


def _warn_of_others(path: Path, listed: Mapping[str, Any]) -> None:
    """Warn of files that are not in the manifest, apart from hidden and temporary ones."""
    others = sorted(
        file.name
        for file in path.iterdir()
        if file.name not in (*listed, MANIFEST, *NOT_LISTED)
        and not file.name.startswith(".")
        and not file.name.endswith(TEMPORARY)
    )
    if others:
        names = ", ".join(map(repr, others[:3])) + (", …" if len(others) > 3 else "")
        message = (
            f"{path}: the manifest does not list {names}, which are not part of the run and were "
            "not read; move them to another folder."
        )
        warnings.warn(message, DataWarning, stacklevel=4)


def arrays_of(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays in the content of weights.safetensors."""
    return read_arrays(content, str(path / WEIGHTS), error=RunError, hint=INTACT)


def check_free(path: Path, *, ignore_partial: bool = False) -> None:
    """Refuse a folder for a new run that is not empty or cannot be created: nothing is overwritten.

    It is also checked before training, so that a wrong name does not cost hours. With
    `ignore_partial` the folder RUN.partial is not looked at.
    """
    fault = "-" if str(path) == "-" else invalid_name(path, PARTIAL + TEMPORARY)
    if path.suffix == PARTIAL:
        fault = f"a name that ends in {PARTIAL}"
    if fault:
        raise RunError(str(path), "the name of a new folder", fault, "--out runs/NAME")
    if os.path.lexists(path) and not _is_empty_folder(path):
        got, hint = "one that already exists", "another name for --out"
        raise RunError(str(path), "a new folder for the run", got, hint)
    parent = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        got = "no permission to write" if parent.is_dir() else "a file"
        raise RunError(str(parent), "a folder that can be written", got, "another folder for --out")
    if not ignore_partial:
        check_partial(path)


def _is_empty_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    except OSError:
        return False


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
    """Write files and their manifest into a new folder."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():  # by a process that was killed while writing
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    manifest = manifest_bytes({name: _entry(content) for name, content in contents.items()})
    for name, content in {**contents, MANIFEST: manifest}.items():
        write_synced(folder / name, content)
    sync(folder)


def _entry(content: bytes) -> Entry:
    return {"bytes": len(content), "sha256": hex_sha256(content)}


def _listed(path: Path) -> dict[str, Entry]:
    """Return the manifest entry of each file, after checking that no file is missing."""
    file = path / MANIFEST
    if not os.path.lexists(file):
        best = path / "best"
        hint = str(best) if best.is_dir() else "a folder that chainrule train wrote"
        if run_of(path) != path:
            hint = f"chainrule train --resume {run_of(path)}"
        raise RunError(str(path), "a run with its manifest.json", "none", hint)
    saved = read_json_file(file, "the content that was saved", error=RunError, hint=INTACT)
    written = saved.get("format") if isinstance(saved, dict) else None
    if isinstance(written, int) and written != FORMAT:
        hint = f"chainrule {_written_by(path)}, which wrote it"
        raise RunError(str(path), f"a run of format {FORMAT}", f"format {written}", hint)
    manifest = convert(saved, Manifest, str(file), error=RunError, hint=INTACT)
    check_entries(saved, Manifest, str(file), error=RunError, hint=INTACT)
    files = manifest["files"]
    if manifest.get("sha256", _seal(files)) != _seal(files):
        raise _damaged(file, "entries with a different sha256")
    for name in files:
        if (
            not name
            or Path(name).name != name
            or {"\\", "\0"} & {*name}
            or name in ("..", MANIFEST)
        ):
            raise RunError(str(file), "names of files in this folder", repr(name), INTACT)
    if not files.keys() >= NEEDED:
        raise _damaged(file, "a list without " + ", ".join(sorted(NEEDED - files.keys())))
    return files


def _written_by(path: Path) -> str:
    """Return the version of chainrule that wrote a run of another format, if it is recorded."""
    try:
        saved = read_json_file(path / RECIPE, finite=False)
        return str(saved["facts"]["versions"]["chainrule"])
    except (ChainruleError, LookupError, TypeError):
        return "of another version"


def _damaged(file: Path, got: str) -> RunError:
    hint = f"{INTACT}: the file has been damaged or changed"
    return RunError(str(file), "the content that was saved", got, hint)
