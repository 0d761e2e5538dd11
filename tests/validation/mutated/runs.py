"""Formats of runs for `tests/validation/mutations.py`: finished and unfinished runs, and weights.

    run, detect, …      the folder of a finished run, saved by this version
    old-run             the folder of a run that an earlier version saved
    unfinished          the folder of an interrupted training, and its checkpoint
    recipe              a recipe.json that is given by --recipe
    weights-*           files of initial weights
    pretrained          the files of a published network

In the formats whose names end in -sealed, all checksums are computed again before the files are
read, so that what is checked after them is reached.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import save_file

from chainrule.blocks.costs import logistic_cost
from chainrule.cli import messages, train
from chainrule.cli.runs import read, table
from chainrule.errors import DataError
from chainrule.host.reading import read_json
from chainrule.inspection.summary import summarize
from chainrule.models.deep_network import DeepNetwork
from chainrule.models.pretrained import load_published
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.runs.folder import load, save, task_of
from chainrule.runs.initial_weights import read_weights, with_initial_weights
from chainrule.runs.recipe import Recipe
from chainrule.runs.status import kind_of_run, last_step
from chainrule.runs.unfinished import Unfinished, sealed
from chainrule.strategy.ladder import Candidate
from chainrule.strategy.train_model import LadderResult
from chainrule.train.checkpoint import HEADER, Checkpoints
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs
from tests.models.networks_of_others import resnet18_of_torchvision
from tests.runs.sealing import seal_again
from tests.validation.mutated.formats import Format

OLD_RUNS = Path(__file__).parents[1] / "old_runs"
FEWER = 16
"""The factor by which the channels of a published network are reduced."""


# Finished runs


def make_run(name: str, folder: Path) -> None:
    """Save one of the old runs again."""
    save(load(OLD_RUNS / name), folder / "run")


def make_old_run(name: str, folder: Path) -> None:
    """Copy a run of an earlier version, without its plots and its report."""
    shutil.copytree(OLD_RUNS / name, folder / "run")


def read_run(folder: Path) -> object:
    """Load a run, predict with it, and print what the commands print about it."""
    run: Any = load(folder / "run")
    table({"run": read(folder / "run")})
    X = np.random.default_rng(0).random((2, *run.input_row)).astype(np.float32)
    Z = network_outputs(run.network, X)
    assert np.isfinite(Z).all(), "a prediction is not finite"
    found = run.preprocessor.answers(Z) if run.kind == "train" else run.predict(X)
    summarize(run.network).text(80)
    texts = (messages.origin(run), messages.scale_of(run), messages.results_of(run))
    return found, texts, messages.format_curves(run.history)


def sealed_run(folder: Path) -> object:
    """Compute all checksums of a run again, and read it."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        seal_again(folder / "run")
    return read_run(folder)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Unfinished runs


RECIPE = {"source": "iris", "hidden": [3], "epochs": 2}


@cache
def examples() -> Examples:
    """Return 8 examples of 4 features and two classes."""
    X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    return Examples(X, (X[:, :1] > 0).astype(np.float32))


def training(checkpoints: Any) -> Any:
    """Train for two epochs, or continue from a checkpoint."""
    start = DeepNetwork((4, 3, 1), key=jax.random.key(0))
    descent = gradient_descent(0.1)
    return fit(start, descent, logistic_cost, examples(), epochs=2, checkpoints=checkpoints)


def make_unfinished(folder: Path) -> None:
    """Interrupt a training, whose network the ladder has chosen, after its last checkpoint."""
    with Unfinished.begin(folder / "run", RECIPE, {"train": "0" * 64}) as unfinished:
        fitted, recipe = training(unfinished.checkpoints(0)), Recipe.from_dict(RECIPE)
        winner = Candidate(recipe, fitted.network, fitted.history, 8, 8)
        LadderResult(recipe, {"ladder": []}, winner).save(unfinished)
    for file in sorted(unfinished.folder.glob("checkpoints/*"))[:-1]:
        file.unlink()


def read_unfinished(folder: Path) -> object:
    """Resume an unfinished training, with data that is not read again."""
    run = folder / "run"
    shown = (kind_of_run(run), last_step(run))
    unfinished, saved = Unfinished.resume(run)
    try:
        task = task_of(saved["recipe"].get("kind", "train"))
        recipe = task.recipe.from_saved(saved["recipe"])
        ladder = LadderResult.load(unfinished)
        return shown, recipe, ladder, training(unfinished.checkpoints(60))
    finally:
        unfinished.lock.release()


def sealed_unfinished(folder: Path) -> object:
    """Compute the checksums of an unfinished training again, and resume it."""
    files = [folder / "run.partial" / name for name in ("recipe.json", "ladder.json")]
    facts: dict[str, Any] = {}
    for file in files:
        with suppress(ValueError, KeyError, TypeError):
            saved = json.loads(file.read_bytes())
            if not has_key_twice(file.read_bytes()):
                file.write_bytes(sealed(saved["recipe"], saved["facts"] | facts))
            weights = (folder / "run.partial" / "ladder.weights").read_bytes()
            seal = json.loads(file.read_bytes())["sha256"]
            facts = {"sha256": _sha256(weights), "training": seal}
    return read_unfinished(folder)


def has_key_twice(content: bytes) -> bool:
    """Return whether an object in a JSON text has a key twice, which sealing would lose."""
    try:
        read_json(content, "", finite=False)
    except DataError:
        return True
    return False


def make_checkpoint(folder: Path) -> None:
    """Write a checkpoint in two parts: without its first line, and its words as JSON."""
    training(Checkpoints(folder / "checkpoints", 0))
    *_, newest = sorted((folder / "checkpoints").glob("*"))
    payload = newest.read_bytes().partition(b"\n")[2]
    from safetensors.numpy import load as from_bytes

    arrays = from_bytes(payload)
    words = arrays.pop("words").tobytes()
    shutil.rmtree(folder / "checkpoints")
    save_file(arrays, folder / "arrays.safetensors")
    (folder / "words.json").write_bytes(words)


def read_checkpoint(folder: Path) -> object:
    """Put a checkpoint together again, with the right checksum, and continue from it."""
    content = (folder / "arrays.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    words = (folder / "words.json").read_bytes()
    with suppress(ValueError, TypeError):
        header = json.loads(content[8 : 8 + length])
        end = len(content) - 8 - length
        entry = {"dtype": "U8", "shape": [len(words)], "data_offsets": [end, end + len(words)]}
        text = json.dumps(header | {"words": entry}).encode()
        content = len(text).to_bytes(8, "little") + text + content[8 + length :] + words
    (folder / "checkpoints").mkdir()
    first = HEADER + _sha256(content).encode() + b"\n"
    (folder / "checkpoints" / "0000000002.checkpoint").write_bytes(first + content)
    return training(folder / "checkpoints")


# Recipes and weights


def make_recipe(folder: Path) -> None:
    """Copy the recipe.json of a run."""
    shutil.copy(OLD_RUNS / "table" / "recipe.json", folder / "recipe.json")


def read_recipe(folder: Path) -> object:
    """Read a recipe as --recipe does."""
    options, digests = train.read_recipe(str(folder / "recipe.json"))
    return Recipe.from_dict(options), digests


def make_weights(suffix: str, folder: Path) -> None:
    """Write the weights of a small network."""
    W1, W2 = np.ones((3, 4), np.float32), np.ones((1, 3), np.float32)
    arrays = {"W1": W1, "b1": np.zeros((3, 1), np.float32)}
    arrays |= {"W2": W2, "b2": np.zeros((1, 1), np.float32)}
    write: Callable = save_file if suffix == ".safetensors" else _save_npz
    write(arrays, folder / f"weights{suffix}")


def _save_npz(arrays: dict[str, np.ndarray], path: Path) -> None:
    np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType]


def read_initial_weights(suffix: str, folder: Path) -> object:
    """Read initial weights into a network of their sizes."""
    file = str(folder / f"weights{suffix}")
    return read_weights(file), with_initial_weights(
        DeepNetwork((4, 3, 1), key=jax.random.key(0)), file
    )


def make_pretrained(folder: Path) -> None:
    """Write the files of a ResNet-18 with a sixteenth of its channels."""
    tensors = {}
    for name, x in resnet18_of_torchvision().items():
        channels = [n // FEWER if n % FEWER == 0 else n for n in x.shape]
        tensors[name] = np.ascontiguousarray(x[tuple(map(slice, channels))])
    save_file(tensors, folder / "model.safetensors")
    config = {"id2label": {"0": "cat", "1": "dog", "2": "owl"}, "image_size": 32}
    timm = {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    (folder / "config.json").write_text(json.dumps(config | {"pretrained_cfg": timm}))
    means = {"image_mean": [0.4, 0.4, 0.4], "image_std": [0.2, 0.2, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(means))


FOLDERS = ("bytes", "bytes", "json", "text")
RUNS = {"run": "regression", "classes": "table", "images": "images", "segment": "segment"}
RUNS |= {"detect": "detect", "verify": "pairs"}
SEALED = ("json", "json", "json", "safetensors", "bytes")
UNSEALED = ("*.png", "*.html")
FORMATS: dict[str, Format] = {
    "run": Format(partial(make_run, "regression"), read_run, FOLDERS),
    **{
        f"{name}-sealed": Format(partial(make_run, old), sealed_run, SEALED, UNSEALED, share=0.3)
        for name, old in RUNS.items()
    },
    "old-run": Format(partial(make_old_run, "table"), read_run, FOLDERS),
    "unfinished": Format(make_unfinished, read_unfinished, FOLDERS, ("*.lock",)),
    "unfinished-sealed": Format(
        make_unfinished, sealed_unfinished, ("json", "safetensors"), ("*.lock", "*.checkpoint")
    ),
    "checkpoint-sealed": Format(make_checkpoint, read_checkpoint, SEALED),
    "recipe": Format(make_recipe, read_recipe, ("json", "json", "text")),
    "weights-npz": Format(
        partial(make_weights, ".npz"),
        partial(read_initial_weights, ".npz"),
        ("zip", "zip", "bytes"),
    ),
    "weights-safetensors": Format(
        partial(make_weights, ".safetensors"),
        partial(read_initial_weights, ".safetensors"),
        ("safetensors", "bytes"),
    ),
    "pretrained": Format(
        make_pretrained, load_published, ("json", "json", "safetensors"), share=0.2
    ),
}
