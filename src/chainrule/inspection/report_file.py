"""Rebuild report.html in the folder of a run, from the run and its data.

The manifest of a run lists every file with its sha256. When a report is replaced, its entry is
removed first, then the file is written, then its new entry is added. If the process is killed in
between, the run stays valid.
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
    """Return the page, and why it lacks sections: "" if the data could be loaded unchanged."""
    data, reason = reload_data(run)
    return report(run, data, **records(run, data)), reason


def reload_data(run: Run) -> tuple[Data | None, str]:
    """Return the data of the run and "", or None and the reason why it cannot be loaded."""
    try:
        return data_of(run), ""
    except ChainruleError as error:
        return None, str(error)


def keep(run: Path, page: bytes) -> Path:
    """Write a report into the folder of its run and return the file's path."""
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
        hint = "-o FILE, which writes the report elsewhere"
        raise OptionError(str(run), "a writable folder", words(error), hint) from None
    return run / NAME
