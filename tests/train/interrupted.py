"""A small training on disk, and the state of the disk at each moment it could be killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from unittest import mock

from chainrule.runs import job
from chainrule.runs.folder import save
from chainrule.runs.job import resume
from chainrule.runs.prepare import Prepared
from chainrule.runs.run import Run
from chainrule.train.history import History
from tests.train.sources import prepared

OPTIONS = {"epochs": 2, "batch_size": 8, "keep_prob": 0.8, "l2": 0.1}  # 6 steps
CALLS = ("fsync", "replace", "mkdir", "unlink", "rmdir")


def small(folder: Path, **options) -> Prepared:
    """Return the prepared training."""
    return prepared("classes", folder, **{**OPTIONS, **options})


def trained(made: Prepared, run: Path, on_progress=None) -> Run:
    """Train from the start to the saved run, with a checkpoint after each call."""
    with job.begin(made, run) as unfinished:
        done = job.train_prepared(made, on_progress, unfinished=unfinished, every=0)
        return save(done, run, unfinished=unfinished)


def gone_on(made: Prepared, run: Path) -> Run:
    """Resume the training and complete the saved run."""
    begun = (run.with_name(f"{run.name}.partial") / "recipe.json").exists()
    return resume(run) if begun or run.exists() else trained(made, run)


def said(run: Path) -> tuple:
    """Return the content of a run, bit for bit, without the seconds and the machine."""
    history = History.from_text((run / "history.jsonl").read_bytes())
    epochs = [asdict(epoch) | {"seconds": 0} for epoch in history.epochs]
    weights = (run / "weights.safetensors").read_bytes()
    return weights, epochs, history.changes, history.signals, sorted(os.listdir(run))


@contextmanager
def few_calls() -> Iterator[None]:
    """Run steps 1 to 3 in one call of the compiled program, then one step per call."""
    with (
        mock.patch("chainrule.train.fit.FIRST_STEPS", 3),
        mock.patch("chainrule.train.fit.SECONDS_PER_CALL", 0.0),
    ):
        yield


@contextmanager
def moments(folder: Path, copies: Path) -> Iterator[None]:
    """Copy `folder` before and after each call that changes files on disk."""
    copies.mkdir()
    inside = False

    def copied(call):
        def watched(*args, **kwargs):
            nonlocal inside
            if inside:
                return call(*args, **kwargs)
            inside = True
            try:
                keep()
                return call(*args, **kwargs)
            finally:
                keep()
                inside = False

        return watched

    def keep():
        shutil.copytree(folder, copies / f"{len(os.listdir(copies)):04}")

    patches = [mock.patch.object(os, name, copied(getattr(os, name))) for name in CALLS]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
