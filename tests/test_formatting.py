"""chainrule/formatting.py"""

import pytest

from chainrule.formatting import aligned, format_bytes, printable, shortened


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand a tab é 价 👩‍🚀", "two\nlines\tand a tab é 价 👩‍🚀"),
        ("\x1b[31m\x07\r\x7f", r"\x1b[31m\x07\x0d\x7f"),
        ("\x9b31m", r"\x9b31m"),  # the same escape sequence in eight bits
        ("a\u202egnp.exe\u2066\u200f", r"a\u202egnp.exe\u2066\u200f"),
        ("a\u2028b\ufeff", r"a\u2028b\ufeff"),
        ("\udc9b\udce9\ud800", "\\x9b\udce9\\ud800"),  # bytes of a name that is not UTF-8
    ],
)
def test_control_characters_are_shown_as_escape_sequences(text, shown):
    assert printable(text) == shown


def test_a_cell_with_a_line_feed_stays_on_its_line():
    assert aligned([["a\nb", "1"], ["c", "2"]]) == [r"a\nb  1", "c     2"]


def test_only_long_texts_are_shortened():
    assert shortened("a" * 50, 10) == "a" * 50
    assert shortened("a" * 51, 10) == "a" * 10 + " … (41 more characters)"
