"""chainrule/data/resampling.py: geometric image transformations."""

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from chainrule.data import resampling
from chainrule.data.resampling import mirror, resample, smooth_moves

crop, rotate, select, shear, transform, warp, zoom = (
    jax.jit(getattr(resampling, name), static_argnames="padding")
    for name in ("crop", "rotate", "select", "shear", "transform", "warp", "zoom")
)

RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, 7, 9, 3))
IMAGES_J = jnp.asarray(IMAGES)
PADDINGS = {"reflect": "reflect", "edge": "edge", "zeros": "constant"}  # NumPy's names
DOWN, RIGHT = np.array([0, 3, -2, 6]), np.array([-4, 0, 5, -1])
ANGLES = np.array([0.0, 30.0, -75.0, 180.0])


def each(function, *numbers):
    """Apply a function of one image to each image with its own number."""
    return np.stack([function(image, *one) for image, *one in zip(IMAGES, *numbers, strict=True)])


@pytest.fixture
def relaxed():
    """Allow the argument types that dm-pix expects."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def pulled(M, padding="nearest"):
    """Return SciPy's image: the pixel at c + M (p − c), for each channel."""
    middle = (np.array(IMAGES.shape[1:3]) - 1) / 2
    offset = middle - M @ middle
    channels = [
        scipy.ndimage.affine_transform(IMAGES[0, :, :, c], M, offset, order=1, mode=padding)
        for c in range(3)
    ]
    return np.stack(channels, axis=-1)


# ---- by hand

ROW = jnp.array([10.0, 20.0, 30.0]).reshape(1, 1, 3, 1)


def test_a_mirrored_row():
    assert mirror(ROW, True).ravel().tolist() == [30, 20, 10]
    assert mirror(ROW, False).ravel().tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("padding", "right", "left"),
    [("reflect", [20, 30, 20], [20, 10, 20]), ("edge", [20, 30, 30], [10, 10, 20]),
     ("zeros", [20, 30, 0], [0, 10, 20])],
)  # fmt: skip
def test_a_window_further_to_the_right(padding, right, left):
    assert crop(ROW, 0, 1, padding=padding).ravel().tolist() == right
    assert crop(ROW, 0, -1, padding=padding).ravel().tolist() == left


def test_bilinear_interpolation_between_pixels():
    image = jnp.array([[0.0, 4.0], [8.0, 16.0]]).reshape(1, 2, 2, 1)
    y, x = jnp.full((1, 2, 2), 0.25), jnp.full((1, 2, 2), 0.5)
    assert (resample(image, y, x) == 0.75 * 2 + 0.25 * 12).all()


def test_zoomed_by_two_and_sheared_by_45_degrees():
    assert zoom(ROW, 2.0).ravel().tolist() == [15, 20, 25]
    image = jnp.eye(3)[None, :, ::-1, None]
    leaning = shear(image, 45.0, padding="zeros")[0, :, :, 0]
    np.testing.assert_allclose(leaning, [[0, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-12)
    upright = jnp.zeros((1, 3, 3, 1)).at[0, :, 1].set(1.0)
    leaning = shear(upright, 45.0, padding="zeros")[0, :, :, 0]
    np.testing.assert_allclose(leaning, np.eye(3)[::-1], atol=1e-12)  # the top leans to the right


def test_equal_knots_are_a_crop():
    knots = jnp.broadcast_to(jnp.array([2.0, -1.0]).reshape(1, 2, 1, 1), (4, 2, 5, 5))
    np.testing.assert_allclose(warp(IMAGES_J, knots), crop(IMAGES_J, 2, -1), rtol=1e-12)


# ---- against NumPy, SciPy and dm-pix


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_crop_is_a_padded_image_cut(padding):
    def cut(image, down, right):
        wide = np.pad(image, ((6, 6), (6, 6), (0, 0)), mode=PADDINGS[padding])
        return wide[6 + down : 13 + down, 6 + right : 15 + right]

    got = crop(IMAGES_J, jnp.asarray(DOWN), jnp.asarray(RIGHT), padding=padding)
    np.testing.assert_array_equal(got, each(cut, DOWN, RIGHT))


@pytest.mark.usefixtures("relaxed")
def test_mirrored_images_match_dm_pix():
    yes = np.array([True, False, True, False])
    np.testing.assert_array_equal(
        mirror(IMAGES_J, yes),
        each(lambda x, flip: dm_pix.flip_left_right(x) if flip else x, yes),
    )


@pytest.mark.usefixtures("relaxed")
def test_a_crop_matches_dm_pix():
    """A random crop of a padded image in dm-pix equals one of our crops."""
    wide = dm_pix.pad_to_size(IMAGES_J[0], 11, 13, mode="reflect")
    theirs = dm_pix.random_crop(jax.random.key(3), wide, (7, 9, 3))
    offsets = np.arange(-2, 3)
    down, right = (jnp.asarray(o.ravel()) for o in np.meshgrid(offsets, offsets))
    ours = crop(jnp.repeat(IMAGES_J[:1], 25, axis=0), down, right)
    assert (ours == theirs).all(axis=(1, 2, 3)).sum() == 1


@pytest.mark.usefixtures("relaxed")
def test_rotated_images_match_dm_pix():
    theirs = each(lambda x, a: dm_pix.rotate(jnp.asarray(x), np.deg2rad(a)), ANGLES)
    ours = rotate(IMAGES_J, jnp.asarray(ANGLES), padding="edge")
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.usefixtures("relaxed")
def test_affine_images_match_dm_pix():
    """Mirror, shear by 20°, zoom by 1.3 and rotate by 40°: the product is M."""
    a, lean = np.deg2rad(40), np.tan(np.deg2rad(20))
    M = (
        np.diag([1, -1])
        @ [[1, 0], [lean, 1]]
        / 1.3
        @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]
    )
    kwargs = {"mirrored": True, "rotation": 40.0, "shear": 20.0, "zoom": 1.3, "padding": "edge"}
    ours = transform(IMAGES_J[:1], **kwargs)[0]
    middle = (np.array(IMAGES.shape[1:]) - 1) / 2
    whole = np.eye(3)
    whole[:2, :2] = M
    theirs = dm_pix.affine_transform(
        IMAGES_J[0], whole, offset=jnp.asarray(middle - whole @ middle)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_allclose(ours, pulled(M), atol=1e-12)
    zeros = transform(IMAGES_J[:1], **{**kwargs, "padding": "zeros"})[0]
    np.testing.assert_allclose(zeros, pulled(M, "grid-constant"), atol=1e-12)
    reflected = transform(IMAGES_J[:1], **{**kwargs, "padding": "reflect"})[0]
    np.testing.assert_allclose(reflected, pulled(M, "mirror"), atol=1e-12)


def test_a_warp_moves_each_pixel_by_what_lies_between_the_knots():
    knots = RNG.uniform(-2, 2, (4, 2, 5, 5))
    moves = np.asarray(smooth_moves(jnp.asarray(knots), 7, 9))
    np.testing.assert_allclose(moves[:, :, [0, 3, 6]][..., [0, 4, 8]], knots[:, :, ::2, ::2])
    t = (7 - 1) / 4 * 2 - 2.5  # the third row is between the second knot (1.5) and the third (3)
    assert t == 0.5
    share = (2 - 1.5) / 1.5
    between = knots[:, :, 1] + (3 * share**2 - 2 * share**3) * (knots[:, :, 2] - knots[:, :, 1])
    np.testing.assert_allclose(moves[:, :, 2, ::2], between, rtol=1e-12)
    y, x = np.mgrid[:7, :9] + moves[:1][0]
    theirs = [
        scipy.ndimage.map_coordinates(IMAGES[0, :, :, c], [y, x], order=1, mode="nearest")
        for c in range(3)
    ]
    ours = warp(IMAGES_J, jnp.asarray(knots), padding="edge")[0]
    np.testing.assert_allclose(ours, np.stack(theirs, -1), atol=1e-12)


# ---- properties


@pytest.mark.parametrize("padding", PADDINGS)
def test_nothing_to_interpolate_is_the_same_either_way(padding):
    """Resampling at whole offsets gives exactly the picked pixels."""
    yes = jnp.array([True, False, True, False])
    kwargs = {"down": jnp.asarray(DOWN), "right": jnp.asarray(RIGHT), "mirrored": yes}
    picked = select(IMAGES_J, **kwargs, padding=padding)
    np.testing.assert_array_equal(transform(IMAGES_J, **kwargs, padding=padding), picked)


def test_a_rotation_and_its_inverse_restore_the_image():
    middle = np.s_[:, 2:5, 3:6]
    smooth = jnp.asarray(scipy.ndimage.gaussian_filter(IMAGES, (0, 4, 4, 0)))
    back = rotate(rotate(smooth, 10.0), -10.0)
    np.testing.assert_allclose(back[middle], smooth[middle], atol=0.01)
    once, twice = rotate(IMAGES_J, 180.0), rotate(rotate(IMAGES_J, 90.0), 90.0)
    np.testing.assert_allclose(once, IMAGES_J[:, ::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(twice[middle], once[middle], atol=1e-12)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (2, 1, 4, 2)])
def test_images_of_one_row_and_far_away(padding, shape):
    images = jnp.ones(shape)
    far = transform(images, down=50, right=-70, rotation=33.0, zoom=0.01, padding=padding)
    assert ((far == 0) if padding == "zeros" else (abs(far - 1) < 1e-12)).all()


def test_bfloat16_counts_pixels_in_float32():
    wide = jnp.zeros((1, 1, 600, 1), jnp.bfloat16).at[0, 0, 515].set(1)
    moved = transform(wide, right=4)
    assert moved.dtype == jnp.bfloat16
    assert int(moved.argmax()) == 511


# ---- gradients


def test_the_gradient_goes_back_where_the_pixel_came_from():
    kwargs = {"rotation": jnp.asarray(ANGLES), "shear": 10.0, "padding": "zeros"}
    d_output = jnp.asarray(RNG.standard_normal(IMAGES.shape))
    linear, pull = jax.vjp(lambda images: transform(images, **kwargs), IMAGES_J)
    other = jnp.asarray(RNG.random(IMAGES.shape))
    np.testing.assert_allclose(  # ⟨d, T x⟩ = ⟨Tᵀ d, x⟩ for a linear T
        (d_output * transform(other, **kwargs)).sum(), (pull(d_output)[0] * other).sum(), rtol=1e-12
    )
    assert linear.shape == IMAGES.shape
