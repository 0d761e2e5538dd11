"""The folder of a run: written beside, synced, read back, renamed; checked when it is read.

    recipe.json           how it was made
    weights.safetensors   its arrays
    history.jsonl         a line per epoch
    manifest.json         the format's version, and bytes and sha256 of every other file

What the files say is the matter of `store.py`, and of `vision/store.py`. No file is ever unpickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.durable import sync, write_synced
from chainrule.errors import RunError, did_you_mean
from chainrule.train.partial import partial_of, run_of
from chainrule.train.unfinished import cannot_write

FORMAT = 1
NEEDED = {"recipe.json", "weights.safetensors", "history.jsonl"}


def keep(path: Path, contents: Mapping[str, bytes], compare: Callable[[Path], None]) -> None:
    """Write files into the folder `path`, all or nothing.

    They are written elsewhere first, where `compare(folder)` reads them back and raises if what is
    there is not what it should be; only then is the folder renamed. Raises RunError where the
    folder exists already or the disk is full.
    """
    check_free(path)
    partial = partial_of(path)
    finished = partial / "finished"
    try:
        _write(contents, finished)
        compare(finished)
        os.replace(finished, path)
        with suppress(OSError):  # it lies there, and says itself whether it is whole
            sync(path.parent)
        shutil.rmtree(partial, ignore_errors=True)
    except BaseException as error:
        shutil.rmtree(finished, ignore_errors=True)
        if partial.is_dir() and not any(partial.iterdir()):
            partial.rmdir()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def recipe_bytes(said: Mapping[str, Any]) -> bytes:
    """The content of recipe.json."""
    return json.dumps({"format": FORMAT, **said}, indent=1, ensure_ascii=False).encode()


def array_bytes(arrays: Mapping[str, Any]) -> bytes:
    """The content of weights.safetensors."""
    from safetensors.numpy import save as to_bytes

    return to_bytes({name: np.asarray(x, order="C") for name, x in arrays.items()})


def contents_of(path: Path) -> dict[str, bytes]:
    """The content of every file, each as long and with the sha256 that the manifest says."""
    if path.is_file():
        raise RunError(str(path), "the folder of a run", "a file", str(path.parent))
    if not path.is_dir():
        if partial_of(path).is_dir():
            hint = f"chainrule train --resume {path}"
            raise RunError(str(path), "a run that is done", "one that is not", hint)
        near = sorted(
            str(recipe.parent.relative_to(path.parent))
            for folder in {path.parent, path.parent / "runs"}
            for recipe in folder.glob("*/recipe.json")
            if (recipe.parent / "manifest.json").exists()
        )
        hint = did_you_mean(path.name, near) if near else "chainrule runs, to list them"
        raise RunError(str(path), "the folder of a run", "no such folder", hint)
    contents = {}
    for name, entry in _listed(path).items():
        try:
            contents[name] = (path / name).read_bytes()
        except OSError:
            hint = "a copy of the run that is whole"
            raise RunError(
                str(path / name), "the file that the manifest lists", "no file", hint
            ) from None
        if _entry(contents[name]) != entry:
            raise _damaged(path / name, "another")
    return contents


def arrays_of(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The arrays in the content of weights.safetensors."""
    from safetensors.numpy import load as from_bytes

    try:
        return from_bytes(content)
    except Exception as error:
        raise _damaged(path / "weights.safetensors", str(error)) from error


def check_free(path: Path) -> None:
    """Refuse a folder that holds something already, or that cannot be made: no run is overwritten.

    Asked before training too, so that hours of it are not lost to a wrong name.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(
            str(path), "a new folder for the run", "one that exists", "another name for --out"
        )
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        got = "no permission to write" if there.is_dir() else "a file"
        raise RunError(str(there), "a folder that can be written", got, "another folder for --out")


def claim_next(folder: Path, name: str) -> Path:
    """folder/name-1, -2, …: the first that is free, and ours from now on.

    Trainings that run side by side cannot get the same one: making the folder where a run is
    written, name-1.partial, succeeds only once.
    """
    for number in count(1):
        path = folder / f"{name}-{number}"
        try:
            if not path.exists():
                partial_of(path).mkdir(parents=True)
                return path
        except FileExistsError:
            continue
        except OSError as error:
            raise cannot_write(path, error) from error
    raise AssertionError("numbers do not end")


def check_not_a_system(path: Path, saved: Mapping[str, Any]) -> None:
    """Refuse a run of `chainrule detect`, `segment` or `verify`, where one of `train` is needed."""
    if kind := saved.get("kind"):
        hint = f"chainrule {kind} evaluate {path} SOURCE, or chainrule describe {path}"
        raise RunError(str(path), "a run of chainrule train", f"one of chainrule {kind}", hint)


def _write(contents: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():  # by a process that was killed while it wrote
        left.unlink()
    files = {name: _entry(contents[name]) for name in sorted(contents)}
    manifest = json.dumps({"format": FORMAT, "files": files}, indent=1).encode()
    for name, content in {**contents, "manifest.json": manifest}.items():
        write_synced(folder / name, content)
    sync(folder)


def _entry(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _listed(path: Path) -> dict[str, Any]:
    """What the manifest says of each file; it must know all that a run needs."""
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
        raise _damaged(path / "manifest.json", "something else") from None
    if written != FORMAT:
        hint = f"chainrule {_written_by(path)}, which wrote it"
        raise RunError(str(path), f"a run of format {FORMAT}", f"format {written}", hint)
    if not files.keys() >= NEEDED:
        raise _damaged(path / "manifest.json", "a list without " + ", ".join(NEEDED - files.keys()))
    return files


def _written_by(path: Path) -> str:
    """The version of chainrule in a run of another format, if it still says so."""
    try:
        return json.loads((path / "recipe.json").read_bytes())["facts"]["versions"]["chainrule"]
    except (OSError, ValueError, KeyError, TypeError):
        return "of another version"


def _damaged(file: Path, got: str) -> RunError:
    hint = "a copy of the run that is whole: the file has been damaged or changed"
    return RunError(str(file), "the sha256 that was written", got, hint)
