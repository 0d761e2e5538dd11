"""Tests of chainrule/layers/residual.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, relu, tanh
from chainrule.blocks.convolution import conv2d
from chainrule.errors import ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import count_parameters, layer_numbers, named_arrays, penalized_arrays
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential

KEY = jax.random.key(0)
A = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4, 4, 2)))


def conv(n_C_prev, n_C, **settings):
    return Conv2D(n_C_prev, n_C, key=KEY, dtype=float, **settings)


def projection(n_C_prev, n_C, s=1):
    return Projection(n_C_prev, n_C, s=s, key=KEY, dtype=float)


def test_by_hand():
    doubled = conv(1, 1, f=1, bias=False)
    doubled = eqx.tree_at(lambda layer: layer.W, doubled, jnp.full((1, 1, 1, 1), 2.0))
    image = jnp.array([[1.0, -1.0]])[None, :, :, None]
    np.testing.assert_array_equal(Residual(Sequential([doubled]))(image).ravel(), [3.0, 0.0])
    linear = Residual(Sequential([doubled]), activation=identity)
    np.testing.assert_array_equal(linear(image).ravel(), [3.0, -3.0])


def test_a_block_with_zero_weights_is_the_identity():
    """With weights of 0 the output is the input, as in the notes, if the input is not negative."""
    block = jax.tree.map(jnp.zeros_like, Residual(Sequential([conv(2, 2)])))
    np.testing.assert_array_equal(block(jnp.abs(A)), jnp.abs(A))


def test_a_projection_changes_the_shape():
    first, shortcut = conv(2, 3, s=2), projection(2, 3, s=2)
    block = Residual(Sequential([first]), shortcut, activation=tanh)
    projected = np.asarray(conv2d(A, shortcut.W, None, s=2)) / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(shortcut(A), projected)
    np.testing.assert_allclose(block(A), np.tanh(first(A) + projected))


def test_training_updates_the_averages_of_both_paths():
    norm = BatchNorm(3, images=True, dtype=float)
    block = Residual(Sequential([conv(2, 3, s=2, bias=False), norm]), projection(2, 3, s=2))
    weights = jnp.array([[1.0, 1.0, 0.0]])
    _, after = block.train(A, key=KEY, weights=weights)
    _, few = block.train(A[:2], key=KEY)
    assert jax.tree.structure(after) == jax.tree.structure(block)
    for one, two in ((after, few),):
        main, other = one.main.layers[1], two.main.layers[1]
        np.testing.assert_allclose(main.mean, other.mean, rtol=1e-10)
        beside, other = one.shortcut.normalization, two.shortcut.normalization
        np.testing.assert_allclose(beside.mean, other.mean, rtol=1e-10)
        assert (int(main.t), int(beside.t)) == (1, 1)


def test_the_layers_get_a_key_and_the_block_an_activation():
    block = Residual(Sequential([conv(2, 2), Dropout(0.5, dtype=float)]))
    one, _ = block.train(A, key=KEY)
    two, _ = block.train(A, key=jax.random.key(1))
    assert not np.allclose(one, two)
    assert (np.asarray(one) >= 0).all()


def test_only_its_layers_are_counted():
    plain = Residual(Sequential([conv(2, 2), conv(2, 2)]))
    wider = Residual(Sequential([conv(2, 3), conv(3, 3, bias=False)]), projection(2, 3))
    network = Sequential([conv(2, 2), plain, wider, conv(3, 1)])
    assert layer_numbers(network.parts()) == [1, 3, 5, 6]
    names = list(named_arrays(network))
    assert names[:10] == ["W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4", "W5", "W5.2"]
    assert names[10:] == ["gamma5", "beta5", "mean5", "variance5", "t5", "W6", "b6"]
    assert len(penalized_arrays(wider)) == 3
    assert count_parameters(projection(16, 32)) == 16 * 32 + 2 * 32


def test_titles():
    block = Residual(Sequential([conv(2, 3, s=2), conv(3, 3)]), projection(2, 3, s=2))
    assert block.title == "Residual(Conv2D(3×3, 2 -> 3, s=2) … + Projection(2 -> 3, s=2))"
    assert Residual(Sequential([conv(2, 2)])).title == "Residual(Conv2D(3×3, 2 -> 2) … + identity)"
    assert Residual(Sequential([conv(2, 2)]), activation=relu).activation is relu


# Errors


def test_refuses_a_shortcut_of_another_shape():
    network = Sequential([conv(2, 2), Residual(Sequential([conv(2, 3, s=2)]))])
    with pytest.raises(ShapeError) as error:
        network(A)
    assert str(error.value) == (
        "layer 2, Residual(Conv2D(3×3, 2 -> 3, s=2) … + identity): expected a shortcut with the "
        "output shape of its layers, (3, 2, 2, 3); got (3, 4, 4, 2).\n"
        "Try Projection(2, 3, s=2, key=key) as its shortcut."
    )


def test_the_error_names_the_layer_inside():
    block = Residual(Sequential([conv(2, 3), conv(2, 3)]))
    for call in (Sequential([conv(2, 2), block]), block):
        with pytest.raises(ShapeError) as error:
            call(A)
        place = "layer 3, " if isinstance(call, Sequential) else ""
        assert str(error.value) == (
            f"{place}Residual(Conv2D(3×3, 2 -> 3) … + identity), layer 2, "
            "Conv2D(3×3, 2 -> 3): expected (m, n_H, n_W, 2), images with their channels last; "
            "got (3, 4, 4, 3).\n"
            "Try checking the layer before it: its output should have 2 channels."
        )


def test_refuses_a_shortcut_with_other_channels():
    with pytest.raises(ShapeError) as error:
        Residual(Sequential([conv(2, 3)]), projection(4, 3)).train(A, key=KEY)
    assert str(error.value).startswith(
        "Residual(Conv2D(3×3, 2 -> 3) … + Projection(4 -> 3)), Projection(4 -> 3): expected"
    )
