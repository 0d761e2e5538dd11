"""A short version of tests/validation/interruptions.py: 20 kills, some damage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def interruptions(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "tests.validation.interruptions", *words],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "CHAINRULE_CACHE"},
        capture_output=True,
        text=True,
        timeout=500,
    )


def counts(completed: subprocess.CompletedProcess) -> dict[str, int]:
    """Return the count of each line of the table, which must all have succeeded."""
    assert completed.returncode == 0, completed.stdout + completed.stderr
    rows = [line.strip("| ").split("|") for line in completed.stdout.splitlines()[2:] if line]
    found = {row[0].strip(): (int(row[1].replace(",", "")), row[2].strip()) for row in rows}
    assert all(f"{tried:,}" == good for tried, good in found.values()), completed.stdout
    return {what: tried for what, (tried, _) in found.items()}


def test_twenty_kills_and_some_damage():
    """The runs that are damaged are those of an earlier version, of every kind."""
    found = counts(
        interruptions(
            *("kills", "damage", "--old", "--kills", "20", "--kinds", "moons"),
            *("--flips", "200", "--truncations", "20"),
        )
    )
    killed = [what for what in found if what.startswith("commands killed")]
    assert len(killed) == 1
    assert int(killed[0].split()[2]) >= 20
    assert found["bits flipped and files cut"] == 220
    damaged = {what.split(", ")[1] for what in found if what.startswith("bits flipped, ")}
    assert damaged == {"checkpoints", "galleries", "runs", "searches", "unfinished runs"}


@pytest.mark.slow
def test_every_write_failed_once_and_searches_killed():
    found = counts(interruptions("failures", "kills", "--kinds", "table,tune", "--kills", "20"))
    assert found["calls that write, each failed once"] > 100


@pytest.mark.slow
def test_exchanged_files_and_races():
    found = counts(interruptions("swaps", "races", "--races", "2"))
    assert found["files exchanged between two folders"] >= 50
    assert found["races of two or three commands"] == 12
