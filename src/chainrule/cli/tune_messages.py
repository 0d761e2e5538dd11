"""The output of `chainrule tune`: the plan, a line for each candidate, a table, the best run."""

import time
from typing import Any

import typer

from chainrule.cli import messages
from chainrule.cli.output import say, say_json
from chainrule.errors import or_warn
from chainrule.formatting import aligned, count_of
from chainrule.host import files
from chainrule.inspection.run_plots import plot_run
from chainrule.inspection.search_plots import search_pictures
from chainrule.kernels.native import advice
from chainrule.runs.run import Run
from chainrule.search.dimensions import as_text
from chainrule.search.search import best_lock, keep_best, run
from chainrule.search.space import Space
from chainrule.search.study import Search, begin, is_convolutional, reopen
from chainrule.search.trials import DONE, CandidateResult, best_of, ranked

TRIALS = 20
SHOWN = 20
"""The maximum number of rows of the table."""


def start(
    options: dict, asked: dict, *, lines: list[str] | None, file: str | None, trials: int | None
) -> Search:
    """Create a new search."""
    texts = Space.read(file).to_dict() if file else {}
    texts |= Space.parse(lines).to_dict() if lines else {}
    space = Space.from_dict(texts) if texts else None
    return begin(**options, **asked, space=space, trials=TRIALS if trials is None else trials)


def go_on(folder: str, trials: int | None, storage: str | None) -> Search:
    """Reopen an existing search."""
    return reopen(folder, trials=trials, storage=storage)


def work(search: Search, workers: int, as_json: bool, began: float) -> None:
    """Train the remaining candidates, print their results, and save the best run with its plots."""
    say = messages.silent if as_json else messages.say
    say(plan(search))
    if is_convolutional(search.space, search.settings.base) and (note := advice()):
        say(note)
    interrupted = run(search, workers=workers, on_result=TrialPrinter(search))
    candidates = ranked(search.candidates)
    say(table(search, candidates))
    best = None if interrupted else keep_best(search, plot_run)
    plots = or_warn("plots", lambda: write_plots(search, candidates), [], saved="the search")
    if plots:
        say(f"\nplots in {search.folder}: {', '.join(plots)}")
    say(ending(search, best, interrupted))
    if as_json:
        seconds = round(time.perf_counter() - began, 3)
        say_json(as_line(search, candidates, best) | {"seconds": seconds})
    if interrupted:
        raise typer.Exit(130)


def write_plots(search: Search, candidates: list[CandidateResult]) -> list[str]:
    """Write the plots into the folder of the search, and return the names of the files."""
    plots = search_pictures(search.space, candidates)
    with best_lock(search):
        for name, plot in plots.items():
            files.write_file(search.folder / name, plot)
    return list(plots)


class TrialPrinter:
    """Print a line for each finished candidate, on standard error."""

    def __init__(self, search: Search):
        self._search = search
        self._best = search.best

    def __call__(self, candidate: CandidateResult) -> None:
        """Print the result of a candidate, and the best so far."""
        self._best = best_of([c for c in (self._best, candidate) if c is not None])
        outcome, planned = candidate.outcome, self._search.settings.trials
        result = f"dev cost {outcome.dev_cost:.4f}" if outcome.state == DONE else outcome.state
        best = f"best {self._best.outcome.dev_cost:.4f}" if self._best else "none done"
        values = ", ".join(f"{name} {value_text(v)}" for name, v in candidate.values.items())
        line = f"candidate {candidate.number + 1} of {planned}: {result} ({best}): {values}"
        say(line, err=True)


def plan(search: Search) -> str:
    """Return a description of the search: its candidates, its method and its search space."""
    settings = search.settings
    measured = f"{settings.folds} folds" if settings.folds else "the dev set"
    planned = max(settings.trials, len(search.candidates))
    lines = [
        f"{search.folder}: {count_of(planned, 'candidate')}, {settings.sampler}, on {measured}"
    ]
    if settings.pruner != "none":
        lines[0] += f", pruner {settings.pruner}"
    space = search.space
    lines += aligned([["  " + name, space.text(name)] for name in space.dimensions])
    if done := len(search.candidates):
        lines.append(f"  {done} done before, {search.left} remaining")
    return "\n".join(lines)


def table(search: Search, candidates: list[CandidateResult]) -> str:
    """Return a table with the dev cost, metric and values of the candidates, the best one first."""
    if not candidates:
        return "no candidate is finished yet"
    names = list(search.space.dimensions)
    metric = metric_of(candidates)
    rows = [["", "candidate", "dev cost", *([metric] if metric else []), *names]]
    for place, candidate in enumerate(candidates[:SHOWN], start=1):
        outcome = candidate.outcome
        cost = f"{outcome.dev_cost:.4f}" if outcome.dev_cost < float("inf") else "-"
        score = outcome.scores.get("dev", {}).get(metric or "")
        cells = [] if metric is None else ["-" if score is None else f"{score:.4f}"]
        values = [value_text(candidate.values.get(name)) for name in names]
        note = "" if outcome.state == DONE else f"{outcome.state} {outcome.why}".strip()
        rows.append([f"{place}", f"{candidate.number + 1}", cost, *cells, *values, note])
    rows[0].append("")
    lines = aligned(rows, right=range(3 + (metric is not None)))
    if len(candidates) > SHOWN:
        lines.append(f"… and {len(candidates) - SHOWN} more")
    return "\n" + "\n".join(lines)


def metric_of(candidates: list[CandidateResult]) -> str | None:
    """Return the name of the metric: accuracy or r2, or None if no candidate has it."""
    for candidate in candidates:
        for name in ("accuracy", "r2"):
            if name in candidate.outcome.scores.get("dev", {}):
                return name
    return None


def ending(search: Search, best: Run | None, interrupted: bool) -> str:
    """Return a text that names the saved run and suggests the next command."""
    if interrupted:
        return f"\ninterrupted; next: chainrule tune --resume {search.folder}"
    if best is None:
        return "\nno candidate is done, so no run is saved"
    saved = f"the best candidate, trained again and saved in {best.path}"
    return (
        f"{messages.format_results(best.results)}\n\n{saved}\nnext: chainrule describe {best.path}"
    )


def as_line(search: Search, candidates: list[CandidateResult], best: Run | None) -> dict[str, Any]:
    """Return the result as plain data for JSON."""
    listed = [
        {"candidate": c.number + 1, "state": c.outcome.state, "values": dict(c.values)}
        | ({"dev_cost": c.outcome.dev_cost} if c.outcome.dev_cost < float("inf") else {})
        | {"scores": c.outcome.scores}
        for c in candidates
    ]
    found = {"run": str(best.path), **best.results} if best else {"run": None}
    return {"search": str(search.folder), **found, "candidates": listed}


def value_text(value: Any) -> str:
    """Return a value as text, with four significant digits."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else as_text(value)
