"""The commands `chainrule segment …`, which train, evaluate and use a U-Net."""

from chainrule.cli import tasks, vision
from chainrule.cli.options import App
from chainrule.runs import shared_options
from chainrule.vision.recipe import SegmentRecipe

TRAIN = """Train a U-Net on SOURCE, evaluate it, and save it as a run.

Example: chainrule segment train street --classes colours.txt --ignored void
"""
EVALUATE = """Evaluate a U-Net on the images and masks of SOURCE.

The scores are the mean intersection over union (IoU), the pixel accuracy, and the IoU of each
class.

Example: chainrule segment evaluate runs/street-1 more
"""
PREDICT = """Predict the class of each pixel of images, and report the share of each class.

Example: chainrule segment predict runs/street-1 photos -o predictions
"""

SOURCE = shared_options.argument(
    "Images with their masks, in one of the formats of chainrule segment train.", "SOURCE"
)
MASKS = shared_options.folder(
    "Folder that contains the masks, or a .json file with polygons or RLE masks (COCO).",
    "SOURCE/masks",
    flags="--masks",
    metavar="FOLDER|FILE",
)
OUTPUT = shared_options.output(
    "New or empty folder to which the masks, and the images overlaid with them, are written.",
    "FOLDER",
)

app = App(
    help="Segment images: train, evaluate and use a U-Net, which predicts a class for every pixel.",
    no_args_is_help=True,
)
app.command()(tasks.train_command(SegmentRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(SegmentRecipe, EVALUATE, source=SOURCE, labels=MASKS)
)
app.command("predict")(vision.predict_command(SegmentRecipe, PREDICT, output=OUTPUT))
