import numpy as np
import pytest
from references import load, settings, to_nhwc

from cyclegan_tf.metrics import sliced_wasserstein
from cyclegan_tf.metrics.wasserstein import (
    laplacian_pyramid,
    normalized_patches,
    projected_distance,
)


@pytest.fixture(scope="module")
def reference():
    return load("metric_swd")


def test_the_pyramid_is_the_published_one(reference):
    levels = laplacian_pyramid(to_nhwc(reference["images_1"]))
    assert [len(level[0]) for level in levels] == list(reference["resolutions"])
    for number, level in enumerate(levels):
        published = to_nhwc(reference[f"pyramid_of_first_image_level{number}"])
        # float32, of values up to 255.
        np.testing.assert_allclose(level[:1], published, rtol=1e-6, atol=255e-6)


def test_recorded_patches_and_directions_give_the_published_distances(reference):
    side = 7
    distances = []
    for number in range(len(reference["resolutions"])):
        sets = []
        for which in (1, 2):
            level = laplacian_pyramid(to_nhwc(reference[f"images_{which}"]))[number]
            centers = [
                reference[f"patch_centre_{axis}_{which}_level{number}"]
                for axis in ("rows", "columns")
            ]
            sets.append(normalized_patches(level, *(each - side // 2 for each in centers)))
        directions = reference[f"directions_level{number}"]
        # Published vectors are (channel, column, row); here they are (row, column, channel).
        repeats, _, count = directions.shape
        directions = directions.reshape(repeats, 3, side, side, count).transpose(0, 3, 2, 1, 4)
        distances.append(projected_distance(*sets, directions.reshape(repeats, -1, count)))
    distances.append(np.mean(distances))
    np.testing.assert_allclose(distances, reference["result_x1e3"], rtol=1e-6)


def test_other_patches_and_directions_give_about_the_published_distances(reference):
    """As many as were recorded, drawn anew; 20 % is what chance does there."""
    drawn = settings(reference)
    levels, mean = sliced_wasserstein(
        to_nhwc(reference["images_1"]),
        to_nhwc(reference["images_2"]),
        patches_per_image=drawn["patches_per_image"],
        repeats=drawn["repeats"],
        directions=drawn["directions"],
    )
    assert list(levels) == [(32, 32), (16, 16)]
    np.testing.assert_allclose([*levels.values(), mean], reference["result_x1e3"], rtol=0.2)


def test_the_levels_that_differ_show_it():
    """Fine noise on one set is in its largest level, and not in the smallest."""
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(8, 4, 4, 1)).repeat(16, 1).repeat(16, 2)
    levels, _ = sliced_wasserstein(smooth, smooth + 0.5 * rng.normal(size=smooth.shape))
    floor, _ = sliced_wasserstein(smooth, smooth)
    assert list(levels) == [(64, 64), (32, 32), (16, 16)]
    assert levels[64, 64] > 4 * floor[64, 64]
    assert levels[64, 64] > 3 * levels[16, 16]


def test_sides_need_not_be_equal_and_odd_sides_are_not_halved():
    images = np.random.default_rng(0).normal(size=(2, 90, 36, 1))
    levels, _ = sliced_wasserstein(images, images[:, ::-1])
    assert list(levels) == [(90, 36), (45, 18)]


def test_the_seed_decides_and_constant_images_have_no_distance():
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3))
    one, same, other = (sliced_wasserstein(images, images, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert sliced_wasserstein(0 * images, 0 * images).mean == 0


def test_bad_images_are_named():
    images = np.zeros((4, 16, 16, 3))
    with pytest.raises(ValueError, match=r"as many images in both sets\. Received: 4 and 3"):
        sliced_wasserstein(images, images[:3])
    with pytest.raises(ValueError, match=r"at least 16 pixels each way.* Received: \(4, 15, 16, 3"):
        sliced_wasserstein(images[:, 1:], images[:, 1:])
    with pytest.raises(ValueError, match="patch_size=6"):
        sliced_wasserstein(images, images, patch_size=6)
    images[2] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity in image 2"):
        sliced_wasserstein(images, images)
