"""Declarations of the options that several recipes and commands have in common.

    argument           a required argument, such as SOURCE or RUN
    text               an option whose value is any text
    switch             an option without a value, which is off unless it is given
    choice             an option with a few valid values, which its help lists
    number             an option whose value is a number
    positive           an option whose value is a number greater than 0
    count              an option whose value is a whole number
    separate_set       --dev, --test: the file or folder of a set
    column             --target, --weight, …: the name of a column of a table
    columns            --drop, --key, …: names of columns of a table
    folder             --images, --masks: the folder of the images or of the masks
    image_size         --image-size: the height and width of the images
    skip_unreadable    --skip-unreadable: whether unreadable images are left out
    augment            --augment: random changes to the training images
    width              --width: a factor for the numbers of channels
    epochs             --epochs: the number of epochs
    seed               --seed: the random seed
    output             --output, -o: a file or folder to write
    new_folder         --out: a new folder for all results of a command

Each function declares one option. Its parameters are the texts and values that differ between the
recipes and commands; `more` contains further attributes of `Option`.
"""

from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

from chainrule.choices import AUGMENTATIONS
from chainrule.runs.options import (
    option,
    read_image_size,
    read_names,
    spell_image_size,
    spell_names,
)


def argument(help: str, metavar: str, **more: Any) -> Any:
    """Declare a required argument of a command."""
    return option(MISSING, help, "Data", metavar, positional=True, **more)


def text(help: str, panel: str, metavar: str = "TEXT", **more: Any) -> Any:
    """Declare an option whose value is any text, by default none."""
    return option("", help, panel, metavar, **more)


def switch(help: str, panel: str, flag: str) -> Any:
    """Declare an option without a value, which is off unless its flag is given."""
    return option(False, help, panel, flags=flag)


def choice(
    default: str | None, choices: Sequence[str], help: str, panel: str = "Data", **more: Any
) -> Any:
    """Declare an option with a few valid values, which the help shows as its placeholder."""
    return option(default, help, panel, "|".join(choices), choices=choices, **more)


def number(help: str, panel: str, default: str, *, example: str = "", **bounds: float) -> Any:
    """Declare an option whose value is a number, between the `bounds`, as for `Option`.

    `default` describes the default value. If it is not a valid value itself, `example` is one.
    """
    example = example or default
    return option(None, help, panel, "NUMBER", example=example, default_text=default, **bounds)


def positive(help: str, panel: str, default: str, *, example: str = "") -> Any:
    """Declare an option whose value is a number greater than 0; see `number`."""
    return number(help, panel, default, example=example, above=0)


def count(help: str, panel: str, default: str, *, example: str = "", minimum: int = 1) -> Any:
    """Declare an option whose value is a whole number; see `number`."""
    example = example or default
    return option(None, help, panel, "N", minimum=minimum, example=example, default_text=default)


def separate_set(help: str, metavar: str, **more: Any) -> Any:
    """Declare the file or folder of the dev or test set, which by default is split from SOURCE."""
    return option(
        None,
        help,
        "Data",
        metavar,
        suggestions=("none",),
        default_text="split from SOURCE",
        **more,
    )


def column(help: str, **more: Any) -> Any:
    """Declare the name of a column of a table."""
    return option(None, help, "Data", "COLUMN", **more)


def columns(help: str, **more: Any) -> Any:
    """Declare the names of columns of a table."""
    how: dict[str, Any] = {"parse": read_names, "spell": spell_names, "example": "id,name"}
    return option(None, help, "Data", "COLUMN,…", **how, **more)


def folder(help: str, default: str, metavar: str = "FOLDER", **more: Any) -> Any:
    """Declare the folder of the images or of their masks; `default` describes the default."""
    return option(None, help, "Data", metavar, default_text=default, **more)


def image_size(default_text: str, **more: Any) -> Any:
    """Declare the height and width to which images are resized."""
    return option(
        None,
        "Height and width in pixels to which all images are resized, such as 64x64.",
        "Images",
        "HxW",
        minimum=1,
        parse=read_image_size,
        spell=spell_image_size,
        default_text=default_text,
        **more,
    )


def skip_unreadable(default: bool | None = False, **more: Any) -> Any:
    """Declare whether images that cannot be read are left out."""
    help = "Leave out images that cannot be read, and report how many there are."
    return option(default, help, "Images", flags="--skip-unreadable", **more)


def augment(images: str, crop: int, default: str) -> Any:
    """Declare the augmentation of the training images, with `crop` pixels as an example."""
    return option(
        None,
        f"Random changes to {images}: one or more of {', '.join(AUGMENTATIONS[:-1])} and "
        f"{AUGMENTATIONS[-1]}, each with an optional strength; auto for changes that are safe for "
        "most images; or none.",
        "Images",
        f"mirror,crop={crop}|auto|none",
        suggestions=("auto", "none", *AUGMENTATIONS),
        default_text=default,
    )


def width(condition: str = ".", *, default: str, example: str = "0.5") -> Any:
    """Declare the factor for the number of channels; `condition` ends the sentence of the help."""
    help = f"Factor by which the number of channels of every layer is multiplied{condition}"
    return positive(help, "Model", default, example=example)


def epochs(help: str, default: str) -> Any:
    """Declare the number of epochs; `default` describes the default."""
    return count(help, "Training", default, example="100")


def seed(help: str, panel: str = "Training", **more: Any) -> Any:
    """Declare the seed of all random numbers of a command."""
    return option(0, help, panel, "N", minimum=0, example="0", **more)


def output(help: str, metavar: str = "FILE", default: str | None = None, **more: Any) -> Any:
    """Declare the file or folder that a command writes."""
    return option(default, help, "Output", metavar, flags=("--output", "-o"), writes=True, **more)


def new_folder(help: str, default: str, **more: Any) -> Any:
    """Declare the folder that a command creates for its results."""
    flags = ("--out", "-o")
    return option(None, help, "Output", "FOLDER", default_text=default, flags=flags, **more)
