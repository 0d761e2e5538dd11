"""chainrule/memory.py"""

import os
import sys

import pytest

from chainrule import memory
from chainrule.errors import DataError


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8000 kB free, and a container that can be given a limit."""
    (tmp_path / "meminfo").write_text(
        "MemTotal: 16000 kB\nMemAvailable: 8000 kB\nHugePages_Total: 0\n"
    )
    monkeypatch.setattr(memory, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CONTAINER", tmp_path)
    return tmp_path


def limit(container, most, used, files):
    (container / "memory.max").write_text(f"{most}\n")
    (container / "memory.current").write_text(f"{used}\n")
    (container / "memory.stat").write_text(f"anon {used - files}\ninactive_file {files}\n")


def test_what_the_machine_has_free(machine):
    assert memory.available_bytes() == 8000 * 1024


def test_a_container_leaves_less_but_files_it_read_can_be_let_go(machine):
    limit(machine, most=1_000_000, used=900_000, files=250_000)
    assert memory.available_bytes() == 350_000


def test_a_container_without_a_limit(machine):
    limit(machine, most="max", used=900_000, files=0)
    assert memory.available_bytes() == 8000 * 1024


def test_elsewhere_than_linux_all_there_is(machine, monkeypatch):
    (machine / "meminfo").unlink()
    pages = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    assert memory.available_bytes() == 4_096_000


def test_no_bound_where_nobody_tells(machine, monkeypatch):
    (machine / "meminfo").unlink()
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert memory.available_bytes() == sys.maxsize


def test_this_machine_has_some():
    assert 1_000_000 < memory.available_bytes() <= sys.maxsize


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (2_500_000, "2.50 MB"),
        (484e9, "484.00 GB"),
        (1.2e15, "1,200,000.00 GB"),
    ],
)
def test_in_words(size, words):
    assert memory.in_words(size) == words


def test_says_what_does_not_fit(machine):
    limit(machine, most=2_000_000, used=500_000, files=0)
    memory.check_memory("cats.h5", 1_500_000, "a smaller file")  # all of it: just fits
    with pytest.raises(DataError) as error:
        memory.check_memory("cats.h5", 484 * 10**9, "a smaller file")
    assert str(error.value) == (
        "cats.h5: expected at most 1.50 MB of memory, what is free here; got 484.00 GB.\n"
        "Try a smaller file."
    )
