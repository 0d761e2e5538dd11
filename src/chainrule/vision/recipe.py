"""The recipes of the vision tasks: all options of their `train` commands, each declared once.

VisionRecipe     the options of all tasks: the data, and the settings of the training
DetectRecipe     the options of `chainrule detect train`
SegmentRecipe    the options of `chainrule segment train`
VerifyRecipe     the options of `chainrule verify train`

If an option is None, the default of the model is used. The recipes are declared here, and not in
the folders of their tasks, because `--help` is generated from them and must start fast: this file
imports neither NumPy nor JAX.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from chainrule.choices import BACKBONES, BOX_CHECKS, EMBEDDINGS, SIMILARITIES, STRIDES
from chainrule.errors import OptionError
from chainrule.runs import shared_options
from chainrule.runs.options import (
    alternatives,
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
"""Earlier names of options and of parameters of the models, and their current names."""


def current_names(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored recipe, or the stored parameters of a model, with current names.

    >>> current_names({"body": "small", "stride": 8})
    {'backbone': 'small', 'stride': 8}
    """
    return {RENAMED.get(name, name): value for name, value in saved.items()}


@dataclass(frozen=True)
class VisionRecipe:
    """The options that all vision tasks share."""

    source: str = shared_options.argument("Images and their labels.", "SOURCE")
    dev: str | None = shared_options.separate_set(
        "Separate file or folder with the dev (validation) set; none trains without a dev set.",
        "SOURCE|none",
    )
    test: str | None = shared_options.separate_set(
        "Separate file or folder with the test set; none trains without a test set.", "SOURCE|none"
    )
    image_size: tuple[int, int] | None = shared_options.image_size(
        "depends on the sizes of the images", example="120x160"
    )
    augment: str | None = shared_options.augment("the training images", 8, "auto")
    width: float | None = shared_options.width(default="1")
    epochs: int | None = shared_options.epochs(
        "Number of epochs (passes over the training set).", "depends on the number of images"
    )
    batch_size: int | None = shared_options.count(
        "Number of images in each mini-batch.", "Training", "16"
    )
    learning_rate: float | None = shared_options.positive(
        "Initial learning rate α of Adam, which decays exponentially.", "Training", "0.002"
    )
    seed: int = shared_options.seed(
        "Random seed for the split, the initial weights, the augmentation and the order of the "
        "images."
    )

    kind: ClassVar[str]
    chosen: ClassVar[tuple[str, ...]] = (
        "augment",
        "width",
        "epochs",
        "batch_size",
        "learning_rate",
    )
    """The options that, if they are set, are passed to the model as parameters of the same name."""

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
        """Restore a recipe from plain data, in which None means that an option was not set.

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
        "Annotated images: a .json file (COCO, Label Studio), a folder of .xml files (Pascal VOC) "
        "or .txt files (YOLO), a data.yaml or obj.data (YOLO), an annotations.xml (CVAT), or a "
        "folder with the sub-folders train, dev and test.",
        "SOURCE",
    )
    images: str | None = shared_options.folder(
        "Folder that contains the images.", "the folder of the annotations"
    )
    boxes: str = shared_options.choice(
        "clip",
        BOX_CHECKS,
        "What happens to annotated boxes that leave their image slightly or have no area: clip "
        "clips the former and leaves out the latter, and counts both in a warning; strict refuses "
        "both.",
    )
    backbone: str | None = option(
        None,
        "Backbone of the network: small, which is trained from scratch, or one of the larger "
        "backbones resnet18 and mobilenet_v2.",
        "Model",
        "NAME",
        choices=BACKBONES,
        default_text="small",
    )
    base: str | None = option(
        None,
        "Pretrained weights with which the backbone resnet18 or mobilenet_v2 is initialised.",
        "Model",
        "FILE|NAME",
        flags="--from",
        default_text="random initial weights",
    )
    stride: int | None = option(
        None,
        f"Side length of a grid cell in pixels: {alternatives(STRIDES)}.",
        "Model",
        "N",
        choices=STRIDES,
        example="8",
        default_text="8",
    )
    anchors: int | None = shared_options.count(
        "Number of anchor boxes, whose sizes are learned from the training set.", "Model", "5"
    )
    iou_threshold: float | None = shared_options.number(
        "IoU (intersection over union) above which two boxes of the same class are regarded as the "
        "same object (non-max suppression).",
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
        "A folder with the sub-folders images and masks, or with train, dev and test, each of "
        "which contains such sub-folders; or a .npz file with the arrays X and Y.",
        "SOURCE",
    )
    masks: str | None = shared_options.folder(
        "Folder that contains the masks, or a .json file with polygons or RLE masks (COCO).",
        "SOURCE/masks",
        metavar="FOLDER|FILE",
    )
    classes: str | None = option(
        None,
        "Text file that lists the name of each class and its value or colour in the masks.",
        "Data",
        "FILE",
        default_text="SOURCE/classes.txt",
    )
    binary: bool = option(
        False,
        "Read black-and-white masks: 0 is the class background, and 255 (or 1) the class "
        "foreground; values between them, as at antialiased borders, belong to the nearer class.",
        "Data",
        flags="--binary",
    )
    ignored: str | None = option(
        None,
        "Name of the class, or value of the pixels, that is ignored in training and in the scores.",
        "Data",
        "NAME|N",
        default_text="255",
    )
    width: float | None = shared_options.width(
        "; a factor of 1 gives 64 channels at the top level of the U-Net.",
        default="0.25",
        example="0.25",
    )
    depth: int | None = shared_options.count(
        "Number of times that the U-Net halves the resolution.", "Model", "4"
    )
    keep_prob: float | None = shared_options.number(
        "Dropout: probability of keeping a channel at the lowest resolution of the U-Net.",
        "Regularisation",
        "1",
        example="0.8",
        above=0,
        maximum=1,
    )
    class_weight: str | None = shared_options.choice(
        None,
        ("balanced", "none"),
        "Weights of the classes in the cost: balanced gives rare classes a higher weight; with "
        "none, all classes have the same weight.",
        "Training",
        default_text="balanced",
    )

    kind: ClassVar[str] = "segment"
    chosen: ClassVar[tuple[str, ...]] = (*VisionRecipe.chosen, "depth", "keep_prob", "class_weight")

    def __post_init__(self):
        """Refuse invalid options before any data is read."""
        super().__post_init__()
        others = {"--classes": self.classes, "--ignored": self.ignored}
        given = [name for name, value in others.items() if value is not None]
        if self.binary and given:
            hint = f"leaving out --binary or {given[0]}"
            raise OptionError("--binary", f"either --binary or {given[0]}", "both", hint)

    @property
    def options(self) -> dict[str, Any]:
        """The parameters of the model that the recipe sets."""
        unweighted = {"class_weight": None} if self.class_weight == "none" else {}
        return super().options | unweighted


@dataclass(frozen=True)
class VerifyRecipe(VisionRecipe):
    """The options of `chainrule verify train`; the model is `chainrule.Verifier`."""

    source: str = shared_options.argument(
        "A folder with a sub-folder of images for each person, or with train, dev and test, each "
        "of which contains such sub-folders; or a .npz file with the arrays X and identities.",
        "SOURCE",
    )
    width: float | None = shared_options.width(default="0.5")
    batch_size: int | None = option(
        None,
        "This option is not used; see people_per_batch.",
        "Training",
        "N",
        minimum=1,
        listed=False,
    )
    network: str | None = option(
        None,
        f"Network that computes the embeddings: {alternatives(EMBEDDINGS)}.",
        "Model",
        "NAME",
        choices=EMBEDDINGS,
        default_text="embedding",
    )
    embedding_size: int | None = shared_options.count(
        "Number of components of an embedding.", "Model", "64"
    )
    mirror_invariant: bool | None = option(
        None,
        "Compute the same embedding for an image and its mirror image, which is useful for faces.",
        "Model",
        flags="--mirror-invariant",
    )
    margin: float | None = shared_options.number(
        "Margin α of the triplet cost; it must be less than 4, which is the largest possible "
        "squared distance between two embeddings.",
        "Training",
        "0.2",
        above=0,
        below=4,
    )
    people_per_batch: int | None = shared_options.count(
        "Number of people in each mini-batch.", "Training", "16", minimum=2
    )
    photos_per_person: int | None = shared_options.count(
        "Number of images of each person in a mini-batch.", "Training", "4", minimum=2
    )
    similarity: str | None = shared_options.choice(
        None,
        SIMILARITIES,
        "How embeddings are compared: by their distance, or by a logistic regression that is "
        "learned from pairs of images.",
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
        """The parameters of the model that the recipe sets.

        Without a dev set, no person is held out of the training set.
        """
        return super().options | ({"dev_share": 0.0} if self.dev == "none" else {})
