"""tests/validation/files.py: odd files are read right, refused or reported; the sample is small."""

from tests.validation.files import run


def test_no_odd_file_is_read_wrong():
    counts, failures = run(150, seed=1)
    assert failures == []
    assert {how for _, how in counts} >= {"right", "refused", "reported"}
