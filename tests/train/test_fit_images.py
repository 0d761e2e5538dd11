"""chainrule/train/fit.py: networks that output images, and labels augmented with images."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import softmax_cost
from chainrule.errors import NotFiniteError, ShapeError
from chainrule.layers.conv import Conv2D
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.deep_network import DeepNetwork
from chainrule.optim.adam import adam
from chainrule.train.examples import Examples
from chainrule.train.fit import fit
from chainrule.train.outputs import network_outputs, score
from chainrule.train.step import Batch
from tests.compilations import compilations

pytestmark = pytest.mark.usefixtures("float32_world")
rng = np.random.default_rng(0)
M, SIDE = 40, 6


def pixel_cost(Z, Y, weights):
    """The softmax cost of every pixel, with whole numbers for classes."""
    wanted = jax.nn.one_hot(Y, 2, dtype=Z.dtype)
    return softmax_cost(
        Z, wanted, jnp.broadcast_to(weights[0][:, None, None, None], (*Y.shape, 1)), axis=-1
    )


def share_right(Z, Y, weights):
    right = (Z.argmax(axis=3) == Y.astype(jnp.int32)).astype(Z.dtype).mean(axis=(1, 2))
    return (right * weights[0]).sum() / weights.sum()


class Mirrored(eqx.Module):
    """Mirror images and masks at random."""

    probability: jax.Array

    def __call__(self, batch, *, key):
        yes = jax.random.bernoulli(key, self.probability, (len(batch.X),))
        X = jnp.where(yes[:, None, None, None], batch.X[:, :, ::-1], batch.X)
        Y = jnp.where(yes[:, None, None], batch.Y[:, :, ::-1], batch.Y)
        return Batch(X, Y, batch.weights)


@pytest.fixture(scope="module")
def masks():
    """Return noise, and whether each pixel is brighter to its right than to its left."""
    X = rng.uniform(0, 1, (M, SIDE, SIDE, 1)).astype(np.float32)
    Y = (np.roll(X, -1, axis=2) > np.roll(X, 1, axis=2))[..., 0].astype(np.uint8)
    return Examples(X[:30], Y[:30]), Examples(X[30:], Y[30:])


def network():
    layers = [Conv2D(1, 2, f=3, key=jax.random.key(0))]
    return ConvNetwork(layers, name="pixels", shape=(SIDE, SIDE, 1), n_L=2)


def trained(train, dev=None, epochs=40, **how):
    how = {"batch_size": 10, "metric": share_right, **how}
    return fit(network(), adam(0.05), pixel_cost, train, dev, epochs=epochs, **how)


def test_a_class_for_every_pixel_is_learned(masks):
    train, dev = masks
    done = trained(train, dev)
    assert done.history.epochs[-1].metric > 0.75  # at two of the six edges it is chance
    Z = network_outputs(done.network, dev.X)
    assert Z.shape == (10, SIDE, SIDE, 2)
    best = done.history.epochs[done.history.best_epoch - 1]
    J, share = score(Z, dev.Y, None, pixel_cost, share_right)
    assert (J, share) == (pytest.approx(best.dev_cost), pytest.approx(best.metric))


def test_masks_move_with_their_images(masks):
    """Half of the images are mirrored with their masks: left and right cannot be distinguished."""
    train, dev = masks
    mirrored = trained(train, dev, augment=Mirrored(jnp.float32(0.5)))
    assert mirrored.history.epochs[-1].metric < 0.65
    never = trained(train, dev, augment=Mirrored(jnp.float32(0)))
    assert never.history.costs == trained(train, dev).history.costs


def test_another_probability_compiles_nothing(masks):
    trained(masks[0], epochs=1, augment=Mirrored(jnp.float32(0.5)))
    with compilations() as compiled:
        trained(masks[0], epochs=1, augment=Mirrored(jnp.float32(0.2)))
    assert compiled == []


def test_a_resumed_training_augments_as_before(masks, tmp_path):
    whole = trained(masks[0], epochs=6, augment=Mirrored(jnp.float32(0.5)))
    how = {"augment": Mirrored(jnp.float32(0.5)), "checkpoints": tmp_path / "checkpoints"}
    trained(masks[0], epochs=3, **how)
    resumed = trained(masks[0], epochs=6, **how)
    assert resumed.history.costs == whole.history.costs


def test_a_bad_step_is_explained_with_its_augmented_images(masks):
    class Spoiled(eqx.Module):
        worst: jax.Array

        def __call__(self, batch, *, key):
            return batch._replace(X=batch.X * self.worst)

    with pytest.raises(NotFiniteError, match=r"the input A\[0\] = X"):
        trained(masks[0], epochs=1, augment=Spoiled(jnp.float32(np.inf)))


def test_column_outputs_need_column_targets(masks):
    X, Y = masks[0].X.reshape(30, -1), masks[0].Y
    narrow = DeepNetwork((SIDE * SIDE, 2), key=jax.random.key(0))
    with pytest.raises(ShapeError, match="one column for each output"):
        fit(narrow, adam(0.1), pixel_cost, Examples(X, Y), epochs=1)
