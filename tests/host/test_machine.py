"""chainrule/host/machine.py"""

import os
import sys

import pytest

from chainrule.errors import DataError
from chainrule.host import machine as memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Simulate a machine with 8000 kB free, and a container whose limit can be set."""
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


def test_free_memory_of_the_machine(machine):
    assert memory.available_bytes() == 8000 * 1024


def test_a_container_limit_does_not_count_cached_files(machine):
    limit(machine, most=1_000_000, used=900_000, files=250_000)
    assert memory.available_bytes() == 350_000


def test_a_container_without_a_limit(machine):
    limit(machine, most="max", used=900_000, files=0)
    assert memory.available_bytes() == 8000 * 1024


def test_total_memory_outside_linux(machine, monkeypatch):
    (machine / "meminfo").unlink()
    pages = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    assert memory.available_bytes() == 4_096_000


def test_no_limit_if_the_memory_is_unknown(machine, monkeypatch):
    (machine / "meminfo").unlink()
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert memory.available_bytes() == sys.maxsize


def test_this_machine_has_some():
    assert 1_000_000 < memory.available_bytes() <= sys.maxsize


@pytest.mark.parametrize(
    ("size", "error_text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (2_500_000, "2.50 MB"),
        (484e9, "484.00 GB"),
        (1.2e15, "1,200,000.00 GB"),
    ],
)
def test_in_words(size, error_text):
    assert memory.format_bytes(size) == error_text


def test_reports_what_does_not_fit(machine):
    limit(machine, most=2_000_000, used=500_000, files=0)
    memory.check_memory("cats.h5", 1_500_000, "a smaller file")  # exactly the free memory
    with pytest.raises(DataError) as error:
        memory.check_memory("cats.h5", 484 * 10**9, "a smaller file")
    assert str(error.value) == (
        "cats.h5: expected at most 1.50 MB, the free memory; got 484.00 GB.\nTry a smaller file."
    )
