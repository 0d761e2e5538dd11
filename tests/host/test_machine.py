"""chainrule/host/machine.py"""

import os
import sys
from types import SimpleNamespace

import psutil
import pytest

from chainrule.errors import DataError
from chainrule.host import machine as memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Simulate a machine with 8000 kB free, and a container whose limit can be set."""
    free = SimpleNamespace(total=16000 * 1024, available=8000 * 1024)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
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


def test_this_machine_has_some():
    assert 1_000_000 < memory.available_bytes() <= sys.maxsize


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_cores_that_this_process_may_not_use_do_not_count(monkeypatch):
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert memory.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    monkeypatch.delattr(psutil.Process, "cpu_affinity")
    assert memory.usable_cores() == psutil.cpu_count()


def test_reports_what_does_not_fit(machine):
    limit(machine, most=2_000_000, used=500_000, files=0)
    memory.check_memory("cats.h5", 1_500_000, "a smaller file")  # exactly the free memory
    with pytest.raises(DataError) as error:
        memory.check_memory("cats.h5", 484 * 10**9, "a smaller file")
    assert str(error.value) == (
        "cats.h5: expected at most 1.50 MB, the free memory; got 484.00 GB.\nTry a smaller file."
    )
