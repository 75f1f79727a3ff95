import numpy as np
import pytest
from references import load

from cyclegan_tf.metrics import psnr, ssim


@pytest.fixture(scope="module")
def reference():
    return load("metric_similarity")


def _noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("psnr", psnr),
        ("ssim", ssim),
        ("ssim_gaussian", lambda *images: ssim(*images, gaussian=True)),
    ],
)
def test_values_are_those_of_scikit_image(reference, name, measure, number):
    images, others = reference[f"image_{number}"][None], reference[f"other_{number}"][None]
    np.testing.assert_allclose(measure(images, others), [reference[f"{name}_{number}"]], rtol=1e-6)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_each_pair_has_its_value_and_the_unit_does_not_matter(measure):
    one, other = _noise(3, 16, 20, 3), _noise(4, 16, 20, 3)[1:]
    values = measure(one, other)
    assert values.shape == (3,)
    np.testing.assert_allclose(values[1:2], measure(one[1:2], other[1:2]))
    floats = [images / 127.5 - 1 for images in (one, other)]
    if measure is psnr:
        np.testing.assert_allclose(measure(*floats, data_range=2), values)
    # SSIM compares means, so that of [0, 1] agrees and that of [-1, 1] does not.
    np.testing.assert_allclose(measure(one / 255, other / 255, data_range=1), values)


def test_psnr_by_hand():
    expected = np.zeros((2, 4, 4, 3), np.float32)
    outputs = expected + np.float32([0.2, 0.02]).reshape(2, 1, 1, 1)
    # Errors of 0.2 and 0.02 where 2 is the range: 20 log10(2 / error).
    np.testing.assert_allclose(psnr(outputs, expected, data_range=2), [20, 40], atol=1e-4)


def test_equal_images():
    images = _noise(2, 11, 11, 1)
    np.testing.assert_array_equal(psnr(images, images), [200, 200])
    np.testing.assert_allclose(ssim(images, images), [1, 1])
    np.testing.assert_allclose(ssim(images, images, gaussian=True), [1, 1])


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_bad_images_are_named(measure):
    images = _noise(2, 8, 8, 3)
    with pytest.raises(ValueError, match=r"float64 and float64, data_range=None"):
        measure(images / 255, images / 255)
    with pytest.raises(ValueError, match=r"uint8 and float64, data_range=1"):
        measure(images, images / 255, data_range=1)
    with pytest.raises(ValueError, match=r"as many images in both sets. Received: 2 and 1"):
        measure(images, images[:1])
    with pytest.raises(ValueError, match=r"\(2, 8, 8, 3\) and \(2, 8, 7, 3\)"):
        measure(images, images[:, :, 1:])
    broken = images / 255
    broken[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity in image 1"):
        measure(images / 255, broken, data_range=1)


def test_images_smaller_than_a_window():
    images = _noise(2, 8, 8, 3)
    with pytest.raises(ValueError, match=r"at least 11 pixels each way. Received: \(2, 8, 8, 3\)"):
        ssim(images, images, gaussian=True)
