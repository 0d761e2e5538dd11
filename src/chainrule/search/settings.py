"""The settings of a search, written into its folder so that the search can be resumed.

    search.json     recipe, space, sampler, pruner, folds, seed, trials, storage, data digests

The name of the study in the storage is a hash of all settings that determine which candidates are
drawn and how they are evaluated. So the same command on another machine with the same database
joins the search, and a different command starts a new search.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chainrule import durable
from chainrule.errors import OptionError, RunError
from chainrule.search.loop import Plan
from chainrule.search.space import Space
from chainrule.train.recipe import Recipe

FORMAT = 1
FILE = "search.json"
PATHS = ("source", "dev", "test", "extra", "base")


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
        durable.write(folder / FILE, content.encode())

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
