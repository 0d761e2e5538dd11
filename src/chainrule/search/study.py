"""A hyperparameter search and its folder: start a new search, or reopen one to resume it.

    searches/NAME-1/
        search.json     the settings: recipe, space, sampler, pruner, folds, seed, trials, storage,
                        data digests
        journal.log     every trial and its cost curve, unless they are in a database
        workers/        the locks of the running workers
        best/           the run of the best candidate, like any other run
        *.png           plots

The settings are saved so that the search can be resumed. The name of the study in the storage is a
hash of all settings that determine which candidates are drawn and how they are evaluated. So the
same command on another machine with the same database joins the search, and a different command
starts a new search.

The trials are stored in optuna's journal in the folder of the search, or in a database:

    journal.log     a line for each event: a trial begun, a value drawn, a trial finished
    journal.lock    held while a line is written; released when the process of its holder ends

Every line contains its checksum. When a trial begins or finishes, all lines so far are synced to
disk. A line left incomplete by a killed process or a full disk is removed by the next writer;
since no reader has accepted it, nothing is lost.
"""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Generator, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import optuna
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from chainrule.errors import MissingExtraError, OptionError, RunError, check_integer
from chainrule.host import files
from chainrule.host.files import Lock
from chainrule.runs.folder import check_free
from chainrule.runs.recipe import Recipe
from chainrule.search.objective import Objective
from chainrule.search.samplers import AT_ONCE, BLIND, check_names
from chainrule.search.space import Space, default_space
from chainrule.search.trials import (
    CandidateResult,
    best_of,
    check_not_fixed,
    complete_space,
    finished_candidates,
    recipe_of,
)

FORMAT = 1
FILE = "search.json"
PATHS = ("source", "dev", "test", "extra", "base")


class Plan(NamedTuple):
    """How candidates are chosen and trained, and how many there are in total.

    round_size    the number of candidates in a round of a coarse to fine search
    together      whether compatible candidates are trained at once in one program
    """

    space: Space
    sampler: str
    pruner: str
    seed: int
    round_size: int
    trials: int
    together: bool = False


@dataclass(frozen=True)
class Settings:
    """The settings with which a search is started.

    recipe      the options that all candidates share
    round_size  the number of candidates in a round of a coarse to fine search
    together    whether compatible candidates are trained at once
    folds       the number of folds; None uses the dev set
    storage     the URL of a database; None uses the journal in the folder
    digests     the sha256 of each data set
    """

    recipe: dict[str, Any]
    space: dict[str, str]
    sampler: str
    pruner: str
    folds: int | None
    seed: int
    trials: int
    round_size: int
    together: bool
    storage: str | None
    digests: dict[str, str]

    @property
    def base(self) -> Recipe:
        """Return the recipe that all candidates share."""
        return Recipe.from_dict(self.recipe)

    @property
    def plan(self) -> Plan:
        """Return how candidates are chosen and trained."""
        return Plan(
            Space.from_dict(self.space),
            self.sampler,
            self.pruner,
            self.seed,
            self.round_size,
            self.trials,
            self.together,
        )

    @property
    def in_rounds(self) -> bool:
        """Return whether the sampler chooses candidates in rounds."""
        return self.sampler == "coarse_to_fine"

    @property
    def study(self) -> str:
        """Return the study's name in the storage, which does not depend on where files are."""
        ignored = ("trials", "storage", *(() if self.in_rounds else ("round_size",)))
        hashed = {name: value for name, value in asdict(self).items() if name not in ignored}
        hashed["recipe"] = {k: v for k, v in self.recipe.items() if k not in PATHS or v == "none"}
        text = json.dumps(hashed, sort_keys=True)
        stem = Path(self.recipe["source"].rstrip("/")).name.split(".")[0] or "search"
        return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def write(self, folder: Path) -> None:
        """Write the settings into the folder of the search, without the database password."""
        public = replace(self, storage=without_password(self.storage))
        content = json.dumps({"format": FORMAT, **asdict(public)}, indent=1, ensure_ascii=False)
        files.write_file(folder / FILE, content.encode())

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        """Read the settings from the folder of a search."""
        try:
            saved = json.loads((folder / FILE).read_bytes())
            if saved.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**saved)
        except OSError:
            hint = "a folder that chainrule tune created, such as searches/NAME-1"
            got = f"no readable {FILE} in it"
            raise RunError(str(folder), "the folder of a search", got, hint) from None
        except (ValueError, KeyError, TypeError):
            hint, expected = "an undamaged copy of the search", "the settings of a search"
            raise RunError(str(folder / FILE), expected, "damaged content", hint) from None


def without_password(url: str | None) -> str | None:
    """Return the URL with its password replaced by ***."""
    password = urlsplit(url).password if url else None
    return url.replace(f":{password}@", ":***@") if url and password else url


def with_password(url: str | None, given: str | None) -> str | None:
    """Return the URL to connect to: the given one if there is one, else the stored one."""
    if given is None and url is not None and ":***@" in url:
        hint = f"--storage {url}, with the password"
        expected = "the URL with its password, which is not stored"
        raise OptionError("--storage", expected, "none", hint)
    return given or url


SUM = "crc32"


def open_storage(folder: Path, url: str | None = None) -> BaseStorage:
    """Open the storage at a URL that optuna supports, or the journal in the folder."""
    if url is None:
        return JournalStorage(Journal(folder / "journal.log"))
    try:
        return get_storage(url)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", None) or "its driver"
        raise MissingExtraError(f"--storage {url}", missing, "", f"pip install {missing}") from None
    except Exception as error:  # an error of the database, of its driver, or of the URL itself
        got = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise OptionError(f"--storage {url}", "a reachable database", got, hint) from None


class Journal(JournalFileBackend):
    """optuna's journal file, with complete lines only and a checksum in each line."""

    def __init__(self, path: Path):
        self._path = path
        self._sums: dict[
            str, bool
        ] = {}  # whether a worker writes checksums; optuna's own journal does not
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append the lines after the last complete line, or none of them."""
        content = b"".join(_line(log) for log in logs)
        synced = any("state" in log for log in logs)
        try:
            with Lock(self._path.with_suffix(".lock")):
                _append(self._path, content, synced=synced)
        except OSError as error:
            hint = "freeing some space, then chainrule tune --resume; no finished candidate is lost"
            raise RunError(
                str(self._path), "a writable journal", files.describe_error(error), hint
            ) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the events from this number on; raise RunError for a damaged line."""
        number = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                checksum = log.pop(SUM, None)
                has_sums = self._sums.setdefault(log["worker_id"], checksum is not None)
                if has_sums != (checksum is not None) or checksum not in (None, _sum(log)):
                    raise ValueError("another checksum")
                yield log
                number += 1
        except OSError as error:
            hint = "checking the disk; the journal itself has not been changed"
            raise RunError(
                str(self._path), "a readable journal", files.describe_error(error), hint
            ) from error
        except (ValueError, KeyError):
            hint = "an undamaged copy of the journal"
            where = f"{self._path}, line {number + 1}"
            raise RunError(where, "an intact line", "a damaged line", hint) from None


def _line(log: dict[str, Any]) -> bytes:
    return json.dumps(log | {SUM: _sum(log)}, separators=(",", ":")).encode() + b"\n"


def _sum(log: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(log, separators=(",", ":")).encode())


def _append(path: Path, content: bytes, *, synced: bool) -> None:
    """Append after the last complete line; undo a write that succeeds only in part."""
    handle = os.open(path, os.O_RDWR)
    try:
        end = _complete_length(handle)
        os.ftruncate(handle, end)
        os.lseek(handle, end, os.SEEK_SET)
        try:
            while content:
                content = content[os.write(handle, content) :]
            if synced:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)


def _complete_length(handle: int) -> int:
    """Return the position in the file at which the last complete line ends."""
    end = os.lseek(handle, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


ROUNDS = 3
FEWEST_IN_A_ROUND = 4


@dataclass(frozen=True, eq=False)
class Search:
    """A search and its trials.

    folder      the folder of the search
    settings    the search space, and how it is searched
    study       the optuna study that holds the trials
    objective   the function that trains and evaluates a candidate
    """

    folder: Path
    settings: Settings
    study: Study
    objective: Objective

    @property
    def space(self) -> Space:
        """Return the search space."""
        return self.settings.plan.space

    @property
    def candidates(self) -> list[CandidateResult]:
        """Return the finished candidates, ordered by number."""
        return finished_candidates(self.study, self.space)

    @property
    def best(self) -> CandidateResult | None:
        """Return the candidate with the lowest dev cost, or None if none is done."""
        return best_of(self.candidates)

    @property
    def left(self) -> int:
        """Return how many of the planned candidates are not finished."""
        return max(0, self.settings.trials - len(self.candidates))

    def recipe(self, candidate: CandidateResult) -> Recipe:
        """Return the recipe of a candidate."""
        return recipe_of(self.settings.base, candidate.values)


def is_convolutional(space: Space, base: Recipe) -> bool:
    """Return whether candidates are convolutional networks, which train faster one at a time."""
    return base.network is not None or "network" in space.dimensions


def begin(
    source: str,
    *,
    space: Space | Iterable[str] | None = None,
    trials: int = 20,
    sampler: str = "random",
    pruner: str = "none",
    folds: int | None = None,
    vectorize: bool = True,
    storage: str | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Search:
    """Create a search and its folder, without trials; `options` are those of `Recipe`.

    `space` may be lines such as "learning_rate=log(1e-4, 1)". Errors in the data, the options or
    the space are raised here, before anything is written.
    """
    check_names(sampler, pruner)
    check_integer("--trials", trials, 1, "--trials 5")
    if folds is not None:
        check_integer("--folds", folds, 2, "--folds 5")
    base = Recipe.from_dict({"source": source, **options})
    objective = Objective(base, folds)
    if space is None:
        space = default_space(objective.prepared(base)[0], options)
    space = complete_space(space if isinstance(space, Space) else Space.parse(space), base)
    check_not_fixed(space, {k: v for k, v in options.items() if v is not None})
    settings = Settings(
        recipe=base.to_dict(),
        space=space.to_dict(),
        sampler=sampler,
        pruner=pruner,
        folds=folds,
        seed=base.seed,
        trials=trials,
        round_size=max(FEWEST_IN_A_ROUND, -(-trials // ROUNDS)),
        together=vectorize
        and sampler in BLIND
        and pruner in AT_ONCE
        and not is_convolutional(space, base),
        storage=storage,
        digests=objective.digests,
    )
    folder = _claim(Path(out) if out else None, source)
    try:
        settings.write(folder)
        return Search(folder, settings, _study(folder, settings), objective)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from error
        raise


def reopen(folder: str | Path, *, trials: int | None = None, storage: str | None = None) -> Search:
    """Return the search in a folder, to resume it; `trials`, if given, is the new total number."""
    folder = Path(folder)
    settings = Settings.read(folder)
    settings = replace(settings, storage=with_password(settings.storage, storage))
    objective = Objective(settings.base, settings.folds)
    if objective.digests != settings.digests:
        hint = "a new search, because costs on different data cannot be compared"
        expected = "the data that the search was started with"
        raise RunError(str(folder), expected, "different data", hint)
    if trials is not None:
        check_integer("--trials", trials, 0, "--trials 5")
        settings = replace(settings, trials=trials)
    return Search(folder, settings, _study(folder, settings), objective)


def _study(folder: Path, settings: Settings) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder, settings.storage)
    return optuna.create_study(storage=storage, study_name=settings.study, load_if_exists=True)


def _claim(out: Path | None, source: str) -> Path:
    """Create the folder of a new search, which no other process uses."""
    if out is not None:
        check_free(out)
        out.mkdir(parents=True, exist_ok=True)
        return out
    name = Path(source.rstrip("/")).name.split(".")[0] or "search"
    return files.claim_numbered(
        Path("searches"), name, lambda folder: folder.mkdir(parents=True), _cannot_write
    )


def _cannot_write(folder: Path, error: OSError) -> RunError:
    hint = "another folder for --out"
    return RunError(str(folder), "a writable folder", files.describe_error(error), hint)
