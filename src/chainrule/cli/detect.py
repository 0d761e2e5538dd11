"""The commands `chainrule detect …`, which train, evaluate and use an object detector."""

from chainrule.cli import tasks, vision
from chainrule.cli.options import App
from chainrule.runs import shared_options
from chainrule.vision.recipe import DetectRecipe

TRAIN = """Train an object detector on SOURCE, evaluate it, and save it as a run.

Example: chainrule detect train annotations.json --images photos
"""
EVALUATE = """Evaluate an object detector on the annotated images of SOURCE.

The scores are the mean average precision (mAP), the precision, the recall, and the average
precision (AP) of each class.

Example: chainrule detect evaluate runs/cells-1 more.json
"""
PREDICT = """Find the objects in images, and report the class, the score and the box of each object.

Example: chainrule detect predict runs/cells-1 photos -o found
"""

SOURCE = shared_options.argument(
    "Annotated images, in one of the formats of chainrule detect train.", "SOURCE"
)
IMAGES = shared_options.folder(
    "Folder that contains the images.", "the folder of the annotations", flags="--images"
)
OUTPUT = shared_options.output(
    "New or empty folder to which boxes.json and the images with their boxes are written.", "FOLDER"
)
SCORE_THRESHOLD = shared_options.number(
    "Minimum score of the boxes that are reported.",
    "Model",
    "chosen on the dev set",
    example="0.5",
    minimum=0,
    maximum=1,
)

app = App(
    help="Detect objects in images: train, evaluate and use a YOLO network.", no_args_is_help=True
)
app.command()(tasks.train_command(DetectRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(DetectRecipe, EVALUATE, source=SOURCE, labels=IMAGES)
)
app.command("predict")(
    vision.predict_command(DetectRecipe, PREDICT, output=OUTPUT, score_threshold=SCORE_THRESHOLD)
)
