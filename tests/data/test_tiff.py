"""Parts of TIFF files, against tifffile's whole images; pyramids, read back by it and by Pillow."""

import contextlib
import itertools
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from cyclegan_tf.data import deep_tiff
from cyclegan_tf.data.tiff_layout import UnsupportedTiffError
from cyclegan_tf.data.tiff_parts import TiffImage
from cyclegan_tf.data.tiff_pyramid import TiffTags, halve, lengths_of_levels, write_pyramid
from cyclegan_tf.errors import DamagedError, InputError

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


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 2, 30, 40), {"metadata": {"axes": "ZCYX"}, "planarconfig": "separate"}),
        ((7, 30, 40, 5), {"metadata": {"axes": "ZYXC"}, "planarconfig": "contig"}),
        ((2, 30, 40), {"metadata": {"axes": "CYX"}, "planarconfig": "separate"}),
        ((30, 40, 5), {"metadata": {"axes": "YXC"}, "planarconfig": "contig"}),
        ((1, 5, 30, 40), {}),
        ((5, 1, 30, 40), {"compression": "zlib"}),
        ((5, 30, 40, 1), {}),
        ((3, 5, 30, 40), {"compression": "zlib"}),
        ((3, 5, 30, 40), {"imagej": True, "byteorder": ">", "metadata": {"axes": "ZCYX"}}),
        ((5, 30, 40), {"byteorder": ">", "rowsperstrip": 7}),
        ((5, 30, 40), {"byteorder": ">", "rowsperstrip": 7, "compression": "zlib"}),
    ],
)
def test_a_part_is_that_of_the_whole_wherever_channels_are(shape, options, tmp_path):
    """By the reader of whole images, which for these has tifffile's own array."""
    path = tmp_path / "image.tif"
    values = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    image = deep_tiff.read(path)
    plain = values.reshape([length for length in shape if length > 1])
    axes = options.get("metadata", {}).get("axes", "")
    plain = plain[0] if plain.ndim == 4 else plain
    last_is_channels = axes.endswith("C")
    expected = plain if last_is_channels else np.moveaxis(plain, 0, -1)
    np.testing.assert_array_equal(image.values, expected)
    assert image.several == (len(values.squeeze().shape) == 4)
    with contextlib.closing(TiffImage(path)) as parts:
        for rows, columns in (((0, 30), (0, 40)), ((6, 23), (5, 31))):
            found = parts.read((rows, columns))
            np.testing.assert_array_equal(found, expected[slice(*rows), slice(*columns)])


def test_pages_that_are_described_and_not_there(tmp_path):
    """As ImageJ writes above 4 GB: one page tells of all, and their values follow its own."""
    path = tmp_path / "image.tif"
    values = np.random.default_rng(0).integers(0, 2**16, (3, 30, 40), np.uint16)
    with tifffile.TiffWriter(path, imagej=True) as writer:
        writer.write(values, photometric="minisblack", metadata={"axes": "CYX"})
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        order, first = file.byteorder, file.pages.first
        end = first.offset + 2 + 12 * len(first.tags)
    content[end : end + 4] = struct.pack(f"{order}I", 0)  # where the next page would be
    path.write_bytes(content)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    with contextlib.closing(TiffImage(path)) as image:
        np.testing.assert_array_equal(
            image.read(((0, 30), (7, 9))), np.moveaxis(values, 0, -1)[:, 7:9]
        )


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((30, 40, 5), "YXC"),
        ((30, 5, 40), "YCX"),
        ((5, 40, 30), "CXY"),
        ((3, 30, 40, 5), "TYXC"),
        ((3, 40, 30), "TXY"),
    ],
)
def test_pages_that_are_no_planes_are_read_as_a_whole(shape, axes, tmp_path):
    """tifffile writes a page for each row if it is not told where channels are."""
    path = tmp_path / "image.tif"
    values = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    tifffile.imwrite(path, values, photometric="minisblack", metadata={"axes": axes})
    with pytest.raises(UnsupportedTiffError, match="is not read by parts"):
        TiffImage(path)
    image = deep_tiff.read(path)
    letters = axes.replace("T", "")
    first = values[0] if "T" in axes else values
    to = "YXC" if "C" in axes else "YX"
    expected = np.einsum(f"{letters}->{to}", first).reshape(30, 40, -1)
    np.testing.assert_array_equal(image.values, expected)
    assert image.several == ("T" in axes)


@pytest.mark.parametrize("axes", ["SYX", "TSYX"])
def test_samples_that_are_pages(axes, tmp_path):
    path = tmp_path / "image.tif"
    shape = (2, 3, 30, 40)[-len(axes) :]
    values = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    with tifffile.TiffWriter(path) as writer:
        writer.write(values, photometric="minisblack", metadata={"axes": axes})
    expected = np.moveaxis(values.reshape(-1, 3, 30, 40)[0], 0, -1)
    np.testing.assert_array_equal(deep_tiff.read(path).values, expected)
    with contextlib.closing(TiffImage(path)) as image:
        np.testing.assert_array_equal(image.read(((0, 30), (0, 40))), expected)


def ome(folder, pages, channels, compression):
    """An OME file whose description says which page is which of three channels."""
    places = "".join(
        f'<TiffData FirstC="{channel}" IFD="{page}" PlaneCount="1"/>'
        for page, channel in enumerate(channels)
    )
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        'SizeX="40" SizeY="30" SizeC="3" SizeZ="1" SizeT="1"><Channel ID="Channel:0:0"/>'
        f"{places}</Pixels></Image></OME>"
    )
    path = folder / "image.ome.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, description=description, metadata=None, compression=compression)
            description = None
    return path


def test_a_plane_that_a_description_names_and_the_file_lacks(tmp_path):
    values = np.ones((2, 30, 40), np.uint16)
    path = ome(tmp_path, values, channels=[0, 2], compression="zlib")
    for read in (TiffImage, deep_tiff.read):
        with pytest.raises(DamagedError, match="lacks pages that it describes"):
            read(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_in_another_order_than_channels(compression, tmp_path):
    """As OME files may have them: the first page is the last channel."""
    values = np.random.default_rng(0).integers(0, 2**16, (3, 30, 40), np.uint16)
    path = ome(tmp_path, values, channels=[2, 0, 1], compression=compression)
    expected = np.moveaxis(values[[1, 2, 0]], 0, -1)
    np.testing.assert_array_equal(deep_tiff.read(path).values, expected)
    with contextlib.closing(TiffImage(path)) as image:
        np.testing.assert_array_equal(image.read(((0, 30), (0, 40))), expected)


def test_parts_of_jpeg_whose_tables_are_apart(tmp_path):
    """As scanners of slides write: what all tiles have in common is in a tag of the page."""
    path = tmp_path / "slide.tif"
    values = np.uint8(np.indices((64, 96)).sum(0)[..., None] + [0, 20, 40])
    Image.fromarray(values).save(path, compression="jpeg", quality=90, tiffinfo={278: 16})
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.jpegtables
        expected = file.asarray()
    with contextlib.closing(TiffImage(path)) as image:
        np.testing.assert_array_equal(image.read(((17, 60), (5, 90))), expected[17:60, 5:90])


def test_files_with_pages_of_other_files_are_read_as_a_whole(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**16, (2, 30, 40), np.uint16)
    names = [f"{number}.ome.tif" for number in range(2)]
    data = "".join(
        f'<TiffData FirstC="{n}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:'
        f"00000000-0000-0000-0000-00000000000{n}</UUID></TiffData>"
        for n, name in enumerate(names)
    )
    for n, name in enumerate(names):
        description = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{n}"><Image ID="Image:0"><Pixels '
            'ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="40" SizeY="30" SizeC="2" '
            f'SizeZ="1" SizeT="1"><Channel ID="Channel:0:0"/><Channel ID="Channel:0:1"/>{data}'
            "</Pixels></Image></OME>"
        )
        tifffile.imwrite(tmp_path / name, values[n], description=description, metadata=None)
    with pytest.raises(UnsupportedTiffError, match="is not read by parts"):
        TiffImage(tmp_path / names[0])
    whole = deep_tiff.read(tmp_path / names[0])
    np.testing.assert_array_equal(whole.values, np.moveaxis(values, 0, -1))


@pytest.mark.parametrize("no_data", ["-9999", "-3.4028234663852886e+38", "0,5", "nan", "-inf"])
def test_what_a_file_leaves_out_has_its_value_of_no_data(no_data, tmp_path, caplog):
    path = tmp_path / "sparse.tif"
    tiles = iter([np.full((16, 16), 5, np.float32), None])
    tifffile.imwrite(path, tiles, shape=(16, 32), dtype=np.float32, tile=(16, 16),
                     extratags=[(42113, 2, 0, no_data, True)])  # fmt: skip
    with contextlib.closing(TiffImage(path)) as image:
        found = image.read(((0, 16), (0, 32)))[..., 0]
    expected = np.float32([[5] * 16 + [float(no_data.replace(",", "."))] * 16] * 16)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(deep_tiff.read(path).values[..., 0], expected)
    assert caplog.messages == []


def test_no_data_where_0_is_white(tmp_path):
    path = tmp_path / "scan.tif"
    tags = [(42113, 2, 0, "0", True)]
    tifffile.imwrite(path, np.uint16([[0, 5]]), photometric="miniswhite", extratags=tags)
    image = deep_tiff.read(path)
    assert (image.values.tolist(), image.no_data) == ([[[65535], [65530]]], 65535)


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


def test_a_pyramid_of_one_column(tmp_path):
    column = Level(np.arange(40, dtype=np.uint16).reshape(40, 1, 1))
    write_pyramid(tmp_path / "column.tif", [column])
    with Image.open(tmp_path / "column.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), column.values[..., 0])


def test_a_smaller_level_has_the_means_of_four_pixels():
    larger = Level(np.array([[0, 10, 7], [20, 31, 7], [40, 60, 9]], np.uint8)[..., None])
    smaller = Level(np.zeros((2, 2, 1), np.uint8))
    halve(larger, smaller)
    # At odd ends the last row and column count twice.
    np.testing.assert_array_equal(smaller.values[..., 0], [[15, 7], [50, 9]])


@pytest.mark.parametrize("no_data", [0.0, np.nan])
def test_pixels_without_data_do_not_count_in_smaller_levels(no_data):
    larger = Level(np.float32([[no_data, no_data, 4], [no_data, no_data, no_data]])[..., None])
    smaller = Level(np.zeros((1, 2, 1), np.float32))
    halve(larger, smaller, no_data)
    np.testing.assert_array_equal(smaller.values[..., 0], [[no_data, 4]])


def test_means_are_not_mistaken_for_no_data():
    larger = Level(np.int16([[-1, 1], [2, -2]])[..., None])
    smaller = Level(np.zeros((1, 1, 1), np.int16))
    halve(larger, smaller, 0)
    assert smaller.values.item() == 1


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
        with pytest.raises(
            UnsupportedTiffError, match="is a TIFF of a kind that is not read at its depth"
        ):
            TiffImage(tmp_path / f"{name}.tif")
