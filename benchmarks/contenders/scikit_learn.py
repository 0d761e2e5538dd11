"""scikit-learn's MLP with the same settings. Of two classes it makes one logistic output."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import LEARNING_RATE, Case, examples


def scikit_learn(case: Case, epochs: int):
    """A whole fit: it shuffles, and it never stops early."""
    X, classes = examples(case)
    network = MLPClassifier(
        case.sizes[1:-1],
        alpha=0,
        batch_size=case.batch_size,
        learning_rate_init=LEARNING_RATE,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=epochs + 1,
        random_state=0,
    )

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(X, classes)

    return run
