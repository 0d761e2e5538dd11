"""Fit small estimators and write their predictions, through the public interface.

    python -m tests.validation.estimator_predictions FOLDER FILE.npz

FOLDER is that of `old_runs/`, for its data. The file has an array for each estimator.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes, load_iris

from chainrule import NetworkClassifier, NetworkRegressor, Segmenter, Verifier


def predictions(folder: Path) -> dict[str, np.ndarray]:
    """The predictions of each estimator, after a few epochs."""
    iris, diabetes = load_iris(return_X_y=True), load_diabetes(return_X_y=True)
    classifier = NetworkClassifier((6,), epochs=4, keep_prob=0.9, random_state=1).fit(*iris)
    weighted = NetworkClassifier((6,), epochs=4, class_weight="balanced", batch_norm=True, l2=0.1)
    regressor = NetworkRegressor((5, 3), epochs=4, optimizer="momentum", l1=0.1)
    bars, faces = np.load(folder / "data" / "bars.npz"), np.load(folder / "data" / "faces.npz")
    images = NetworkClassifier(
        network="convnet", width=0.25, image_shape=(8, 8, 1), augment="mirror", epochs=2
    )
    rows = bars["X"].reshape(len(bars["X"]), -1) / 255
    segmenter = Segmenter(depth=1, width=0.0625, epochs=2, batch_size=8)
    masks = (bars["X"][..., 0] > 100).astype(np.uint8)
    verifier = Verifier(
        embedding_size=8, width=0.25, people_per_batch=4, photos_per_person=2, epochs=2
    )
    return {
        "classifier": classifier.predict_proba(iris[0]),
        "weighted": weighted.fit(*iris).predict_proba(iris[0]),
        "regressor": regressor.fit(*diabetes).predict(diabetes[0]),
        "images": images.fit(rows, bars["y"]).predict_proba(rows),
        "segmenter": segmenter.fit(bars["X"], masks).predict_proba(bars["X"][:4]),
        "verifier": verifier.fit(faces["X"], faces["identities"]).embed(faces["X"]),
    }


if __name__ == "__main__":
    np.savez(sys.argv[2], **predictions(Path(sys.argv[1])))
