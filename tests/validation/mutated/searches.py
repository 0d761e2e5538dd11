"""Formats of searches and galleries for `tests/validation/mutations.py`.

search, search-sealed     the folder of a search; the second one with its sha256 computed again
journal-sealed            events with the right checksums and a recorded end
gallery, gallery-sealed   people and the network that recognises them
space                     a file that is given by --space
"""

import hashlib
import json
import zlib
from functools import cache, partial
from pathlib import Path

import numpy as np
import optuna

from chainrule.host.files import sealed_json
from chainrule.host.randomness import key_from_seed
from chainrule.host.reading import read_bytes, read_json
from chainrule.models.zoo import build
from chainrule.runs.recipe import Recipe
from chainrule.search.journal import End, _line, open_journal
from chainrule.search.objective import Objective
from chainrule.search.space import Space
from chainrule.search.study import Settings, reopen
from chainrule.search.trials import DONE, RESULT, Outcome, complete_space, suggest
from chainrule.vision.verification.gallery import HEADER, Gallery, from_bytes, to_bytes
from tests.validation.mutated.formats import Format

LINES = {"learning_rate": "log(0.001, 0.1)", "layers": "integers(1, 2)", "units": "choices(4, 8)"}


@cache
def settings() -> Settings:
    """Return the settings of a search."""
    recipe = Recipe("iris", epochs=2)
    method = {"sampler": "random", "pruner": "none", "folds": None, "seed": 0, "trials": 4}
    method |= {"round_size": 4, "together": False, "storage": None}
    digests = Objective(recipe, None).digests
    return Settings(recipe=recipe.to_dict(), space=LINES, digests=digests, **method)


def make_search(folder: Path) -> None:
    """Write a search with a finished trial and one that was being trained."""
    (folder / "search").mkdir()
    settings().write(folder / "search")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_journal(folder / "search")
    study = optuna.create_study(storage=storage, study_name=settings().study)
    outcome = Outcome(DONE, 0.5, {"dev": {"m": 5, "cost": 0.5, "accuracy": 0.9}}, {"cost": [0.5]})
    for number in range(2):
        trial = study.ask()
        suggest(trial, settings().plan.space)
        if number == 0:
            trial.set_user_attr(RESULT, outcome.to_dict())
            study.tell(trial, outcome.dev_cost)


def make_events(folder: Path) -> None:
    """Write the events of a search as one JSON file."""
    make_search(folder)
    lines = (folder / "search" / "journal.log").read_text().splitlines()
    (folder / "events.json").write_text(json.dumps([json.loads(line) for line in lines], indent=0))
    for name in ("journal.log", "journal.end"):
        (folder / "search" / name).unlink()


def read_search(folder: Path) -> object:
    """Open a search, and read its candidates."""
    found = reopen(folder / "search")
    return found.candidates, found.best, found.left


def sealed_search(folder: Path) -> object:
    """Compute the sha256 of the settings again, and open the search."""
    file = folder / "search" / "search.json"
    saved = read_json(read_bytes(file), str(file))
    if isinstance(saved, dict):
        saved.pop("sha256", None)
        file.write_bytes(sealed_json(saved))
    return read_search(folder)


def sealed_journal(folder: Path) -> object:
    """Write the events as a journal with all checksums, and open it."""
    file = folder / "events.json"
    events = read_json(read_bytes(file), str(file), finite=False)
    lines = []
    for event in events if isinstance(events, list) else [events]:
        if isinstance(event, dict):
            event.pop("crc32", None)
            lines.append(_line(event))
        else:
            lines.append(json.dumps(event).encode() + b"\n")
    content = b"".join(lines)
    (folder / "search" / "journal.log").write_bytes(content)
    end = End(len(content), len(content), zlib.crc32(content))
    (folder / "search" / "journal.end").write_bytes(end.to_bytes())
    return read_search(folder)


@cache
def gallery() -> Gallery:
    """Return a gallery of two people."""
    options = {"width": 0.25}
    network = build("embedding", (6, 6, 1), 8, key=key_from_seed(0), options=options)
    X = np.random.default_rng(0).random((2, 6, 6, 1)).astype(np.float32)
    return Gallery(network, 0.5).enrol("Ada", X[:1]).enrol("Emmy", X[1:])


def make_gallery(folder: Path, *, sealed: bool) -> None:
    """Write a gallery; for `sealed` without the line with its sha256."""
    content = to_bytes(gallery())
    name, written = (
        ("arrays.safetensors", content.partition(b"\n")[2]) if sealed else ("g", content)
    )
    (folder / name).write_bytes(written)


def read_gallery(folder: Path) -> object:
    """Read a gallery, and ask it who somebody is."""
    [file] = folder.iterdir()
    content = read_bytes(file)
    if file.suffix == ".safetensors":
        content = HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content
    found = from_bytes(content, str(file))
    X = np.random.default_rng(1).random((1, *found.network.shape)).astype(np.float32)
    return found.identify(X)


def make_space(folder: Path) -> None:
    """Write a space as TOML and as JSON."""
    text = "".join(f"{name} = {json.dumps(line)}\n" for name, line in LINES.items())
    (folder / "space.toml").write_text(text + 'l2 = "log(1e-3, 1) if layers >= 2"\n')
    (folder / "space.json").write_text(json.dumps(LINES, indent=1))


def read_space(folder: Path) -> object:
    """Read both files, and draw candidates."""
    spaces = [Space.read(str(file)) for file in sorted(folder.iterdir())]
    return [complete_space(space, Recipe("iris")).sample(0) for space in spaces]


FORMATS: dict[str, Format] = {
    "search": Format(make_search, read_search, ("bytes", "text"), ("*.lock",)),
    "search-sealed": Format(make_search, sealed_search, ("json",), ("*.lock", "journal.*")),
    "journal-sealed": Format(make_events, sealed_journal, ("json",), ("*.lock", "search.json")),
    "gallery": Format(partial(make_gallery, sealed=False), read_gallery, ("bytes",)),
    "gallery-sealed": Format(
        partial(make_gallery, sealed=True), read_gallery, ("bytes", "safetensors")
    ),
    "space": Format(make_space, read_space, ("bytes", "text", "json")),
}
