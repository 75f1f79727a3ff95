"""Files through a network that changes nothing: their values come back, at their depth."""

import keras
import numpy as np
import pytest
import tifffile
from depth import png_of_16_bits, write_dicom
from PIL import Image

from cyclegan_tf import InputError
from cyclegan_tf.intensity_range import ValueRange, parsed
from cyclegan_tf.translation.deep_translation import Ranges
from cyclegan_tf.translation.image_folders import translate
from cyclegan_tf.translation.large_images import Tiling
from cyclegan_tf.translation.translator import Translator

RANDOM = np.random.default_rng(0)
LEVELS = RANDOM.permutation(65536).astype(np.uint16).reshape(128, 512)  # all that there are
FIVE = RANDOM.integers(0, 65536, (24, 20, 5), dtype=np.uint16)


def _same(channels, output_channels=None):
    image = keras.Input((None, None, channels))
    output = keras.layers.Identity()(image)
    if output_channels:
        output = output[..., :output_channels]
    return Translator({"ab": keras.Model(image, output)}, (None, None, channels))


@pytest.fixture(scope="module")
def gray():
    return _same(1)


@pytest.fixture(scope="module")
def five():
    return _same(5)


def _done(model, source, output, **settings):
    said = []
    _, outcomes = translate(model, source, output, log=said.append, **settings)
    return list(outcomes), said


def test_all_levels_of_16_bits_come_back(gray, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(LEVELS).save(source / "a.png")
    Image.fromarray(LEVELS).save(source / "b.tif")
    np.save(source / "c.npy", LEVELS[..., np.newaxis])
    Image.fromarray(np.uint8(LEVELS >> 8)).save(source / "d.png")
    outcomes, _ = _done(gray, source, tmp_path / "out")
    assert [(outcome.problem, outcome.note) for outcome in outcomes] == [(None, None)] * 4
    np.testing.assert_array_equal(png_of_16_bits(tmp_path / "out" / "a.png")[..., 0], LEVELS)
    with Image.open(tmp_path / "out" / "b.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), LEVELS)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "c.npy")[..., 0], LEVELS)
    with Image.open(tmp_path / "out" / "d.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), LEVELS >> 8)


def test_color_of_16_bits(tmp_path):
    values = np.stack([LEVELS, LEVELS[::-1], LEVELS[:, ::-1]], -1)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    (outcome,), _ = _done(_same(3), tmp_path / "a.tif", tmp_path / "a.png")
    assert outcome.problem is None
    np.testing.assert_array_equal(png_of_16_bits(tmp_path / "a.png"), values)


def test_five_channels_and_floats(five, tmp_path):
    values = np.float32(FIVE) * np.float32([1, 1e-3, 1e3, 1, 1]) - 5
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig")
    ranges = Ranges(parsed("0%:100%"))
    (outcome,), said = _done(five, tmp_path / "a.tif", tmp_path / "b.npy", ranges=ranges)
    assert (outcome.problem, outcome.note) == (None, None)
    assert said[0].startswith("Range of values, measured on 1 of the images: ")
    back = np.load(tmp_path / "b.npy")
    assert back.dtype == np.float32
    # A float32 in [-1, 1] has 24 bits.
    spread = values.max((0, 1)) - values.min((0, 1))
    assert (np.abs(back - values).max((0, 1)) <= spread * 2.0**-23).all()


def test_what_is_clipped_is_said(gray, tmp_path):
    np.save(tmp_path / "a.npy", np.array([[-2.0, 0], [1, 3]]))
    (outcome,), _ = _done(
        gray, tmp_path / "a.npy", tmp_path / "b.npy", ranges=Ranges(parsed("-1:3"))
    )
    assert outcome.note == (
        f"{tmp_path / 'a.npy'}: 25.00% of its values lie outside -1:3 and were clipped."
    )
    np.testing.assert_allclose(np.load(tmp_path / "b.npy"), [[-1, 0], [1, 3]], atol=1e-6)


def test_results_have_the_range_and_the_type_of_their_domain(five, tmp_path):
    np.save(tmp_path / "a.npy", FIVE)
    ranges = Ranges(outputs=ValueRange((0.0,), (1.0,)), dtype=np.dtype(np.float32))
    _done(five, tmp_path / "a.npy", tmp_path / "b.npy", ranges=ranges)
    back = np.load(tmp_path / "b.npy")
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, FIVE / 65535, atol=1e-6)


def test_five_channels_become_three(tmp_path):
    model = _same(5, 3)
    tifffile.imwrite(tmp_path / "a.tif", FIVE, photometric="minisblack", planarconfig="contig")
    (outcome,), _ = _done(model, tmp_path / "a.tif", tmp_path / "b.png")
    assert outcome.problem is None
    np.testing.assert_array_equal(png_of_16_bits(tmp_path / "b.png"), FIVE[..., :3])
    (outcome,), _ = _done(
        model, tmp_path / "a.tif", tmp_path / "c.tif", ranges=Ranges(parsed("1%:99%"))
    )
    assert "for each of 5 channels, and its translation has 3; give --output-range" in (
        outcome.problem
    )


def test_dicom_becomes_tiff(gray, tmp_path):
    stored = RANDOM.integers(0, 4096, (24, 20), dtype=np.uint16)
    source = tmp_path / "in"
    source.mkdir()
    write_dicom(source / "scan.dcm", stored, RescaleSlope=1, RescaleIntercept=-1024)
    (outcome,), _ = _done(gray, source, tmp_path / "out")
    assert outcome.output == tmp_path / "out" / "scan.dcm.tif"
    with Image.open(outcome.output) as image:
        np.testing.assert_array_equal(np.asarray(image), stored.astype(int) - 1024)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("b.png", "a PNG file has 1 to 4 channels, not 5; give a name that ends in .tif or .npy"),
        ("b.jpg", "is not written as .jpg; choose .png, .tif, .tiff, .npy"),
    ],
)
def test_formats_that_cannot_hold_it(five, output, said, tmp_path):
    np.save(tmp_path / "a.npy", FIVE)
    (outcome,), _ = _done(five, tmp_path / "a.npy", tmp_path / output)
    assert said in outcome.problem
    assert not (tmp_path / output).exists()


def test_dicom_and_arrays_of_photographs_are_not_written(gray, tmp_path):
    Image.fromarray(np.uint8(LEVELS >> 8)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="has no ending of an image"):
        translate(gray, tmp_path / "a.jpg", tmp_path / "b.dcm")
    (outcome,), _ = _done(gray, tmp_path / "a.jpg", tmp_path / "b.npy")
    assert "has 8 bits, and is not written as .npy" in outcome.problem


def test_tiles_take_no_other_range(gray, tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "a.tif")
    output, tiling = tmp_path / "b.tif", Tiling(128)
    for ranges in (Ranges(parsed("0:4095")), Ranges(outputs=ValueRange((0.0,), (1.0,)))):
        with pytest.raises(InputError, match="Tiles take all values that integers can have"):
            translate(gray, tmp_path / "a.tif", output, tiling=tiling, ranges=ranges)
    same = Ranges(outputs=ValueRange((0.0,), (65535.0,)), dtype=np.dtype(np.uint16))
    (outcome,), _ = _done(gray, tmp_path / "a.tif", output, tiling=tiling, ranges=same)
    assert outcome.problem is None
    np.testing.assert_array_equal(tifffile.imread(output, key=0), LEVELS)


def test_large_files_are_refused_by_their_header(gray, tmp_path):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (4001, 3000))
    (outcome,), _ = _done(gray, tmp_path / "a.npy", tmp_path / "b.npy")
    assert "3000 x 4001 pixels (12 million), more than the" in outcome.problem
