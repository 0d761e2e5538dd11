"""The recipes of the vision tasks: all options of their `train` commands, each declared once.

VisionRecipe     what all tasks share: the data, and the settings of the training
DetectRecipe     `chainrule detect train`
SegmentRecipe    `chainrule segment train`
VerifyRecipe     `chainrule verify train`

None means that the model's own default applies. The recipes are declared here, and not beside their
tasks, because `--help` is made from them: this file imports neither NumPy nor JAX.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from chainrule.choices import BACKBONES, EMBEDDINGS, SIMILARITIES, STRIDES
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import (
    check_options,
    option,
    restore,
    spell_image_size,
)

RENAMED = {
    "body": "backbone",
    "overlap": "iou_threshold",
    "n": "embedding_size",
    "mirrored": "mirror_invariant",
    "people": "people_per_batch",
    "photos": "photos_per_person",
}
"""Old names of options and of the models' parameters, and the names that they have now."""


def current_names(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored recipe, or the stored parameters of a model, with old names replaced.

    >>> current_names({"body": "small", "stride": 8})
    {'backbone': 'small', 'stride': 8}
    """
    return {RENAMED.get(name, name): value for name, value in saved.items()}


@dataclass(frozen=True)
class VisionRecipe:
    """The options that all vision tasks share."""

    source: str = shared_options.argument("Images and their labels.", "SOURCE")
    dev: str | None = shared_options.separate_set(
        "Separate source of the dev (validation) set, or none to train without a dev set.",
        "SOURCE|none",
    )
    test: str | None = shared_options.separate_set(
        "Separate source of the test set, or none to train without a test set.", "SOURCE|none"
    )
    image_size: tuple[int, int] | None = shared_options.image_size(
        "depends on the images", example="120x160"
    )
    augment: str | None = shared_options.augment("the training images", 8, "auto")
    width: float | None = shared_options.width(default="1")
    epochs: int | None = shared_options.epochs(
        "Number of passes over the training set.", "depends on the number of images"
    )
    batch_size: int | None = shared_options.count("Number of images per step.", "Training", "16")
    learning_rate: float | None = shared_options.positive(
        "Initial learning rate α of Adam; it decays exponentially.", "Training", "0.002"
    )
    seed: int = shared_options.seed(
        "Seed of the split, the initial weights, the augmentation and the order of the images."
    )

    kind: ClassVar[str]
    chosen: ClassVar[tuple[str, ...]] = (
        "augment",
        "width",
        "epochs",
        "batch_size",
        "learning_rate",
    )
    """The options that are passed to the model, as parameters of the same name, if they are set."""

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        check_options(self)

    @property
    def options(self) -> dict[str, Any]:
        """The parameters of the model that the recipe sets."""
        given = {name: getattr(self, name) for name in self.chosen}
        given = {name: value for name, value in given.items() if value is not None}
        if given.get("augment") == "none":
            given["augment"] = None
        return given | {"random_state": self.seed}

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain data for JSON, with the kind of task."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Restore a recipe from plain data; None means that an option was not set.

        A stored recipe may contain names from earlier versions: see `current_names`.
        """
        return restore(cls, {k: v for k, v in saved.items() if k != "kind"}, RENAMED)

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        """Restore the recipe of a saved run, which may have been written by an earlier version."""
        return cls.from_dict(current_names(saved))


@dataclass(frozen=True)
class DetectRecipe(VisionRecipe):
    """The options of `chainrule detect train`; the model is `chainrule.Detector`."""

    source: str = shared_options.argument(
        "A .json file (COCO), a folder of .xml files (Pascal VOC) or .txt files (YOLO), or a "
        "folder with sub-folders train, dev and test.",
        "SOURCE",
    )
    images: str | None = shared_options.folder("Folder of the images.", "the annotations' folder")
    backbone: str | None = option(
        None,
        "Backbone of the network: small, trained from scratch, or one of the larger resnet18 and "
        "mobilenet_v2.",
        "Model",
        "NAME",
        choices=BACKBONES,
        default_text="small",
    )
    base: str | None = option(
        None,
        "Initialise the backbone, resnet18 or mobilenet_v2, with these published weights.",
        "Model",
        "FILE|NAME",
        flags="--from",
        default_text="random initial weights",
    )
    stride: int | None = option(
        None,
        f"Side of a grid cell in pixels: {', '.join(map(str, STRIDES))}.",
        "Model",
        "N",
        choices=STRIDES,
        example="8",
        default_text="8",
    )
    anchors: int | None = shared_options.count(
        "Number of anchor boxes; their sizes are learned from the training set.", "Model", "5"
    )
    iou_threshold: float | None = shared_options.number(
        "IoU above which two boxes of a class count as the same object (non-max suppression).",
        "Model",
        "0.5",
        above=0,
        below=1,
    )

    kind: ClassVar[str] = "detect"
    chosen: ClassVar[tuple[str, ...]] = (
        *VisionRecipe.chosen,
        *("backbone", "base", "stride", "anchors", "iou_threshold"),
    )

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        super().__post_init__()
        if self.base is not None and self.backbone in (None, "small"):
            hint = "--backbone resnet18, or mobilenet_v2"
            expected = "a backbone for which published weights exist"
            raise OptionError("--from", expected, "small", hint)
        stride = self.stride or 8
        if self.image_size is not None and any(n % stride for n in self.image_size):
            near = spell_image_size([stride * max(1, round(n / stride)) for n in self.image_size])
            expected = f"multiples of the stride {stride}"
            got = spell_image_size(self.image_size)
            raise OptionError("--image-size", expected, got, f"--image-size {near}")


@dataclass(frozen=True)
class SegmentRecipe(VisionRecipe):
    """The options of `chainrule segment train`; the model is `chainrule.Segmenter`."""

    source: str = shared_options.argument(
        "A folder with sub-folders images and masks, also inside train, dev and test; or a .npz "
        "file with arrays X and Y.",
        "SOURCE",
    )
    masks: str | None = shared_options.folder("Folder of the masks.", "SOURCE/masks")
    classes: str | None = option(
        None,
        "File with the name of each class and its value or colour in the masks.",
        "Data",
        "FILE",
        default_text="SOURCE/classes.txt",
    )
    ignored: str | None = option(
        None,
        "Name or value of the pixels that belong to no class.",
        "Data",
        "NAME|N",
        default_text="255",
    )
    width: float | None = shared_options.width(
        "every layer; 1: 64 channels at the top.", default="0.25", example="0.25"
    )
    depth: int | None = shared_options.count(
        "How many times the U-Net halves its images.", "Model", "4"
    )
    keep_prob: float | None = shared_options.number(
        "Dropout: probability of keeping a channel of the bottom level.",
        "Regularisation",
        "1",
        example="0.8",
        above=0,
        maximum=1,
    )
    class_weight: str | None = shared_options.choice(
        None,
        ("balanced", "none"),
        "Weights of the classes in the cost: balanced, so that rare classes weigh more, or none.",
        "Training",
        default_text="balanced",
    )

    kind: ClassVar[str] = "segment"
    chosen: ClassVar[tuple[str, ...]] = (*VisionRecipe.chosen, "depth", "keep_prob", "class_weight")

    @property
    def options(self) -> dict[str, Any]:
        """The parameters of the model that the recipe sets."""
        unweighted = {"class_weight": None} if self.class_weight == "none" else {}
        return super().options | unweighted


@dataclass(frozen=True)
class VerifyRecipe(VisionRecipe):
    """The options of `chainrule verify train`; the model is `chainrule.Verifier`."""

    source: str = shared_options.argument(
        "A folder with a sub-folder of images for each identity, also inside train, dev and test; "
        "or a .npz file with arrays X and identities.",
        "SOURCE",
    )
    width: float | None = shared_options.width(default="0.5")
    batch_size: int | None = option(
        None, "Not used: see people_per_batch.", "Training", "N", minimum=1, listed=False
    )
    network: str | None = option(
        None,
        f"Network: {' or '.join(EMBEDDINGS)}.",
        "Model",
        "NAME",
        choices=EMBEDDINGS,
        default_text="embedding",
    )
    embedding_size: int | None = shared_options.count("Dimension of an embedding.", "Model", "64")
    mirror_invariant: bool | None = option(
        None,
        "Give an image and its mirror image the same embedding, as suits faces.",
        "Model",
        flags="--mirror-invariant",
        default_text="off",
    )
    margin: float | None = shared_options.number(
        "Margin α of the triplet cost, below 4, the largest squared distance.",
        "Training",
        "0.2",
        above=0,
        below=4,
    )
    people_per_batch: int | None = shared_options.count(
        "Number of identities per step.", "Training", "16", minimum=2
    )
    photos_per_person: int | None = shared_options.count(
        "Number of images of each identity per step.", "Training", "4", minimum=2
    )
    similarity: str | None = shared_options.choice(
        None,
        SIMILARITIES,
        "Compare embeddings by their distance, or by a logistic regression learned from pairs.",
        "Model",
        default_text="distance",
    )
    skip_unreadable: bool = shared_options.skip_unreadable(
        default_text="an unreadable image is an error"
    )

    kind: ClassVar[str] = "verify"
    chosen: ClassVar[tuple[str, ...]] = (
        *("augment", "width", "epochs", "learning_rate", "network", "embedding_size"),
        *("mirror_invariant", "margin", "people_per_batch", "photos_per_person", "similarity"),
    )

    @property
    def options(self) -> dict[str, Any]:
        """The parameters of the model that the recipe sets; without a dev set, hold nobody out."""
        return super().options | ({"dev_share": 0.0} if self.dev == "none" else {})
