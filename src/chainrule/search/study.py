"""A hyperparameter search and its folder: start a new search, or reopen one to resume it.

    searches/NAME-1/
        search.json     the settings: recipe, space, sampler, pruner, folds, seed, trials, storage,
                        data digests, with a sha256 of their own
        journal.log     every trial and its cost curve, unless they are in a database
        journal.end     the recorded end of the journal (`search/journal.py`)
        workers/        the locks of the running workers
        best/           the run of the best candidate, like any other run
        *.png           plots

The settings are saved so that the search can be resumed. The name of the study in the storage is a
hash of all settings that determine which candidates are drawn and how they are evaluated. So the
same command on another machine with the same database joins the search, and a different command
starts a new search.

The trials are stored in a journal in the folder of the search (`search/journal.py`), or in a
database that optuna supports.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import optuna
from optuna.storages import BaseStorage, get_storage
from optuna.study import Study

from chainrule.errors import (
    ChainruleError,
    MissingExtraError,
    OptionError,
    RunError,
    check_integer,
)
from chainrule.host import files
from chainrule.host.reading import (
    Count,
    Positive,
    check_entries,
    convert,
    read_bytes,
    read_json,
)
from chainrule.runs.folder import check_free
from chainrule.runs.recipe import Recipe
from chainrule.search.journal import check_recorded, open_journal
from chainrule.search.objective import Objective
from chainrule.search.samplers import AT_ONCE, BLIND, check_names
from chainrule.search.space import Space, default_space
from chainrule.search.trials import (
    COPY,
    CandidateResult,
    best_of,
    check_not_fixed,
    check_stored,
    complete_space,
    finished_candidates,
    recipe_of,
)

FORMAT = 2
WITHOUT_SHA256 = 1
"""The format of earlier versions: settings without a sha256, journals without a recorded end."""
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
    folds: Positive | None
    seed: Count
    trials: Count
    round_size: Positive
    together: bool
    storage: str | None
    digests: dict[str, str]

    @property
    def base(self) -> Recipe:
        """Return the recipe that all candidates share."""
        return Recipe.from_saved(self.recipe)

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
        files.write_file(folder / FILE, files.sealed_json({"format": FORMAT, **asdict(public)}))

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        """Read the settings from the folder of a search; raise RunError if they are damaged."""
        file, expected = folder / FILE, "the settings of a search"
        if not file.exists():
            hint = "a folder that chainrule tune created, such as searches/NAME-1"
            got = f"no {FILE} in it"
            raise RunError(str(folder), "the folder of a search", got, hint)
        content = read_bytes(file, RunError)
        saved = read_json(content, str(file), expected, error=RunError, hint=COPY)
        written = saved.pop("format", None) if isinstance(saved, dict) else None
        if type(written) is not int or not WITHOUT_SHA256 <= written <= FORMAT:
            raise RunError(str(file), f"{expected} in format {FORMAT}", "another format", COPY)
        if written > WITHOUT_SHA256:
            saved.pop("sha256", None)
            if content != files.sealed_json({"format": written, **saved}):
                raise RunError(str(file), "the content that was saved", "a different sha256", COPY)
            check_recorded(folder)
        check_entries(saved, cls, str(file), error=RunError, hint=COPY)
        settings = convert(saved, cls, str(file), error=RunError, hint=COPY)
        settings.check(str(file))
        return settings

    def check(self, where: str) -> None:
        """Refuse a recipe, a space or a method that this version cannot use; raise RunError."""
        if "source" not in self.recipe:
            raise RunError(f"{where}, at recipe", "the source of the data", "none", COPY)
        try:
            check_names(self.sampler, self.pruner)
            check_integer("--folds", self.folds or 2, 2)
            complete_space(self.plan.space, self.base)
        except MissingExtraError:
            raise
        except ChainruleError as error:
            place, hint = f"{where}, {error.where}", error.hint or COPY
            raise RunError(place, error.expected, error.got, hint) from None


def without_password(url: str | None) -> str | None:
    """Return the URL with its password replaced by ***."""
    try:
        password = urlsplit(url).password if url else None
    except ValueError as error:
        hint = "sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise OptionError(f"--storage {url}", "a valid URL", str(error), hint) from None
    return url.replace(f":{password}@", ":***@") if url and password else url


def confirmed(url: str | None, given: str | None) -> str | None:
    """Return the URL to connect to, which must be given if the search has a database.

    The stored URL is never opened: a folder that somebody else made could name any file or host.
    """
    if given is None and url is not None:
        hint = f"--storage {url}, if you trust this database"
        if ":***@" in url:
            hint = f"--storage {url}, with the password"
        expected = "the URL of the database of this search, since the stored one is not opened"
        raise OptionError("--storage", expected, "none", hint)
    return given


def open_storage(folder: Path, url: str | None = None) -> BaseStorage:
    """Open the storage at a URL that optuna supports, or the journal in the folder."""
    if url is None:
        return open_journal(folder)
    try:
        return get_storage(url)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", None) or "its driver"
        raise MissingExtraError(f"--storage {url}", missing, "", f"pip install {missing}") from None
    except Exception as error:  # an error of the database, of its driver, or of the URL itself
        got = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "sqlite:///search.db, or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise OptionError(f"--storage {url}", "a reachable database", got, hint) from None


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
    return base.schedule == "images" or "network" in space.dimensions


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
    if base.member_count > 1:
        expected = "1 in a search, which compares single networks"
        hint = "chainrule train --recipe with the best recipe and --members"
        raise OptionError("--members", expected, f"{base.members}", hint)
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
    settings = replace(settings, storage=confirmed(settings.storage, storage))
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
    names = [study.study_name for study in storage.get_all_studies()]
    if settings.storage is None and names and settings.study not in names:
        expected = f"the journal of the search {settings.study}"
        raise RunError(str(folder / "journal.log"), expected, f"that of {names[0]}", COPY)
    study = optuna.create_study(storage=storage, study_name=settings.study, load_if_exists=True)
    where = without_password(settings.storage) or str(folder / "journal.log")
    check_stored(study, settings.plan.space, where)
    return study


def _claim(out: Path | None, source: str) -> Path:
    """Create the folder of a new search, which no other process uses."""
    if out is not None:
        check_free(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(out, error) from error
        return out
    name = Path(source.rstrip("/")).name.split(".")[0] or "search"
    return files.claim_numbered(
        Path("searches"), name, lambda folder: folder.mkdir(parents=True), _cannot_write
    )


def _cannot_write(folder: Path, error: OSError) -> RunError:
    hint = "another folder for --out"
    return RunError(str(folder), "a writable folder", files.describe_error(error), hint)
