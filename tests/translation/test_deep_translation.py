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


def test_a_small_share_is_not_none(gray, tmp_path):
    values = np.zeros((200, 100))
    values[0, 0] = -1
    np.save(tmp_path / "a.npy", values)
    (outcome,), _ = _done(
        gray, tmp_path / "a.npy", tmp_path / "b.npy", ranges=Ranges(parsed("0:1"))
    )
    assert "less than 0.01% of its values lie outside 0:1" in outcome.note


def test_images_of_fewer_bits_than_their_type(gray, tmp_path):
    np.save(tmp_path / "a.npy", LEVELS >> 4)
    (outcome,), _ = _done(gray, tmp_path / "a.npy", tmp_path / "b.npy")
    assert outcome.note.endswith("reach 4095 of 65535, which is dark; if it has 12 bits, give "
                                 "--value-range 0:4095.")  # fmt: skip
    ranges = Ranges(parsed("0:4095"))
    (outcome,), _ = _done(gray, tmp_path / "a.npy", tmp_path / "b.npy", ranges=ranges)
    assert outcome.note is None


@pytest.mark.parametrize("tiling", [None, Tiling(32)])
def test_ranges_of_results_that_their_type_cannot_have(tiling, gray, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LEVELS)
    place = tmp_path / "a.tif", tmp_path / "b.tif"
    ranges = Ranges(outputs=ValueRange((-5,), (300,)), given=True)
    (outcome,), _ = _done(gray, *place, ranges=ranges, tiling=tiling)
    assert outcome.problem.startswith(
        f"The result of {place[0]} is uint16, which has values from 0 to 65535, and the range "
        "-5:300 goes beyond; give another"
    )
    ranges = Ranges(outputs=ValueRange((0,), (1,)))
    (outcome,), _ = _done(gray, *place, ranges=ranges, tiling=tiling)
    assert outcome.note.endswith("The result is uint16, which has 2 levels in 0:1.")


@pytest.mark.parametrize("tiling", [None, Tiling(32)])
def test_a_png_has_all_levels_of_a_short_range(tiling, gray, tmp_path):
    np.save(tmp_path / "a.npy", np.int32(LEVELS > 9))
    place = tmp_path / "a.npy", tmp_path / "b.png"
    (outcome,), _ = _done(gray, *place, ranges=Ranges(parsed("0:1")), tiling=tiling)
    assert (outcome.problem, outcome.note) == (None, None)
    np.testing.assert_array_equal(png_of_16_bits(place[1])[..., 0], (LEVELS > 9) * 65535)


def test_no_data_do_not_make_an_image_bright(gray, tmp_path):
    tags = [(42113, "s", 0, "65535", True)]
    tifffile.imwrite(tmp_path / "a.tif", np.uint16([[4000, 65535]]), extratags=tags)
    (outcome,), _ = _done(gray, tmp_path / "a.tif", tmp_path / "b.tif")
    assert "reach 4000 of 65535, which is dark; if it has 12 bits" in outcome.note


def test_ranges_of_a_training_may_go_beyond_a_type(gray, tmp_path):
    """As windows of DICOM do, of values without a sign."""
    np.save(tmp_path / "a.npy", LEVELS)
    ranges = Ranges(outputs=ValueRange((-100,), (100_000,)))
    (outcome,), _ = _done(gray, tmp_path / "a.npy", tmp_path / "b.npy", ranges=ranges)
    assert (outcome.problem, outcome.note) == (None, None)


def test_a_channel_of_one_value_is_no_reason_for_a_note(five, tmp_path):
    values = FIVE.copy()
    values[..., 2] = 7
    np.save(tmp_path / "a.npy", values)
    ranges = Ranges(parsed("0%:100%"))
    (outcome,), _ = _done(five, tmp_path / "a.npy", tmp_path / "b.npy", ranges=ranges)
    assert outcome.note is None
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), values)


def test_a_range_for_images_of_8_bits(gray, tmp_path):
    Image.fromarray(np.uint8(LEVELS >> 8)).save(tmp_path / "a.png")
    ranges = Ranges(parsed("0:100"), given=True)
    (outcome,), said = _done(gray, tmp_path / "a.png", tmp_path / "b.png", ranges=ranges)
    assert outcome.problem is None
    assert said == ["All images have 8 bits, from 0 to 255; the range of values is for others."]


def test_files_without_such_channels_are_named(five, tmp_path):
    np.save(tmp_path / "a.npy", FIVE)
    (tmp_path / "b.tif").write_text("no image")
    Image.new("RGB", (30, 20)).save(tmp_path / "c.png")
    outcomes, _ = _done(five, tmp_path, tmp_path / "out")
    problems = [outcome.problem for outcome in outcomes]
    assert problems[0] is None
    assert problems[1].startswith(f"{tmp_path / 'b.tif'} is not an image that can be read")
    assert problems[2].startswith(f"{tmp_path / 'c.png'} has no 5 channels, which only TIFF")


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


GRAY = LEVELS[:70, :90]
COLOR = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], -1)
BANDS = RANDOM.integers(0, 65536, (5, 70, 90), dtype=np.uint16)
FLOATS = np.float32(BANDS) / 7 - 1000
TURNED = {"extratags": [(274, 3, 1, 6, True)]}


@pytest.mark.parametrize(
    ("channels", "values", "options", "rule"),
    [
        (1, GRAY, {}, None),
        (1, GRAY, {"photometric": "miniswhite", **TURNED}, None),
        (1, GRAY % 4096, {"bitspersample": 12}, None),
        (1, GRAY, {}, "1000:20000"),
        (1, np.float32(GRAY) / 3 - 5, {"compression": "zlib"}, "1%:99%/image"),
        (3, GRAY, {}, None),  # gray becomes color
        (1, COLOR, {"photometric": "rgb"}, None),  # and the other way around
        (3, np.dstack([COLOR, GRAY]), {"photometric": "rgb", "extrasamples": [1]}, None),
        (5, FLOATS, {"planarconfig": "separate", "tile": (16, 32)}, "0%:100%"),
        (5, BANDS, {"ome": True, "metadata": {"axes": "CYX"}}, "0%:100%/image"),
    ],
)
def test_tiles_make_the_same_at_any_depth(channels, values, options, rule, tmp_path):
    """As without tiles, whatever the file is like; so do bands that are read one by one."""
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    ranges, found = Ranges(parsed(rule)), []
    for tiling in (None, Tiling(48)):
        output = tmp_path / f"{tiling is None}.tif"
        settings = {"ranges": ranges, "tiling": tiling}
        (outcome,), said = _done(_same(channels), tmp_path / "a.tif", output, **settings)
        assert outcome.problem is None
        found.append((tifffile.imread(output, series=0, level=0), outcome.note, said))
    (whole, note, said), (by_tiles, note_of_tiles, said_of_tiles) = found
    if whole.shape != by_tiles.shape:  # where channels are in planes and pages
        whole = np.moveaxis(whole, 0, -1)
    assert whole.dtype == by_tiles.dtype == values.dtype
    np.testing.assert_array_equal(whole, by_tiles)
    assert (note, said) == (note_of_tiles, said_of_tiles)


def test_tiles_of_values_of_another_domain(gray, tmp_path):
    np.save(tmp_path / "a.npy", FLOATS[0])
    ranges = Ranges(parsed("-1000:9000"), ValueRange((0.0,), (255.0,)), np.dtype(np.uint8))
    (outcome,), _ = _done(
        gray, tmp_path / "a.npy", tmp_path / "b.tif", ranges=ranges, tiling=Tiling(48)
    )
    assert outcome.problem is None
    expected = np.round((FLOATS[0] + 1000) / 10000 * 255)
    np.testing.assert_allclose(tifffile.imread(tmp_path / "b.tif"), expected, atol=1, rtol=0)


def test_tiles_of_other_colors_and_of_files_of_8_bits(tmp_path):
    """Palettes and CMYK are converted as without tiles; ranges are not for 8 bits."""
    for mode in ("P", "CMYK", "RGB", "LA", "L"):
        image = Image.fromarray(np.uint8(COLOR >> 8)).convert(mode)
        stack = {"save_all": True, "append_images": [image] * 2} if mode == "L" else {}
        image.save(tmp_path / "a.tif", **stack)
        ranges = Ranges(parsed("0:10"))
        for tiling in (None, Tiling(48)):
            output = tmp_path / f"{tiling is None}.png"
            settings = {"ranges": ranges, "tiling": tiling}
            (outcome,), _ = _done(_same(3), tmp_path / "a.tif", output, **settings)
            assert outcome.problem is None
            assert ("several frames" in (outcome.note or "")) == (mode == "L")
        with Image.open(tmp_path / "True.png") as whole, Image.open(tmp_path / "False.png") as by:
            np.testing.assert_array_equal(np.asarray(whole), np.asarray(by))


def test_what_tiles_cannot_read(gray, tmp_path):
    values = np.float32(GRAY) / 65536
    values[60, 80] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values, tile=(16, 16))
    settings = {"ranges": Ranges(parsed("0:1")), "tiling": Tiling(48)}
    (outcome,), _ = _done(gray, tmp_path / "a.tif", tmp_path / "b.tif", **settings)
    assert "a.tif has values that are not finite" in outcome.problem
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]  # nothing is left to resume


def test_large_files_are_refused_by_their_header(gray, tmp_path):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (4001, 3000))
    (outcome,), _ = _done(gray, tmp_path / "a.npy", tmp_path / "b.npy")
    assert "3000 x 4001 pixels (12 million), more than the" in outcome.problem
