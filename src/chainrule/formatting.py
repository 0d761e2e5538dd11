"""Text tables and sizes, for terminals and log files.

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
