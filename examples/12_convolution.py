"""12: filters by hand and learned, padding, and the number of parameters of a convolution.

Notes: "Edge detection example", "More edge detection", "Padding", "Strided convolutions", "Pooling
layers" and "Why convolutions?" (course 4, week 1).
An image that is bright on the left and dark on the right, and the built-in digits.
Targets: the vertical-edge filter gives 0 30 30 0, by four loops and by the block, and −30 for the
mirrored image. From images and filtered images, gradient descent finds the nine numbers of the
notes' filter, of Sobel's and of Scharr's to 1e-3. Ten layers of 3×3 leave 8 of 28 pixels without
padding, and all with it; after four layers, a corner pixel counts 1/9^4 of a pixel in the middle,
and at least 1/7 with padding. Pooling by hand. For 1000×1000×3 pixels, 1,000 dense units take 3
billion weights, and ten filters of 3×3×3 take 280 with their b.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from example import Example

from chainrule import Dense, gradient_descent, minimize
from chainrule.blocks.convolution import conv2d, size_after
from chainrule.blocks.pooling import average_pool, max_pool
from chainrule.data.load import load
from chainrule.inspection.image_plots import Tile, as_colours, gallery, overlaid
from chainrule.layers.conv import Conv2D
from chainrule.layers.layer import Layer, count_parameters

VERTICAL = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], np.float32)
FILTERS = {
    "vertical": VERTICAL,
    "horizontal": VERTICAL.T,
    "Sobel": VERTICAL * [[1], [2], [1]],
    "Scharr": VERTICAL * [[3], [10], [3]],
}
LEARNED = ("vertical", "Sobel", "Scharr")
PICTURES, ITERATIONS, ALPHA, EXACT = 200, (3, 30, 1000), 0.75, 1e-3
LAYERS, SIDE, REACH = 10, 28, 4


def main() -> None:
    """Run all parts."""
    example = Example(__doc__ or "")
    by_hand(example)
    learned(example)
    padding(example)
    pools(example)
    parameters(example)
    example.finish()


def half() -> np.ndarray:
    """Return the notes' 6 by 6 image: 10 on the left, 0 on the right."""
    return np.repeat([[10.0] * 3 + [0.0] * 3], 6, axis=0).astype(np.float32)


def convolved(picture: np.ndarray, W: np.ndarray, p: int = 0) -> np.ndarray:
    """Convolve one image (n_H, n_W) with one filter (f, f), by the block."""
    images, filters = (np.asarray(a, np.float32) for a in (picture, W))
    return np.asarray(conv2d(images[None, :, :, None], filters[:, :, None, None], None, p=p))[
        0, :, :, 0
    ]


def four_loops(picture: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Convolve by four loops, as in the notes."""
    f = len(W)
    n = len(picture) - f + 1
    Z = np.zeros((n, n))
    for h, w, i, j in product(range(n), range(n), range(f), range(f)):
        Z[h, w] += picture[h + i, w + j] * W[i, j]
    return Z


def by_hand(example: Example) -> None:
    """Apply the filters of the notes to an edge between bright and dark."""
    example.part("Edges by hand: an image with 10 on the left, 0 on the right")
    picture = half()
    for name, W in FILTERS.items():
        rows = [
            " ".join(f"{x:4g}" for x in convolved(p, W)[0]) for p in (picture, picture[:, ::-1])
        ]
        print(f"{name:12s}{rows[0]}     mirrored {rows[1]}")
    edge = convolved(picture, VERTICAL)
    same = all(
        np.array_equal(four_loops(picture, W), convolved(picture, W)) for W in FILTERS.values()
    )
    right = same and (edge == [0, 30, 30, 0]).all()
    example.target("every row 0 30 30 0, four loops give the same", bool(right))
    turned = convolved(picture[:, ::-1], VERTICAL)
    example.target("from dark to light −30", bool((turned == [0, -30, -30, 0]).all()))
    example.picture("edges.png", edges)


def digits() -> np.ndarray:
    """Return the built-in digits (m, 8, 8), from 0 to 1."""
    return (np.asarray(load("digits").X) / 16).astype(np.float32).reshape(-1, 8, 8)


def edges() -> bytes:
    """Draw three digits and their filtered images: orange from light to dark, blue the opposite."""
    tiles = []
    for i in (0, 4, 7):
        picture = digits()[i]
        tiles.append(Tile(as_colours(picture[None])[0], "the picture" if i == 7 else ""))
        for name, W in FILTERS.items():
            heat = convolved(picture, W, p=1)[None]
            tiles.append(Tile(overlaid(np.ones((1, 8, 8, 3)), heat)[0], name if i == 7 else ""))
    return gallery(tiles, "Four filters: orange left or above is lighter, blue darker", columns=5)


def learned(example: Example) -> None:
    """Learn three filters from images and filtered images; the three times nine numbers are θ."""
    example.part(f"Learned from {PICTURES} digits, and their images under three filters")
    X = jnp.asarray(digits()[:PICTURES, :, :, None])
    W = np.stack([FILTERS[name] for name in LEARNED], axis=-1)[:, :, None].astype(np.float32)
    Y = conv2d(X, jnp.asarray(W), None)

    def J(theta):
        return ((conv2d(X, theta, None) - Y) ** 2).mean()

    start, rule = jnp.zeros(W.shape, jnp.float32), gradient_descent(ALPHA)
    after = {k: minimize(J, start, rule, k) for k in ITERATIONS}
    found, costs = after[max(ITERATIONS)]
    print(f"J from {costs[0]:.3g} to {costs[-1]:.1e} in {len(costs):,} iterations")
    for c, name in enumerate(LEARNED):
        for row in np.asarray(found)[:, :, 0, c]:
            print("   " + " ".join(f"{x:8.4f}" for x in row))
        off = float(np.abs(np.asarray(found) - W)[..., c].max())
        example.target(f"{name} to {off:.0e} (target {EXACT:.0e})", off <= EXACT)
    tiles = [
        Tile(shown(np.asarray(theta)[..., c]), f"{name}, {k:,}")
        for c, name in enumerate(LEARNED)
        for k, (theta, _) in after.items()
    ]
    title = f"Nine numbers after {', '.join(map(str, after))} iterations"
    example.picture("learned_filters.png", gallery, tiles, title, len(tiles))


def shown(W: np.ndarray) -> np.ndarray:
    """Draw a filter in colours: orange above 0, blue below."""
    return overlaid(np.ones((1, 3, 3, 3)), W[None, :, :, 0])[0]


def padding(example: Example) -> None:
    """Show the sizes, and how much each pixel influences the output."""
    example.part("Padding")
    valid, same = [SIDE], [SIDE]
    for _ in range(LAYERS):
        valid.append(size_after(valid[-1], 3))
        same.append(size_after(same[-1], 3, p="same"))
    print(f"valid: {' '.join(map(str, valid))}\nsame:  {' '.join(map(str, same))}")
    said = f"{valid[-1]} of {SIDE} pixels left after {LAYERS} layers of 3×3, {same[-1]} with p = 1"
    example.target(f"{said} (target 8 and 28)", (valid[-1], same[-1]) == (8, 28))
    tiles, corners = [], {}
    for p, name in ((0, "valid"), (1, "same")):
        for layers in (1, REACH):
            heat = influence(layers, p)
            corners[name, layers] = heat[SIDE // 2, SIDE // 2] / heat[0, 0]
            said = f"{name}, {layers} layer{'s' if layers > 1 else ''}"
            tiles.append(Tile(as_colours(heat[None])[0], said))
            print(f"{said}: the middle counts {corners[name, layers]:,.2f} times the corner")
    a, b = corners["valid", REACH], corners["same", REACH]
    said = f"a corner counts 1/{a:,.0f} of the middle, with padding 1/{b:.1f}"
    example.target(f"{said} (target 1/6,561; at least 1/7)", round(a) == 9**REACH and b <= 7)
    example.picture("padding.png", gallery, tiles, "How much each pixel counts in the output", 4)


def influence(layers: int, p: int) -> np.ndarray:
    """Return ∂ Σ Z / ∂ pixel after this many layers of 3×3 ones: in how many sums it is."""
    W = jnp.ones((3, 3, 1, 1), jnp.float32)

    def total(X):
        for _ in range(layers):
            X = conv2d(X, W, None, p=p)
        return X.sum()

    X = jnp.zeros((1, SIDE, SIDE, 1), jnp.float32)
    return np.asarray(jax.jit(jax.grad(total))(X))[0, :, :, 0]


def pools(example: Example) -> None:
    """Pool the notes' 4 by 4 numbers."""
    example.part("Pools of 2×2, stride 2, by hand")
    A = jnp.asarray([[1, 3, 2, 1], [2, 9, 1, 1], [1, 3, 2, 3], [5, 6, 1, 2]], jnp.float32)
    largest, average = (
        np.asarray(pool(A[None, :, :, None], f=2, s=2))[0, :, :, 0].tolist()
        for pool in (max_pool, average_pool)
    )
    print(f"max {largest}, average {average}")
    right = largest == [[9, 2], [6, 3]] and average == [[3.75, 1.25], [3.75, 2]]
    example.target("max 9 2 6 3, average 3.75 1.25 3.75 2", right)


def parameters(example: Example) -> None:
    """Count the parameters of layers whose arrays are not created."""
    example.part("Parameters")
    how = {"key": jax.random.key(0), "initializer": only_the_shape}
    dense = weights(Dense(1000 * 1000 * 3, 1000, bias=False, **how))
    few = weights(Conv2D(3, 10, f=3, **how))
    print(f"1000×1000×3 pixels: {dense:,} for 1,000 dense units, {few} for 10 filters of 3×3×3")
    right = (dense, few) == (3_000_000_000, 280)
    example.target(f"{dense:,} and {few} (target 3,000,000,000 and 280)", right)
    dense, few = weights(Dense(32 * 32 * 3, 28 * 28 * 6, **how)), weights(Conv2D(3, 6, f=5, **how))
    print(f"32×32×3 to 28×28×6: {dense:,} for a dense layer, {few} for 6 filters of 5×5×3")
    example.target(f"{dense:,} and {few} (target 14 million and 456)", dense // 10**6 == 14)


def weights(layer: Layer) -> int:
    """Return the number of learned values of a layer."""
    return count_parameters(layer)


def only_the_shape(key, shape, dtype=np.float32) -> jax.ShapeDtypeStruct:
    """Return only a shape, as an initialiser: three billion numbers would take 12 GB."""
    return jax.ShapeDtypeStruct(shape, dtype)


if __name__ == "__main__":
    main()
