"""The plots of a run: its cost curve, and how its predictions compare with the labels."""

from collections.abc import Mapping

from chainrule.data.source import Source
from chainrule.inspection.augmented import augmented_gallery
from chainrule.inspection.plots import (
    confusion_matrix,
    cost_curve,
    decision_boundary,
    predicted_against_true,
)
from chainrule.inspection.signals import signal_picture
from chainrule.models.conv_network import ConvNetwork
from chainrule.train.prepare import labelled
from chainrule.train.run import Run


def run_pictures(run: Run, sources: Mapping[str, Source]) -> dict[str, bytes]:
    """Return PNG files by name, drawn on the dev set (or the test or training set without one)."""
    name = next(split for split in ("dev", "test", "train") if split in sources)
    shown = sources[name]
    pictures = {"cost.png": cost_curve(run.history, title=shown.name)}
    if run.history.signals:
        pictures["signal.png"] = signal_picture(run.history)
    y, y_pred, labels = labelled(shown), run.predict(shown.X), run.door.labels
    if labels.task == "classification":
        pictures["confusion.png"] = confusion_matrix(y, y_pred, labels.classes, name)
    elif labels.n_outputs == 1:
        pictures["predicted.png"] = predicted_against_true(y, y_pred, name)
    if isinstance(run.network, ConvNetwork) and "augment" in run.network.settings:
        images = run.door.rows(sources["train"].X[:4]).reshape(-1, *run.network.shape)
        pictures["augmented.png"] = augmented_gallery(run.network, images)
    if run.door.n_x == 2 and labels.task == "classification":
        X = run.door.columns.apply(shown.X) if run.door.columns else shown.X
        names = (run.door.names[0], run.door.names[1])
        pictures["boundary.png"] = decision_boundary(run.predict, X, y, names, name)
    return pictures
