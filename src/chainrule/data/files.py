"""Functions of all file readers: digests, names of splits, gzip, and the error for damaged files.

Parsers of other packages raise errors of any type for damaged files, and allocate what a header
declares. They are called inside `parsing`, after the size has been checked.
"""

import gzip
import hashlib
import io
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.errors import ChainruleError, DataError, DataWarning
from chainrule.formatting import format_bytes
from chainrule.host.machine import available_bytes
from chainrule.host.reading import check_regular, read_bytes

PARTS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}
"""Accepted spellings of the three splits in names of files, keys and folders."""


def digest_of(paths: Iterable[Path]) -> str:
    """Return the sha256 of one file, or of the digests of several in this order."""
    digests = []
    for path in paths:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else combined_digest(digests)


def combined_digest(digests: Iterable[str]) -> str:
    """Return one sha256 for several digests in this order."""
    content = "\n".join(digests).encode("utf-8", "surrogateescape")  # file names may be any bytes
    return hashlib.sha256(content).hexdigest()


def choose_part(where: str, available: Iterable[str], part: str, *, labelled: bool = True) -> str:
    """Return the requested split, or the only split of the data.

    For data that is to be predicted (not `labelled`), a warning names the splits left out.
    """
    names = list(available)
    if part in names:
        if len(names) > 1 and not labelled:
            others = " and ".join(name for name in names if name != part)
            message = f"{where}: only the {part} set is read, and not {others}"
            warnings.warn(message, DataWarning, stacklevel=3)
        return part
    if len(names) == 1:
        return names[0]
    raise DataError(
        where,
        f"a {part} set",
        f"only the sets {' and '.join(names)}",
        f"a file with a single set, or one with a {part} set",
    )


def damaged(
    path: Path,
    expected: str,
    error: BaseException,
    hint: str = "copying or downloading it again",
) -> DataError:
    """Return the error for a file that is truncated or damaged."""
    reason = str(error).strip() or type(error).__name__
    reason = reason.splitlines()[0].rstrip(".")
    return DataError(str(path), expected, f"a truncated or damaged file ({reason})", hint)


@contextmanager
def parsing(path: Path, expected: str) -> Iterator[None]:
    """Turn any error of a parser of another package into the error for a damaged file.

    What such a parser warns of is damage too, so warnings are treated as errors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", "Reading `.np[yz]`")  # written by Python 2
            yield
    except ChainruleError:
        raise
    except Exception as error:
        raise damaged(path, expected, error) from error


# Text files, gzipped or not

PER_BYTE = 3
"""Reading a table needs about this number of bytes for each byte of its file."""
LARGE, RATIO = 2**30, 250
"""A gzip file of more than LARGE bytes of text may be at most RATIO times smaller than its text."""


def read_text_bytes(path: Path) -> bytes:
    """Return the content of a file, decompressed if its name ends in .gz.

    Raises DataError if the content does not fit into memory: decompression stops as soon as it is
    too large, since a small file can contain terabytes of zeros.
    """
    where, limit = str(path), available_bytes() // PER_BYTE
    size = check_regular(path)
    if path.suffix.lower() != ".gz":
        _check_size(where, size, limit, "a smaller file")
        return read_bytes(path)
    hint = "gunzip, and the decompressed file, if it really contains this"
    text, pieces = 0, io.BytesIO()
    try:
        with gzip.open(io.BytesIO(read_bytes(path))) as file:
            while piece := file.read(2**22):
                text += pieces.write(piece)
                _check_size(where, text, limit, "a smaller file")
                if text > max(LARGE, RATIO * size):
                    expected = f"text that is at most {RATIO} times as large as its gzip file"
                    got = f"more than {format_bytes(text)} from {format_bytes(size)}"
                    raise DataError(where, expected, got, hint)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, "a complete gzip file", error) from None
    return pieces.getvalue()


def _check_size(where: str, size: int, limit: int, hint: str) -> None:
    """Refuse text that is larger than the limit that follows from the free memory."""
    if size > limit:
        expected = f"text of at most {format_bytes(limit)}, for which the free memory suffices"
        raise DataError(where, expected, f"at least {format_bytes(size)}", hint)
