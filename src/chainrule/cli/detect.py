"""chainrule detect: objects in pictures, from annotated files to boxes on new pictures."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli import vision
from chainrule.cli.options import checkpoint_seconds, image_size, number, option, use_threads
from chainrule.errors import OptionError

app = typer.Typer(
    help="Objects in pictures: a class and a box for each (YOLO).",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
JSON = typer.Option(False, "--json", help="End with one line of JSON.")


@app.command()
def train(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A .json file (COCO), a folder of .xml (Pascal VOC) or .txt (YOLO), or a folder "
            "with train, dev and test in it.",
            show_default=False,
        ),
    ] = None,
    images: str | None = option("Where the pictures are, if not beside them.", "FOLDER"),
    dev: str | None = option("Dev annotations of their own, or none.", "SOURCE|none"),
    test: str | None = option("Test annotations of their own, or none.", "SOURCE|none"),
    image_size_: str | None = option(
        "Pictures are brought to this size; of most, the longer side 320.", "HxW", "--image-size"
    ),
    body: str | None = option("small, from scratch; resnet18 or mobilenet_v2.", "NAME"),
    base: str | None = option("Published weights of that body.", "FILE|NAME", "--from"),
    stride: str | None = option("Pixels of the side of a cell: 4, 8, 16 or 32; 8.", "N"),
    width: str | None = option("All channels, times this.", "NUMBER"),
    anchors: str | None = option("How many shapes a cell's boxes start from; 5.", "N"),
    overlap: str | None = option("Boxes of a higher IoU are one object; 0.5.", "NUMBER"),
    augment: str | None = option(
        "Change the pictures of each step; auto.", "mirror,crop=16|auto|none"
    ),
    epochs: str | None = option("Passes over the training part.", "N"),
    batch_size: str | None = option("Pictures per step; 16.", "N", "--batch-size"),
    learning_rate: str | None = option("α of Adam; 0.002.", "NUMBER", "--learning-rate"),
    seed: str | None = option("Of the split, the first weights, the order, the changes.", "N"),
    out: str | None = option("The run's folder, a new one; runs/NAME-N if left out.", "DIR"),
    resume: str | None = option("Go on with a training that was interrupted.", "RUN"),
    checkpoint_every: str | None = option("Seconds between checkpoints; 60.", "SECONDS"),
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Train a detector on SOURCE, measure it, and save the run.

    Example: chainrule detect train annotations.json --images photos
    """
    given = {
        "source": source,
        "images": images,
        "dev": dev,
        "test": test,
        "image_size": image_size(image_size_),
        "body": body,
        "base": base,
        "stride": number("--stride", stride, int, "8"),
        "width": number("--width", width, float, "0.5"),
        "anchors": number("--anchors", anchors, int, "5"),
        "overlap": number("--overlap", overlap, float, "0.5"),
        "augment": augment,
        "epochs": number("--epochs", epochs, int, "100"),
        "batch_size": number("--batch-size", batch_size, int, "16"),
        "learning_rate": number("--learning-rate", learning_rate, float, "0.002"),
        "seed": number("--seed", seed, int, "0"),
    }
    use_threads(threads)
    every = checkpoint_seconds(checkpoint_every)
    vision.train("detect", given, out, resume, every, as_json=json_)


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="Annotations, as for train.")],
    images: str | None = option("Where the pictures are, if not beside them.", "FOLDER"),
    part: Annotated[
        str, typer.Option(help="train, dev or test, of a source that has them.")
    ] = "test",
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Measure a detector on SOURCE: mAP, precision and recall, and the AP of each class.

    Example: chainrule detect evaluate runs/cells-1 more.json
    """
    use_threads(threads)
    from chainrule.data.files import choose_part
    from chainrule.vision.detection.dataset import (
        find_annotations,
        read_boxed_images,
        reorder_classes,
    )
    from chainrule.vision.report import result_words
    from chainrule.vision.task import kind_of

    system = vision.opened(run, "detect")
    found = find_annotations(source, images=images)
    chosen = choose_part(source, found, part)
    wanted = reorder_classes(found[chosen], system.names, source)
    boxed = read_boxed_images({"train": wanted}, system.network.shape[:2])["train"]
    results = {Path(source).name: kind_of("detect").measure(system.model, boxed)}
    words = result_words("detect", results, system.names)
    typer.echo(json.dumps(next(iter(results.values()))) if json_ else words.lstrip("\n"))


@app.command()
def predict(
    run: Annotated[str, typer.Argument(help="The folder of a run.")],
    source: Annotated[str, typer.Argument(help="A picture, or a folder of pictures.")],
    output: str | None = option("A folder, new or empty: boxes.json and pictures.", "FOLDER", "-o"),
    score: str | None = option("Boxes of this score and more; as chosen on dev.", "NUMBER"),
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out pictures that cannot be read.")
    ] = False,
    threads: str | None = option("Processors to use.", "N"),
    json_: bool = JSON,
) -> None:
    """Find the objects in pictures: a class, a score and a box in pixels for each.

    Example: chainrule detect predict runs/cells-1 photos -o found
    """
    least = number("--score", score, float, "0.5")
    if least is not None and not 0 <= least <= 1:
        raise OptionError("--score", "a number from 0 to 1", f"{least:g}", "--score 0.5")
    use_threads(threads)
    from chainrule.cli.output import write_folder
    from chainrule.vision.detection.task import as_csv, drawn, found_in

    system = vision.opened(run, "detect")
    found = found_in(system, source, score=least, skip_unreadable=skip_unreadable)
    lines: list[dict[str, Any]] = [one.to_dict() for one in found]
    if output is not None:
        files = {"boxes.json": json.dumps(lines, indent=1).encode()}
        write_folder(files | drawn(found), output)
    typer.echo(json.dumps(lines) if json_ else as_csv(found), nl=json_)
