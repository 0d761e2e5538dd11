"""Text tables, file sizes and counts with their nouns, for terminals, log files and reports.

Text is laid out without rich, which wraps and shortens tables to the width of a terminal.
"""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return a line for each row, columns two spaces apart; those in `right` are right-aligned.

    >>> aligned([["A[0]", "7"], ["dA[0]", "42"]], right=[1])
    ['A[0]    7', 'dA[0]  42']
    """
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
