"""Processes of a simulated search, to be killed; each is forked from one that has imported all."""

import os
import signal
from multiprocessing import get_context
from pathlib import Path

from chainrule.search.trials import suggest
from chainrule.search.workers import Worker, work
from tests.search.problem import SPACE, Pretended, plan, study_in

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def start(target, *args):
    """Start a process and return it."""
    process = PROCESSES.Process(target=target, args=args)
    process.start()
    return process


def ended(process) -> int:
    """Return the exit code once the process has ended."""
    process.join()
    return process.exitcode


def work_on(folder: Path, trials: int) -> None:
    """Work until so many candidates are done.

    No candidate is ended early, because the median pruner depends on the order of the reports.
    """
    study = study_in(folder)
    with Worker(study, folder, beats=False) as worker:
        work(study, plan(trials, "coarse_to_fine", "none"), Pretended(seconds=0.25), worker)


def begin_a_trial_and_die(folder: Path) -> None:
    """Be killed with a trial in hand."""
    study = study_in(folder)
    worker = Worker(study, folder, beats=False).__enter__()
    trial = study.ask()
    worker.sign(trial)
    suggest(trial, SPACE)
    os.kill(os.getpid(), signal.SIGKILL)


def write_fifty_trials(folder: Path) -> None:
    """Write as fast as it goes."""
    study = study_in(folder)
    for _ in range(50):
        study.tell(study.ask(), 1.0)
