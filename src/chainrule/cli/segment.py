"""chainrule segment: semantic segmentation, from images with masks to masks of new images."""

from chainrule.cli import vision
from chainrule.cli.options import App
from chainrule.runs import shared_options
from chainrule.vision.recipe import SegmentRecipe

TRAIN = """Train a U-Net on SOURCE, evaluate it, and save the run.

Example: chainrule segment train street --classes colours.txt --ignored void
"""
EVALUATE = """Evaluate a U-Net on SOURCE: mean IoU, pixel accuracy, and the IoU of each class.

Example: chainrule segment evaluate runs/street-1 more
"""
PREDICT = """Predict the class of each pixel: masks, overlays, and the share of each class.

Example: chainrule segment predict runs/street-1 photos -o predictions
"""

SOURCE = shared_options.argument("Images with masks, as for train.", "SOURCE")
MASKS = shared_options.folder("Folder of the masks.", "SOURCE/masks", flags="--masks")
OUTPUT = shared_options.output(
    "New or empty folder for the masks, and the images overlaid with them.", "FOLDER"
)

app = App(help="Semantic segmentation: a class for every pixel (U-Net).", no_args_is_help=True)
app.command()(vision.train_command(SegmentRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(SegmentRecipe, EVALUATE, source=SOURCE, labels=MASKS)
)
app.command("predict")(vision.predict_command(SegmentRecipe, PREDICT, output=OUTPUT))
