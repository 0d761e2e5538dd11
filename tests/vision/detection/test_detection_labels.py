"""chainrule/vision/detection/cost.py: which cell and anchor an object belongs to."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.vision.detection import cost

encode, near_objects, owners = map(  # compiled whole, as in training
    equinox.filter_jit,
    (cost.encode, cost.near_objects, cost.owners),
)
CAR = 1.0
TALL, WIDE = (0.2, 0.6), (0.6, 0.2)


def labels(*objects, most=4):
    """Return Y (1, most, 5) of one image."""
    rest = [[-1.0, 0, 0, 0, 0]] * (most - len(objects))
    return jnp.array([[*objects, *rest]])


def box(kind, b_x, b_y, b_w, b_h):
    """Return an object given by its centre and size."""
    return [kind, b_x - b_w / 2, b_y - b_h / 2, b_x + b_w / 2, b_y + b_h / 2]


# ---- by hand


def test_the_notes_case_one_object_in_a_grid_of_3_by_3():
    """Pedestrian, car, motorcycle: a car in the lower right of the middle cell; 3 × 3 × 8."""
    Y = labels(box(CAR, (1 + 0.75) / 3, (1 + 0.5) / 3, 0.9 / 3, 0.5 / 3))
    T = encode(Y, [(0.3, 0.2)], 3, 3, 3)
    assert T.shape == (1, 3, 3, 8)
    np.testing.assert_allclose(T[0, 1, 1], [1, 0.75, 0.5, 0.5, 0.9, 0, 1, 0], rtol=1e-12)
    assert (T.at[0, 1, 1].set(0) == 0).all()


def test_the_notes_case_two_anchors():
    """A pedestrian (tall) and a car (wide) with their centres in one cell; 3 × 3 × 16."""
    person, car = box(0.0, 0.5, 0.5, 0.15, 0.6), box(CAR, 0.5, 0.5, 0.7, 0.2)
    for Y in (labels(person, car), labels(car, person)):
        T = encode(Y, [TALL, WIDE], 3, 3, 3)
        assert T.shape == (1, 3, 3, 16)
        np.testing.assert_allclose(T[0, 1, 1, :8], [1, 0.5, 0.5, 1.8, 0.45, 1, 0, 0], rtol=1e-12)
        np.testing.assert_allclose(T[0, 1, 1, 8:], [1, 0.5, 0.5, 0.6, 2.1, 0, 1, 0], rtol=1e-12)


def test_two_objects_of_one_shape_in_a_cell_the_smaller_gets_the_next_best_anchor():
    large, small = box(0.0, 0.5, 0.5, 0.2, 0.6), box(CAR, 0.45, 0.5, 0.19, 0.55)
    for Y in (labels(large, small), labels(small, large)):
        T = encode(Y, [TALL, WIDE], 3, 3, 3)
        assert T[0, 1, 1, 5:8].tolist() == [1, 0, 0]
        assert T[0, 1, 1, 13:].tolist() == [0, 1, 0]


def test_three_objects_for_two_anchors_the_larger_ones_stay():
    sizes = (0.19, 0.2, 0.18)
    Y = labels(*(box(float(i), 0.5, 0.5, s, 3 * s) for i, s in enumerate(sizes)))
    assert owners(Y, [TALL, WIDE], 3, 3)[0, 1, 1].tolist() == [1, 0]


def test_an_object_in_another_cell_does_not_occupy_the_anchor():
    Y = labels(box(0.0, 0.5, 0.5, 0.2, 0.6), box(1.0, 0.5, 0.2, 0.19, 0.3))
    owner = owners(Y, [TALL], 3, 3)[0, :, :, 0]
    assert owner.tolist() == [[-1, 1, -1], [-1, 0, -1], [-1, -1, -1]]


def test_a_centre_on_the_last_edge_belongs_to_the_last_cell():
    T = encode(labels([0.0, 1.0, 0.9, 1.0 + 1e-9, 1.1]), [TALL], 3, 3, 1)
    np.testing.assert_allclose(T[0, 2, 2, :3], [1, 1, 1], rtol=1e-8)


def test_an_anchor_over_an_object_of_the_next_cell_is_near_it():
    """Moved by one cell, an anchor shares 2/3: IoU 2/3 / (2 − 2/3) = 0.5; by two cells, nothing."""
    Y = labels(box(0.0, 0.5, 0.5, 0.6, 0.6))
    near = near_objects(Y, [(0.6, 0.6)], 5, 5, free=0.49)[0, :, :, 0]
    want = np.zeros((5, 5), bool)
    want[2, 1:4] = want[1:4, 2] = True
    np.testing.assert_array_equal(near, want)
    assert near_objects(Y, [(0.6, 0.6)], 5, 5, free=0.51).sum() == 1


# ---- properties


@pytest.mark.parametrize("empty", [[-1.0, 0.1, 0.1, 0.5, 0.5], [0.0, 0.5, 0.5, 0.5, 0.9]])
def test_a_row_without_an_object_or_without_area_is_ignored(empty):
    Y = labels(empty)
    assert (encode(Y, [TALL, WIDE], 3, 3, 3) == 0).all()
    assert not near_objects(Y, [TALL, WIDE], 3, 3, free=-1.0).any()


def test_every_object_of_the_batch_is_encoded_once():
    """Recover centre and size from the numbers of the cell."""
    rng = np.random.default_rng(0)
    centre, size = rng.uniform(0.1, 0.9, (5, 6, 2)), rng.uniform(0.05, 0.5, (5, 6, 2))
    kind = rng.integers(0, 3, (5, 6, 1)).astype(float)
    Y = jnp.asarray(np.concatenate([kind, centre - size / 2, centre + size / 2], axis=2))
    anchors = jnp.asarray(rng.uniform(0.1, 0.5, (4, 2)))
    encoded = jax.jit(encode, static_argnums=(2, 3, 4))
    T = np.asarray(encoded(Y, anchors, 12, 20, 3)).reshape(5, 12, 20, 4, 8)
    for m, row, column, a in np.argwhere(T[..., 0] == 1):
        _, b_x, b_y, b_h, b_w, *c = T[m, row, column, a]
        assert 0 <= b_x <= 1
        assert 0 <= b_y <= 1
        found = [(column + b_x) / 20, (row + b_y) / 12, b_w / 20, b_h / 12, np.argmax(c)]
        all_of_it = np.concatenate([centre[m], size[m], kind[m]], axis=1)
        assert np.abs(all_of_it - found).max(axis=1).min() < 1e-9
    assert T[..., 0].sum() == 30  # no object is lost: there are many cells with four anchors
