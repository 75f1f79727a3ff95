"""Files of any depth: what is read of them, which values they become, and bad ones."""

import io
import sys
import zlib

import numpy as np
import png
import pytest
import tifffile
from depth import png_of_16_bits, write_dicom
from PIL import Image, ImageCms, ImageOps

from cyclegan_tf import InputError
from cyclegan_tf.data import deep_arrays, deep_files, dicom, folders
from cyclegan_tf.data.deep_image import upright
from cyclegan_tf.data.folders import folder as folder_source
from cyclegan_tf.intensity_range import ValueRange, parsed

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 65536, (12, 9), dtype=np.uint16)
COLOR = RANDOM.integers(0, 65536, (12, 9, 3), dtype=np.uint16)
FIVE = RANDOM.integers(0, 65536, (12, 9, 5), dtype=np.uint16)
PLANES = np.moveaxis(FIVE, -1, 0)


def _png(path, values, **settings):
    """A PNG of 16 bits, by another writer than ours."""
    height, width, channels = values.shape
    writer = png.Writer(
        width, height, greyscale=channels < 3, alpha=channels in (2, 4), bitdepth=16, **settings
    )
    with open(path, "wb") as file:
        writer.write(file, values.reshape(height, -1).tolist())
    return path


def _back(path, image, rule=None):
    """Writes what a network that changes nothing would give; returns the path and the range."""
    found = parsed(rule).of(image, path)
    path = path.with_name(f"back_{path.name}")
    dtype = image.values.dtype
    deep_files.write(path, found.to_floats(image.values), found, dtype, image)
    return path, found


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("interlace", [False, True])
def test_png_of_16_bits_keeps_its_values(channels, interlace, tmp_path):
    values = np.concatenate([COLOR, GRAY[..., None]], -1)[..., :channels]
    path = _png(tmp_path / "a.png", values, interlace=interlace)
    assert deep_files.is_deep(path)
    assert deep_files.header(path).size == (12, 9)
    image = deep_files.read(path, channels)
    np.testing.assert_array_equal(image.values, values)
    written, _ = _back(path, image)
    np.testing.assert_array_equal(png_of_16_bits(written), values)


def test_png_keeps_its_profile_and_resolution(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = _png(tmp_path / "a.png", COLOR, x_pixels_per_unit=11811, y_pixels_per_unit=5906,
                unit_is_meter=True)  # fmt: skip
    content = path.read_bytes()
    chunk = b"iCCP" + b"name\0\0" + zlib.compress(profile)
    chunk = len(chunk[4:]).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(content[:33] + chunk + content[33:])
    written, _ = _back(path, deep_files.read(path, 3))
    with Image.open(written) as image:
        image.load()
        assert image.info["icc_profile"] == profile
        np.testing.assert_allclose(image.info["dpi"], (300, 150), rtol=1e-4)


# Axes as tifffile names them; how Bio-Formats, ImageJ and GDAL arrange channels.
@pytest.mark.parametrize(
    ("values", "settings", "tags"),
    [
        (FIVE, {"planarconfig": "contig"}, (5, 1)),
        (PLANES, {"planarconfig": "separate"}, (5, 2)),
        (PLANES, {}, (1, 1)),  # a page each
        (PLANES, {"imagej": True, "metadata": {"axes": "CYX"}}, (1, 1)),
        (PLANES, {"ome": True, "metadata": {"axes": "CYX"}}, (1, 1)),
        (PLANES, {"bigtiff": True, "byteorder": ">", "compression": "zlib"}, (1, 1)),
    ],
)
def test_tiff_of_five_channels(values, settings, tags, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="minisblack", **settings)
    assert deep_files.size(path, 5) == (12, 9)
    image = deep_files.read(path, 5)
    np.testing.assert_array_equal(image.values, FIVE)
    written, _ = _back(path, image)
    with tifffile.TiffFile(written) as file:
        page = file.pages[0]
        assert (page.samplesperpixel, page.planarconfig) == tags
        np.testing.assert_array_equal(np.squeeze(file.asarray()), values)


@pytest.mark.parametrize("values", [GRAY, GRAY.astype(np.float32) / 7 - 1000])
def test_gray_tiff_is_what_pillow_reads(values, tmp_path):
    Image.fromarray(values).save(path := tmp_path / "a.tif", dpi=(300, 150))
    image = deep_files.read(path, 1)
    written, _ = _back(path, image, "-1000:65535" if values.dtype.kind == "f" else None)
    with Image.open(written) as back:
        assert back.info["dpi"] == (300, 150)
        np.testing.assert_allclose(
            np.asarray(back), values, atol=1e-2 if values.dtype.kind == "f" else 0
        )


def test_color_tiff_keeps_profile_resolution_and_orientation(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "a.tif"
    settings = {"photometric": "rgb", "compression": "zlib", "iccprofile": profile}
    tifffile.imwrite(path, COLOR, **settings, resolution=(100, 50), resolutionunit="centimeter",
                     extratags=[(274, "H", 1, 6, True)])  # fmt: skip
    assert deep_files.size(path) == (9, 12)
    image = deep_files.read(path, 3)
    # Orientation 6: the first row is the right side.
    np.testing.assert_array_equal(image.values[:, -1], COLOR[0])
    written, _ = _back(path, image)
    with Image.open(written) as back:
        assert back.mode == "RGB"
        assert back.info["icc_profile"] == profile
        assert back.info["dpi"] == (127, 254)  # the columns of the file are rows
        assert back.tag_v2[258] == (16, 16, 16)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_arrays_keep_integers(dtype, tmp_path):
    limits = np.iinfo(dtype)
    values = RANDOM.integers(limits.min, limits.max + 1, (12, 9, 7)).astype(dtype)
    np.save(path := tmp_path / "a.npy", values)
    written, _ = _back(path, deep_files.read(path, 7))
    back = np.load(written)
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)


def test_arrays_of_floats_keep_their_range_and_are_clipped_at_it(tmp_path):
    values = np.linspace(-3, 12, 12 * 9 * 2).reshape(12, 9, 2)
    np.save(path := tmp_path / "a.npy", values)
    image = deep_files.read(path, 2)
    written, found = _back(path, image, "-2:10")
    back = np.load(written)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, values.clip(-2, 10), atol=12 * 2**-24)
    assert found.share_outside(image.values) == np.mean((values < -2) | (values > 10))
    np.save(path, values[..., 0])  # without an axis of channels
    written, _ = _back(path, deep_files.read(path, 1), "-3:12")
    assert np.load(written).shape == (12, 9)


def test_floats_as_png_have_the_range_of_16_bits(tmp_path):
    np.save(path := tmp_path / "a.npy", np.array([[0.0, 0.25], [0.5, 1.0]]))
    image = deep_files.read(path, 1)
    found = parsed("0:1").of(image, path)
    written = tmp_path / "a.png"
    deep_files.write(written, found.to_floats(image.values), found, image.values.dtype, image)
    np.testing.assert_array_equal(png_of_16_bits(written)[..., 0], [[0, 16384], [32768, 65535]])


def test_gray_color_and_opacity_become_what_is_asked_for(tmp_path):
    gray = _png(tmp_path / "gray.png", GRAY[..., None])
    np.testing.assert_array_equal(deep_files.read(gray, 3).values, np.stack([GRAY] * 3, -1))
    color = _png(tmp_path / "color.png", COLOR)
    luma = np.round(COLOR @ [0.299, 0.587, 0.114])
    np.testing.assert_array_equal(deep_files.read(color, 1).values[..., 0], luma)
    clear = np.dstack([COLOR, np.zeros_like(GRAY)])
    clear[0, 0, 3] = 65535
    drawn = deep_files.read(_png(tmp_path / "clear.png", clear), 3).values
    np.testing.assert_array_equal(drawn[0, 0], COLOR[0, 0])
    assert (drawn.reshape(-1, 3)[1:] == 65535).all()


@pytest.mark.parametrize("orientation", range(10))
def test_images_are_turned_as_pillow_turns_them(orientation):
    image = Image.fromarray(np.uint8(COLOR))
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(upright(np.uint8(COLOR), orientation), expected)


def test_premultiplied_opacity_on_white(tmp_path):
    """White at half opacity, whose colors are stored as half of white, is white on white."""
    half = np.full((4, 5, 4), 32768, np.uint16)
    half[0] = 0  # transparent
    for kind in ("assocalpha", "unassalpha"):
        path = tmp_path / f"{kind}.tif"
        tifffile.imwrite(path, half, photometric="rgb", extrasamples=[kind])
        values = deep_files.read(path, 3).values
        expected = 65535 if kind == "assocalpha" else 65535 - 32768 * 32767 / 65535
        np.testing.assert_allclose(values[1:], expected, atol=1)
        assert np.all(values[0] == 65535)


def test_white_is_0_in_12_bits(tmp_path):
    values = np.array([[0, 4095], [1000, 95]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", bitspersample=12)
    image = deep_files.read(tmp_path / "a.tif", 1)
    np.testing.assert_array_equal(image.values[..., 0], 4095 - values)
    assert image.usual_range == (0, 4095)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LAB"])
def test_tiff_files_of_8_bits_are_not_deep(mode, tmp_path):
    Image.new(mode, (9, 12)).save(path := tmp_path / "a.tif")
    assert not deep_files.is_deep(path)
    assert deep_files.size(path) == (12, 9)


def test_pages_of_a_stack_are_no_channels(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANES, photometric="minisblack", metadata={"axes": "ZYX"})
    image = deep_files.read(path, 1)
    np.testing.assert_array_equal(image.values[..., 0], PLANES[0])
    assert image.several


def test_dicom_in_hounsfield_units_and_its_window(tmp_path):
    stored = RANDOM.integers(0, 4096, (12, 9), dtype=np.uint16)
    path = tmp_path / "a.dcm"
    scale = {"RescaleSlope": 2, "RescaleIntercept": -1024}
    write_dicom(path, stored, **scale, WindowCenter=[40, 300], WindowWidth=[400, 2000])
    assert deep_files.size(path) == (12, 9)
    image = deep_files.read(path, 1)
    assert image.values.dtype == np.int16
    np.testing.assert_array_equal(image.values[..., 0], 2 * stored.astype(int) - 1024)
    # PS3.3 C.11.2.1.2: 40 - 0.5 - 399 / 2 and 40 - 0.5 + 399 / 2.
    assert parsed(None).of(image, path) == ValueRange((-160.0,), (239.0,))
    write_dicom(path, stored, **scale)
    assert parsed(None).of(deep_files.read(path, 1), path) == ValueRange((-1024.0,), (7166.0,))


def test_dicom_of_other_kinds(tmp_path):
    stored = RANDOM.integers(0, 4096, (12, 9), dtype=np.uint16)
    path = tmp_path / "a.dcm"
    write_dicom(path, stored, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(deep_files.read(path, 1).values[..., 0], 4095 - stored)
    write_dicom(path, stored, RescaleSlope=0.5, RescaleIntercept=0)
    image = deep_files.read(path, 1)
    assert image.values.dtype == np.float32
    np.testing.assert_array_equal(image.values[..., 0], stored / 2)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=f"{path} holds pixels that cannot be read"):
        deep_files.read(path, 1)
    write_dicom(path, stored, PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(InputError, match=f"{path} is a DICOM file of a kind that is not read"):
        deep_files.read(path, 1)


def test_padding_of_dicom_is_the_lowest_value(tmp_path):
    stored = RANDOM.integers(100, 4096, (12, 9), dtype=np.uint16)
    padded = stored.copy()
    padded[:, :3] = 63536  # as scanners write -2000
    path = tmp_path / "a.dcm"
    write_dicom(path, padded, PixelPaddingValue=63536, RescaleIntercept=-1024, RescaleSlope=1)
    values = deep_files.read(path, 1).values[..., 0]
    np.testing.assert_array_equal(values[:, 3:], stored[:, 3:].astype(int) - 1024)
    assert np.all(values[:, :3] == int(stored[:, 3:].min()) - 1024)


def test_windows_of_dicom():
    # PS3.3 C.11.2.1.3.2: exact ones reach half a width to both sides.
    exact = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}
    assert dicom.window(exact) == (-160, 240)
    assert dicom.window({"WindowCenter": "", "WindowWidth": ""}) is None
    assert dicom.window({}) is None


def test_percentiles_are_of_each_channel_and_of_all_images(tmp_path):
    images = RANDOM.normal(size=(3, 40, 30, 2)) * [1, 100] + [0, 5000]
    paths = [tmp_path / f"{number}.npy" for number in range(3)]
    for path, image in zip(paths, images):
        np.save(path, image)
    paths.append(tmp_path / "damaged.npy")
    paths[-1].write_bytes(deep_arrays.SIGNATURE)
    found, count = deep_files.measured(parsed("1%:99%"), paths, 2)
    assert count == len(images)
    expected = np.percentile(images.reshape(-1, 2), (1, 99), axis=0)
    np.testing.assert_allclose((found.low, found.high), expected)
    own = parsed("1%:99%/image").of(deep_files.read(paths[0], 2), paths[0])
    np.testing.assert_allclose(own.low, np.percentile(images[0], 1, axis=(0, 1)))


def test_a_channel_of_one_value_comes_back(tmp_path):
    np.save(path := tmp_path / "a.npy", np.full((4, 4, 1), 7.5))
    written, _ = _back(path, deep_files.read(path, 1), "1%:99%/image")
    np.testing.assert_array_equal(np.load(written), np.full((4, 4, 1), 7.5))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0:1:2", "A range of values is LOW:HIGH"),
        ("low:high", "Received: 'low:high'"),
        ("1%:9", "Received: '1%:9'"),
        ("0:1/image", "Received: '0:1/image'"),
        ("5:5", "the second is the larger. Received: 5:5"),
        ("0:1e999", "Received: 0:inf"),
        ("5%:101%", "Percentiles lie between 0 and 100"),
    ],
)
def test_texts_that_are_no_ranges(text, said):
    with pytest.raises(InputError, match=said):
        parsed(text)


def _array(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _tiff(values, **settings):
    file = io.BytesIO()
    tifffile.imwrite(file, values, photometric="minisblack", **settings)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npy", _array(np.zeros(5)), r"the shape \(5,\); expected an image \(height"),
        ("a.npy", _array(np.zeros((1, 4, 4, 5))), r"the shape \(1, 4, 4, 5\)"),
        ("a.npy", _array(np.zeros((0, 4, 5))), r"the shape \(0, 4, 5\)"),
        ("a.npy", _array(np.zeros((4, 4), complex)), "holds complex128 values; expected numbers"),
        ("a.npy", _array(np.array([[None]])), "is not a .npy file that can be read"),
        ("a.npy", _array(FIVE)[:-1], "is not a .npy file that can be read"),
        ("a.npy", _array(np.array([[1, np.nan], [np.inf, 0]])), "NaN or infinite are 2 of the 4 "),
        ("a.npy", _array(COLOR), "has 3 channels; expected 5"),
        ("a.tif", _tiff(FIVE, planarconfig="contig")[:-1], "it ends before its pixels do"),
        ("a.tif", _tiff(PLANES, planarconfig="separate")[:40], "is damaged and cannot be read"),
        ("a.tif", _tiff(GRAY), "has 1 channel; expected 5"),
        ("a.tif", _tiff(np.zeros((4, 4), np.complex64)), "holds complex64 values"),
    ],
)
def test_files_that_cannot_be_used(name, content, said, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        deep_files.read(path, 5)
    assert str(path) in str(caught.value)


def test_a_truncated_png(tmp_path):
    path = _png(tmp_path / "a.png", COLOR)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match=f"{path} is damaged and cannot be read"):
        deep_files.read(path, 3)


def test_floats_do_not_say_their_range(tmp_path):
    np.save(path := tmp_path / "a.npy", np.zeros((4, 4), np.float32))
    with pytest.raises(InputError, match=f"{path} holds float32 values, whose range it does not"):
        parsed(None).of(deep_files.read(path, 1), path)


def test_extras_are_named(tmp_path, monkeypatch):
    tifffile.imwrite(path := tmp_path / "a.tif", FIVE, photometric="minisblack")
    write_dicom(scan := tmp_path / "a.dcm", GRAY & 4095)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        ImportError, match=r"at their depth and by tiles need tifffile: .*cyclegan-tf\[tiff\]"
    ):
        deep_files.read(path, 5)
    with pytest.raises(ImportError, match=r"DICOM files need pydicom: .*cyclegan-tf\[dicom\]"):
        deep_files.read(scan, 1)


def test_sources_hold_what_the_files_hold(tmp_path):
    """Not the 256 values of 8 bits; a file of 8 bits among them is from 0 to 255."""
    color = COLOR[:, :8]
    for domain in "AB":
        (tmp_path / domain).mkdir()
        _png(tmp_path / domain / "1.png", color)
        Image.fromarray(np.uint8(color >> 8)).save(tmp_path / domain / "2.png")
    dataset = folders(tmp_path / "A", tmp_path / "B", preprocess="none", training=False)
    (first, _), (second, _) = dataset
    assert first.shape == (1, 12, 8, 3)
    source = folder_source(tmp_path / "A")
    np.testing.assert_allclose(source.load(0, None), color / 32767.5 - 1, atol=1e-7)
    np.testing.assert_allclose(source.load(1, None), (color >> 8) / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(source.pixels(1, (12, 8)), color >> 8)
    assert np.abs(first).max() <= 1
    assert len(np.unique(first)) > 256 >= len(np.unique(second))


def test_training_images_without_data(tmp_path):
    values = np.full((20, 30, 5), 7, np.float64)
    values[:, 15:] = np.arange(5) + 8
    values[:5] = -1.7976931348623157e308
    tags = [(42113, "s", 0, "-1.7976931348623157e+308", True)]
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "scene.tif", values, extratags=tags, **options)
    source = folder_source(tmp_path, 5, value_range="0%:100%")
    assert source.depth.record()["low"] == [7] * 5
    loaded = source.load(0, None)
    assert (loaded[:5] == -1).all()
    assert (loaded[5:, 15:] == 1).all()


def test_sources_leave_out_other_channels(tmp_path):
    np.save(tmp_path / "1.npy", FIVE)
    np.save(tmp_path / "2.npy", COLOR)
    Image.fromarray(np.uint8(GRAY >> 8)).save(tmp_path / "3.png")
    with pytest.warns(UserWarning, match="2 of 3 images cannot be read.*2.npy has 3 channels"):
        source = folder_source(tmp_path, 5, value_range="0%:100%")
    assert source.names == ["1.npy"]
    # Each channel from its lowest to its highest value.
    loaded = source.load(0, None)
    np.testing.assert_array_equal(loaded.min((0, 1)), [-1] * 5)
    np.testing.assert_array_equal(loaded.max((0, 1)), [1] * 5)
    low, high = FIVE.min((0, 1)).tolist(), FIVE.max((0, 1)).tolist()
    assert source.depth.record() == {"low": low, "high": high, "dtype": "uint16"}
