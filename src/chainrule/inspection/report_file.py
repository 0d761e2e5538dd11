"""report.html in the folder of a run, made anew from the run and its data.

The manifest of a run lists every file with its sha256. A report that takes the place of another is
first taken off the list, then written, then listed again: killed in between, the run is whole.
"""

import hashlib
import json
from pathlib import Path

from chainrule.durable import words, write
from chainrule.errors import ChainruleError, OptionError
from chainrule.inspection.report import report
from chainrule.inspection.report_records import records
from chainrule.train.again import data_of
from chainrule.train.prepare import Data
from chainrule.train.run import Run

NAME = "report.html"


def report_again(run: Run) -> tuple[bytes, str]:
    """The page, and why it says less than it could: "" where the data is still what it was."""
    data, why = data_again(run)
    return report(run, data, **records(run, data)), why


def data_again(run: Run) -> tuple[Data | None, str]:
    """The run's data, or None and the reason."""
    try:
        return data_of(run), ""
    except ChainruleError as error:
        return None, str(error)


def keep(run: Path, page: bytes) -> Path:
    """Write it into the folder of the run; gives its path."""
    manifest = run / "manifest.json"
    try:
        saved = json.loads(manifest.read_bytes())
        if saved["files"].pop(NAME, None):
            write(manifest, json.dumps(saved, indent=1).encode())
        write(run / NAME, page)
        entry = {"bytes": len(page), "sha256": hashlib.sha256(page).hexdigest()}
        saved["files"] = dict(sorted({**saved["files"], NAME: entry}.items()))
        write(manifest, json.dumps(saved, indent=1).encode())
    except OSError as error:
        hint = "-o FILE, to write it elsewhere"
        raise OptionError(str(run), "a folder that can be written", words(error), hint) from None
    return run / NAME
