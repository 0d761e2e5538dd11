"""Compare the behaviour of two checkouts of this repository, on this machine.

    python -m tests.validation.compare_checkouts OLD NEW [--only table,detect] [--keep FOLDER]

Each case runs the same commands in both checkouts, each in a process of its own, in a folder that
holds a copy of `old_runs/`. What the two leave behind is compared:

    weights.safetensors    every array, bit for bit; the same for galleries
    recipe.json            the keys at every depth, and the values
    manifest.json          the keys at every depth
    history.jsonl          every line
    --json                 the line that each command prints
    arrays                 predictions that are computed in Python, bit for bit

Times, versions, paths and prose are ignored. A line is printed for each case: what was compared,
and "same" or the differences. The exit code is 1 if there are any. Options and keys that have
another name in one of the checkouts are listed in RENAMED_OPTIONS and RENAMED_KEYS.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load as arrays_of

from tests.validation.make_old_runs import CUT, KILLED_TRAINING, RUNS

HERE = Path(__file__).parent
OLD_RUNS = HERE / "old_runs"

RENAMED_OPTIONS = {
    "--alike": "--shift",
    "--body": "--backbone",
    "--in-turn": "--no-vectorize",
    "--mirrored": "--mirror-invariant",
    "--n": "--embedding-size",
    "--overlap": "--iou-threshold",
    "--part": "--split",
    "--people": "--people-per-batch",
    "--photos": "--photos-per-person",
    "--score": "--score-threshold",
    "--suspects": "--label-errors",
    "--together": "--vectorize",
}
"""Old and new names of options; a command is given the one that its --help lists."""

RENAMED_KEYS = {
    "body": "backbone",
    "overlap": "iou_threshold",
    "n": "embedding_size",
    "mirrored": "mirror_invariant",
    "people": "people_per_batch",
    "photos": "photos_per_person",
}
"""Old and new names of keys in JSON; files may keep the old ones."""

IGNORED = {"seconds", "versions"}
"""Keys in JSON whose values differ from run to run."""

PROSE = {"words", "cures", "next", "verdict"}
"""Keys in JSON whose values are sentences, which may be reworded."""

SHOWN = 6
"""Differences that are printed for a case."""

SYSTEMS = ("detect", "segment", "verify")


class Case(NamedTuple):
    """Commands to run in both checkouts.

    commands    words of the command line, run one after the other in one process
    killed      a training that is run before them and killed after its second checkpoint
    script      a Python file that writes arrays, called with the folder and the file to write
    """

    commands: tuple[tuple[str, ...], ...] = ()
    killed: tuple[str, ...] | None = None
    script: str | None = None


def trained(words: tuple[str, ...]) -> Case:
    """A training into the folder `made`."""
    return Case(((*words, "--out", "made", "--json"),))


RESUMED = (*CUT["cut-table"], "--checkpoint-every", "0", "--out", "made")
CASES = {
    **{name: trained(words) for name, words in RUNS.items()},
    "momentum": trained(
        (
            *("train", "moons", "--hidden", "8,4", "--activation", "tanh", "--optimizer"),
            *("momentum", "--decay", "inverse_time", "--epochs", "5", "--seed", "9"),
        )
    ),
    "bfloat16": trained(
        (
            *("train", "data/blobs.npz", "--network", "lenet", "--precision", "bfloat16"),
            *("--width", "0.5", "--batch-size", "16", "--epochs", "2"),
        )
    ),
    "folds": trained(
        (
            *("tune", "iris", "--hidden", "4", "--epochs", "4", "--trials", "4", "--folds", "2"),
            *("--search", "learning_rate=log(1e-3, 1)", "--search", "l2=log(1e-3, 1)"),
        )
    ),
    "resumed": Case((("train", "--resume", "made", "--json"),), killed=RESUMED),
    "cut": Case(
        tuple(
            ("tune" if name == "cut-search" else "train", "--resume", name, "--json")
            for name in CUT
        )
    ),
    "repeated": Case(
        tuple(
            ("train", "--recipe", name, "--out", f"{name}-made", "--json")
            for name in ("table", "regression", "transfer")
        )
    ),
    "galleries": Case(
        (
            ("verify", "enrol", "verify", "made.gallery", "--people", "data/people", "--json"),
            ("verify", "forget", "made.gallery", "p51", "--json"),
            ("verify", "check", "made.gallery", "p50", "data/visitors", "--json"),
            ("verify", "identify", "verify.gallery", "data/visitors", "--json"),
            ("verify", "identify", "pairs.gallery", "data/visitors", "--json"),
        )
    ),
    "commands": Case(
        (
            ("evaluate", "table", "data/table.csv", "--json"),
            ("evaluate", "regression", "data/houses.csv", "--json"),
            ("predict", "table", "data/table.csv", "--json", "--explain", "-o", "why.json"),
            ("predict", "images", "data/bars.npz", "--json"),
            ("diagnose", "table", "--json"),
            ("errors", "table", "--count", "5", "--json"),
            ("check", "table", "--json"),
            ("runs", ".", "--json"),
            ("describe", "images", "--json"),
            ("describe", "detect", "--json"),
            ("average", "data/houses.csv", "--column", "price", "--out", "a.png", "--json"),
            ("synthesize", "data/bars.npz", "--noise", "white", "-o", "noisy.npz", "--json"),
        )
    ),
    "systems": Case(
        (
            ("detect", "evaluate", "detect", "data/cells.json", "--json"),
            ("detect", "predict", "detect", "data/cells", "--score-threshold", "0.02", "--json"),
            ("segment", "evaluate", "segment", "data/street", "--json"),
            ("segment", "predict", "segment", "data/street/images", "--json"),
            ("verify", "evaluate", "verify", "data/faces.npz", "--json"),
        )
    ),
    "predictions": Case(script="old_predictions.py"),
    "estimators": Case(script="estimator_predictions.py"),
}

DRIVER = """
import contextlib, io, json, sys, traceback
from importlib import import_module

module, function = sys.argv[1].split(":")
main, said = getattr(import_module(module), function), []
for words in json.loads(sys.argv[2]):
    sys.argv = ["chainrule", *words]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    said.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
print(json.dumps(said))
"""
"""Runs commands one after the other, and prints what came of each."""


class Checkout(NamedTuple):
    """A working tree, and the folder of compiled programs that all processes share."""

    root: Path
    programs: Path

    def python(self, place: Path, *words: str) -> subprocess.CompletedProcess:
        """Run Python in the folder `place`, with this checkout's source."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=place,
            env=os.environ
            | {
                "PYTHONPATH": str(self.root / "src"),
                "CHAINRULE_CACHE": str(self.programs),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
        )

    def check(self) -> None:
        """Refuse a folder whose source is not the one that would be imported."""
        done = self.python(self.root, "-c", "import chainrule; print(chainrule.__file__)")
        if not Path(done.stdout.strip()).is_relative_to(self.root / "src"):
            raise SystemExit(f"{self.root}: expected src/chainrule; got {done.stdout}{done.stderr}")

    def entry(self) -> str:
        """The function behind the command `chainrule`, as module:function."""
        project = tomllib.loads((self.root / "pyproject.toml").read_text())["project"]
        return project["scripts"]["chainrule"]

    def script(self, name: str) -> Path:
        """A script of this folder, in the version of this checkout if it has one."""
        own = self.root / "tests" / "validation" / name
        return own if own.exists() else HERE / name

    def words(self, words: tuple[str, ...]) -> list[str]:
        """The command with the names that its options have in this checkout."""
        if not any(pair & set(words) for pair in map(set, RENAMED_OPTIONS.items())):
            return list(words)
        known = options_of(self, words[: 2 if words[0] in SYSTEMS else 1])
        both = RENAMED_OPTIONS | {new: old for old, new in RENAMED_OPTIONS.items()}
        return [w if w in known or w not in both else both[w] for w in words]

    def run(self, case: Case, place: Path) -> list[dict[str, Any]]:
        """What came of each command of a case, run in the folder `place`."""
        if case.script:
            done = self.python(place, str(self.script(case.script)), ".", "made.npz")
            return [{"code": done.returncode, "out": "", "err": done.stderr}]
        if case.killed:
            module, function = self.entry().split(":")
            program = f"{KILLED_TRAINING}\nfrom {module} import {function}\n{function}()"
            done = self.python(place, "-c", program, *self.words(case.killed))
            if done.returncode != -signal.SIGKILL:
                err = f"the training was not killed: {done.stderr}"
                return [{"code": done.returncode or 1, "out": "", "err": err}]
        commands = json.dumps([self.words(words) for words in case.commands])
        done = self.python(place, "-c", DRIVER, self.entry(), commands)
        if done.returncode:
            return [{"code": done.returncode, "out": "", "err": done.stderr}]
        return json.loads(done.stdout.splitlines()[-1])


@cache
def options_of(checkout: Checkout, command: tuple[str, ...]) -> set[str]:
    """The options that the help of a command lists."""
    said = checkout.run(Case(((*command, "--help"),)), checkout.root)
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", said[0]["out"]))


# Comparing


class Found:
    """What was compared, and the differences."""

    def __init__(self) -> None:
        self.compared: dict[str, int] = {}
        self.differences: list[str] = []

    def compare(self, what: str, old: Any, new: Any, where: str = "") -> None:
        """Note that `what` was compared, and each difference."""
        self.compared[what] = self.compared.get(what, 0) + 1
        self.differences += [f"{where or what}{line}" for line in differences(old, new)]


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Each difference between two nested values, with the path to it."""
    if isinstance(old, dict) and isinstance(new, dict):
        for side, keys in (("OLD", old.keys() - new.keys()), ("NEW", new.keys() - old.keys())):
            yield from (f"{at}.{key}: only in {side}" for key in sorted(keys))
        pairs = {f".{key}": (old[key], new[key]) for key in old if key in new}
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = {f"[{i}]": pair for i, pair in enumerate(zip(old, new, strict=True))}
    else:
        yield from leaf_differences(old, new, at)
        return
    for step, pair in pairs.items():
        yield from differences(*pair, f"{at}{step}")


def leaf_differences(old: Any, new: Any, at: str) -> Iterator[str]:
    """How two arrays or single values differ."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        yield from array_differences(old, new, at)
    elif not (old == new or both_nan(old, new)):
        yield f"{at}: {old!r:.80} in OLD, {new!r:.80} in NEW"


def array_differences(old: np.ndarray, new: np.ndarray, at: str) -> Iterator[str]:
    """How two arrays differ, bit for bit."""
    forms = [f"{x.dtype}{list(x.shape)}" for x in (old, new)]
    if forms[0] != forms[1]:
        yield f"{at}: {forms[0]} in OLD, {forms[1]} in NEW"
    elif old.tobytes() != new.tobytes():
        unequal = int((old != new).sum())
        largest = np.abs(np.asarray(old, float) - np.asarray(new, float)).max()
        yield f"{at}: {unequal} of {old.size} numbers differ, by {largest:.2g} at most"


def both_nan(old: Any, new: Any) -> bool:
    """Whether both are no number."""
    return all(isinstance(x, float) and math.isnan(x) for x in (old, new))


def plain(value: Any, place: Path, *, keys_only: bool = False) -> Any:
    """JSON without what is ignored: times, versions, paths and prose; keys by their new names."""
    if isinstance(value, dict):
        return {
            RENAMED_KEYS.get(key, key): None
            if key in IGNORED or (key in PROSE and isinstance(one, str))
            else plain(one, place, keys_only=keys_only or key in PROSE)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [plain(one, place, keys_only=keys_only) for one in value]
    if isinstance(value, str):
        return None if keys_only else value.replace(str(place), "")
    return None if keys_only else value


def compare_case(found: Found, said: list[list[dict[str, Any]]], places: list[Path]) -> None:
    """Compare what two checkouts have printed and written."""
    found.compare("commands", *map(len, said))
    for lines in zip(*said, strict=False):
        codes = [line["code"] for line in lines]
        found.compare("exit codes", *codes)
        for side, line in zip(("OLD", "NEW"), lines, strict=True):
            if line["code"]:
                found.differences.append(
                    f"exit code {line['code']} in {side}: {line['err'][-600:]}"
                )
        printed = [printed_json(line, place) for line, place in zip(lines, places, strict=True)]
        if any(one is not None for one in printed):
            found.compare("--json", *printed)
    found.compare("folders", *(sorted(map(str, new_runs(place))) for place in places), "runs")
    for run in sorted(set.intersection(*(new_runs(place) for place in places))):
        compare_runs(found, *(place / run for place in places), f"{run}/")
    for kind, read in READERS.items():
        names = [{p.name for p in place.glob(f"*.{kind}")} for place in places]
        for name in sorted(set.union(*names) - {p.name for p in OLD_RUNS.iterdir()}):
            both = [read(p / name) if (p / name).exists() else None for p in places]
            found.compare("arrays", *both, name)


def printed_json(said: dict[str, Any], place: Path) -> Any:
    """The JSON that a command ends with, or nothing."""
    try:
        return plain(json.loads(said["out"].splitlines()[-1]), place)
    except (ValueError, IndexError):
        return None


def new_runs(place: Path) -> set[Path]:
    """The runs in a folder that were not copied into it."""
    runs = {file.parent.relative_to(place) for file in place.rglob("manifest.json")}
    return {run for run in runs if not (OLD_RUNS / run / "manifest.json").exists()}


def compare_runs(found: Found, old: Path, new: Path, where: str) -> None:
    """Compare two runs, file by file."""
    for name in ("recipe.json", "manifest.json", "history.jsonl"):
        read = [[json.loads(line) for line in texts_of(run / name)] for run in (old, new)]
        only = name == "manifest.json"
        said = [plain(one, run, keys_only=only) for one, run in zip(read, (old, new), strict=True)]
        found.compare(name, *said, where + name)
    weights = [arrays_of((run / "weights.safetensors").read_bytes()) for run in (old, new)]
    found.compare("weights", *weights, f"{where}weights ")


def texts_of(file: Path) -> list[str]:
    """The JSON texts of a file: one, or one a line."""
    text = file.read_text()
    return text.splitlines() if file.suffix == ".jsonl" else [text]


def gallery_arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a gallery, which follow a line with their sha256."""
    return arrays_of(file.read_bytes().partition(b"\n")[2])


READERS = {
    "npz": lambda file: dict(np.load(file)),
    "gallery": gallery_arrays,
    "json": lambda file: plain(json.loads(file.read_text()), file.parent),
}
"""How files are read that a case writes beside its runs."""


# The command line


def main() -> int:
    """Compare the checkouts, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", help="cases, separated by commas", default=",".join(CASES))
    parser.add_argument("--keep", type=Path, help="keep what was written in this new folder")
    given = parser.parse_args()
    if unknown := [name for name in given.only.split(",") if name not in CASES]:
        parser.error(f"unknown cases: {', '.join(unknown)}; the choices are {', '.join(CASES)}")
    with tempfile.TemporaryDirectory() as temporary:
        base = (given.keep or Path(temporary)).absolute()
        checkouts = [
            Checkout(root.absolute(), base / "programs") for root in (given.old, given.new)
        ]
        for checkout in checkouts:
            checkout.check()
        return max([run_case(name, checkouts, base, given.keep) for name in given.only.split(",")])


def run_case(name: str, checkouts: list[Checkout], base: Path, keep: Path | None) -> int:
    """Run a case in both checkouts and print its line; 1 where they differ."""
    places, said, seconds = [base / name / side for side in ("old", "new")], [], []
    for checkout, place in zip(checkouts, places, strict=True):
        began = time.monotonic()
        shutil.copytree(OLD_RUNS, place)
        said.append(checkout.run(CASES[name], place))
        seconds.append(f"{time.monotonic() - began:.0f} s")
    found = Found()
    compare_case(found, said, places)
    if keep is None:
        shutil.rmtree(base / name)
    result = f"{len(found.differences)} differences" if found.differences else "same"
    compared = ", ".join(f"{what} ({n})" for what, n in found.compared.items())
    sys.stdout.write(f"{name:12} {result}: {compared}; {', '.join(seconds)}\n")
    sys.stdout.writelines(f"    {line}\n" for line in found.differences[:SHOWN])
    sys.stdout.flush()
    return int(bool(found.differences))


if __name__ == "__main__":
    sys.exit(main())
