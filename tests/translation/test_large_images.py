"""Files that are translated by tiles: their values, what they keep, and what stops them."""

import functools

import keras
import numpy as np
import pytest
from PIL import Image, ImageCms
from tiny import smooth

from cyclegan_tf import Translator, resnet_generator, unet_generator
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import parsed
from cyclegan_tf.translation import large_images, layer_by_layer, tiles
from cyclegan_tf.translation.deep_translation import Ranges
from cyclegan_tf.translation.image_folders import translate
from cyclegan_tf.translation.large_images import Tiling, tiling_of, translate_file

tifffile = pytest.importorskip("tifffile")


@functools.cache
def model():
    generator = resnet_generator(base_filters=4, blocks=1, initialization="xavier", seed=1)
    return Translator({"ab": generator}, (32, 32, 3))


def same(channels):
    """A model that changes nothing."""
    image = keras.Input((None, None, channels))
    network = keras.Model(image, keras.layers.Identity()(image))
    return Translator({"ab": network}, (None, None, channels))


def photograph():
    return smooth(90, 140)


def write_tiff(path, values, **options):
    tifffile.imwrite(path, values, photometric="rgb", tile=(64, 64), compression="zlib", **options)
    return path


def test_a_tiff_file_keeps_its_size_and_its_tags(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER", "iccprofile": profile}
    source = write_tiff(tmp_path / "slide.tif", photograph(), **tags)
    translate_file(model(), source, tmp_path / "out.tif", tiling=Tiling(48))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages.first
        assert page.is_tiled
        assert page.iccprofile == profile
        assert page.tags["XResolution"].value == (40000, 1)
        found = file.asarray()
    expected = np.int16(model().translate(photograph()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_values_of_16_bits_are_not_rounded_to_8(tmp_path):
    values = np.uint16(np.random.default_rng(0).integers(0, 2**16, (60, 70, 3)))
    source = write_tiff(tmp_path / "deep.tif", values)
    translate_file(model(), source, tmp_path / "out.tif", tiling=Tiling(32))
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == np.uint16
    expected = model().translate(np.float32(values / 32767.5 - 1))
    np.testing.assert_allclose(found / 32767.5 - 1, expected, rtol=0, atol=2e-4)
    assert len(np.unique(found)) > 256


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32, np.float64])
def test_levels_of_large_numbers(dtype, tmp_path):
    """Those that no float32 holds stay, in smaller levels too."""
    dtype = np.dtype(dtype)
    top = np.iinfo(dtype).max if dtype.kind in "iu" else 2.0**53 + 2
    values = np.full((600, 40), top, dtype)
    tifffile.imwrite(tmp_path / "a.tif", values)
    ranges = Ranges(parsed(f"0:{float(top)}"))
    translate_file(
        same(1), tmp_path / "a.tif", tmp_path / "b.tif", tiling=Tiling(512), ranges=ranges
    )
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        for level in file.series[0].levels:
            np.testing.assert_allclose(level.asarray().astype(float), float(top), rtol=1e-7)


def test_other_formats_are_translated_by_tiles_too(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(photograph()).save(tmp_path / "in" / "photograph.png")
    (tmp_path / "in" / "damaged.png").write_bytes(b"no image")
    _, outcomes = translate(model(), tmp_path / "in", tmp_path / "out", tiling=Tiling(48))
    problems = [outcome.problem for outcome in outcomes]
    assert "damaged.png is not an image that can be read" in problems[0]
    assert problems[1] is None
    found = np.asarray(Image.open(tmp_path / "out" / "photograph.png"))
    expected = np.int16(model().translate(photograph()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1)


class Stopped(Exception):
    pass


def test_a_stopped_translation_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(large_images, "_SECONDS_BETWEEN_LINES", 0)
    source = write_tiff(tmp_path / "slide.tif", photograph())
    lines = []

    def stop(line):
        lines.append(line)
        if "90%" in line:
            raise Stopped

    with pytest.raises(Stopped):
        translate_file(model(), source, tmp_path / "out.tif", tiling=Tiling(48), log=stop)
    assert not (tmp_path / "out.tif").exists()
    again = []
    translate_file(model(), source, tmp_path / "out.tif", tiling=Tiling(48), log=again.append)
    assert len(again) < len(lines) / 2
    expected = np.int16(model().translate(photograph()))
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), expected, rtol=0, atol=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((60, 60, 5), np.uint16), "has 5 channels; expected 3"),
        (np.zeros((60, 60, 3), np.float32), "holds float32 values, whose range it does not say"),
    ],
)
def test_files_that_are_refused(values, message, tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", values, photometric="rgb")
    with pytest.raises(InputError, match=message):
        translate_file(model(), tmp_path / "image.tif", tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]


@pytest.mark.parametrize(
    ("name", "dtype", "message"),
    [("out.jpg", np.uint16, "out.jpg cannot hold 3 channels of uint16"), ("out.npy", None, None)],
)
def test_formats_of_results_are_checked_first(name, dtype, message, tmp_path):
    source = write_tiff(tmp_path / "image.tif", photograph().astype(dtype or np.uint8))
    if message is None:
        translate_file(model(), source, tmp_path / name, tiling=Tiling(64))
        assert np.load(tmp_path / name).shape == (90, 140, 3)
        return
    with pytest.raises(InputError, match=message):
        translate_file(model(), source, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]


def test_a_png_of_16_bits_keeps_them(tmp_path):
    png = pytest.importorskip("png")
    values = np.uint16(np.random.default_rng(0).integers(0, 2**16, (40, 50, 3)))
    with open(tmp_path / "deep.png", "wb") as file:
        png.Writer(50, 40, greyscale=False, bitdepth=16).write(file, values.reshape(40, -1))
    translate_file(model(), tmp_path / "deep.png", tmp_path / "out.png", tiling=Tiling(32))
    width, height, rows, facts = png.Reader(bytes=(tmp_path / "out.png").read_bytes()).asDirect()
    assert (width, height, facts["bitdepth"]) == (50, 40, 16)
    found = np.array([list(row) for row in rows]).reshape(40, 50, 3)
    expected = model().translate(np.float32(values / 32767.5 - 1))
    np.testing.assert_allclose(found / 32767.5 - 1, expected, rtol=0, atol=2e-4)


def test_another_model_does_not_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(large_images, "_SECONDS_BETWEEN_LINES", 0)
    for module in (tiles, layer_by_layer):
        monkeypatch.setattr(module, "_SECONDS_BETWEEN_SAVES", 0)
    other = resnet_generator(base_filters=4, blocks=1, initialization="xavier", seed=2)
    other = Translator({"ab": other}, (32, 32, 3))
    source = write_tiff(tmp_path / "slide.tif", photograph())

    lines = []

    def stop(line):
        lines.append(line)
        if len(lines) % 4 == 0:  # what was done before is saved
            raise Stopped

    for tiling in (Tiling(64, "tile"), Tiling(64)):
        with pytest.raises(Stopped):
            translate_file(other, source, tmp_path / "out.tif", tiling=tiling, log=stop)
        translate_file(model(), source, tmp_path / "out.tif", tiling=tiling, log=str)
        translate_file(model(), source, tmp_path / "again.tif", tiling=tiling, log=str)
        found, expected = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("out", "again"))
        np.testing.assert_array_equal(found, expected)


def test_an_interrupted_translation_says_how_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(large_images, "_SECONDS_BETWEEN_LINES", 0)
    source = write_tiff(tmp_path / "slide.tif", photograph())
    lines = []

    def stop(line):
        lines.append(line)
        if len(lines) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translate_file(model(), source, tmp_path / "out.tif", tiling=Tiling(48), log=stop)
    assert lines[1:] == [f"\n{source} is unfinished; the same command resumes."]


def test_local_statistics_of_a_model_of_unknown_images(tmp_path):
    source = write_tiff(tmp_path / "slide.tif", photograph())
    with pytest.raises(InputError, match="give it by --window"):
        translate(same(3), source, tmp_path / "out.tif", tiling=Tiling(48, "local"))


def test_a_network_without_tiles_leaves_nothing(tmp_path):
    unet = Translator({"ab": unet_generator(base_filters=2, halvings=4)}, (None, None, 3))
    source = write_tiff(tmp_path / "slide.tif", photograph())
    with pytest.raises(InputError, match="cannot be computed by tiles"):
        translate_file(unet, source, tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["slide.tif"]


LOCAL = {"statistics": "local", "window": 64}


@pytest.mark.parametrize("options", [{"statistics": "local"}, LOCAL, {"skip_uniform": 1}])
def test_options_of_tiles_without_tiles(options):
    with pytest.raises(InputError, match="give --tile too"):
        tiling_of(None, **options)
    with pytest.raises(InputError, match="Tiles have no limit"):
        tiling_of(512, max_megapixels=20)
    with pytest.raises(InputError, match="--tile takes pixels, from 32 on"):
        tiling_of(0)
    with pytest.raises(InputError, match="--window is for local statistics"):
        tiling_of(512, window=64)
    assert tiling_of(None) is None
    assert tiling_of(64, **options).tile == 64


def test_a_truncated_file_leaves_nothing_that_looks_whole(tmp_path):
    noise = np.uint8(np.random.default_rng(0).integers(0, 255, (200, 200, 3)))
    source = write_tiff(tmp_path / "slide.tif", noise)
    source.write_bytes(source.read_bytes()[:-40_000])
    with pytest.raises(InputError, match=r"slide\.tif is damaged and cannot be read"):
        translate_file(model(), source, tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
