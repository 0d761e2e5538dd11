"""tests/validation/mutations.py: mutated files are read or refused; the sample is small.

Every file of tests/validation/corpus once ended in a traceback, took too long, or was read wrong.
"""

import pytest

from tests.validation.mutated.formats import Format
from tests.validation.mutations import Maker, attempt, formats, kept, read_kept, run


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker(list(formats()), seed=0)


def test_no_mutated_file_ends_in_a_traceback():
    counts, failures = run(200, seed=2)
    assert failures == []
    assert {how for _, how in counts} >= {"read", "refused"}


@pytest.mark.parametrize(("name", "file"), kept(), ids=lambda value: getattr(value, "name", value))
def test_an_input_that_once_failed_is_read_or_refused(name, file, maker):
    outcome = read_kept(name, file, maker)
    assert not outcome.failed, outcome.details


def test_the_intact_files_of_every_format_are_read(maker, tmp_path):
    for name, one in formats().items():
        (tmp_path / name).mkdir()
        one.make(tmp_path / name)
        assert attempt(one, tmp_path / name).how in ("read", "reported"), name


def test_the_campaign_notices_a_traceback_a_hang_and_a_doubled_key(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.validation.mutations.SECONDS", 1)

    def hang(folder):
        while True:
            pass

    def read(folder):
        return {}

    assert attempt(Format(read, lambda folder: {}["x"]), tmp_path).how == "traceback"
    assert attempt(Format(read, hang), tmp_path).how == "slow"
    assert attempt(Format(read, read), tmp_path, contradicts=True).how == "wrong"
