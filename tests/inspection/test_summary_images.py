"""chainrule/inspection/summary.py"""

import jax
import pytest

from chainrule.inspection.summary import block, separable, summarize
from chainrule.layers.conv import Conv2D, ConvTranspose2D
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import zeros
from chainrule.layers.residual import Residual
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.mobilenet import bottleneck
from chainrule.models.unet import unet
from chainrule.models.units import Units
from chainrule.models.zoo import build

KEY = jax.random.key(0)


def test_the_whole_table():
    made = Units(KEY)
    layers = [*bottleneck(made, 3, 4, 2, 2), *bottleneck(made, 4, 4, 1, 1), Flatten()]
    network = ConvNetwork([*layers, made.dense(4 * 4 * 4, 2)], name="small", shape=(8, 8, 3), n_L=2)
    assert summarize(network, cost_name="softmax").text(width=100) == (
        "small(8×8×3 -> 2)\n"
        "326 parameters, 1.30 kB; 3,360 MACs for one image\n"
        "6.41 kB of cache for one example: A[0] … A[L], kept for backward\n"
        "\n"
        "l  formula                                       A[l]          parameters   MACs\n"
        "────────────────────────────────────────────────────────────────────────────────\n"
        "0  A[0] = X                                      (m, 8, 8, 3)\n"
        "0  A[0] ← A[0] as images 8×8×3                   (m, 8, 8, 3)\n"
        "1  Z[1] = A[0] ∗ W[1], W (1, 1, 3, 6)            (m, 8, 8, 6)          18  1,152\n"
        "1  A[1] = relu6(gamma[1] ⊙ Z_norm[1] + beta[1])  (m, 8, 8, 6)          12\n"
        "2  Z[2] = depthwise(A[1], W[2]), W (3, 3, 6)     (m, 4, 4, 6)          54    864\n"
        "2  A[2] = relu6(gamma[2] ⊙ Z_norm[2] + beta[2])  (m, 4, 4, 6)          12\n"
        "3  Z[3] = A[2] ∗ W[3], W (1, 1, 6, 4)            (m, 4, 4, 4)          24    384\n"
        "3  A[3] = gamma[3] ⊙ Z_norm[3] + beta[3]         (m, 4, 4, 4)           8\n"
        "5  A[5] = main(A[3]) + A[3]                      (m, 4, 4, 4)          68    832\n"
        "     depthwise 3×3 4 → 1×1 4\n"
        "5  A[5] ← A[5], a column for each image          (64, m)\n"
        "6  Z[6] = W[6] A[5] + b[6], W (2, 64)            (2, m)               130    128\n"
        "     A[6] = softmax(Z[6])\n"
        "────────────────────────────────────────────────────────────────────────────────\n"
        "   total                                                              326  3,360\n"
        "\n"
        "2 depthwise separable convolutions: 2,080 multiplications instead of\n"
        "5,760 with plain convolutions, a ratio of 0.361; 1/n_C' + 1/f² is 0.361"
    )


@pytest.mark.parametrize("name", ["lenet", "convnet", "resnet18", "resnet50", "mobilenet_v2"])
def test_every_network_of_the_zoo_has_a_table_in_a_hundred_columns(name):
    network = build(name, (32, 32, 3), 1000, key=KEY, options={"initializer": zeros})
    lines = summarize(network).text(width=100).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[4].startswith("l ")
    assert "─" * 60 in lines[5]


def test_products_are_those_of_the_network():
    network = build("resnet20", (32, 32, 3), 10, key=KEY, options={"initializer": zeros})
    summary = summarize(network)
    assert tuple(row.products for row in summary.layers[1:]) == network.multiplications
    assert summary.products == sum(network.multiplications) == 40_813_184
    assert summary.separable == separable([]) == ""


def test_the_convolutions_of_a_block():
    layers = [Conv2D(2, 2, f=3, s=2, p="same", key=KEY), ConvTranspose2D(2, 4, f=2, s=2, key=KEY)]
    projected = Residual(Sequential(layers), Units(KEY).projection(2, 4, 1))
    assert block(projected) == "3×3 2 /2 → transposed 2×2 4 /2; shortcut 1×1"
    assert block(layers[0]) == ""


def test_the_levels_of_a_unet():
    [padded] = unet((8, 8, 3), 5, key=KEY, depth=2, width=1 / 32).layers.layers[1:]
    assert block(padded).splitlines() == [
        "1/1   3×3 2 → 3×3 2 ⇒ 3×3 2 → 3×3 2 → 1×1 5",
        "1/2   3×3 4 → 3×3 4 ⇒ 3×3 4 → 3×3 4 → transposed 2×2 2 /2",
        "1/4   3×3 8 → 3×3 8 → transposed 2×2 4 /2",
    ]


def test_narrow_widths_get_paragraphs():
    network = build("resnet20", (32, 32, 3), 10, key=KEY, options={"initializer": zeros})
    assert "   4,672 parameters, " in summarize(network).text(width=40)
