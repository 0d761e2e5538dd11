"""The commands `chainrule translate …`, which train, evaluate and use a translator."""

import sys
from pathlib import Path

from chainrule.cli import sequence, tasks
from chainrule.cli.options import JSON, RUN, App
from chainrule.cli.output import check_target, say_json, write
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import option
from chainrule.sequence.recipe import ALPHA, BEAM, TranslateRecipe

TRAIN = """Train a translator on the pairs of texts of PAIRS, evaluate it, and save it as a run.

Each line of PAIRS has a source, a tab and its target. The model is evaluated by the share of texts
that are translated exactly, by its token error rate, and by BLEU.

Example: chainrule translate train dates.tsv

Example: chainrule translate train pronunciations.tsv --target-unit words
"""
EVALUATE = """Evaluate a translator on the pairs of texts of PAIRS.

The scores are the exact match, the token error rate, BLEU, and the cost.

Example: chainrule translate evaluate runs/dates-1 more.tsv
"""

PAIRS = shared_options.argument(
    "A text file with a source, a tab and its target on each line; of the file on which the model "
    "was trained, the set given by --split.",
    "PAIRS",
)

app = App(
    help="Translate texts: train, evaluate and use a model from one text to another, such as from "
    "dates as people write them to 2009-05-10.",
    no_args_is_help=True,
)
app.command()(tasks.train_command(TranslateRecipe, TRAIN))


@app.command()
def predict(
    run: str = RUN,
    texts: list[str] | None = option(
        None,
        "Texts to translate; - reads them from standard input, one a line.",
        "Data",
        "TEXT…",
        positional=True,
    ),
    file: str | None = option(
        None, "File with the texts to translate, one a line.", "Data", "FILE"
    ),
    beam: int | None = shared_options.count(
        "Number of beginnings that the beam search keeps; 1 is greedy search.", "Output", f"{BEAM}"
    ),
    alpha: float | None = shared_options.number(
        "The log-probability is divided by the number of tokens to the power of α: a larger α "
        "prefers longer translations.",
        "Output",
        f"{ALPHA}",
        minimum=0,
    ),
    attention: str | None = option(
        None,
        "PNG file to which is drawn how much each token of the first translation takes of each "
        "token of its text.",
        "Output",
        "FILE",
    ),
    output: str | None = shared_options.output(
        "File to which the translations are written, one a line.", default_text="standard output"
    ),
    as_json: bool = JSON,
) -> None:
    """Translate texts.

    Example: chainrule translate predict runs/dates-1 "Sunday, 10 May 2009" --attention map.png
    """
    given = {"RUN": run, "FILE": file}
    check_target(attention, "--attention", {name: value for name, value in given.items() if value})
    if attention is not None and attention == output:
        raise OptionError("--attention", "another file than --output", attention, "map.png")
    read, places = _texts(run, texts or [], file)
    model = tasks.load_model(run, "translate")
    sources = model.check_texts(read, places)
    how = {"beam": BEAM if beam is None else beam, "alpha": ALPHA if alpha is None else alpha}
    found = model.translations(sources, **how)
    if attention is not None:
        from chainrule.inspection.sequence_plots import plot_attention

        drawn = plot_attention([model.attention(sources[0], found[0].text)])
        write(drawn, attention, "--attention")
    if as_json:
        lines = [
            {
                "source": source,
                "translation": one.text,
                "log_prob": one.log_prob,
                "score": one.score,
            }
            for source, one in zip(sources, found, strict=True)
        ]
        say_json({"translations": lines, **how})
    if not as_json or output is not None:
        write("".join(f"{one.text}\n" for one in found), output)


def _texts(run: str, texts: list[str], file: str | None) -> tuple[list[str], str]:
    """Return the texts to translate, and where they are, as their messages say."""
    if (file is None) == (not texts):
        expected, got = "TEXT…, or --file FILE", "both" if file else "neither"
        hint = f'chainrule translate predict {run} "TEXT"'
        raise OptionError("chainrule translate predict", expected, got, hint)
    if file is None and texts != ["-"]:
        return texts, "text"
    from chainrule.data.files import read_text_bytes
    from chainrule.host.reading import lines_of
    from chainrule.sequence.translation.pairs import decoded

    where = file or "standard input"
    content = sys.stdin.buffer.read() if file is None else read_text_bytes(Path(file))
    lines = lines_of(decoded(where, content))
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise OptionError(where, "texts to translate, one a line", "none", "another file")
    return lines, f"{where}, line"


app.command("evaluate")(sequence.evaluate_command(TranslateRecipe, EVALUATE, source=PAIRS))
