"""chainrule/formatting.py"""

import pytest

from chainrule.formatting import format_bytes


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (2_500_000, "2.50 MB"),
        (484e9, "484.00 GB"),
        (1.2e15, "1,200,000.00 GB"),
    ],
)
def test_format_bytes(size, text):
    assert format_bytes(size) == text
