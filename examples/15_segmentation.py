"""15: segmentation needs the context of a pixel and its exact position.

Notes: "Semantic segmentation with U-Net", "Transposed convolutions", "U-Net architecture" (course
4, week 3).
The notes' numbers by hand; images whose sides are not multiples of a power of two; and discs and
threads of one colour in generated images, so that a pixel alone does not show its class. Then
street scenes, if the data is available.
Targets: the notes' transposed convolution gives its 4×4 numbers, and a mask that is mirrored and
cropped matches its image. The output of the U-Net for 27×38 pixels is, bit for bit, that for the
image padded to 28×40, cropped again. On new images it finds the threads, one or two pixels wide,
with an IoU of 0.8; the same network without skip connections, which loses the position, reaches at
most 0.6, and layers that see one pixel at a time at most 0.1. With CamVid, a small U-Net reaches in
sixteen epochs a mean IoU of 0.28 over eleven classes, and 1.5 times that of the most frequent class
at each position.
"""

import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Segmenter, adam, fit
from chainrule.blocks.transposed import transposed
from chainrule.data.augmentation import augment_with_masks
from chainrule.host.randomness import key_from_seed
from chainrule.inspection.image_plots import compare_masks, encode_png, palette
from chainrule.layers.layer import Layer
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.layers.skip import Padded
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.unet import two_convolutions, unet
from chainrule.models.units import Units
from chainrule.train.examples import Examples
from chainrule.train.outputs import network_outputs
from chainrule.vision.segmentation.cost import (
    PixelAccuracy,
    PixelCost,
    class_scores,
    pixel_counts,
    pixel_scores,
)
from chainrule.vision.segmentation.masks import read_masks

N_H, N_W, DEPTH, CHANNELS = 27, 38, 2, 8
TRAINING, UNSEEN, EPOCHS, ALPHA, BATCH = 128, 32, 12, 0.01, 8
NAMES = ["ground", "disc", "thread"]
UNET, WITHOUT, ALONE, STREET, MORE = 0.8, 0.6, 0.1, 0.28, 1.5
CAMVID = [f"camvid/camvid_{part}.npz" for part in ("train", "val", "test")]
OF_STREETS = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence"]
OF_STREETS += ["car", "pedestrian", "bicyclist"]


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    by_hand(example)
    X, Y = made(TRAINING, 0)
    moved(example, X[:4], Y[:4])
    trained = discs_and_threads(example, Examples(X, Y), *made(UNSEEN, 1))
    sides(example, trained, X[:4])
    if example.has(*CAMVID):
        street(example)
    example.finish()


def by_hand(example: Example) -> None:
    """Compute the transposed convolution of the notes."""
    example.part("2×2 numbers become 4×4")
    A = jnp.array([[2.0, 1.0], [3.0, 2.0]])[None, :, :, None]
    W = jnp.array([[1.0, 2.0, 1.0], [2.0, 0.0, 1.0], [0.0, 2.0, 1.0]])[:, :, None, None]
    Z = np.asarray(transposed(A, W, None, s=2, p=(1, 0)))[0, :, :, 0].astype(int)
    print(Z)
    wanted = [[0, 4, 0, 1], [10, 7, 6, 3], [0, 7, 0, 2], [6, 3, 4, 2]]
    example.target("the sixteen numbers of the notes", Z.tolist() == wanted)


def moved(example: Example, X: np.ndarray, Y: np.ndarray) -> None:
    """Augment images that are their own masks."""
    example.part("A mask moves with its image")
    same = jnp.asarray(Y[..., None], jnp.float32)
    strengths = {"mirror": 0.5, "crop": 6}
    picture, mask = augment_with_masks(
        same, jnp.asarray(Y), strengths, key=key_from_seed(0), beyond=255
    )
    apart = int((np.asarray(picture)[..., 0] != np.asarray(mask)).sum())
    still = float((np.asarray(mask) == Y).mean())
    print(f"{1 - still:.0%} of the pixels are of another class than before")
    example.target(f"{apart} of them differ from the image's", apart == 0 and still < 1)


def made(m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images of discs and threads of one colour on a dark background, and their masks."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0.3, 0.12, (m, N_H, N_W, 1)).astype(np.float32)
    Y = np.zeros((m, N_H, N_W), np.uint8)
    rows, columns = np.mgrid[:N_H, :N_W]
    for image, mask in zip(X, Y, strict=True):
        for _ in range(3):
            y, x, angle = rng.uniform(0, N_H), rng.uniform(0, N_W), rng.uniform(0, np.pi)
            off = (rows - y) * np.cos(angle) - (columns - x) * np.sin(angle)
            mask[np.abs(off) < 0.6] = 2
        for _ in range(2):
            y, x, r = rng.uniform(0, N_H), rng.uniform(0, N_W), rng.uniform(4, 7)
            mask[(rows - y) ** 2 + (columns - x) ** 2 < r**2] = 1
        image[mask > 0] += 0.4
    return X, Y


def without_skips(key_seed: int) -> ConvNetwork:
    """Return the U-Net without its skip connections."""
    made = Units(key_from_seed(key_seed))

    def level(n_prev: int, n: int, depth: int) -> list[Layer]:
        down = two_convolutions(made, n_prev, n)
        if depth == 0:
            return down
        below = [MaxPool(2), *level(n, 2 * n, depth - 1), made.transposed(2 * n, n)]
        return [*down, *below, *two_convolutions(made, n, n)]

    layers = [*level(1, CHANNELS, DEPTH), made.conv(CHANNELS, len(NAMES), 1)]
    padded = Padded(Sequential(layers), 2**DEPTH)
    return ConvNetwork([padded], name="no_skips", shape=(N_H, N_W, 1), n_L=len(NAMES))


def one_pixel(key_seed: int) -> ConvNetwork:
    """Return a network of 1 by 1 convolutions, which sees each pixel by itself."""
    made = Units(key_from_seed(key_seed))
    layers = [*made.normalized(1, 16, 1), *made.normalized(16, 16, 1), made.conv(16, len(NAMES), 1)]
    return ConvNetwork(layers, name="one_pixel", shape=(N_H, N_W, 1), n_L=len(NAMES))


def discs_and_threads(
    example: Example, train: Examples, X: np.ndarray, Y: np.ndarray
) -> ConvNetwork:
    """Train three networks on the same images."""
    example.part("Discs and threads of one colour")
    shape, width = (N_H, N_W, 1), CHANNELS / 64
    start = unet(shape, len(NAMES), key=key_from_seed(0), depth=DEPTH, width=width)
    threads, said = [], {}
    for network in (start, without_skips(0), one_pixel(0)):
        how = {"epochs": EPOCHS, "batch_size": BATCH, "metric": PixelAccuracy()}
        fitted = fit(network, adam(ALPHA), PixelCost((1.0,) * len(NAMES)), train, **how)
        said[network.name] = network_outputs(fitted.network, X).argmax(axis=3)
        counts = pixel_counts(Y, said[network.name], len(NAMES))
        mean, iou = pixel_scores(counts)["mean_iou"], class_scores(counts)
        threads.append(iou[2])
        print(f"{network.title:23} mean IoU {mean:.3f}; discs {iou[1]:.3f}, threads {iou[2]:.3f}")
        if network is start:
            trained = fitted.network
    a, b, c = threads
    example.target(
        f"the IoU of threads: U-Net {a:.3f} >= {UNET}, without skip connections {b:.3f} <= "
        f"{WITHOUT}, by single pixels {c:.3f} <= {ALONE}",
        a >= UNET and b <= WITHOUT and c <= ALONE,
    )
    grey = np.round(np.clip(X[:3], 0, 1) * 255).astype(np.uint8)
    masks = list(zip(Y, *said.values(), strict=True))[:3]
    example.picture("threads.png", drawn, grey, masks, NAMES, 5)
    return trained


def drawn(X: np.ndarray, masks: list, names: list[str], scale: int) -> bytes:
    """Draw a row for each image."""
    return encode_png(compare_masks(list(X), masks, names, palette(len(names)), scale))


def sides(example: Example, network: ConvNetwork, X: np.ndarray) -> None:
    """Compare with padding and cropping by hand."""
    example.part(f"{N_H}×{N_W} pixels, halved {DEPTH} times")
    padded = network.layers.layers[-1]
    n_H, n_W = padded.sides((N_H, N_W))
    larger = np.pad(X, [(0, 0), (0, n_H - N_H), (0, n_W - N_W), (0, 0)], mode="edge")
    whole = np.asarray(padded.main(jnp.asarray(larger)))
    same = bool(np.array_equal(whole[:, :N_H, :N_W], np.asarray(network(jnp.asarray(X)))))
    example.target(f"the same of {n_H}×{n_W}, cropped again, bit for bit", same)


def street(example: Example) -> None:
    """Train a small U-Net on street scenes, for a minute or two."""
    example.part("CamVid: eleven classes of a street")
    parts = [read_masks(example.data / file, ignored="11")["train"] for file in CAMVID]
    train, dev, test = ((part.X, part.Y) for part in parts)
    how = {"depth": 3, "width": 0.125, "epochs": 16, "learning_rate": 0.005, "augment": "mirror"}
    model = Segmenter(**how).fit(*train, *dev)
    shares = np.stack([(train[1] == kind).sum(axis=0) for kind in range(len(OF_STREETS))])
    by_place = np.broadcast_to(shares.argmax(axis=0), test[1].shape)
    blind = pixel_scores(pixel_counts(test[1], by_place, len(OF_STREETS)))["mean_iou"]
    seen = model.score(*test)
    print(
        f"{model.network_.title}: mean IoU {seen:.3f}; the usual class at each position {blind:.3f}"
    )
    reached = seen >= STREET and seen >= MORE * blind
    example.target(f"{seen:.3f} >= {STREET}, and {MORE} times {blind:.3f}", reached)
    some = [0, 90, 200]
    masks = list(zip(test[1][some], model.predict(test[0][some]), strict=True))
    example.picture("street.png", drawn, test[0][some], masks, OF_STREETS, 2)


if __name__ == "__main__":
    main()
