"""Format a table as lines of text with aligned columns, for terminals and log files."""

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
