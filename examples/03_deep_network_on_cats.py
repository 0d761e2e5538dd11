"""03: the deep network on the cats.

Notes: "Deep neural network for image classification: application" (course 1, week 4).
12288-20-7-5-1, relu, weights normal / √n_prev, the whole set at each step, learning rate 0.0075,
2,500 iterations; eleven seeds, since a single one shows little: the test set has 50 images.
Targets: median accuracy at least 0.98 on the training set and 0.72 on the test set.
"""

from pathlib import Path
from statistics import median

import jax
from example import Example

from chainrule import DeepNetwork, Run, summarize, train_model

TRAIN, TEST = "catvnoncat/train_catvnoncat.h5", "catvnoncat/test_catvnoncat.h5"
HIDDEN, SEEDS = (20, 7, 5), range(11)
LEAST = {"train": 0.98, "test": 0.72}


def main() -> None:
    """Train from eleven seeds, and print the medians."""
    example = Example(__doc__ or "")
    if example.has(TRAIN, TEST):
        example.part("The network")
        network = DeepNetwork((12288, *HIDDEN, 1), key=jax.random.key(0))
        print(summarize(network, m=209, cost_name="logistic").text())
        example.part("Eleven seeds")
        print("seed   first cost   last cost   train    test   seconds")
        runs = [trained(example.data, seed) for seed in SEEDS]
        example.part("The medians")
        for name, least in LEAST.items():
            value = median(run.results[name]["accuracy"] for run in runs)
            said = f"median accuracy on {name}: {value:.4f} (target at least {least})"
            example.target(said, value >= least)
    example.finish()


def trained(data: Path, seed: int) -> Run:
    """Train from one seed, and print its row of the table."""
    run = train_model(
        str(data / TRAIN),
        test=str(data / TEST),
        dev="none",
        hidden=HIDDEN,
        init="lecun",
        optimizer="gradient_descent",
        learning_rate=0.0075,
        batch_size=0,
        epochs=2500,
        early_stopping=False,
        seed=seed,
    )
    costs, seconds = run.history.costs, run.history.epochs[-1].seconds
    train, test = (run.results[name]["accuracy"] for name in LEAST)
    print(f"{seed:4d}{costs[0]:13.4f}{costs[-1]:12.4f}{train:8.4f}{test:8.2f}{seconds:10.1f}")
    return run


if __name__ == "__main__":
    main()
