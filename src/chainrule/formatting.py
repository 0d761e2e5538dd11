"""Text tables, file sizes and counts with their nouns, for terminals, log files and reports.

Text is laid out without rich, which wraps and shortens tables to the width of a terminal. Names
come from files that are not trusted: characters that would control a terminal, or change the order
in which a line is read, are shown as escape sequences.
"""

import re
from collections.abc import Sequence

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 without tab and line feed
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"  # order of reading, lines
    "\ud800-\udc9f\udd00-\udfff]"  # surrogates, except the bytes of names that are not UTF-8
)


def printable(text: str) -> str:
    r"""Return a text with its control characters as escape sequences; lines and tabs are kept.

    >>> print(printable("cat\x1b[31m"), printable("exe.\u202egnp"))
    cat\x1b[31m exe.\u202egnp
    """
    return CONTROLS.sub(_escaped, text)


def _escaped(found: re.Match) -> str:
    r"""Return the escape sequence of a character; \udc9b is the byte 9b of a name."""
    code = ord(found[0])
    code = code - 0xDC00 if 0xDC80 <= code < 0xDD00 else code
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: object) -> str:
    r"""Return a name for a line of text: a line feed in it would begin a line that is not ours.

    >>> one_line("cat\nsaved in runs/cat")
    'cat\\nsaved in runs/cat'
    """
    return printable(str(text)).replace("\n", "\\n")


def shortened(text: str, most: int) -> str:
    """Return a text of at most about `most` characters, with the number of those left out.

    >>> shortened("a" * 500, 10)
    'aaaaaaaaaa … (490 more characters)'
    """
    left_out = len(text) - most
    return text if left_out <= 40 else f"{text[:most]} … ({left_out:,} more characters)"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return a line for each row, columns two spaces apart; those in `right` are right-aligned.

    >>> aligned([["A[0]", "7"], ["dA[0]", "42"]], right=[1])
    ['A[0]    7', 'dA[0]  42']
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.rjust if i in right else str.ljust for i in range(len(widths))]
    return [
        "  ".join(pad(cell, w) for pad, cell, w in zip(pads, row, widths, strict=True)).rstrip()
        for row in rows
    ]


def count_of(n: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural.

    >>> count_of(1, "row"), count_of(1200, "row"), count_of(2, "rare class"), count_of(0, "entry")
    ('1 row', '1,200 rows', '2 rare classes', '0 entries')
    """
    return f"{n:,} {noun if n == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun, whose last word is inflected.

    >>> plural("input box"), plural("identity"), plural("person"), plural("key")
    ('input boxes', 'identities', 'people', 'keys')
    """
    if noun.endswith("person"):
        return noun.removesuffix("person") + "people"
    if noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("epoch"):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def format_bytes(size: float) -> str:
    """Format a number of bytes.

    >>> format_bytes(1.5e9)
    '1.50 GB'
    """
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:,.2f} GB"
