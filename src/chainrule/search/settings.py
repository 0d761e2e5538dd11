"""What a search is, apart from its trials: written into its folder, so that it can go on.

    search.json     recipe, space, sampler, pruner, folds, seed, trials, storage, data digests

The name of the study in the storage is made of all that decides what is drawn and how it is
measured. The same command on another machine, with the same database, therefore joins the search,
and another command begins another.
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
    """All that is said at the beginning of a search.

    recipe      what all candidates share
    round_size  candidates in a round, coarse to fine
    together    candidates of one kind are trained at once
    folds       None: the dev set
    storage     a database's URL; None: the journal in the folder
    digests     sha256 of the data, part by part
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
        """What all candidates share."""
        return Recipe.from_dict(self.recipe)

    @property
    def plan(self) -> Plan:
        """How candidates are chosen."""
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
        """Whether candidates come in rounds."""
        return self.sampler == "coarse_to_fine"

    @property
    def study(self) -> str:
        """Its name in the storage: the same for the same search, wherever its files lie."""
        unsaid = ("trials", "storage", *(() if self.in_rounds else ("round_size",)))
        said = {name: value for name, value in asdict(self).items() if name not in unsaid}
        said["recipe"] = {k: v for k, v in self.recipe.items() if k not in PATHS or v == "none"}
        text = json.dumps(said, sort_keys=True)
        stem = Path(self.recipe["source"].rstrip("/")).name.split(".")[0] or "search"
        return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def write(self, folder: Path) -> None:
        """Into the folder; a password is not written down."""
        said = replace(self, storage=without_password(self.storage))
        content = json.dumps({"format": FORMAT, **asdict(said)}, indent=1, ensure_ascii=False)
        durable.write(folder / FILE, content.encode())

    @classmethod
    def read(cls, folder: Path) -> "Settings":
        """What `write` wrote."""
        try:
            said = json.loads((folder / FILE).read_bytes())
            if said.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**said)
        except OSError:
            hint = "searches/NAME-1, which chainrule tune wrote"
            raise RunError(str(folder), "the folder of a search", "none", hint) from None
        except (ValueError, KeyError, TypeError):
            hint = "a copy of the search that is whole"
            raise RunError(str(folder / FILE), "what was written", "something else", hint) from None


def without_password(url: str | None) -> str | None:
    """The URL as it may be written down."""
    password = urlsplit(url).password if url else None
    return url.replace(f":{password}@", ":***@") if url and password else url


def with_password(url: str | None, said: str | None) -> str | None:
    """The URL with which to connect: the one that is said now, else the one written down."""
    if said is None and url is not None and ":***@" in url:
        hint = f"--storage {url}, with the password"
        raise OptionError("--storage", "the URL again: its password is not kept", "none", hint)
    return said or url
