"""Parts of TIFF files, against tifffile's whole images; pyramids, read back by it and by Pillow."""

import contextlib
import itertools

import numpy as np
import pytest
from PIL import Image, ImageOps

from cyclegan_tf.data.tiff_layout import ColorsError
from cyclegan_tf.data.tiff_parts import TiffImage
from cyclegan_tf.data.tiff_pyramid import TiffTags, halve, lengths_of_levels, write_pyramid
from cyclegan_tf.errors import InputError

tifffile = pytest.importorskip("tifffile")

FILES = {
    "tiles": ((150, 170, 3), "uint8", {"tile": (64, 32), "compression": "zlib"}),
    "strips": ((150, 170, 3), "uint16", {"rowsperstrip": 20, "compression": "zlib"}),
    "one strip": ((150, 170, 3), "uint8", {}),
    "gray": ((150, 170), "float32", {"tile": (64, 64), "predictor": True, "compression": "zlib"}),
    "planes": ((5, 150, 170), "uint16", {"planarconfig": "separate", "tile": (32, 32)}),
    "many channels": ((150, 170, 7), "uint8", {"planarconfig": "contig", "rowsperstrip": 16}),
    "pages": ((5, 150, 170), "uint16", {"tile": (32, 64), "compression": "zlib"}),
    "pages of times": ((2, 5, 150, 170), "uint8", {"metadata": {"axes": "TCYX"}, "ome": True}),
    "pages and times": ((5, 2, 150, 170), "uint8", {"metadata": {"axes": "CTYX"}, "ome": True}),
    "ImageJ": ((5, 150, 170), "uint16", {"metadata": {"axes": "CYX"}, "imagej": True}),
    "pyramid": ((150, 170, 3), "uint8", {"tile": (64, 64), "subifds": 1}),
}


def written(path, shape, dtype, options):
    values = (np.random.default_rng(0).random(shape) * 250).astype(dtype)
    photometric = "rgb" if shape[-1] == 3 else "minisblack"
    kind = {name: True for name in ("ome", "imagej") if name in options} or {"bigtiff": True}
    options = {name: value for name, value in options.items() if name not in kind}
    with tifffile.TiffWriter(path, **kind) as writer:
        writer.write(values, photometric=photometric, **options)
        if "subifds" in options:
            writer.write(values[::2, ::2], photometric=photometric, subfiletype=1)
    if len(shape) == 4:  # the first time
        values = values.take(0, options["metadata"]["axes"].index("T"))
    if shape[-1] == 170 and len(shape) > 2:
        values = np.moveaxis(values, 0, -1)
    return values.reshape(150, 170, -1)


@pytest.mark.parametrize("name", FILES)
def test_a_part_is_that_of_the_whole(name, tmp_path):
    values = written(tmp_path / "image.tif", *FILES[name])
    with contextlib.closing(TiffImage(tmp_path / "image.tif")) as image:
        assert (image.shape, image.dtype) == (values.shape, values.dtype)
        for rows, columns in (((0, 150), (0, 170)), ((63, 66), (31, 129)), ((149, 150), (1, 2))):
            expected = values[slice(*rows), slice(*columns)]
            np.testing.assert_array_equal(image.read((rows, columns)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_a_turned_image(orientation, tmp_path):
    path = tmp_path / "turned.tif"
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    tags = {"resolution": (40, 20), "extratags": [(274, 3, 1, orientation, True)]}
    tifffile.imwrite(path, values, photometric="rgb", tile=(16, 32), **tags)
    with Image.open(path) as image:
        whole = np.asarray(ImageOps.exif_transpose(image))
    with contextlib.closing(TiffImage(path)) as image:
        assert image.shape == whole.shape
        for rows, columns in (((0, 40), (0, 40)), ((5, 36), (14, 37))):
            expected = whole[slice(*rows), slice(*columns)]
            np.testing.assert_array_equal(image.read((rows, columns)), expected)
        # Pixels an inch along the columns and the rows of the upright image.
        turned = orientation in (5, 6, 7, 8)
        assert image.tags.resolution == (((20, 1), (40, 1)) if turned else ((40, 1), (20, 1)))


class Level:
    """An array with what levels of a pyramid have."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def read(self, part):
        return self.values[slice(*part[0]), slice(*part[1])]

    def write(self, part, values):
        self.values[slice(*part[0]), slice(*part[1])] = values


@pytest.mark.parametrize(("channels", "dtype"), [(3, "uint8"), (1, "uint16"), (5, "float32")])
def test_a_pyramid_is_read_back(channels, dtype, tmp_path):
    lengths = lengths_of_levels((1051, 700))
    assert lengths == [(1051, 700), (526, 350), (263, 175)]
    rng = np.random.default_rng(0)
    levels = [Level(np.zeros((*each, channels), dtype)) for each in lengths]
    levels[0].values[:] = rng.random(levels[0].shape) * 250
    for larger, smaller in itertools.pairwise(levels):
        halve(larger, smaller)
    tags = TiffTags(b"a profile", ((400, 1), (200, 1)), 3)
    write_pyramid(tmp_path / "pyramid.tif", levels, tags)
    with tifffile.TiffFile(tmp_path / "pyramid.tif") as file:
        for level, expected in zip(file.series[0].levels, levels):
            found = level.asarray()
            np.testing.assert_array_equal(found.reshape(expected.shape), expected.values)
        page = file.pages.first
        assert page.iccprofile == b"a profile"
        assert page.tags["XResolution"].value == (400, 1)
        assert page.tags["ResolutionUnit"].value == 3
    image = TiffImage(tmp_path / "pyramid.tif")
    assert (image.tags.icc_profile, image.tags.unit) == (b"a profile", 3)
    assert image.tags.resolution == ((400, 1), (200, 1))
    image.close()
    if channels == 3:
        with Image.open(tmp_path / "pyramid.tif") as image:
            np.testing.assert_array_equal(np.asarray(image), levels[0].values)


def test_a_smaller_level_has_the_means_of_four_pixels():
    larger = Level(np.array([[0, 10, 7], [20, 31, 7], [40, 60, 9]], np.uint8)[..., None])
    smaller = Level(np.zeros((2, 2, 1), np.uint8))
    halve(larger, smaller)
    # At odd ends the last row and column count twice.
    np.testing.assert_array_equal(smaller.values[..., 0], [[15, 7], [50, 9]])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none\.tif does not exist"):
        TiffImage(tmp_path / "none.tif")
    (tmp_path / "text.tif").write_text("no image")
    with pytest.raises(InputError, match=r"text\.tif is damaged and cannot be read"):
        TiffImage(tmp_path / "text.tif")
    written(tmp_path / "whole.tif", *FILES["tiles"])
    data = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "short.tif").write_bytes(data[: len(data) // 2])
    with (
        pytest.raises(InputError, match=r"short\.tif is damaged and cannot be read"),
        contextlib.closing(TiffImage(tmp_path / "short.tif")) as image,
    ):
        image.read(((0, 150), (0, 170)))
    palette = Image.fromarray(np.zeros((9, 9), np.uint8)).convert("P")
    palette.save(tmp_path / "palette.tif")
    tifffile.imwrite(tmp_path / "cmyk.tif", np.zeros((9, 9, 4), np.uint8), photometric="separated")
    tifffile.imwrite(tmp_path / "volume.tif", np.zeros((9, 64, 64), np.uint8), volumetric=True,
                     tile=(16, 16, 16))  # fmt: skip
    for name in ("palette", "cmyk", "volume"):
        with pytest.raises(ColorsError, match="is a TIFF of a kind that is not read at its depth"):
            TiffImage(tmp_path / f"{name}.tif")
