"""16: recognising people from one image each, without having been trained on them.

Notes: "One-shot learning", "Siamese network", "Triplet loss" and "Face verification and binary
classification" (course 4, week 4).
Drawn faces: each person has their own head, eyes, nose and mouth; each image has another position,
light and blur. The network is trained on triplets of some people, and tested on others.
Targets: with α = 0.2 the notes' triplet of distances 0.5 and 0.51 costs 0.19, and one of 0.5 and
0.7 nothing. For pairs of images of new people, the equal error rate is at most 0.03, where the
distance of pixels has at least 0.25; one of twenty people is found from one image with 0.95, by
pixels with at most 0.4. After training, at most 1 in 10 random triplets costs anything, and of
semi-hard ones 5 times as many. A gallery that knows ten people by one image each recognises nine in
ten of their other images; and since a stranger only has to be close to one of ten, strangers are
taken for one of them at least 3 times as often as a pair of images of two people is accepted, which
is why recognition needs a far lower error than verification.
"""

import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Verifier
from chainrule.blocks.triplet import triplet_cost
from chainrule.inspection.example_plots import plot_curves
from chainrule.inspection.image_plots import Tile, as_colours, gallery
from chainrule.vision.verification.scores import (
    distances,
    draw_mistaken_pairs,
    mistakes_of,
    pairs_of,
    roc,
)
from chainrule.vision.verification.training import evaluate_embeddings, pairs, semi_hard

SIDE, PEOPLE, STRANGERS, EACH, EPOCHS = 24, 600, 40, 6, 12
MARGIN, RATE, PIXELS, FOUND, FOUND_BY_PIXELS = 0.2, 0.03, 0.25, 0.95, 0.4
COSTLY, HARDER, KNOWN, NAMED, MORE_OFTEN = 0.1, 5, 10, 0.9, 3


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    by_hand(example)
    X, whose = faces(PEOPLE + STRANGERS, seed=0)
    known = whose < PEOPLE
    trained = Verifier(
        embedding_size=32, width=0.25, augment=None, epochs=EPOCHS, learning_rate=0.01
    )
    trained.fit(X[known], whose[known])
    strangers = X[~known], whose[~known]
    told_apart(example, trained, *strangers)
    triplets(example, trained, X[known], whose[known])
    at_the_door(example, trained, *strangers)
    example.finish()


def by_hand(example: Example) -> None:
    """Compute the cost of points on a line, with the distances of the notes."""
    example.part("The triplet cost by hand, α = 0.2")
    for far, want in ((0.51, 0.19), (0.7, 0.0)):
        A, P, N = (jnp.array([[x]]) for x in (0.0, 0.5**0.5, far**0.5))
        J = float(triplet_cost(A, P, N, MARGIN))
        said = f"‖A − P‖² = 0.5, ‖A − N‖² = {far}: {J:.2f} (target {want})"
        example.target(said, abs(J - want) < 1e-6)


def faces(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n · EACH, SIDE, SIDE) of bytes, and their identities."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(-1, 1, (n, 10))
    drawn = [face(one, rng) for one in own for _ in range(EACH)]
    return np.stack(drawn), np.repeat(np.arange(n), EACH)


def face(own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a face from ten numbers; its position and light are random."""
    down, right = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    scale, (up, left) = rng.uniform(0.95, 1.1), rng.uniform(-0.1, 0.1, 2)
    down, right = scale * down + up, scale * right + left
    wide, tall, apart, height, eye, nose, mouth, lip, hair, dark = own
    head = spot(right, down, 0, 0, 0.62 + 0.17 * wide, 0.78 + 0.14 * tall)
    picture = 0.15 + 0.6 * head
    picture -= (0.3 + 0.2 * dark) * head * (down < -0.5 + 0.2 * hair)
    for side in (-1, 1):
        at = side * (0.3 + 0.12 * apart), -0.15 + 0.12 * height
        picture -= 0.4 * spot(right, down, *at, 0.12 + 0.06 * eye, 0.08 + 0.04 * eye)
    picture -= 0.3 * spot(right, down, 0, 0.12, 0.06, 0.16 + 0.1 * nose)
    said = rng.uniform(0.8, 1.6)  # the mouth moves
    picture -= 0.4 * spot(right, down, 0, 0.45 + 0.1 * lip, 0.26 + 0.14 * mouth, said * 0.06)
    lit = 1 + 0.25 * rng.uniform(-1, 1) + 0.3 * rng.uniform(-1, 1) * right
    noisy = picture * lit + 0.03 * rng.standard_normal(picture.shape)
    return (255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def spot(right, down, x: float, y: float, a: float, b: float) -> np.ndarray:
    """Return 1 inside an ellipse and 0 outside, with a soft edge."""
    r = np.sqrt(((right - x) / a) ** 2 + ((down - y) / b) ** 2)
    return 1 / (1 + np.exp(np.clip((r - 1) * 40 * min(a, b), -50, 50)))


def told_apart(example: Example, trained: Verifier, X: np.ndarray, whose: np.ndarray) -> None:
    """Test pairs of new people, and one of twenty, by the embedding and by pixels."""
    example.part(f"{STRANGERS} strangers, {len(X)} pictures")
    E, pixels = trained.embed(X), X.reshape(len(X), -1) / 255
    found = {
        "embedding": evaluate_embeddings(E, whose, trained.threshold_),
        "pixels": evaluate_embeddings(pixels, whose),
    }
    print(f"{'':12s}equal error rate  area under ROC  one of {found['pixels'].ways}")
    for name, one in found.items():
        print(f"{name:12s}{one.equal_error_rate:16.3f}{one.auc:16.3f}{one.one_shot or 0:11.3f}")
    one, other = found["embedding"], found["pixels"]
    rates = one.equal_error_rate, other.equal_error_rate
    said = f"equal error rate {rates[0]:.3f}, of pixels {rates[1]:.3f} (target {RATE}, {PIXELS})"
    example.target(said, rates[0] <= RATE and rates[1] >= PIXELS)
    shares = one.one_shot or 0, other.one_shot or 0
    said = f"one of twenty found in {shares[0]:.3f}, by pixels in {shares[1]:.3f}"
    right = shares[0] >= FOUND and shares[1] <= FOUND_BY_PIXELS
    example.target(f"{said} (target {FOUND}, {FOUND_BY_PIXELS})", right)
    example.picture("faces.png", some_faces, X)
    example.picture("faces_roc.png", both_ways, {"embedding": E, "pixels": pixels}, whose)
    wrong = mistakes_of(E, whose, trained.threshold_, most=8)
    names = [f"person {i}" for i in whose]
    example.picture("faces_mistaken.png", draw_mistaken_pairs, wrong, X, names)


def both_ways(rows: dict[str, np.ndarray], whose: np.ndarray) -> bytes:
    """Plot the ROC curves of the distances of embeddings and of pixels."""
    curves = {name: roc(pairs_of(E, whose)) for name, E in rows.items()}
    lines = {name: (one.false_accepts, 1 - one.false_rejects) for name, one in curves.items()}
    words = {"xlabel": "of two people, accepted", "ylabel": "of one person, accepted"}
    return plot_curves({"Fractions of the pairs of new people": lines}, **words)


def some_faces(X: np.ndarray) -> bytes:
    """Draw four people, with six images of each."""
    tiles = [Tile(one, "") for i in range(4) for one in as_colours(X[i * EACH : i * EACH + 6])]
    return gallery(tiles, "Four people, one per row", columns=6)


def triplets(example: Example, trained: Verifier, X: np.ndarray, whose: np.ndarray) -> None:
    """Compare random triplets, which are rarely useful, with semi-hard ones."""
    example.part("The cost, after training, of triplets of the training people")
    rows = np.flatnonzero(whose < 16)
    D = jnp.asarray(distances(*[trained.embed(X[rows])] * 2))
    Y = jnp.asarray(whose[rows][None], D.dtype)
    positive, negative = pairs(Y, jnp.ones(Y.shape))
    chosen = np.take_along_axis(np.asarray(D), np.asarray(semi_hard(D, negative)), axis=1)
    rng = np.random.default_rng(0)
    any_ = np.stack([rng.choice(line[no], len(D)) for line, no in zip(D, negative, strict=True)])
    kept = np.asarray(positive)
    drawn, hard = ((D + MARGIN > D_N)[kept].mean() for D_N in (any_, chosen))
    said = f"{drawn:.3f} of random triplets cost something, of semi-hard ones {hard:.3f}"
    right = drawn <= COSTLY and hard >= HARDER * drawn
    example.target(f"{said} (target at most {COSTLY}, {HARDER} times as many)", bool(right))


def at_the_door(example: Example, trained: Verifier, X: np.ndarray, whose: np.ndarray) -> None:
    """Enrol ten new people by one image each; identify their other images, and other people's."""
    example.part(f"A gallery of {KNOWN}, each known by one image")
    first = PEOPLE
    made = trained.gallery()
    for i in range(KNOWN):
        made = made.enrol(f"person {first + i}", X[whose == first + i][:1])
    names = np.array([f"person {i}" for i in whose])
    asked = np.ones(len(X), bool)
    asked[: KNOWN * EACH : EACH] = False  # those that they are known by
    said = np.array([answer.name or "nobody" for answer in made.identify(X[asked])])
    member = whose[asked] < first + KNOWN
    named = float((said == names[asked])[member].mean())
    let_in = float((said != "nobody")[~member].mean())
    words = f"{named:.3f} of their images named (target {NAMED})"
    example.target(words, named >= NAMED)
    two = pairs_of(trained.embed(X), whose)
    accepted = float((trained.threshold_ >= two.D[~two.same]).mean())
    words = f"{let_in:.3f} of strangers' images taken for one of them, {accepted:.3f} for another"
    right = let_in >= MORE_OFTEN * accepted
    example.target(f"{words} (target {MORE_OFTEN} times as often)", right)


if __name__ == "__main__":
    main()
