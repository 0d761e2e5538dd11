"""chainrule detect: object detection, from annotated images to boxes on new ones."""

from chainrule.cli import vision
from chainrule.cli.options import App
from chainrule.runs import shared_options
from chainrule.vision.recipe import DetectRecipe

TRAIN = """Train a detector on SOURCE, evaluate it, and save the run.

Example: chainrule detect train annotations.json --images photos
"""
EVALUATE = """Evaluate a detector on SOURCE: mAP, precision and recall, and the AP of each class.

Example: chainrule detect evaluate runs/cells-1 more.json
"""
PREDICT = """Find the objects in images: a class, a score and a box in pixels for each.

Example: chainrule detect predict runs/cells-1 photos -o found
"""

SOURCE = shared_options.argument("Annotations, as for train.", "SOURCE")
IMAGES = shared_options.folder("Folder of the images.", "the annotations' folder", flags="--images")
OUTPUT = shared_options.output(
    "New or empty folder for boxes.json and the images with their boxes.", "FOLDER"
)
SCORE_THRESHOLD = shared_options.number(
    "Report boxes with at least this score.",
    "Model",
    "chosen on the dev set",
    example="0.5",
    minimum=0,
    maximum=1,
)

app = App(help="Object detection: a class and a box for each object (YOLO).", no_args_is_help=True)
app.command()(vision.train_command(DetectRecipe, TRAIN))
app.command("evaluate")(
    vision.evaluate_command(DetectRecipe, EVALUATE, source=SOURCE, labels=IMAGES)
)
app.command("predict")(
    vision.predict_command(DetectRecipe, PREDICT, output=OUTPUT, score_threshold=SCORE_THRESHOLD)
)
