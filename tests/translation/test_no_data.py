"""Scenes of satellites: where they are, and pixels without data."""

import re

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import InputError, Translator, resnet_generator
from cyclegan_tf.data.deep_image import no_data_of, with_no_data
from cyclegan_tf.intensity_range import parsed
from cyclegan_tf.translation.deep_translation import Ranges
from cyclegan_tf.translation.image_folders import translate
from cyclegan_tf.translation.large_images import Tiling

tifffile = pytest.importorskip("tifffile")

BOTH_WAYS = pytest.mark.parametrize("tiling", [None, Tiling(32)], ids=["whole", "tiles"])
SCALE, TIEPOINT = (10.0, 10.0, 0.0), (0.0, 0.0, 0.0, 600000.0, 5100000.0, 0.0)
KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)  # UTM zone 33N
CITATION = "WGS 84 / UTM zone 33N|"
GEOREFERENCE = [
    (33550, "d", 3, SCALE, True),
    (33922, "d", 6, TIEPOINT, True),
    (34735, "H", len(KEYS), KEYS, True),
    (34737, "s", 0, CITATION, True),
]


def same(channels):
    image = keras.Input((None, None, channels))
    network = keras.Model(image, keras.layers.Identity()(image))
    return Translator({"ab": network}, (None, None, channels))


def write(path, values, no_data, georeference=()):
    tags = [*georeference, (42113, "s", 0, no_data, True)]
    color = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(path, values, extratags=tags, **color)


def bands():
    """Five bands, whose left columns have no data."""
    values = np.random.default_rng(0).integers(1, 10_000, (70, 80, 5), np.uint16)
    values[:, :30] = 0
    return values


def translated(tmp_path, tiling, text, model=None):
    _, outcomes = translate(
        model or same(5),
        tmp_path / "scene.tif",
        tmp_path / "out.tif",
        tiling=tiling,
        ranges=Ranges(parsed(text)),
        log=lambda line: None,
    )
    (outcome,) = outcomes
    if outcome.problem:
        raise InputError(outcome.problem)
    return tifffile.imread(tmp_path / "out.tif"), outcome.note


@BOTH_WAYS
def test_a_result_is_where_the_scene_is(tiling, tmp_path):
    write(tmp_path / "scene.tif", bands(), "0", GEOREFERENCE)
    translated(tmp_path, tiling, "0:10000")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = file.pages.first.tags
        assert tags[33550].value == SCALE
        assert tags[33922].value == TIEPOINT
        assert tags[34735].value == KEYS
        assert (tags[34737].value, tags[42113].value) == (CITATION, "0")
        assert file.pages.first.geotiff_tags["ProjectedCSTypeGeoKey"] == 32633
    gray = np.uint16(bands()[..., 0])
    write(tmp_path / "scene.tif", gray, "0", GEOREFERENCE)
    translated(tmp_path, tiling, "0:10000", same(1))
    with Image.open(tmp_path / "out.tif") as image:  # which reads no five bands
        assert image.tag_v2[33922] == TIEPOINT
        assert image.tag_v2[34735] == KEYS


@BOTH_WAYS
def test_no_data_stay_and_do_not_count(tiling, tmp_path):
    values = bands()
    write(tmp_path / "scene.tif", values, "0")
    found, note = translated(tmp_path, tiling, "5%:95%")
    low, high = np.percentile(values[:, 30:].reshape(-1, 5).astype(float), (5, 95), axis=0)
    assert (found[:, :30] == 0).all()
    expected = np.clip(values[:, 30:], low, high)
    np.testing.assert_allclose(found[:, 30:], expected, rtol=0, atol=0.51)
    # Of 50 columns a tenth, by definition; of all 80 columns.
    assert re.search(r"scene\.tif: 6\.2\d% of its values lie outside", note)


@BOTH_WAYS
def test_nan_may_stand_for_no_data(tiling, tmp_path):
    values = np.float32(bands()) / 10_000
    values[:, :30] = np.nan
    values[40, 50, 2] = np.nan  # of one band only
    write(tmp_path / "scene.tif", values, "nan")
    found, note = translated(tmp_path, tiling, "0:1")
    assert note is None
    assert np.isnan(found[:, :30]).all()
    assert found[40, 50, 2] == 0  # the network saw the least value
    values[40, 50, 2] = 0
    np.testing.assert_allclose(found[:, 30:], values[:, 30:], rtol=0, atol=1e-6)
    write(tmp_path / "scene.tif", values, "0")
    with pytest.raises(InputError, match=r"NaN or infinite are 10,500 of the .*GDAL_NODATA"):
        translated(tmp_path, tiling, "0:1")


@BOTH_WAYS
def test_a_value_is_not_mistaken_for_no_data(tiling, tmp_path):
    values = bands()
    values[3, 60] = [0, 5, 5, 5, 5]  # has data in four bands
    write(tmp_path / "scene.tif", values, "0")
    found, _ = translated(tmp_path, tiling, "0:10000")
    assert found[3, 60].tolist() == [1, 5, 5, 5, 5]
    np.testing.assert_array_equal(np.delete(found, 60, 1), np.delete(values, 60, 1))


def test_other_types_have_no_such_value(tmp_path):
    """-9999 is no value of 16 bits without a sign."""
    write(tmp_path / "scene.tif", bands(), "-9999", GEOREFERENCE)
    found, _ = translated(tmp_path, None, "0:10000")
    np.testing.assert_array_equal(found, bands())
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert 42113 not in file.pages.first.tags


@BOTH_WAYS
@pytest.mark.parametrize(
    ("dtype", "no_data"),
    [
        (np.float32, "-3.4028234663852886e+38"),
        (np.float64, "-1.7976931348623157e+308"),
        (np.float64, "-inf"),
    ],
)
def test_no_data_may_be_the_least_value(dtype, no_data, tiling, tmp_path):
    values = np.linspace(0, 1, 70 * 80, dtype=dtype).reshape(70, 80)
    values[:, :30] = float(no_data)
    write(tmp_path / "scene.tif", values, no_data)
    found, note = translated(tmp_path, tiling, "0:1", same(1))
    assert note is None
    np.testing.assert_array_equal(found[:, :30], values[:, :30])
    np.testing.assert_allclose(found[:, 30:], values[:, 30:], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("no_data", "kept"), [(-1e300, None), (-9999.0, -9999.0), (np.inf, np.inf)]
)
def test_floats_of_fewer_bits_lack_values(no_data, kept):
    assert no_data_of(np.dtype(np.float32), no_data) == kept
    found = with_no_data(np.float32([[3], [5]]), np.array([[True], [False]]), kept)
    assert found.ravel().tolist() == [3 if kept is None else kept, 5]


@BOTH_WAYS
def test_no_data_of_other_channels(tiling, tmp_path):
    """Red, green and blue without data make gray without data, and opacity is none of them."""
    values = np.random.default_rng(0).uniform(0, 1, (40, 50, 3))
    no_data = -1234.56789  # which weights of colors do not give exactly
    values[:, :20] = no_data
    tags = [(42113, "s", 0, str(no_data), True)]
    tifffile.imwrite(tmp_path / "scene.tif", values, photometric="rgb", extratags=tags)
    found, _ = translated(tmp_path, tiling, "0:1", same(1))
    assert (found[:, :20] == no_data).all()
    np.testing.assert_allclose(found[:, 20:], values[:, 20:] @ (0.299, 0.587, 0.114), atol=1e-6)
    values = np.full((40, 50, 4), 65535, np.uint16)
    values[:, :20] = 0
    values[:, 20:30, 3] = 0
    tags = [(42113, "s", 0, "0", True)]
    alpha = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "scene.tif", values, **alpha, extratags=tags)
    found, _ = translated(tmp_path, tiling, "0:65535", same(3))
    assert (found[:, :20] == 0).all()
    assert (found[:, 20:] == 65535).all()


def test_tiles_of_one_color_keep_their_values(tmp_path):
    """Also those that a range clips; and what is clipped to one color is not of one color."""
    values = np.random.default_rng(0).integers(2000, 9000, (96, 128, 3), np.uint16)
    values[:64, :64] = 7  # glass, below the range
    values[:64, 64:] += 20_000  # clouds, above it
    tifffile.imwrite(tmp_path / "scene.tif", values, photometric="rgb")
    generator = resnet_generator(base_filters=4, blocks=1, initialization="xavier", seed=1)
    model = Translator({"ab": generator}, (32, 32, 3))
    tiling = Tiling(32, skip_uniform=True)
    found, _ = translated(tmp_path, tiling, "1000:10000", model)
    np.testing.assert_array_equal(found[:64, :64], 7)
    assert (found[:64, 64:] <= 10_000).all()
    assert (found[:64, 64:] != values[:64, 64:]).all()
