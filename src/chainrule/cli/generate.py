"""The commands `chainrule generate …`, which train, evaluate and sample a language model."""

from chainrule.cli import sequence, tasks
from chainrule.cli.options import JSON, RUN, App
from chainrule.cli.output import say_json, write
from chainrule.runs import shared_options
from chainrule.sequence.recipe import GenerateRecipe

TRAIN = """Train a language model on the text of FILE, evaluate it, and save it as a run.

The model predicts each character from those before it. It is evaluated by its cost in nats a
character, in bits a character, by its perplexity, and by its accuracy.

Example: chainrule generate train shakespeare.txt

Example: chainrule generate train names.txt --lines
"""
EVALUATE = """Evaluate a language model on the text of FILE.

The scores are the cost in nats and in bits a character, the perplexity, and the accuracy.

Example: chainrule generate evaluate runs/shakespeare-1 more.txt
"""

FILE = shared_options.argument(
    "A text file; of the file on which the model was trained, the set given by --split.", "FILE"
)

app = App(
    help="Generate text: train, evaluate and sample a language model, which predicts the next "
    "character.",
    no_args_is_help=True,
)
app.command()(tasks.train_command(GenerateRecipe, TRAIN))


@app.command()
def sample(
    run: str = RUN,
    count: int | None = shared_options.count(
        "Number of texts.", "Output", "10 with --lines, else 1", example="10"
    ),
    temperature: float | None = shared_options.number(
        "Divides the logits: below 1, likely characters are drawn more often than their "
        "probability, and above 1 less often.",
        "Output",
        "1",
        example="0.8",
        above=0,
    ),
    prefix: str = shared_options.text("Beginning of each text.", "Output", "TEXT"),
    length: int | None = shared_options.count(
        "Number of characters that are added to the prefix, at most.", "Output", "200"
    ),
    seed: int = shared_options.seed("Random seed of the draws.", "Output"),
    output: str | None = shared_options.output(
        "File to which the texts are written.", default_text="standard output"
    ),
    as_json: bool = JSON,
) -> None:
    """Sample texts from a language model, character by character.

    The same seed draws the same texts.

    Example: chainrule generate sample runs/names-1 --count 20 --temperature 0.8 --prefix Ma
    """
    model = tasks.load_model(run, "generate")
    given = {"temperature": temperature, "length": length}
    how = {name: value for name, value in given.items() if value is not None}
    lines = model.tokenizer.lines
    texts = model.sample(count or (10 if lines else 1), prefix=prefix, seed=seed, **how)
    if as_json:
        say_json({"samples": texts, "prefix": prefix, "seed": seed, **how})
    if not as_json or output is not None:
        between = "\n" if lines else "\n\n"  # texts of several lines are separated by a blank one
        write(f"{between.join(texts)}\n", output)


app.command("evaluate")(sequence.evaluate_command(GenerateRecipe, EVALUATE, source=FILE))
