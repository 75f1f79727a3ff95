import numpy as np
import pytest
from references import load

from cyclegan_tf.choices import INCEPTION_RESIZINGS
from cyclegan_tf.metrics import resize_for_inception


@pytest.fixture(scope="module")
def reference():
    return load("metric_resize_299")


@pytest.mark.parametrize("how", INCEPTION_RESIZINGS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_pixels_are_those_of_the_published_code(reference, how, number):
    """Enlarged, reduced in one way and enlarged in the other, and reduced."""
    (resized,) = resize_for_inception(reference[f"image_{number}"][None], how)
    kept = reference["kept"]
    within = 255e-3
    published = reference[f"{how}_{number}"]
    np.testing.assert_allclose(resized[kept][:, kept], published, rtol=0, atol=within)
    means = reference[f"{how}_{number}_channel_means"]
    np.testing.assert_allclose(resized.mean((0, 1), np.float64), means, rtol=0, atol=within)


def test_every_image_of_a_batch_and_every_channel():
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 1), np.uint8)
    for how in INCEPTION_RESIZINGS:
        resized = resize_for_inception(images, how)
        assert (resized.shape, resized.dtype) == ((2, 299, 299, 1), np.float32)
        np.testing.assert_array_equal(resized[1:], resize_for_inception(images[1:], how))
        assert resized.min() >= 0
        assert resized.max() <= 255


def test_bad_input_is_named():
    images = np.zeros((2, 20, 30, 1), np.uint8)
    with pytest.raises(ValueError, match=r"clean, legacy_pytorch, legacy_tensorflow.*'nearest'"):
        resize_for_inception(images, "nearest")
    with pytest.raises(ValueError, match=r"Received: \(20, 30, 1\)"):
        resize_for_inception(images[0], "clean")
